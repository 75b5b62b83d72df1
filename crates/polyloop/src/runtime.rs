//! The runtime: owns an executor, a driver, and their end.

use crate::Combination;
use crate::builder::{BuildError, Builder};
use crate::handle::{EnterGuard, Handle};
use crate::kinds::{Any, ExecutorKind, ReactorKind, TimersKind};
use polyloop_core::JoinHandle;
use polyloop_core::block_on::Nested;
use polyloop_pool::Pool;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

/// A runtime of an executor `E`, a reactor `R` and a timer queue `T`; `Any` leaves a part to a name.
///
/// Dropping it cancels all tasks, and never waits for a poll that does not end.
pub struct Runtime<E = Any, R = Any, T = Any> {
    handle: Handle,
    executor: Owned,
    parts: PhantomData<Kinds<E, R, T>>,
}

/// The types stand for parts; no value of them is inside.
type Kinds<E, R, T> = fn() -> (E, R, T);

/// What must be shut down.
pub(crate) enum Owned {
    Fifo(polyloop_fifo::Fifo),
    Steal(Pool<polyloop_steal::Steal>),
}

impl Runtime {
    /// The runtime of this combination, as in `"steal:4+mio+wheel"`.
    ///
    /// # Errors
    ///
    /// What is wrong with the name and what is allowed, or the kernel's word.
    pub fn from_name(name: &str) -> Result<Self, BuildError> {
        Builder::new().combination(name).build()
    }

    /// The runtime that the environment variable `POLYLOOP` names, or the default one if it is not set.
    ///
    /// # Errors
    ///
    /// What is wrong with the variable and what is allowed, or the kernel's word.
    pub fn from_env() -> Result<Self, BuildError> {
        Builder::from_env().build()
    }
}

impl<E: ExecutorKind, R: ReactorKind, T: TimersKind> Runtime<E, R, T> {
    /// The runtime of these types; what is `Any` is as in the default combination.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn new() -> Result<Self, BuildError> {
        Builder::new().build_as()
    }
}

impl<E, R, T> Runtime<E, R, T> {
    pub(crate) fn own(handle: Handle, executor: Owned) -> Self {
        Self { handle, executor, parts: PhantomData }
    }

    /// The handle, to be cloned and sent anywhere.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What this runtime was built from.
    pub fn combination(&self) -> &Combination {
        self.handle.combination()
    }

    /// Spawns a task; see [`Handle::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs `job`, which may block, on a thread of its own; see [`Handle::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, O>(&self, job: F) -> JoinHandle<O>
    where
        F: FnOnce() -> O + Send + 'static,
        O: Send + 'static,
    {
        self.handle.spawn_blocking(job)
    }

    /// Runs `future` to its end on the calling thread; see [`Handle::block_on`].
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Runs `future` to its end on the calling thread; see [`Handle::try_block_on`].
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, Nested> {
        self.handle.try_block_on(future)
    }

    /// Makes this runtime the current one of the calling thread; see [`Handle::enter`].
    pub fn enter(&self) -> EnterGuard {
        self.handle.enter()
    }
}

impl<E, R, T> Drop for Runtime<E, R, T> {
    fn drop(&mut self) {
        // Jobs that have begun cannot be ended; nobody waits for them.
        let _ = self.handle.blocking().shutdown(Duration::ZERO);
        match &mut self.executor {
            Owned::Fifo(fifo) => fifo.shut_down(),
            Owned::Steal(pool) => drop(pool.shut_down(Pool::<polyloop_steal::Steal>::GRACE)),
        }
    }
}

impl<E, R, T> fmt::Debug for Runtime<E, R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("combination", &self.combination().to_string())
            .finish_non_exhaustive()
    }
}
