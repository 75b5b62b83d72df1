//! Libraries that know no runtime but tokio, inside our tasks (feature `compat-tokio`).
//!
//! Invariant: *there is one tokio runtime, of one thread called `poly-tokio`, and it starts with the first use of this module*. It
//! runs until the process ends. A program that never calls anything here has no such thread, whatever features are on.
//!
//! A wrapped future is polled by our workers, with tokio's context around each poll: its timers and sockets wait in tokio's
//! reactor, on that thread, and wake our task across threads. What it hands to `tokio::spawn` runs on that thread, too; so does
//! `tokio::task::spawn_blocking`, on further ones. tokio's time is real time also where ours is paused.
//!
//! A wrapped future has no budget: tokio's own holds only for tasks that tokio polls, and ours knows nothing of what tokio's sockets
//! and channels do. One that is always ready keeps its thread from others; put [`budgeted`](crate::task::budgeted) around the
//! operations inside.
//!
//! # Examples
//!
//! ```
//! use polyloop::Runtime;
//! use polyloop::compat::tokio::compat;
//! use std::time::Duration;
//!
//! let runtime = Runtime::from_name("fifo+poll+heap")?;
//! runtime.block_on(async {
//!     // Without the bridge this panics: there is no reactor running.
//!     compat(async { tokio::time::sleep(Duration::from_millis(1)).await }).await;
//! });
//! # Ok::<(), polyloop::BuildError>(())
//! ```

use ::tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::{OnceLock, PoisonError};
use std::task::{Context, Poll};

static HIDDEN: OnceLock<Runtime> = OnceLock::new();

/// The hidden runtime, started by the first call.
///
/// # Errors
///
/// The kernel's word, if it cannot be started. The next call tries again.
pub fn try_handle() -> io::Result<Handle> {
    static STARTING: Mutex<()> = Mutex::new(());
    if let Some(hidden) = HIDDEN.get() {
        return Ok(hidden.handle().clone());
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if HIDDEN.get().is_none() {
        // One worker; but of the kind that allows `tokio::task::block_in_place`.
        let hidden =
            Builder::new_multi_thread().worker_threads(1).thread_name("poly-tokio").enable_all().build()?;
        // Nobody else is at it.
        let _ = HIDDEN.set(hidden);
    }
    HIDDEN.get().map(|hidden| hidden.handle().clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The hidden runtime, started by the first call: for `spawn`, which runs a future on its thread altogether.
///
/// # Panics
///
/// If it cannot be started; see [`try_handle`].
pub fn handle() -> Handle {
    match try_handle() {
        Ok(handle) => handle,
        Err(error) => panic!("the hidden tokio runtime cannot start: {error}"),
    }
}

/// Makes tokio's context the current one until `f` returns: for constructors that look for it.
///
/// # Panics
///
/// As [`handle`], and with the panic of `f`.
pub fn within<R>(f: impl FnOnce() -> R) -> R {
    let handle = handle();
    let _guard = handle.enter();
    f()
}

/// Wraps a future, so that it finds tokio's context whenever it is polled, and when it is dropped.
///
/// # Panics
///
/// As [`handle`].
pub fn compat<F>(inner: F) -> Compat<F> {
    Compat { inner: Some(Box::pin(inner)), handle: handle() }
}

/// What [`compat`] makes.
///
/// # Cancel safety
///
/// As that of the future inside.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Compat<F> {
    /// Taken when it is dropped, which happens in the context, too.
    inner: Option<Pin<Box<F>>>,
    handle: Handle,
}

impl<F: Future> Future for Compat<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { inner, handle } = &mut *self;
        let _guard: EnterGuard<'_> = handle.enter();
        match inner {
            Some(inner) => inner.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Compat<F> {
    fn drop(&mut self) {
        let Self { inner, handle } = self;
        let _guard = handle.enter();
        drop(inner.take());
    }
}
