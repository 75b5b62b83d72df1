//! Which executor, reactor and timer queue: as a value, as a string, as a table.
//!
//! Invariant: [`Combination::ALL`] is the one table of what is built in; tests, benches, the lab and the README read it.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// A choice of executor, reactor and timer queue: `executor[:workers]+reactor+timers[,key=value…]`.
///
/// Parts may be left out from the end: `fifo` is `fifo+mio+wheel`, `steal:4+poll` is `steal:4+poll+wheel`. The default is
/// `steal+mio+wheel`.
///
/// # Examples
///
/// ```
/// use polyloop::Combination;
///
/// let chosen: Combination = "steal:4+poll+heap".parse()?;
/// assert_eq!(chosen.executor(), "steal");
/// assert_eq!(chosen.workers().map(|workers| workers.get()), Some(4));
/// assert_eq!(chosen.to_string(), "steal:4+poll+heap");
/// assert!("steal+epoll".parse::<Combination>().unwrap_err().to_string().contains("mio, polling, poll"));
/// # Ok::<(), polyloop::CombinationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Combination {
    executor: &'static str,
    workers: Option<NonZeroUsize>,
    reactor: &'static str,
    timers: &'static str,
    block: BlockPolicy,
}

/// What happens to a worker that is stuck in a poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BlockPolicy {
    /// Nothing: it is lost until the poll returns, and the others go on.
    #[default]
    None,
}

/// The executors that are built in.
pub(crate) const EXECUTORS: [&str; 2] = ["fifo", "steal"];
/// The reactors that are built in.
pub(crate) const REACTORS: [&str; 3] = ["mio", "polling", "poll"];
/// The timer queues that are built in.
pub(crate) const TIMERS: [&str; 2] = ["wheel", "heap"];

const OPTIONS: [&str; 1] = ["block=none"];

/// More workers than this are a typing error.
const MAX_WORKERS: usize = 1024;

impl Combination {
    /// Everything that is built in, the default's parts first.
    pub const ALL: [Self; EXECUTORS.len() * REACTORS.len() * TIMERS.len()] = {
        let mut all = [Self::of("", "", ""); EXECUTORS.len() * REACTORS.len() * TIMERS.len()];
        let mut at = 0;
        while at < all.len() {
            let timers = at % TIMERS.len();
            let reactor = at / TIMERS.len() % REACTORS.len();
            let executor = at / TIMERS.len() / REACTORS.len();
            all[at] = Self::of(EXECUTORS[executor], REACTORS[reactor], TIMERS[timers]);
            at += 1;
        }
        all
    };

    const fn of(executor: &'static str, reactor: &'static str, timers: &'static str) -> Self {
        Self { executor, workers: None, reactor, timers, block: BlockPolicy::None }
    }

    /// The executor's name.
    pub fn executor(&self) -> &str {
        self.executor
    }

    /// How many workers were asked for; `None` leaves it to the machine.
    pub fn workers(&self) -> Option<NonZeroUsize> {
        self.workers
    }

    /// The reactor's name.
    pub fn reactor(&self) -> &str {
        self.reactor
    }

    /// The timer queue's name.
    pub fn timers(&self) -> &str {
        self.timers
    }

    /// What happens to a worker that is stuck in a poll.
    pub fn block_policy(&self) -> BlockPolicy {
        self.block
    }

    /// The same with so many workers. An executor of one thread ignores it.
    #[must_use]
    pub fn with_workers(mut self, workers: NonZeroUsize) -> Self {
        if !self.has_one_thread() {
            self.workers = Some(workers);
        }
        self
    }

    fn has_one_thread(&self) -> bool {
        self.executor == "fifo"
    }

    /// The same with another executor, and its number of workers unless that has one thread.
    ///
    /// # Errors
    ///
    /// That there is none of this name, and which there are.
    pub fn with_executor(mut self, name: &str) -> Result<Self, CombinationError> {
        self.executor = known(Part::Executor, name)?;
        if self.has_one_thread() {
            self.workers = None;
        }
        Ok(self)
    }
}

impl Default for Combination {
    fn default() -> Self {
        Self::of("steal", "mio", "wheel")
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.executor)?;
        if let Some(workers) = self.workers {
            write!(f, ":{workers}")?;
        }
        write!(f, "+{}+{}", self.reactor, self.timers)
    }
}

/// A part of a combination's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Executor,
    Reactor,
    Timers,
}

impl Part {
    fn allowed(self) -> &'static [&'static str] {
        match self {
            Self::Executor => &EXECUTORS,
            Self::Reactor => &REACTORS,
            Self::Timers => &TIMERS,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Reactor => "reactor",
            Self::Timers => "timer queue",
        }
    }
}

fn known(part: Part, name: &str) -> Result<&'static str, CombinationError> {
    let found = part.allowed().iter().find(|known| **known == name).copied();
    found.ok_or_else(|| CombinationError(Fault::Unknown { part, name: name.to_owned() }))
}

/// What is wrong with the name of a combination, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CombinationError(Fault);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Unknown { part: Part, name: String },
    TooMany(String),
    Workers(String),
    OneThread(NonZeroUsize),
    Option(String),
}

impl fmt::Display for CombinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Unknown { part, name } => {
                write!(f, "unknown {} `{name}`; there are {}", part.noun(), part.allowed().join(", "))
            }
            Fault::TooMany(text) => {
                write!(f, "`{text}` has too many parts; it is executor[:workers]+reactor+timers[,key=value…]")
            }
            Fault::Workers(text) => {
                write!(f, "`{text}` is not a number of workers; 1 to {MAX_WORKERS} are allowed")
            }
            Fault::OneThread(workers) => {
                write!(f, "`fifo` runs on one thread, not on {workers}; take `steal:{workers}`")
            }
            Fault::Option(text) => write!(f, "unknown option `{text}`; there is {}", OPTIONS.join(", ")),
        }
    }
}

impl std::error::Error for CombinationError {}

impl FromStr for Combination {
    type Err = CombinationError;

    fn from_str(text: &str) -> Result<Self, CombinationError> {
        let mut combination = Self::default();
        let (parts, options) =
            text.split_once(',').map_or((text, None), |(parts, options)| (parts, Some(options)));
        let mut parts = parts.split('+').map(str::trim);
        let executor = parts.next().unwrap_or_default();
        let (executor, workers) =
            executor.split_once(':').map_or((executor, None), |(name, n)| (name, Some(n)));
        combination.executor = known(Part::Executor, executor)?;
        if let Some(workers) = workers {
            let parsed = workers.parse().ok().filter(|workers: &NonZeroUsize| workers.get() <= MAX_WORKERS);
            let parsed = parsed.ok_or_else(|| CombinationError(Fault::Workers(workers.to_owned())))?;
            if combination.has_one_thread() && parsed.get() > 1 {
                return Err(CombinationError(Fault::OneThread(parsed)));
            }
            combination.workers = Some(parsed);
        }
        if let Some(reactor) = parts.next() {
            combination.reactor = known(Part::Reactor, reactor)?;
        }
        if let Some(timers) = parts.next() {
            combination.timers = known(Part::Timers, timers)?;
        }
        if parts.next().is_some() {
            return Err(CombinationError(Fault::TooMany(text.to_owned())));
        }
        for option in options.into_iter().flat_map(|options| options.split(',')) {
            match option.trim() {
                "block=none" => combination.block = BlockPolicy::None,
                other => return Err(CombinationError(Fault::Option(other.to_owned()))),
            }
        }
        Ok(combination)
    }
}

impl TryFrom<&str> for Combination {
    type Error = CombinationError;

    fn try_from(text: &str) -> Result<Self, CombinationError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_itself() {
        for combination in Combination::ALL {
            assert_eq!(combination.to_string().parse(), Ok(combination));
        }
        let eight: Combination = "steal:8+polling+heap,block=none".parse().unwrap();
        assert_eq!(eight.to_string(), "steal:8+polling+heap");
    }

    #[test]
    fn parts_left_out_are_the_defaults() {
        assert_eq!("fifo".parse::<Combination>().unwrap().to_string(), "fifo+mio+wheel");
        assert_eq!("steal+poll".parse::<Combination>().unwrap().to_string(), "steal+poll+wheel");
        assert_eq!(Combination::default().to_string(), "steal+mio+wheel");
    }

    #[test]
    fn a_wrong_name_says_what_is_allowed() {
        let said = |text: &str| text.parse::<Combination>().unwrap_err().to_string();
        assert_eq!(said("lifo"), "unknown executor `lifo`; there are fifo, steal");
        assert_eq!(said(""), "unknown executor ``; there are fifo, steal");
        assert_eq!(said("fifo+epoll"), "unknown reactor `epoll`; there are mio, polling, poll");
        assert_eq!(said("fifo+mio+list"), "unknown timer queue `list`; there are wheel, heap");
        assert!(said("steal:0").contains("1 to 1024"));
        assert!(said("steal:99999999999999999999").contains("1 to 1024"));
        assert!(said("fifo:2").contains("steal:2"));
        assert!(said("fifo+mio+heap+x").contains("too many parts"));
        assert!(said("fifo,block=maybe").contains("block=none"));
    }
}
