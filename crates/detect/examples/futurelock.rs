//! Futurelock, as in Oxide's RFD 609: a task waits for a lock that goes to a future which it keeps and no longer polls.
//!
//! ```text
//! cargo run -p polyloop-detect --example futurelock              # prints the finding
//! cargo run -p polyloop-detect --example futurelock -- --fixed   # the future has a task of its own: all is well
//! ```

#![forbid(unsafe_code)]

use polyloop_detect::{Detect, Finding, Limits, Lock, watched};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

type Shared = Arc<Lock<Mutex<()>>>;

async fn work(lock: Shared) {
    let _guard = lock.acquire(Mutex::lock).await;
}

/// Has the lock until after `racing` has given up its first branch.
async fn background(lock: Shared) {
    let _guard = lock.acquire(Mutex::lock).await;
    sleep(Duration::from_millis(100)).await;
}

/// The first branch is in line for the lock when the second wins. It is borrowed, so it keeps its place in the line.
async fn racing(lock: Shared) {
    let mut first = Box::pin(watched("first", work(lock.clone())));
    tokio::select! {
        () = &mut first => {}
        () = sleep(Duration::from_millis(20)) => watched("second", work(lock)).await,
    }
}

/// The first branch is a task of its own, so it is polled whatever this one waits for.
async fn racing_fixed(lock: Shared, detect: Detect) {
    let mut first = tokio::spawn(detect.task("first", work(lock.clone())));
    tokio::select! {
        _ = &mut first => {}
        () = sleep(Duration::from_millis(20)) => watched("second", work(lock)).await,
    }
}

/// The first finding, or none if the program ends.
pub(crate) fn run(fixed: bool) -> Option<Finding> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (told, mut findings) = mpsc::unbounded_channel();
    let detect = Detect::with(Limits::default(), move |finding| _ = told.send(finding.clone()));
    runtime.block_on(async {
        let lock: Shared = Arc::new(Lock::new("account", Mutex::new(())));
        tokio::spawn(detect.task("background", background(lock.clone())));
        tokio::task::yield_now().await;
        let racing = match fixed {
            true => tokio::spawn(detect.task("racing", racing_fixed(lock, detect.clone()))),
            false => tokio::spawn(detect.task("racing", racing(lock))),
        };
        tokio::select! {
            finding = findings.recv() => finding,
            _ = racing => None,
        }
    })
}

#[cfg(not(test))]
fn main() {
    match run(std::env::args().any(|arg| arg == "--fixed")) {
        Some(finding) => println!("{finding}"),
        None => println!("done, nothing found"),
    }
}
