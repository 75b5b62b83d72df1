//! Blocking on purpose.

use crate::Handle;
use polyloop_core::context;
use std::fmt;

/// Runs `f`, which may block, on the calling thread, and keeps nobody waiting meanwhile: a worker that calls this gives its
/// place to another thread first. Once the poll that it is in has ended, it waits on standby.
///
/// Cheaper than [`spawn_blocking`](super::spawn_blocking) where the closure borrows, and it cannot be cancelled. The rest of
/// the *same* task waits, as it does for any call. On a thread inside `block_on`, its own future and its local tasks wait; outside
/// of a runtime and on a thread for blocking jobs this is just a call.
///
/// # Panics
///
/// With the panic of `f`. Without running `f`, where [`try_block_in_place`] returns an error: within a task of `fifo`, whose
/// one thread everybody would wait for, and when no thread can be had.
///
/// # Examples
///
/// ```
/// let runtime = polyloop::Runtime::from_name("steal:1")?;
/// let sum: u64 = runtime.block_on(async {
///     polyloop::spawn(async { polyloop::task::block_in_place(|| (1..=10).sum()) }).await.unwrap()
/// });
/// assert_eq!(sum, 55);
/// # Ok::<(), polyloop::BuildError>(())
/// ```
pub fn block_in_place<F: FnOnce() -> R, R>(f: F) -> R {
    match try_block_in_place(f) {
        Ok(result) => result,
        Err(error) => panic!("{error}"),
    }
}

/// As [`block_in_place`].
///
/// # Errors
///
/// [`CannotBlock`] with the closure, which has not run, within a task of `fifo`, and when no thread can be had: as many as
/// the [policy](crate::BlockPolicy) allows are there, or the kernel refuses one.
///
/// # Panics
///
/// With the panic of `f`.
pub fn try_block_in_place<F: FnOnce() -> R, R>(f: F) -> Result<R, CannotBlock<F>> {
    let one_thread = || Handle::running().is_some_and(|handle| handle.combination().executor() == "fifo");
    if context::is_polling() && one_thread() {
        return Err(CannotBlock { f, why: ONE_THREAD.to_owned() });
    }
    polyloop_pool::try_block_in_place(f).map_err(|error| CannotBlock { why: error.to_string(), f: error.f })
}

const ONE_THREAD: &str =
    "`fifo` has one thread, for which everybody would wait: take `spawn_blocking`, or `steal`";

/// The calling thread may not block, or cannot be replaced while it does. The closure comes back.
pub struct CannotBlock<F> {
    /// What was to be run.
    pub f: F,
    why: String,
}

impl<F> fmt::Debug for CannotBlock<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CannotBlock").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for CannotBlock<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`block_in_place`: {}", self.why)
    }
}

impl<F> std::error::Error for CannotBlock<F> {}
