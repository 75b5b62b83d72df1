//! The subjects: what is measured, and how each is started.
//!
//! Invariant: a name stands for one configuration that is written down here, with the properties that a prediction may
//! rely on. A program never asks which subject it runs on; it asks for these properties.

mod slow_names;

pub(crate) use slow_names::named as slow_name;

use crate::cell::{Outcome, Subject, SubjectKind};
use crate::plan::meant;
use polyloop::{BlockPolicy, Builder, Combination, Lifo};
use polyloop_traits::Runtime;
use std::io;
use std::thread::available_parallelism;

/// When a task that yielded is ready again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yields {
    /// At once, behind the tasks that are ready.
    Requeue,
    /// After the driver was turned, in no stated order among those that yielded.
    AfterDriver,
}

/// What predictions may rely on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    /// How many threads poll tasks.
    pub(crate) workers: usize,
    /// What yielding does.
    pub(crate) yields: Yields,
    /// Whether a task that yields comes after all that are ready, on one worker and without wishes. An executor that looks into
    /// several queues in some rhythm only bounds how often it is passed over.
    pub(crate) in_turn: bool,
    /// C3 of docs/contracts.md, on one worker: within how many polls, its own included, a ready task is polled that is in this
    /// place.
    pub(crate) ready_bound: fn(u64) -> u64,
    /// Whether a worker that is stuck in a poll is replaced by a fresh one.
    pub(crate) relief: bool,
    /// Whether nobody could replace its one thread, because its tasks may not be sent.
    pub(crate) alone: bool,
    /// Whether a free worker can take everything that a stuck one held: C5 of docs/contracts.md.
    pub(crate) reachable: bool,
    /// Whether a task that a poll wakes waits where only this poll's worker looks, until that looks there.
    pub(crate) private_slot: bool,
    /// Whether nobody waits for events while the worker that did so last sits in a poll to which they led it, and all others
    /// sleep.
    pub(crate) hostage: bool,
    /// Whether it looks names up by a function of the lab's, which can be as slow as an experiment wants.
    pub(crate) resolver: bool,
    /// Whether it heeds deadlines, and a task that holds a `PriorityMutex` has the earliest one of those who wait for it.
    pub(crate) inherits: bool,
}

impl Nature {
    /// One task is polled at a time, whatever happens.
    pub(crate) fn serial(&self) -> bool {
        self.workers == 1 && !self.relief
    }

    /// Of so many tasks that are ready again after every poll, on one worker: how many polls of others come between two of one, at
    /// most, or before its first.
    pub(crate) fn most_between(&self, tasks: usize) -> usize {
        let place = tasks as u64;
        // Until the driver is turned, the others yield once each at most.
        let aside = if self.yields == Yields::AfterDriver { place } else { 0 };
        (aside + (self.ready_bound)(place)).saturating_sub(1) as usize
    }
}

/// The system calls that a runtime's reactor has made so far: waits, registrations, its doorbell. `None` for runtimes
/// that don't count them.
pub(crate) type Syscalls<'a> = &'a dyn Fn() -> Option<u64>;

/// A program for any runtime.
pub(crate) trait Program {
    /// Runs on `rt`, whose properties are `nature` and whose calls `syscalls` counts.
    fn run<R: Runtime>(self, rt: &R, nature: Nature, syscalls: Syscalls<'_>) -> Outcome;
}

/// A subject that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    pub(crate) subject: Subject,
    pub(crate) nature: Nature,
    launch: Launch,
}

/// Which runtime is started. Floors and plugins become further variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Launch {
    Own(Combination),
    TokioCt,
    TokioMt,
    SmolOne,
    SmolN,
}

impl Contestant {
    /// Why there cannot be such a runtime, on any machine.
    pub(crate) fn unsupported(&self) -> Option<String> {
        match self.launch {
            Launch::Own(combination) if combination.executor() == "fifo" && self.nature.relief => {
                Some("one thread, !Send".to_owned())
            }
            _ => None,
        }
    }

    /// Starts the runtime and runs `program` on it. With a frozen clock, one of ours turns its driver after so many polls, and
    /// never because time has passed; and nobody looks whether its polls stall.
    ///
    /// # Errors
    ///
    /// The kernel's word, if the runtime cannot be started, or that this build does not have it.
    pub(crate) fn run(&self, program: impl Program, frozen: bool) -> io::Result<Outcome> {
        let nature = self.nature;
        #[cfg(any(feature = "smol", feature = "tokio"))]
        let uncounted: Syscalls<'_> = &|| None;
        match self.launch {
            Launch::Own(combination) => {
                let mut builder = Builder::new().combination(combination).worker_threads(nature.workers);
                // What breaks a contract is what an experiment shows.
                builder = builder.experiments(true);
                if frozen {
                    // Not one that can be resumed, which is read under a lock.
                    let clock = polyloop::ManualClock::automatic();
                    builder = builder.clock(clock).stall_threshold(None);
                }
                let runtime = builder.blocking_resolver(slow_names::lookup).build()?;
                let driver = runtime.handle().driver();
                Ok(program.run(runtime.handle(), nature, &|| Some(driver.reactor().syscalls())))
            }
            #[cfg(feature = "tokio")]
            Launch::TokioCt => Ok(program.run(&polyloop_traits::Tokio::current_thread()?, nature, uncounted)),
            #[cfg(feature = "tokio")]
            Launch::TokioMt => {
                Ok(program.run(&polyloop_traits::Tokio::multi_thread(nature.workers)?, nature, uncounted))
            }
            #[cfg(not(feature = "tokio"))]
            Launch::TokioCt | Launch::TokioMt => Err(lacks("tokio")),
            #[cfg(feature = "smol")]
            Launch::SmolOne => Ok(program.run(&polyloop_traits::Smol::one_thread(), nature, uncounted)),
            #[cfg(feature = "smol")]
            Launch::SmolN => {
                Ok(program.run(&polyloop_traits::Smol::threads(nature.workers)?, nature, uncounted))
            }
            #[cfg(not(feature = "smol"))]
            Launch::SmolOne | Launch::SmolN => Err(lacks("smol")),
        }
    }
}

#[cfg(not(all(feature = "smol", feature = "tokio")))]
fn lacks(feature: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("this build lacks the feature `{feature}`"))
}

/// A row of the table.
struct Row {
    name: &'static str,
    launch: Launch,
    /// Whether a number of workers may follow the name.
    many: bool,
    yields: Yields,
    in_turn: bool,
    ready_bound: fn(u64) -> u64,
    reachable: bool,
    private_slot: bool,
    hostage: bool,
    version: &'static str,
}

/// The peers. What each does was measured before it was written down: tokio hands a yielding task back after its driver
/// was turned, smol queues it at once; neither replaces a blocked worker. tokio keeps the task that was woken last in a slot that
/// no thief looks into, and wakes no second worker for a single event; smol queues what is woken for all, and has a thread beside
/// its workers that waits for events when they don't. Their bounds are those that polyloop-conformance read in their sources and
/// holds them to; a test compares.
const PEERS: &[Row] = &[
    Row {
        name: "tokio-ct",
        launch: Launch::TokioCt,
        many: false,
        yields: Yields::AfterDriver,
        in_turn: true,
        ready_bound: |place| place + place / 31 + 1,
        reachable: false,
        private_slot: false,
        hostage: true,
        version: TOKIO,
    },
    Row {
        name: "tokio-mt",
        launch: Launch::TokioMt,
        many: true,
        yields: Yields::AfterDriver,
        in_turn: false,
        ready_bound: |place| 4 * (place + place / 2 + 1),
        reachable: false,
        private_slot: true,
        hostage: true,
        version: TOKIO,
    },
    Row { name: "smol-1", launch: Launch::SmolOne, many: false, ..SMOL_ROW },
    SMOL_ROW,
];

const SMOL_ROW: Row = Row {
    name: "smol-n",
    launch: Launch::SmolN,
    many: true,
    yields: Yields::Requeue,
    in_turn: true,
    ready_bound: |place| place + 1,
    reachable: true,
    private_slot: false,
    hostage: false,
    version: SMOL,
};

/// The crate versions that the lock file has; a test compares.
const TOKIO: &str = "1.54.1";
const SMOL: &str = "2.0.2";

/// The most workers that may be asked for; more is surely a slip.
const MOST_WORKERS: usize = 1024;

/// How many workers a subject with many has if its name does not say.
fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

impl Row {
    fn contestant(&self, name: String, workers: usize) -> Contestant {
        let nature = Nature {
            workers,
            yields: self.yields,
            in_turn: self.in_turn,
            ready_bound: self.ready_bound,
            relief: false,
            alone: false,
            reachable: self.reachable,
            private_slot: self.private_slot,
            hostage: self.hostage,
            resolver: false,
            inherits: false,
        };
        let subject = Subject {
            name,
            kind: SubjectKind::Peer,
            executor: None,
            reactor: None,
            timers: None,
            workers,
            version: self.version.to_owned(),
        };
        Contestant { subject, nature, launch: self.launch }
    }
}

/// A combination of ours under the name by which it was asked for. A task that yields is queued at once, on all of them.
fn own(name: String, combination: Combination) -> Contestant {
    let workers = match (combination.executor(), combination.workers()) {
        ("fifo", _) => 1,
        (_, Some(workers)) => workers.get(),
        (_, None) => cores(),
    };
    let subject = Subject {
        name,
        kind: SubjectKind::Own,
        executor: Some(combination.executor().to_owned()),
        reactor: Some(combination.reactor().to_owned()),
        timers: Some(combination.timers().to_owned()),
        workers,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let relief = matches!(combination.block_policy(), BlockPolicy::HandOff { .. });
    let private_slot = combination.lifo() == Some(Lifo::Private);
    let (in_turn, ready_bound) = order(combination.executor());
    let nature = Nature {
        workers,
        yields: Yields::Requeue,
        in_turn,
        ready_bound,
        relief,
        alone: combination.executor() == "fifo",
        reachable: !private_slot,
        private_slot,
        hostage: false,
        resolver: true,
        inherits: combination.honours().deadline,
    };
    Contestant { subject, nature, launch: Launch::Own(combination) }
}

/// Whether it is in turn on one worker, and what it declares of a ready task; a test compares.
fn order(executor: &str) -> (bool, fn(u64) -> u64) {
    match executor {
        "fifo" | "global" => (true, |place| place),
        "percore" => (true, |place| 2 * place + 1),
        // Without wishes all are alike, and who is ready first comes first.
        "fair" | "edf" => (true, |place| 61 * place),
        // What it had, once it seemed stuck, comes back through the injector, by turns with what it has got since.
        _ => (false, |place| 8 * place + 8),
    }
}

/// The subjects of a matrix: every built-in combination, the default one also without relief, and the peers.
pub(crate) fn all() -> Vec<Contestant> {
    ours(&Combination::ALL).chain(unrelieved()).chain(peers()).collect()
}

/// Every executor on every driver, the built-in table with every policy for blocked workers, and the peers. A policy that an
/// executor cannot keep is one of them, so that it is shown.
pub(crate) fn every() -> Vec<Contestant> {
    let others = Combination::ALL.into_iter().flat_map(other_policies);
    ours(&Combination::EVERY).chain(others).chain(peers()).collect()
}

fn ours(combinations: &[Combination]) -> impl Iterator<Item = Contestant> {
    combinations.iter().map(|combination| own(combination.to_string(), *combination))
}

fn unrelieved() -> Option<Contestant> {
    let default = Combination::default();
    let relieved = matches!(default.block_policy(), BlockPolicy::HandOff { .. });
    relieved.then(|| default.with_block_policy(BlockPolicy::None)).map(|other| own(other.to_string(), other))
}

fn peers() -> impl Iterator<Item = Contestant> {
    PEERS.iter().map(|row| row.contestant(row.name.to_owned(), if row.many { cores() } else { 1 }))
}

/// The policies for blocked workers by their names.
const POLICIES: [&str; 3] = ["none", "detect", "handoff"];

/// The combination with each policy that is not its own, as far as there is one of that name.
fn other_policies(combination: Combination) -> impl Iterator<Item = Contestant> {
    let named = POLICIES.iter().filter_map(|policy| format!("fifo,block={policy}").parse().ok());
    let others = named.map(move |named: Combination| combination.with_block_policy(named.block_policy()));
    let other = move |other: &Combination| other.block_policy() != combination.block_policy();
    others.filter(other).map(|other: Combination| own(other.to_string(), other))
}

/// The subject of this name: a combination, a peer, or a peer and its number of workers as in `tokio-mt:4`.
///
/// # Errors
///
/// What is wrong with the name, and what is allowed.
pub(crate) fn resolve(name: &str) -> Result<Contestant, String> {
    let (base, workers) = match name.split_once(':') {
        Some((base, workers)) => (base, Some(workers)),
        None => (name, None),
    };
    let Some(row) = PEERS.iter().find(|row| row.name == base) else {
        return match name.parse::<Combination>() {
            Ok(combination) => Ok(own(combination.to_string(), combination)),
            Err(error) => Err(unknown(name, &error.to_string())),
        };
    };
    let workers = match workers {
        None => return Ok(row.contestant(name.to_owned(), if row.many { cores() } else { 1 })),
        Some(workers) if row.many => workers,
        Some(_) => return Err(format!("`{base}` has one worker, so no number may follow its name")),
    };
    match workers.parse() {
        Ok(count) if (1..=MOST_WORKERS).contains(&count) => Ok(row.contestant(name.to_owned(), count)),
        _ => Err(format!("`{workers}` in `{name}` is not a number of workers from 1 to {MOST_WORKERS}")),
    }
}

fn unknown(name: &str, why: &str) -> String {
    let peers: Vec<String> =
        PEERS.iter().map(|row| format!("{}{}", row.name, if row.many { "[:WORKERS]" } else { "" })).collect();
    let meant = meant(name, PEERS.iter().map(|row| row.name)).unwrap_or_default();
    format!("`{name}` is neither a combination ({why}) nor a peer ({}){meant}", peers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_workers_only_where_there_can_be_many() {
        assert_eq!(resolve("tokio-mt:3").unwrap().nature.workers, 3);
        assert_eq!(resolve("tokio-mt:3").unwrap().subject.name, "tokio-mt:3");
        assert_eq!(resolve("smol-n").unwrap().nature.workers, cores());
        assert_eq!(resolve("smol-1").unwrap().nature.workers, 1);
        assert!(resolve("tokio-ct:2").unwrap_err().contains("one worker"));
        assert!(resolve("tokio-mt:0").unwrap_err().contains("from 1 to 1024"));
        assert!(resolve("tokio-mt:many").unwrap_err().contains("`many`"));
        let unknown = resolve("tokyo").unwrap_err();
        assert!(unknown.contains("`tokyo`") && unknown.contains("smol-n[:WORKERS]"), "{unknown}");
    }

    #[test]
    fn a_blocked_worker_is_replaced_where_the_policy_says_so_and_fifo_cannot() {
        let relief = |name: &str| resolve(name).unwrap().nature.relief;
        assert!(relief("steal:2+mio+wheel") && relief("steal:2+mio+wheel,block=handoff:20ms"));
        assert!(!relief("steal:2+mio+wheel,block=none") && !relief("fifo") && !relief("tokio-mt"));
        let fifo = resolve("fifo,block=handoff").unwrap();
        assert_eq!(fifo.unsupported().as_deref(), Some("one thread, !Send"));
        assert_eq!(resolve("fifo").unwrap().unsupported(), None);
        assert_eq!(resolve("steal").unwrap().unsupported(), None);
    }

    #[test]
    fn every_subject_resolves_to_itself() {
        for contestant in all().into_iter().chain(every()) {
            assert_eq!(resolve(&contestant.subject.name).unwrap().subject, contestant.subject);
        }
    }

    #[test]
    fn an_exhaustive_matrix_has_every_policy_and_no_subject_twice() {
        let names = |contestants: Vec<Contestant>| -> Vec<String> {
            contestants.into_iter().map(|contestant| contestant.subject.name).collect()
        };
        let (usual, every) = (names(all()), names(every()));
        let with = |names: &[String], part: &str| names.iter().filter(|name| name.contains(part)).count();
        assert_eq!((with(&usual, ",block="), with(&usual, "steal+mio+wheel,block=none")), (1, 1));
        let combinations = Combination::ALL.len();
        let single = with(&usual, "fifo+");
        assert_eq!(
            with(&every, ",block=none"),
            combinations - single,
            "what is the default is there without a name"
        );
        assert_eq!(with(&every, ",block=handoff"), single, "and what cannot be is there, to be told");
        assert!(usual.iter().all(|name| every.contains(name)));
        for names in [usual, every] {
            let distinct: std::collections::HashSet<_> = names.iter().collect();
            assert_eq!(distinct.len(), names.len());
        }
    }

    #[test]
    fn bounds_are_those_that_are_declared() {
        let same = |nature: Nature, declared: Option<fn(u64) -> u64>, name: &str| {
            let declared = declared.expect("a bound");
            (1..1_000).for_each(|place| assert_eq!((nature.ready_bound)(place), declared(place), "{name}"));
        };
        for combination in Combination::ALL {
            let name = combination.to_string();
            let runtime = polyloop::Runtime::from_name(&name).unwrap();
            same(resolve(&name).unwrap().nature, runtime.handle().fairness().ready_bound, &name);
        }
        let mounted = [("tokio-ct", "tokio_ct"), ("tokio-mt:1", "tokio_mt_1"), ("smol-1", "smol_1")];
        for (name, mount) in mounted.into_iter().chain([("smol-n:1", "smol_n_1")]) {
            let declared = polyloop_conformance::fairness::declared(mount).ready_bound;
            same(resolve(name).unwrap().nature, declared, name);
        }
    }

    #[test]
    fn who_is_kept_aside_until_the_driver_turns_waits_for_that_too() {
        let most = |name: &str| resolve(name).unwrap().nature.most_between(10);
        assert_eq!(most("global:1,block=none"), 9);
        assert_eq!(most("steal:1"), 87);
        assert_eq!(most("tokio-mt:1"), 10 + 4 * 16 - 1);
    }

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = include_str!("../../../../Cargo.lock");
        for (name, version) in [("tokio", TOKIO), ("smol", SMOL)] {
            assert!(
                lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")),
                "{name} {version}"
            );
        }
    }
}
