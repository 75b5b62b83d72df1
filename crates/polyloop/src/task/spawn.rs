//! Spawning into the current runtime.

use super::local_set::{LocalSet, spawn_here};
use crate::Handle;
use polyloop_core::{JoinHandle, Meta};
use std::fmt;
use std::future::Future;
use std::panic::Location;

/// Spawns a task into the current runtime. It begins when its turn comes, whether or not the handle is awaited;
/// dropping the handle detaches it.
///
/// # Panics
///
/// Outside of a runtime; [`Handle::try_current`] tells.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let meta = Meta::new(Location::caller());
    Handle::current().spawn_with(future, meta)
}

/// Runs `job`, which may block, on a thread of its own; see [`Handle::spawn_blocking`].
///
/// # Panics
///
/// Outside of a runtime.
#[track_caller]
pub fn spawn_blocking<F, T>(job: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Handle::current().spawn_blocking(job)
}

/// Spawns a task that need not be `Send` and stays on the calling thread, which must be inside `block_on` or in a
/// [`LocalSet`](super::LocalSet). It is dropped at the latest when that `block_on` returns, or with the set.
///
/// # Panics
///
/// On any other thread; see [`try_spawn_local`].
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match spawn_here(future, Meta::new(Location::caller())) {
        Ok(handle) => handle,
        Err(_) => panic!("{NotLocal}"),
    }
}

/// As [`spawn_local`].
///
/// # Errors
///
/// [`NotLocal`], on a thread that is neither inside `block_on` nor in a set, such as a worker.
#[track_caller]
pub fn try_spawn_local<F>(future: F) -> Result<JoinHandle<F::Output>, NotLocal>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_here(future, Meta::new(Location::caller())).map_err(|_| NotLocal)
}

/// This thread has no queue for tasks that are not `Send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLocal;

impl fmt::Display for NotLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "tasks that are not `Send` can only be spawned on a thread inside `block_on` or into a `LocalSet`; \
             workers run `Send` tasks only",
        )
    }
}

impl std::error::Error for NotLocal {}

/// Spawns tasks with a name and with wishes to the scheduler.
///
/// A scheduler ignores the wishes that it does not heed: `steal`, `global`, `percore` and `fifo` heed none, `fair` classes and
/// weights, `edf` deadlines. [`Combination::honours`](crate::Combination::honours) says so.
///
/// # Examples
///
/// ```
/// use polyloop::{Runtime, task};
///
/// let runtime = Runtime::from_name("fair:1")?;
/// assert!(runtime.combination().honours().weight);
/// let sum = runtime.block_on(async {
///     let urgent = task::Builder::new().name("urgent").class(1).weight(3).spawn(async { 40 });
///     let other = task::Builder::new().class(2).spawn(async { 2 });
///     urgent.await.unwrap() + other.await.unwrap()
/// });
/// assert_eq!(sum, 42);
/// # Ok::<(), polyloop::BuildError>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder spawns nothing until it is told to"]
pub struct Builder {
    meta: Meta,
}

impl Default for Builder {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// A task without a name and without wishes.
    #[track_caller]
    pub fn new() -> Self {
        Self { meta: Meta::new(Location::caller()) }
    }

    /// The name by which diagnostics call the task.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.meta.name = Some(name.into());
        self
    }

    /// The class of the task, 0 unless said; what it means is the scheduler's. `fair` gives each class its share.
    pub fn class(mut self, class: u8) -> Self {
        self.meta.class = class;
        self
    }

    /// The share of the processor relative to others, 1 unless said; 0 counts as 1. Heeded by `fair`.
    pub fn weight(mut self, weight: u32) -> Self {
        self.meta.weight = weight.max(1);
        self
    }

    /// When the task wants to be done, on the runtime's clock. Heeded by `edf`, as an order: nothing happens when it has passed.
    pub fn deadline(mut self, deadline: crate::time::Instant) -> Self {
        self.meta.deadline = Some(deadline.0);
        self
    }

    /// Spawns into the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(mut self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.meta.location = Location::caller();
        Handle::current().spawn_with(future, self.meta)
    }

    /// Spawns where [`spawn_local`](super::spawn_local) does. Of the wishes such a task has none but its name.
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn spawn_local<F>(mut self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.meta.location = Location::caller();
        match spawn_here(future, self.meta) {
            Ok(handle) => handle,
            Err(_) => panic!("{NotLocal}"),
        }
    }

    /// Spawns into `set`, from within or without, as [`LocalSet::spawn_local`] does.
    #[track_caller]
    pub fn spawn_local_on<F>(mut self, future: F, set: &LocalSet) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.meta.location = Location::caller();
        set.spawn_with(future, self.meta)
    }
}
