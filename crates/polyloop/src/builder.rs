//! Building a runtime.

use crate::deadlock::Deadlocks;
use crate::executors::{self, Start, Started};
use crate::handle::{Ambient, Handle};
use crate::kinds::{Any, ExecutorKind, ReactorKind, TimersKind};
use crate::net::{Names, Resolve};
use crate::runtime::Runtime;
use crate::stall::{LEAST_THRESHOLD, MOST_THRESHOLD, STALLS, StallSettings};
use crate::threads::Threads;
use crate::{Combination, CombinationError};
use polyloop_blocking::Limits;
use polyloop_core::budget::PollTime;
use polyloop_core::time::Clock;
use polyloop_core::{Driver, Scheduler, context};
use polyloop_pool::{BlockPolicy, Config, Pool};
use polyloop_steal::Lifo;
use polyloop_time::{PausableClock, SystemClock};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// The environment variable that names a combination.
const VARIABLE: &str = "POLYLOOP";

impl Combination {
    /// The combination that the environment variable `POLYLOOP` names, or the default one if it is not set or empty.
    ///
    /// # Errors
    ///
    /// What is wrong with the variable and what is allowed.
    pub fn from_env() -> Result<Self, BuildError> {
        match std::env::var(VARIABLE) {
            Ok(name) if name.is_empty() => Ok(Self::default()),
            Ok(name) => name.parse().map_err(|error| BuildError(Fault::Variable(error))),
            Err(std::env::VarError::NotPresent) => Ok(Self::default()),
            Err(std::env::VarError::NotUnicode(_)) => Err(BuildError(Fault::NotUnicode)),
        }
    }
}

/// Puts a runtime together. A wrong value is reported by [`build`](Self::build).
///
/// # Examples
///
/// ```
/// use polyloop::{BlockPolicy, Builder};
/// use std::time::Duration;
///
/// let runtime = Builder::new()
///     .combination("steal+poll+heap")
///     .worker_threads(2)
///     .block_policy(BlockPolicy::HandOff { after: Duration::from_millis(5), max_threads: 8 })
///     .thread_name("server")
///     .build()?;
/// assert_eq!(runtime.block_on(async { 42 }), 42);
/// # Ok::<(), polyloop::BuildError>(())
/// ```
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<String>,
    combination: Combination,
    clock: Option<Arc<dyn Clock>>,
    pausable: bool,
    limits: Limits,
    names: Names,
    workers: Option<usize>,
    poll_budget: Option<Duration>,
    experiments: bool,
    pub(crate) threads: Threads,
    pub(crate) stalls: StallSettings,
    pub(crate) deadlocks: Deadlocks,
    fault: Option<BuildError>,
}

impl Builder {
    /// A builder for the default combination, `steal+mio+wheel`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder for the combination that the environment variable `POLYLOOP` names, or for the default one.
    pub fn from_env() -> Self {
        let mut builder = Self::new();
        match Combination::from_env() {
            Ok(combination) => builder.combination = combination,
            Err(error) => builder.blame(error),
        }
        builder
    }

    /// A builder for one thread: `fifo+mio+wheel`.
    pub fn new_current_thread() -> Self {
        Self::new().combination("fifo")
    }

    /// A builder for several threads: `steal+mio+wheel`.
    pub fn new_multi_thread() -> Self {
        Self::new().combination("steal")
    }

    /// Chooses executor, reactor and timer queue, by a name or a [`Combination`].
    #[must_use]
    pub fn combination<C>(mut self, combination: C) -> Self
    where
        C: TryInto<Combination>,
        C::Error: Into<BuildError>,
    {
        match combination.try_into() {
            Ok(combination) => self.combination = combination,
            Err(error) => self.blame(error.into()),
        }
        self
    }

    /// The name of the runtime, which [`Handle::name`] tells. Those of its threads are [others](Self::thread_name).
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = polyloop::Builder::new_current_thread().name("orders").build()?;
    /// assert_eq!(runtime.handle().name(), Some("orders"));
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if name.trim().is_empty() {
            self.blame(BuildError(Fault::NoName));
        } else {
            self.name = Some(name);
        }
        self
    }

    /// How many workers there are, 1 to 1024. An executor of one thread takes no other number than 1.
    ///
    /// This wins over a number in the combination's name, as in `steal:4`, wherever that came from. Without either there
    /// are as many as the process may use processors, by its affinity and, on Linux, the quota of its control group.
    #[must_use]
    pub fn worker_threads(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// What happens to a worker that is stuck in a poll; see [`Combination::block_policy`] for what happens unless said.
    #[must_use]
    pub fn block_policy(mut self, policy: BlockPolicy) -> Self {
        if policy.is_valid() {
            self.combination = self.combination.with_block_policy(policy);
        } else {
            self.blame(BuildError(Fault::Policy(policy)));
        }
        self
    }

    /// Whether a combination may be built that breaks a contract, so as to measure what the contract costs; unless said, it may not.
    /// There is one: `lifo=private`, on which a task may wait for ever beside a worker that is stuck.
    #[must_use]
    pub fn experiments(mut self, allowed: bool) -> Self {
        self.experiments = allowed;
        self
    }

    /// Does nothing: timers and sockets always work. It is here so that a program moves over from tokio unchanged.
    #[must_use]
    pub fn enable_all(self) -> Self {
        self
    }

    /// Does nothing, as [`enable_all`](Self::enable_all).
    #[must_use]
    pub fn enable_io(self) -> Self {
        self
    }

    /// Does nothing, as [`enable_all`](Self::enable_all).
    #[must_use]
    pub fn enable_time(self) -> Self {
        self
    }

    /// The most threads that blocking jobs may have at a time; 512 unless said.
    #[must_use]
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        self.limits.threads = threads;
        self
    }

    /// How long a thread for blocking jobs waits for another one before it ends; 10 s unless said.
    #[must_use]
    pub fn thread_keep_alive(mut self, duration: Duration) -> Self {
        self.limits.keep_alive = duration;
        self
    }

    /// Looks names up by `lookup` instead of by the system's resolver: by a table of names, a cache in front of the system, a slow
    /// resolver in a test.
    ///
    /// It is given the host and the port, and may block: each look-up runs on the blocking pool, as the system's does, and holds up
    /// no task but its own. What is an address already never reaches it. An empty answer is one, too: connecting then fails. A panic is an
    /// error of the look-up. The last one named counts, by this method or by [`resolver`](Self::resolver).
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::{Builder, net};
    ///
    /// let runtime = Builder::new_current_thread()
    ///     .blocking_resolver(|host, port| match host {
    ///         "db.internal" => Ok(vec![([10, 0, 0, 7], port).into()]),
    ///         _ => Err(std::io::Error::other(format!("`{host}` is unknown"))),
    ///     })
    ///     .build()?;
    /// let found = runtime.block_on(net::lookup_host("db.internal:5432"))?;
    /// assert_eq!(found, ["10.0.0.7:5432".parse()?]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn blocking_resolver<F>(mut self, lookup: F) -> Self
    where
        F: Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    {
        self.names = Names::Blocking(Arc::new(lookup));
        self
    }

    /// Looks names up by `resolver`, which must not block: a client of a name server over this runtime's own sockets, say.
    ///
    /// It is asked on the thread of the task that wants the name, and its future is polled there. One that blocks belongs in
    /// [`blocking_resolver`](Self::blocking_resolver).
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.names = Names::Async(Arc::new(resolver));
        self
    }

    /// Takes another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Starts with the clock paused: it moves to the next deadline by itself whenever nothing else can happen, so that
    /// an hour of sleeping passes at once. On any executor, with any number of workers. It can be
    /// [resumed](crate::time::resume).
    #[must_use]
    pub fn start_paused(self, paused: bool) -> Self {
        if paused { self.clock(PausableClock::paused()) } else { self }
    }

    /// Whether the clock, which runs at first, can be [paused](crate::time::pause). Unless said it cannot, because it costs
    /// something while it runs, too: see [`PausableClock`]. A runtime of `#[polyloop::test]` has such a clock.
    ///
    /// Whoever takes a [`clock`](Self::clock), or [starts paused](Self::start_paused), has said which one.
    #[must_use]
    pub fn pausable_clock(mut self, pausable: bool) -> Self {
        self.pausable = pausable;
        self
    }

    /// Gives every poll of a task, and of the future of `block_on`, a budget of time instead of one of
    /// [`OPERATIONS`](crate::task::coop::OPERATIONS), as if each future was in [`budgeted_for`](crate::task::budgeted_for): after
    /// `limit` by the runtime's clock, which is looked at when the poll begins and before every 17th operation, operations of ours
    /// let others go first. So it is the time that others wait which is bounded, and not how much is done in it; a look at the
    /// clock per poll is the price. Any length is allowed; with none a poll may do 16 operations.
    ///
    /// A task may have less by `budgeted_for`, and no limit by [`unconstrained`](crate::task::unconstrained).
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::{Builder, task};
    /// use std::time::Duration;
    ///
    /// let runtime = Builder::new().combination("fifo").poll_budget(Duration::from_micros(500)).build()?;
    /// runtime.block_on(async {
    ///     let other = polyloop::spawn(async { "had its turn" });
    ///     // Ends its poll after 500 µs, however many operations that were.
    ///     while !other.is_finished() {
    ///         task::consume_budget().await;
    ///     }
    /// });
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    #[must_use]
    pub fn poll_budget(mut self, limit: Duration) -> Self {
        self.poll_budget = Some(limit);
        self
    }

    pub(crate) fn blame(&mut self, error: BuildError) {
        // The first mistake is the one to mend first.
        self.fault.get_or_insert(error);
    }

    /// Builds the runtime.
    ///
    /// # Errors
    ///
    /// What was wrong with a value and what is allowed, or the kernel's word.
    pub fn build(self) -> Result<Runtime, BuildError> {
        self.build_as::<Any, Any, Any>()
    }

    /// Builds the runtime of these types; what is `Any` is as the builder says.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn build_as<E: ExecutorKind, R: ReactorKind, T: TimersKind>(
        mut self,
    ) -> Result<Runtime<E, R, T>, BuildError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let mut combination = self.combination;
        if let Some(name) = E::NAME {
            combination = combination.with_executor(name)?;
        }
        if let Some(workers) = self.workers {
            // The one place that knows how many an executor takes.
            let numbered: Combination = format!("{}:{workers}", combination.executor()).parse()?;
            combination = numbered.workers().map_or(combination, |workers| combination.with_workers(workers));
        }
        let executor = executors::known(combination.executor());
        if executor.has_one_thread() && matches!(combination.block_policy(), BlockPolicy::HandOff { .. }) {
            return Err(BuildError(Fault::OneThread));
        }
        if combination.lifo() == Some(Lifo::Private) && !self.experiments {
            return Err(BuildError(Fault::Experiment));
        }
        let stalls = self.stalls.resolve(combination.block_policy())?;
        let reactor = R::build(&combination)
            .map_err(|error| BuildError(Fault::Reactor(combination.reactor().to_owned(), error)))?;
        let pausable = self.pausable;
        let clock = self.clock.unwrap_or_else(|| match pausable {
            true => Arc::new(PausableClock::running()),
            false => Arc::new(SystemClock),
        });
        let driver = Driver::new(reactor, T::build(&combination), clock);
        let workers = combination.workers().unwrap_or_else(default_workers);
        let mut config = Config::new(workers).block(combination.block_policy());
        config.stalls = stalls.clone();
        self.threads.hooks.poll_time = self.poll_budget.map(|limit| PollTime::new(&driver, limit));
        let lifo = combination.lifo().unwrap_or_default();
        let start = Start { driver, config, lifo, threads: &self.threads };
        let Started { entry, owned, rests, ambient } = executor.start(start)?;
        let handle =
            Handle::new(self.name, entry, combination, self.limits, &self.threads, self.names, stalls);
        let ends_are_seen = self.threads.stop.is_some();
        self.deadlocks.watch(handle.driver(), handle.space(), rests, handle.blocking(), ends_are_seen);
        if let Some(ambient) = ambient {
            ambient.0.get_or_init(|| handle.clone());
        }
        Ok(Runtime::own(handle, owned))
    }
}

/// As many workers as the process may use processors, by its affinity and its quota.
fn default_workers() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

pub(crate) fn start_workers<S: Scheduler>(
    scheduler: S,
    driver: Arc<Driver>,
    mut config: Config,
    threads: &Threads,
) -> Result<(Pool<S>, Ambient), BuildError> {
    let ambient = Ambient::default();
    let here = ambient.clone();
    let (named, unnamed, living) = (threads.clone(), threads.clone(), threads.clone());
    threads.ask_for_names(config.workers.get());
    let default = |index| format!("poly-worker-{index}");
    config.thread_name = Arc::new(move |index| named.name_at_hand(default(index)));
    config.name_unused = Arc::new(move |index, name| {
        // Which each seat has for itself.
        if name != default(index) {
            unnamed.give_back(name);
        }
    });
    config.stack_size = threads.stack_size;
    config.around =
        Arc::new(move |_, life| living.live_as_worker(|| context::enter_scope(&here.at_work(), life)));
    config.hooks = threads.hooks.clone();
    let pool = Pool::start(scheduler, driver, config).map_err(|error| {
        let stack = threads.stack_size;
        BuildError(Fault::Thread { stack, error })
    })?;
    Ok((pool, ambient))
}

/// Why a runtime could not be built. A `main` that returns it says so in words: its two forms are the same.
pub struct BuildError(Fault);

#[derive(Debug)]
enum Fault {
    Combination(CombinationError),
    Variable(CombinationError),
    NotUnicode,
    Reactor(String, io::Error),
    Thread {
        stack: Option<usize>,
        error: io::Error,
    },
    /// A policy with numbers out of their ranges.
    Policy(BlockPolicy),
    /// A threshold of stalls out of its range.
    Threshold(Duration),
    /// What stands in the variable for stalls.
    StallVariable(String),
    /// A hand-off on an executor of one thread.
    OneThread,
    /// A combination that breaks a contract.
    Experiment,
    /// A name for the runtime that says nothing.
    NoName,
}

impl BuildError {
    pub(crate) fn threshold(threshold: Duration) -> Self {
        Self(Fault::Threshold(threshold))
    }

    pub(crate) fn stall_variable(text: &str) -> Self {
        Self(Fault::StallVariable(text.to_owned()))
    }

    /// Whether the executor cannot keep the block policy that it was given: one thread with tasks that may not be sent cannot
    /// be relieved.
    pub fn is_policy_unsupported(&self) -> bool {
        matches!(self.0, Fault::OneThread)
    }

    /// Whether the combination is one for experiments only, which were not [allowed](Builder::experiments).
    pub fn is_experiment(&self) -> bool {
        matches!(self.0, Fault::Experiment)
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Combination(error) => error.fmt(f),
            Fault::Variable(error) => write!(f, "{VARIABLE}: {error}"),
            Fault::NotUnicode => write!(f, "{VARIABLE}: not valid Unicode"),
            Fault::Thread { stack: None, error } => write!(f, "a thread could not be started: {error}"),
            Fault::Thread { stack: Some(stack), error } => {
                write!(f, "a thread with a stack of {stack} bytes could not be started: {error}")
            }
            Fault::Policy(policy) => write!(
                f,
                "{policy:?} is out of range: `after` is {:?} to {:?}, `max_threads` 1 to {}",
                BlockPolicy::LEAST_AFTER,
                BlockPolicy::MOST_AFTER,
                BlockPolicy::MOST_THREADS
            ),
            Fault::Threshold(threshold) => write!(
                f,
                "{threshold:?} is out of range for `stall_threshold`: {LEAST_THRESHOLD:?} to {MOST_THRESHOLD:?}, or `None`"
            ),
            Fault::StallVariable(text) => write!(
                f,
                "{STALLS}: `{text}` is neither `off` nor a time from {LEAST_THRESHOLD:?} to {MOST_THRESHOLD:?}, such as `50ms`"
            ),
            Fault::OneThread => f.write_str(
                "`fifo` cannot hand off: it has one thread, with tasks that are not `Send`; take \
                 `steal:1`, `block=none` or `block=detect`",
            ),
            Fault::Experiment => f.write_str(
                "`lifo=private` is an experiment: a task may wait for ever beside a worker that is stuck; allow it by \
                 `Builder::experiments`, or take `lifo=stealable`",
            ),
            Fault::NoName => f.write_str("the name of a runtime is not empty: leave `Builder::name` out, or say one"),
            Fault::Reactor(name, error) => write!(f, "the reactor `{name}` is not to be had here: {error}"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Fault::Combination(error) | Fault::Variable(error) => Some(error),
            Fault::NotUnicode
            | Fault::Policy(_)
            | Fault::OneThread
            | Fault::Experiment
            | Fault::NoName
            | Fault::Threshold(_)
            | Fault::StallVariable(_) => None,
            Fault::Reactor(_, error) | Fault::Thread { error, .. } => Some(error),
        }
    }
}

impl From<CombinationError> for BuildError {
    fn from(error: CombinationError) -> Self {
        Self(Fault::Combination(error))
    }
}

impl From<std::convert::Infallible> for BuildError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<BuildError> for io::Error {
    fn from(error: BuildError) -> Self {
        match error.0 {
            Fault::Reactor(_, ref kernel) | Fault::Thread { error: ref kernel, .. } => {
                Self::new(kernel.kind(), error)
            }
            _ => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_contract_is_built_only_as_an_experiment() {
        let builder = || Builder::new().combination("steal:1,lifo=private");
        assert!(builder().build().unwrap_err().is_experiment());
        assert_eq!(builder().experiments(true).build().unwrap().combination().lifo(), Some(Lifo::Private));
        assert!(Builder::new().combination("steal:1,lifo=off").build().is_ok());
    }
}
