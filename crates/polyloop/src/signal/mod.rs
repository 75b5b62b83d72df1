//! Signals of the process.
//!
//! A [`Signal`](unix::Signal) is a socket that the handler writes to and the runtime's reactor watches: no thread waits for it, and
//! nothing wakes up before a signal comes. Handlers are installed through `signal-hook`, and stand beside others of that crate's.
//!
//! **A signal that was listened to once never does again what it did by default**, as with tokio: after the first [`ctrl_c`] a
//! Ctrl-C that nobody waits for is lost. So listen for the whole life of the program.

pub mod unix;

use std::io;

/// Waits for the next Ctrl-C (`SIGINT`). It counts from the first poll on; a [`Signal`](unix::Signal) that is kept misses none.
///
/// # Errors
///
/// As [`unix::signal`], or that the runtime has shut down.
///
/// # Cancel safety
///
/// Cancel safe, but a signal that comes while nobody waits is lost.
///
/// # Examples
///
/// ```no_run
/// # async fn serve() {}
/// # async fn f() -> std::io::Result<()> {
/// polyloop::select! {
///     done = polyloop::signal::ctrl_c() => done?,
///     () = serve() => {}
/// }
/// println!("bye");
/// # Ok(())
/// # }
/// ```
pub async fn ctrl_c() -> io::Result<()> {
    unix::signal(unix::SignalKind::interrupt())?.next().await
}
