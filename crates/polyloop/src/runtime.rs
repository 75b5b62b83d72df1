//! The runtime: owns an executor, a driver, and their end. Beside it stands what tokio has in its module of this name.

use crate::Combination;
use crate::builder::BuildError;
use crate::dump::{Dump, Tracer};
use crate::executors::Owned;
use crate::kinds::{Any, ExecutorKind, ReactorKind, TimersKind};
use crate::shutdown::{self, GRACE_FOR_WRITES, Report};
use polyloop_core::JoinHandle;
use polyloop_core::block_on::BlockOnError;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

pub use crate::id::Id;
#[doc(no_inline)]
pub use crate::{Builder, EnterGuard, Handle, NoRuntime as TryCurrentError, RuntimeMetrics};

/// A runtime of an executor `E`, a reactor `R` and a timer queue `T`; `Any` leaves a part to a name.
///
/// Dropping it cancels all tasks, and never waits for a poll that does not end. It waits, for ten seconds at most, until bytes that a
/// [file](crate::fs::File) or a [standard stream](crate::io::stdout) has taken over are written. [`shutdown`](Self::shutdown) does
/// all that with a deadline, and reports.
pub struct Runtime<E = Any, R = Any, T = Any> {
    handle: Handle,
    executor: Box<dyn Owned>,
    tracer: Option<Tracer>,
    parts: PhantomData<Kinds<E, R, T>>,
}

/// The types stand for parts; no value of them is inside.
type Kinds<E, R, T> = fn() -> (E, R, T);

impl Runtime {
    /// The runtime of the default combination, `steal+mio+wheel`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn new() -> Result<Self, BuildError> {
        Builder::new().build()
    }

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
    /// Not called `new`, so that [`Runtime::new`] needs no types.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::{Mio, Runtime, Steal, Wheel};
    ///
    /// let runtime = Runtime::<Steal, Mio, Wheel>::typed()?;
    /// assert_eq!(runtime.combination().to_string(), "steal+mio+wheel");
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    pub fn typed() -> Result<Self, BuildError> {
        Builder::new().build_as()
    }
}

impl<E, R, T> Runtime<E, R, T> {
    pub(crate) fn own(handle: Handle, executor: Box<dyn Owned>) -> Self {
        let tracer = Tracer::from_env(&handle);
        Self { handle, executor, tracer, parts: PhantomData }
    }

    /// The handle, to be cloned and sent anywhere.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What the runtime is doing, in numbers; see [`Handle::metrics`].
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle.metrics()
    }

    /// What this runtime was built from.
    pub fn combination(&self) -> &Combination {
        self.handle.combination()
    }

    /// What the runtime and each of its tasks are doing; see [`Handle::dump`].
    pub fn dump(&self) -> Dump {
        self.handle.dump()
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
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, BlockOnError> {
        self.handle.try_block_on(future)
    }

    /// Ends the runtime: cancels all tasks and all blocking jobs that have not begun, but for writes to files; waits for these and for
    /// the polls and jobs that are under way until `deadline` has passed, and says what became of everything. [`Duration::MAX`]
    /// waits as long as it takes. Whatever is spawned from now on is cancelled at once.
    ///
    /// Tasks are not run to their ends: await their handles before, if that is wanted. A task that does not end its poll
    /// by the deadline is named in the report, and dropped by its thread when the poll ends; a job that does not end is
    /// named, and goes on. Called again, this waits once more for what was left the last time.
    ///
    /// From within one of the runtime's own tasks or jobs it works, too, and does not wait for the thread that it is called
    /// on: the report names the calling task or job, which has not ended. The local tasks of a thread inside
    /// [`block_on`](Self::block_on) belong to that thread, and end with its `block_on`.
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::Runtime;
    /// use std::time::Duration;
    ///
    /// let runtime = Runtime::from_name("steal:2")?;
    /// runtime.spawn(std::future::pending::<()>());
    /// let report = runtime.shutdown(Duration::from_secs(5));
    /// assert!(report.is_clean(), "{report}");
    /// assert_eq!(report.tasks.cancelled, 1);
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    pub fn shutdown(&self, deadline: Duration) -> Report {
        self.tracer.iter().for_each(Tracer::stop);
        shutdown::shut_down(&self.handle, &*self.executor, deadline)
    }

    /// [`shutdown`](Self::shutdown) by the name that tokio has for it, without the report.
    pub fn shutdown_timeout(self, deadline: Duration) {
        let _ = self.shutdown(deadline);
    }

    /// [`shutdown`](Self::shutdown) that waits for nothing, neither for the polls nor for the writes that a drop waits for.
    pub fn shutdown_background(self) {
        let _ = self.shutdown(Duration::ZERO);
    }

    /// Makes this runtime the current one of the calling thread; see [`Handle::enter`].
    pub fn enter(&self) -> EnterGuard {
        self.handle.enter()
    }
}

impl<E, R, T> Drop for Runtime<E, R, T> {
    fn drop(&mut self) {
        if self.handle.is_shut_down() {
            return;
        }
        self.handle.shutdown_beginning().note(&self.handle);
        // Jobs that have begun cannot be ended; nobody waits for them but for those that somebody takes for done.
        let _ = self.handle.blocking().shutdown(Duration::ZERO);
        let _ = self.executor.shut_down(self.executor.grace());
        self.handle.blocking().finish(GRACE_FOR_WRITES);
    }
}

impl<E, R, T> fmt::Debug for Runtime<E, R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("combination", &self.combination().to_string())
            .finish_non_exhaustive()
    }
}
