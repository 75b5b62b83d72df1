//! Building a runtime.

use crate::handle::{Ambient, Entry, Handle};
use crate::kinds::{Any, ExecutorKind, ReactorKind, TimersKind};
use crate::runtime::{Owned, Runtime};
use crate::{Combination, CombinationError};
use polyloop_blocking::Limits;
use polyloop_core::time::Clock;
use polyloop_core::{Driver, Scheduler, context};
use polyloop_pool::{Config, Pool};
use polyloop_steal::Steal;
use polyloop_time::{ManualClock, SystemClock};
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// The environment variable that names a combination.
const VARIABLE: &str = "POLYLOOP";

/// Puts a runtime together. A wrong value is reported by [`build`](Self::build).
#[derive(Debug, Default)]
pub struct Builder {
    combination: Combination,
    /// What [`worker_threads`](Self::worker_threads) asked for, whatever executor is chosen afterwards.
    workers: Option<NonZeroUsize>,
    clock: Option<Arc<dyn Clock>>,
    limits: Limits,
    fault: Option<BuildError>,
}

impl Builder {
    /// A builder for the default combination, `steal+mio+wheel`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder for the combination that the environment variable `POLYLOOP` names, or for the default one.
    pub fn from_env() -> Self {
        match std::env::var(VARIABLE) {
            Ok(name) => {
                let mut builder = Self::new();
                match name.parse() {
                    Ok(combination) => builder.combination = combination,
                    Err(error) => builder.blame(BuildError(Fault::Variable(error))),
                }
                builder
            }
            Err(std::env::VarError::NotPresent) => Self::new(),
            Err(std::env::VarError::NotUnicode(_)) => {
                let mut builder = Self::new();
                builder.blame(BuildError(Fault::NotUnicode));
                builder
            }
        }
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
        match self.workers {
            Some(workers) if self.combination.workers().is_none() => self.worker_threads(workers.get()),
            _ => self,
        }
    }

    /// How many workers there are, 1 to 1024. An executor of one thread takes no other number than 1. A combination that
    /// is chosen afterwards keeps to it, unless it names a number itself.
    #[must_use]
    pub fn worker_threads(mut self, workers: usize) -> Self {
        let name = format!("{}:{workers}", self.combination.executor());
        match (name.parse::<Combination>(), NonZeroUsize::new(workers)) {
            (Ok(_), Some(workers)) => {
                self.workers = Some(workers);
                self.combination = self.combination.with_workers(workers);
            }
            (Err(error), _) => self.blame(error.into()),
            (Ok(_), None) => unreachable!("no combination has zero workers"),
        }
        self
    }

    /// Does nothing: timers and sockets always work. It is here so that a program moves over from tokio unchanged.
    #[must_use]
    pub fn enable_all(self) -> Self {
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

    /// Takes another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Starts with the clock paused: it moves to the next deadline by itself whenever nothing else can happen, so that
    /// an hour of sleeping passes at once. On any executor, with any number of workers.
    #[must_use]
    pub fn start_paused(self, paused: bool) -> Self {
        if paused { self.clock(ManualClock::automatic()) } else { self }
    }

    fn blame(&mut self, error: BuildError) {
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
        let reactor = R::build(&combination)
            .map_err(|error| BuildError(Fault::Reactor(combination.reactor().to_owned(), error)))?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let driver = Driver::new(reactor, T::build(&combination), clock);
        let (entry, executor, ambient) = match combination.executor() {
            "fifo" => {
                let fifo = polyloop_fifo::Fifo::new(driver);
                (Entry::Fifo(fifo.clone()), Owned::Fifo(fifo), None)
            }
            "steal" => {
                let workers = combination.workers().unwrap_or_else(default_workers);
                let (pool, ambient) = start_workers(Steal::new(workers), driver, workers)?;
                let entry = Entry::Pool { space: pool.space().clone(), driver: pool.driver().clone() };
                (entry, Owned::Steal(pool), Some(ambient))
            }
            other => unreachable!("a combination names an executor of its table, not `{other}`"),
        };
        let handle = Handle::new(entry, combination, self.limits);
        if let Some(ambient) = ambient {
            ambient.0.get_or_init(|| handle.clone());
        }
        Ok(Runtime::own(handle, executor))
    }
}

/// As many workers as the process may use processors, by its affinity and its quota.
fn default_workers() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn start_workers<S: Scheduler>(
    scheduler: S,
    driver: Arc<Driver>,
    workers: NonZeroUsize,
) -> Result<(Pool<S>, Ambient), BuildError> {
    let ambient = Ambient::default();
    let here = ambient.clone();
    let mut config = Config::new(workers);
    config.around = Arc::new(move |_, life| context::enter_scope(&here, life));
    let pool = Pool::start(scheduler, driver, config).map_err(|error| BuildError(Fault::Thread(error)))?;
    Ok((pool, ambient))
}

/// Why a runtime could not be built.
#[derive(Debug)]
pub struct BuildError(Fault);

#[derive(Debug)]
enum Fault {
    Combination(CombinationError),
    Variable(CombinationError),
    NotUnicode,
    Reactor(String, io::Error),
    Thread(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Combination(error) => error.fmt(f),
            Fault::Variable(error) => write!(f, "{VARIABLE}: {error}"),
            Fault::NotUnicode => write!(f, "{VARIABLE}: not valid Unicode"),
            Fault::Thread(error) => write!(f, "a thread could not be started: {error}"),
            Fault::Reactor(name, error) => write!(f, "the reactor `{name}` is not to be had here: {error}"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Fault::Combination(error) | Fault::Variable(error) => Some(error),
            Fault::NotUnicode => None,
            Fault::Reactor(_, error) | Fault::Thread(error) => Some(error),
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
            Fault::Reactor(_, ref kernel) | Fault::Thread(ref kernel) => Self::new(kernel.kind(), error),
            _ => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}
