//! The runtime of a program: named by the variable, made for one call or to be kept.
//!
//! Invariant: what the program says wins, then `POLYLOOP`, then the default. A program that says "one thread" or "several threads"
//! says nothing about reactor and timer queue.

use polyloop::task::JoinHandle;
use polyloop::{BuildError, Combination, EnterGuard, Handle, RuntimeMetrics};
use std::io::{self, Write};
use std::time::Duration;

/// The variable that says what clock there is.
const CLOCK: &str = "POLYLOOP_CLOCK";

/// Whether the variable has the clock paused.
fn is_paused() -> io::Result<bool> {
    match std::env::var(CLOCK).as_deref() {
        Err(std::env::VarError::NotPresent) | Ok("system") => Ok(false),
        Ok("paused") => Ok(true),
        Ok(other) => Err(unknown_clock(other)),
        Err(std::env::VarError::NotUnicode(other)) => Err(unknown_clock(&other.to_string_lossy())),
    }
}

fn unknown_clock(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{CLOCK}: unknown clock `{name}`; there are system, paused"),
    )
}

/// Whoever asks for a timeline would look for its file.
#[cfg(not(feature = "timeline"))]
fn tell_that_nothing_is_noted() {
    static TOLD: std::sync::Once = std::sync::Once::new();
    TOLD.call_once(|| {
        if std::env::var_os("POLYLOOP_TIMELINE").is_some_and(|file| !file.is_empty()) {
            let what = "POLYLOOP_TIMELINE: nothing is noted without trpl's feature `timeline`: cargo run --features trpl/timeline";
            let _ = writeln!(io::stderr(), "{what}");
        }
    });
}

/// Runs `future` to its end on the calling thread, on a runtime of its own, which ends with it: tasks that still run are dropped.
/// The future need be neither `Send` nor `'static`.
///
/// The variable `POLYLOOP` names the runtime. If that names none, this says so in one line and ends the process with code 2. With
/// `POLYLOOP_CLOCK=paused` no sleep takes any time: see [`Builder::start_paused`].
///
/// # Panics
///
/// With the panic of the future; and inside of a runtime, where it would wait for itself.
///
/// # Examples
///
/// ```
/// assert_eq!(trpl::block_on(async { 6 * 7 }), 42);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = Runtime::new().unwrap_or_else(|error| {
        // Nobody to tell if stderr is closed; the code says it as well.
        let _ = writeln!(io::stderr(), "{error}");
        std::process::exit(2)
    });
    runtime.block_on(future)
}

/// [`block_on`] by its name of version 0.2.
///
/// # Panics
///
/// As there.
#[track_caller]
pub fn run<F: Future>(future: F) -> F::Output {
    block_on(future)
}

/// A runtime to be kept. Dropping it drops all tasks, and never waits for one that does not end.
///
/// It is named by the variable `POLYLOOP`, as for [`run`]. Whatever else there is to it is reached through [`handle`](Self::handle).
#[derive(Debug)]
pub struct Runtime(polyloop::Runtime);

impl Runtime {
    /// The runtime that `POLYLOOP` names, or the default one.
    ///
    /// # Errors
    ///
    /// What is wrong with the variable and what is allowed, or the kernel's word.
    pub fn new() -> io::Result<Self> {
        let builder = polyloop::Builder::from_env().start_paused(is_paused()?);
        Ok(Self(builder.build()?))
    }

    /// The handle, to be cloned and sent anywhere.
    pub fn handle(&self) -> &Handle {
        self.0.handle()
    }

    /// What it was built from.
    pub fn combination(&self) -> &Combination {
        self.0.combination()
    }

    /// Spawns a task; see [`spawn_task`](crate::spawn_task).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        #[cfg(feature = "timeline")]
        let future = crate::lanes::task(future);
        self.0.spawn(future)
    }

    /// Runs `job`, which may block, on a thread of its own.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.0.spawn_blocking(job)
    }

    /// Runs `future` to its end on the calling thread. It need be neither `Send` nor `'static`.
    ///
    /// # Panics
    ///
    /// As the function [`block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        #[cfg(feature = "timeline")]
        let (future, _written_at_the_end) = crate::lanes::main(future, self.combination());
        #[cfg(not(feature = "timeline"))]
        tell_that_nothing_is_noted();
        self.0.block_on(future)
    }

    /// Makes this runtime the current one of the calling thread until the guard is dropped.
    pub fn enter(&self) -> EnterGuard {
        self.0.enter()
    }

    /// What it is doing, in numbers.
    pub fn metrics(&self) -> RuntimeMetrics {
        self.0.metrics()
    }

    /// Ends the runtime, and waits no longer than this for polls and blocking jobs that are under way.
    pub fn shutdown_timeout(self, duration: Duration) {
        self.0.shutdown_timeout(duration);
    }

    /// Ends the runtime, and waits for nothing.
    pub fn shutdown_background(self) {
        self.0.shutdown_background();
    }
}

/// Builds a [`Runtime`], by the names of tokio's builder, which the original leaves one to.
///
/// # Examples
///
/// ```
/// use trpl::Builder;
///
/// let runtime = Builder::new_current_thread().enable_all().build()?;
/// assert_eq!(runtime.combination().executor(), "fifo");
/// assert_eq!(runtime.block_on(async { trpl::spawn_task(async { 42 }).await.unwrap() }), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    threads: Threads,
    workers: Option<usize>,
    name: Option<String>,
    stack: Option<usize>,
    blocking: Option<usize>,
    keep_alive: Option<Duration>,
    paused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    One,
    Several,
}

/// The executor of one thread, and the one for several where the variable names none.
const ONE: &str = "fifo";
const SEVERAL: &str = "steal";

impl Builder {
    fn new(threads: Threads) -> Self {
        Self {
            threads,
            workers: None,
            name: None,
            stack: None,
            blocking: None,
            keep_alive: None,
            paused: false,
        }
    }

    /// For one thread: the executor is `fifo`, and `POLYLOOP` names reactor and timer queue. Options of another executor that stand
    /// in the variable are passed over.
    pub fn new_current_thread() -> Self {
        Self::new(Threads::One)
    }

    /// For several threads: the executor is the one that `POLYLOOP` names if that has them, and `steal` if not.
    pub fn new_multi_thread() -> Self {
        Self::new(Threads::Several)
    }

    /// Does nothing: timers and sockets always work.
    pub fn enable_all(&mut self) -> &mut Self {
        self
    }

    /// Does nothing, as [`enable_all`](Self::enable_all).
    pub fn enable_io(&mut self) -> &mut Self {
        self
    }

    /// Does nothing, as [`enable_all`](Self::enable_all).
    pub fn enable_time(&mut self) -> &mut Self {
        self
    }

    /// How many workers there are, 1 to 1024. Means nothing for one thread.
    pub fn worker_threads(&mut self, workers: usize) -> &mut Self {
        self.workers = Some(workers);
        self
    }

    /// What the threads are called.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    /// The stack of each thread, in bytes.
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.stack = Some(bytes);
        self
    }

    /// The most threads that blocking jobs may have at a time.
    pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Self {
        self.blocking = Some(threads);
        self
    }

    /// How long a thread for blocking jobs waits for another one before it ends.
    pub fn thread_keep_alive(&mut self, duration: Duration) -> &mut Self {
        self.keep_alive = Some(duration);
        self
    }

    /// Starts with the clock paused: it moves to the next deadline by itself whenever nothing else can happen. With any number of
    /// threads. The variable `POLYLOOP_CLOCK=paused` does the same for any program. While a task blocks its thread, the clock stands
    /// still.
    pub fn start_paused(&mut self, paused: bool) -> &mut Self {
        self.paused = paused;
        self
    }

    /// Builds the runtime.
    ///
    /// # Errors
    ///
    /// What is wrong with the variable or with a number and what is allowed, or the kernel's word.
    pub fn build(&mut self) -> io::Result<Runtime> {
        let mut builder = polyloop::Builder::new()
            .combination(self.combination()?)
            .start_paused(self.paused || is_paused()?);
        if let (Threads::Several, Some(workers)) = (self.threads, self.workers) {
            builder = builder.worker_threads(workers);
        }
        if let Some(name) = &self.name {
            builder = builder.thread_name(name);
        }
        if let Some(bytes) = self.stack {
            builder = builder.thread_stack_size(bytes);
        }
        if let Some(threads) = self.blocking {
            builder = builder.max_blocking_threads(threads);
        }
        if let Some(duration) = self.keep_alive {
            builder = builder.thread_keep_alive(duration);
        }
        Ok(Runtime(builder.build()?))
    }

    fn combination(&self) -> Result<Combination, BuildError> {
        let named = Combination::from_env()?;
        let executor = match (self.threads, named.executor() == ONE) {
            (Threads::One, true) | (Threads::Several, false) => return Ok(named),
            (Threads::One, false) => ONE,
            (Threads::Several, true) => SEVERAL,
        };
        // The options belong to the executor that does not run, so only the parts below it are taken over.
        Ok(format!("{executor}+{}+{}", named.reactor(), named.timers()).parse::<Combination>()?)
    }
}
