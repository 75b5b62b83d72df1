//! The watchdog.
//!
//! Invariant: a test that hangs fails, and the failure names it. The thread that hangs is left behind: nothing can end it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a property may take. All of them take milliseconds on an idle machine.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Runs `body` on a thread of its own.
///
/// # Panics
///
/// With the panic of `body`, and if it has not ended within `limit`.
pub fn watched(name: &str, limit: Duration, body: impl FnOnce() + Send + 'static) {
    let (alive, ended) = mpsc::channel::<()>();
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Dropped at the end of the body, by a panic too.
            let _alive = alive;
            body();
        })
        .expect("a thread for the test");
    if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        panic!("{name} hangs: no end within {limit:?}");
    }
    if let Err(payload) = thread.join() {
        std::panic::resume_unwind(payload);
    }
}

/// Blocks the calling thread, as a program does that should not.
#[expect(clippy::disallowed_methods, reason = "a blocked thread is what the test is about")]
pub fn block_thread(duration: Duration) {
    thread::sleep(duration);
}
