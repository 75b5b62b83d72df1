//! Which executor, reactor and timer queue: as a value, as a string, as a table.
//!
//! Invariant: [`Combination::ALL`] is the one table of what is built in; tests, benches, the lab and the README read it. The names
//! are open: [`register_scheduler`](crate::register_scheduler) takes more.

use crate::executors::{self, EXECUTORS};
use crate::registry;
use polyloop_core::Honours;
use polyloop_pool::BlockPolicy;
use polyloop_steal::Lifo;
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

/// A choice of executor, reactor and timer queue: `executor[:workers]+reactor+timers[,key=value…]`.
///
/// Parts may be left out from the end: `fifo` is `fifo+mio+wheel`, `steal:4+poll` is `steal:4+poll+wheel`. The default is
/// `steal+mio+wheel`.
///
/// Two options may follow, each once. [`block`](Self::block_policy): `block=none`, `block=detect`, `block=handoff`,
/// `block=handoff:20ms`, or `block=handoff:20ms:8` with the most threads beyond the workers. The time may be in `ms` or `us`.
/// [`lifo`](Self::lifo), of `steal` alone: `lifo=off`, `lifo=stealable`, or, as an [experiment](crate::Builder::experiments),
/// `lifo=private`.
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
    /// `None` leaves it to the executor.
    block: Option<BlockPolicy>,
    /// `None` leaves it to the executor.
    lifo: Option<Lifo>,
}

/// The reactors that are built in, as the features say, the default's first.
pub(crate) const REACTORS: &[&str] = &[
    #[cfg(feature = "mio")]
    "mio",
    #[cfg(feature = "polling")]
    "polling",
    #[cfg(feature = "poll")]
    "poll",
];
/// Those that a feature of the same name adds.
const OPTIONAL: [&str; 3] = ["mio", "polling", "poll"];
/// The timer queues that are built in.
pub(crate) const TIMERS: [&str; 2] = ["wheel", "heap"];

/// How many pairs of a reactor and a timer queue there are.
const DRIVERS: usize = REACTORS.len() * TIMERS.len();
/// How many executors, the first ones, [`Combination::ALL`] has with every driver. No part of a driver sees which scheduler
/// runs above it; the pool, which does turn the driver, is the same under all that have threads.
const WIDE: usize = 2;

const OPTIONS: [&str; 4] =
    ["block=none", "block=detect", "block=handoff[:AFTER[:THREADS]]", "lifo=off|stealable|private"];

/// The executor that has a LIFO slot.
const WITH_SLOT: &str = "steal";

/// More workers than this are a typing error.
const MAX_WORKERS: usize = 1024;

impl Combination {
    /// What is built in, the default's parts first: `fifo` and `steal` with every reactor and timer queue, the other executors
    /// with those of the default. [`EVERY`](Self::EVERY) has them with all.
    pub const ALL: [Self; WIDE * DRIVERS + (EXECUTORS.len() - WIDE)] = {
        let mut all = [Self::of("", "", ""); WIDE * DRIVERS + (EXECUTORS.len() - WIDE)];
        let mut at = 0;
        while at < WIDE * DRIVERS {
            all[at] = Self::EVERY[at];
            at += 1;
        }
        while at < all.len() {
            all[at] = Self::EVERY[(WIDE + at - WIDE * DRIVERS) * DRIVERS];
            at += 1;
        }
        all
    };

    /// Every executor that is built in with every reactor and every timer queue.
    pub const EVERY: [Self; EXECUTORS.len() * DRIVERS] = {
        let mut all = [Self::of("", "", ""); EXECUTORS.len() * DRIVERS];
        let mut at = 0;
        while at < all.len() {
            let timers = at % TIMERS.len();
            let reactor = at / TIMERS.len() % REACTORS.len();
            all[at] = Self::of(EXECUTORS[at / DRIVERS], REACTORS[reactor], TIMERS[timers]);
            at += 1;
        }
        all
    };

    const fn of(executor: &'static str, reactor: &'static str, timers: &'static str) -> Self {
        Self { executor, workers: None, reactor, timers, block: None, lifo: None }
    }

    /// The executor's name.
    pub fn executor(&self) -> &str {
        self.executor
    }

    /// Which of the wishes of a [`task::Builder`](crate::task::Builder) the executor heeds; it ignores the others.
    pub fn honours(&self) -> Honours {
        executors::known(self.executor).honours
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

    /// What happens to a worker that is stuck in a poll. Unless said otherwise, another thread takes its place
    /// ([`BlockPolicy::HAND_OFF`]), except on `fifo`, whose one thread has tasks that may not be sent.
    pub fn block_policy(&self) -> BlockPolicy {
        self.block.unwrap_or(if self.has_one_thread() { BlockPolicy::None } else { BlockPolicy::HAND_OFF })
    }

    /// The same with this policy. Whether the executor can keep it is seen when a runtime is built.
    #[must_use]
    pub fn with_block_policy(mut self, policy: BlockPolicy) -> Self {
        self.block = Some(policy);
        self
    }

    /// What becomes of a task that a poll wakes: `None` on an executor without a LIFO slot, [`Lifo::Stealable`] on `steal` unless
    /// said otherwise.
    pub fn lifo(&self) -> Option<Lifo> {
        (self.executor == WITH_SLOT).then(|| self.lifo.unwrap_or_default())
    }

    /// The same with this use of the LIFO slot.
    ///
    /// # Errors
    ///
    /// That the executor has none.
    pub fn with_lifo(mut self, lifo: Lifo) -> Result<Self, CombinationError> {
        if self.executor != WITH_SLOT {
            return Err(CombinationError(Fault::NoSlot(self.executor)));
        }
        self.lifo = Some(lifo);
        Ok(self)
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
        executors::known(self.executor).has_one_thread()
    }

    /// The same with another executor, and its number of workers unless that has one thread.
    ///
    /// # Errors
    ///
    /// That there is none of this name, and which there are; or that it has no LIFO slot for the option that was given.
    pub fn with_executor(mut self, name: &str) -> Result<Self, CombinationError> {
        self.executor = known(Part::Executor, name)?;
        if self.has_one_thread() {
            self.workers = None;
        }
        if self.executor != WITH_SLOT && self.lifo.is_some() {
            return Err(CombinationError(Fault::NoSlot(self.executor)));
        }
        Ok(self)
    }
}

impl Default for Combination {
    fn default() -> Self {
        Self::of("steal", REACTORS[0], TIMERS[0])
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.executor)?;
        if let Some(workers) = self.workers {
            write!(f, ":{workers}")?;
        }
        write!(f, "+{}+{}", self.reactor, self.timers)?;
        match self.block {
            Some(BlockPolicy::HAND_OFF) => f.write_str(",block=handoff")?,
            Some(BlockPolicy::HandOff { after, max_threads }) => {
                match after.subsec_micros() % 1_000 {
                    0 => write!(f, ",block=handoff:{}ms", after.as_millis())?,
                    _ => write!(f, ",block=handoff:{}us", after.as_micros())?,
                }
                if max_threads != BlockPolicy::THREADS {
                    write!(f, ":{max_threads}")?;
                }
            }
            Some(BlockPolicy::Detect) => f.write_str(",block=detect")?,
            Some(_) => f.write_str(",block=none")?,
            None => {}
        }
        match self.lifo {
            Some(Lifo::Off) => f.write_str(",lifo=off"),
            Some(Lifo::Private) => f.write_str(",lifo=private"),
            Some(_) => f.write_str(",lifo=stealable"),
            None => Ok(()),
        }
    }
}

/// The value of `lifo=`, if it is one.
fn lifo(text: &str) -> Option<Lifo> {
    match text {
        "off" => Some(Lifo::Off),
        "stealable" => Some(Lifo::Stealable),
        "private" => Some(Lifo::Private),
        _ => None,
    }
}

/// The value of `block=`, if it is one.
fn policy(text: &str) -> Option<BlockPolicy> {
    let mut parts = text.split(':');
    match parts.next()? {
        "none" => parts.next().is_none().then_some(BlockPolicy::None),
        "detect" => parts.next().is_none().then_some(BlockPolicy::Detect),
        "handoff" => {
            let BlockPolicy::HandOff { mut after, mut max_threads } = BlockPolicy::HAND_OFF else {
                return None;
            };
            if let Some(text) = parts.next() {
                let time = |unit, of: fn(u64) -> Duration| Some(of(text.strip_suffix(unit)?.parse().ok()?));
                after = time("ms", Duration::from_millis).or_else(|| time("us", Duration::from_micros))?;
            }
            if let Some(text) = parts.next() {
                max_threads = text.parse().ok()?;
            }
            let policy = BlockPolicy::HandOff { after, max_threads };
            (parts.next().is_none() && policy.is_valid()).then_some(policy)
        }
        _ => None,
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
    fn allowed(self) -> Vec<&'static str> {
        match self {
            Self::Executor => [EXECUTORS, &registry::names()].concat(),
            Self::Reactor => REACTORS.to_vec(),
            Self::Timers => TIMERS.to_vec(),
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
    let found = part.allowed().into_iter().find(|known| *known == name);
    found.ok_or_else(|| CombinationError(Fault::Unknown { part, name: name.to_owned() }))
}

/// What is wrong with the name of a combination, and what is allowed. A `main` that returns it says so in words: its two forms are the
/// same.
#[derive(Clone, PartialEq, Eq)]
pub struct CombinationError(Fault);

impl fmt::Debug for CombinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Unknown {
        part: Part,
        name: String,
    },
    TooMany(String),
    Workers(String),
    OneThread(NonZeroUsize),
    Option(String),
    /// An option was said before, by this key.
    Twice(&'static str),
    NoSlot(&'static str),
}

impl fmt::Display for CombinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::Unknown { part: Part::Reactor, name } if OPTIONAL.contains(&name.as_str()) => {
                let there_are = REACTORS.join(", ");
                write!(
                    f,
                    "there is no reactor `{name}` in this build; there are {there_are}, and the feature `{name}` of polyloop adds it"
                )
            }
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
            Fault::Twice(key) => write!(f, "`{key}` is said twice; once is allowed"),
            Fault::NoSlot(executor) => {
                write!(
                    f,
                    "`{executor}` has no LIFO slot, so `lifo` means nothing to it; `{WITH_SLOT}` has one"
                )
            }
            Fault::Option(text) => write!(
                f,
                "unknown option `{text}`; there are {}, AFTER from {:?} to {:?}, up to {} THREADS",
                OPTIONS.join(", "),
                BlockPolicy::LEAST_AFTER,
                BlockPolicy::MOST_AFTER,
                BlockPolicy::MOST_THREADS
            ),
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
            let option = option.trim();
            let unknown = || CombinationError(Fault::Option(option.to_owned()));
            let once = |key, is_new: bool| is_new.then_some(()).ok_or(CombinationError(Fault::Twice(key)));
            if let Some(value) = option.strip_prefix("lifo=") {
                let value = lifo(value).ok_or_else(unknown)?;
                once("lifo", combination.lifo.is_none())?;
                combination = combination.with_lifo(value)?;
            } else {
                let policy = option.strip_prefix("block=").and_then(policy).ok_or_else(unknown)?;
                once("block", combination.block.is_none())?;
                combination.block = Some(policy);
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
        for combination in Combination::EVERY {
            assert_eq!(combination.to_string().parse(), Ok(combination));
        }
        for name in [
            "steal:8+polling+heap,block=none",
            "fifo+mio+wheel,block=detect",
            "steal+mio+wheel,block=handoff",
            "fifo+mio+wheel,block=handoff:20ms",
            "steal+mio+wheel,block=handoff:1500us:7",
            "steal:2+mio+wheel,lifo=off",
            "steal+mio+wheel,lifo=private",
            "steal+mio+wheel,block=handoff,lifo=stealable",
        ] {
            let combination: Combination = name.parse().unwrap();
            assert_eq!(combination.to_string(), name);
        }
    }

    #[test]
    fn a_blocked_worker_is_replaced_unless_said_otherwise_or_impossible() {
        let policy = |name: &str| name.parse::<Combination>().unwrap().block_policy();
        assert_eq!(policy("steal"), BlockPolicy::HAND_OFF);
        assert_eq!(policy("steal,block=none"), BlockPolicy::None);
        assert_eq!(policy("fifo"), BlockPolicy::None);
        assert_eq!(policy("fifo,block=handoff"), BlockPolicy::HAND_OFF, "refused when it is built");
        let after = Duration::from_millis(20);
        assert_eq!(policy("steal,block=handoff:20ms:8"), BlockPolicy::HandOff { after, max_threads: 8 });
    }

    #[test]
    fn only_an_executor_with_a_slot_takes_the_option() {
        let slot = |name: &str| name.parse::<Combination>().unwrap().lifo();
        assert_eq!((slot("steal"), slot("steal,lifo=off")), (Some(Lifo::Stealable), Some(Lifo::Off)));
        for executor in EXECUTORS.iter().filter(|executor| **executor != WITH_SLOT) {
            assert_eq!(slot(executor), None, "{executor}");
            let error = format!("{executor},lifo=off").parse::<Combination>().unwrap_err();
            assert_eq!(error, CombinationError(Fault::NoSlot(executor)));
            let steal: Combination = "steal,lifo=off".parse().unwrap();
            assert_eq!(steal.with_executor(executor), Err(error));
        }
    }

    #[test]
    fn an_option_that_is_said_twice_is_refused() {
        let fault = |text: &str| text.parse::<Combination>().unwrap_err().0;
        for text in [
            "steal:2,block=none,block=detect",
            "steal,block=none,block=none",
            "steal,block=none,lifo=off,block=none",
        ] {
            assert_eq!(fault(text), Fault::Twice("block"));
        }
        assert_eq!(fault("steal,lifo=off,lifo=off"), Fault::Twice("lifo"));
        assert_eq!(
            CombinationError(Fault::Twice("lifo")).to_string(),
            "`lifo` is said twice; once is allowed"
        );
        assert_eq!(fault("steal,block=none,block=maybe"), Fault::Option("block=maybe".to_owned()));
        let policy = "steal,block=none,lifo=off"
            .parse::<Combination>()
            .unwrap()
            .with_block_policy(BlockPolicy::Detect);
        assert_eq!(policy.block_policy(), BlockPolicy::Detect, "a builder may change its mind");
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
        assert_eq!(
            said("lifo"),
            "unknown executor `lifo`; there are fifo, steal, global, percore, fair, edf"
        );
        assert_eq!(said(""), "unknown executor ``; there are fifo, steal, global, percore, fair, edf");
        assert_eq!(said("fifo+epoll"), "unknown reactor `epoll`; there are mio, polling, poll");
        assert_eq!(said("fifo+mio+list"), "unknown timer queue `list`; there are wheel, heap");
        assert!(said("steal:0").contains("1 to 1024"));
        assert!(said("steal:99999999999999999999").contains("1 to 1024"));
        assert!(said("fifo:2").contains("steal:2"));
        assert!(said("fifo+mio+heap+x").contains("too many parts"));
        for option in [
            "block=maybe",
            "block=",
            "block=none:1ms",
            "block=detect:1ms",
            "block=handoff:",
            "block=handoff:10",
            "block=handoff:0ms",
            "block=handoff:61000ms",
            "block=handoff:10ms:0",
            "block=handoff:10ms:1025",
            "block=handoff:10ms:1:1",
            "lifo=",
            "lifo=on",
            "color=red",
        ] {
            let said = said(&format!("steal,{option}"));
            assert!(said.contains(&format!("`{option}`")) && said.contains("block=none"), "{said}");
        }
    }
}
