//! Running futures: to the end on this thread, as tasks, or as closures on a thread that may block.
//!
//! Invariant: whether a future must be `Send` is a matter of which trait is asked, never of a feature flag.

use crate::Join;
use std::fmt;
use std::future::Future;
use std::panic::Location;

/// Runs a future on the calling thread, and the runtime's tasks meanwhile.
pub trait BlockOn {
    /// Polls `future` here until it is done. It needs to be neither `Send` nor `'static`.
    ///
    /// # Panics
    ///
    /// If the thread is already inside a runtime that forbids it.
    fn block_on<F: Future>(&self, future: F) -> F::Output;
}

/// Starts tasks that may move between threads.
pub trait Spawn {
    /// The future of a task's result.
    type Join<T: Send + 'static>: Join<T> + Send + 'static;

    /// Starts `future` as a task, from any thread. It runs as soon as the runtime does.
    ///
    /// Runtimes that name tasks by the place of their spawn find it by `#[track_caller]`; a library that spawns for its own
    /// caller passes it on by that attribute, or by [`spawn_at`](Self::spawn_at).
    #[track_caller]
    fn spawn<F>(&self, future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// As [`spawn`](Self::spawn), for code that was told the place of the spawn by somebody else. A runtime that has no use for
    /// it need not implement this.
    fn spawn_at<F>(&self, future: F, place: &'static Location<'static>) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let _ = place;
        self.spawn(future)
    }
}

/// Starts tasks that stay on their thread.
pub trait SpawnLocal {
    /// The future of a local task's result.
    type LocalJoin<T: 'static>: Join<T> + 'static;

    /// Starts `future` as a task of this thread. Local tasks that are alive when the thread's `block_on` returns are
    /// dropped there.
    ///
    /// # Errors
    ///
    /// [`NotLocal`] with the future unless the thread is inside [`BlockOn::block_on`] of this very runtime.
    #[track_caller]
    fn spawn_local<F>(&self, future: F) -> Result<Self::LocalJoin<F::Output>, NotLocal<F>>
    where
        F: Future + 'static,
        F::Output: 'static;
}

/// Runs closures that block.
pub trait SpawnBlocking {
    /// The future of a closure's result.
    type BlockingJoin<T: Send + 'static>: Join<T> + Send + 'static;

    /// Runs `f` on a thread of its own or of a pool. A closure that has begun cannot be aborted.
    #[track_caller]
    fn spawn_blocking<F, T>(&self, f: F) -> Self::BlockingJoin<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;

    /// As [`spawn_blocking`](Self::spawn_blocking), for code that was told the place of the call by somebody else; see
    /// [`Spawn::spawn_at`].
    fn spawn_blocking_at<F, T>(&self, f: F, place: &'static Location<'static>) -> Self::BlockingJoin<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let _ = place;
        self.spawn_blocking(f)
    }
}

/// Gives way to other tasks.
pub trait Yield {
    /// The future of having been polled a second time.
    type Yield: Future<Output = ()> + Send + 'static;

    /// Lets other ready tasks run before the caller goes on. Which of them, and whether timers and I/O are looked at
    /// first, is the runtime's choice.
    fn yield_now(&self) -> Self::Yield;
}

/// This thread is not inside `block_on` of the runtime that was asked to start a local task.
pub struct NotLocal<F> {
    /// The future, to be started elsewhere.
    pub future: F,
}

impl<F> fmt::Debug for NotLocal<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotLocal").finish_non_exhaustive()
    }
}

impl<F> fmt::Display for NotLocal<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local tasks start only on a thread that is inside this runtime's block_on")
    }
}

impl<F> std::error::Error for NotLocal<F> {}
