//! One cell of the matrix: a case on a subject, as it is asked for and as it answers.
//!
//! Invariant: a cell runs in a process of its own. What goes in is a [`Request`], what comes out is one [`Outcome`] as one
//! line of JSON on stdout; nothing else is shared between the catalogue, which knows how to run a case, and the
//! runner, which knows when, how often and how long.

pub use polyloop_timeline::{Lane, Mark, Slice, Timeline};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether a case has a verdict or numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Predicts a partial order of events, and has a verdict.
    Experiment,
    /// Has numbers; its result is checked, its speed is not judged.
    Bench,
}

/// What the lab measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// A combination of ours.
    Own,
    /// A public runtime.
    Peer,
    /// A hand-written lower limit.
    Floor,
    /// An A/A copy of another subject.
    Twin,
    /// Somebody's scheduler, linked in from outside.
    Plugin,
}

/// One subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// As written after `--on`: `steal:4+mio+wheel`, `tokio-mt`, …
    pub name: String,
    /// What it is.
    pub kind: SubjectKind,
    /// The executor, for own combinations.
    pub executor: Option<String>,
    /// The reactor, for own combinations.
    pub reactor: Option<String>,
    /// The timer queue, for own combinations.
    pub timers: Option<String>,
    /// How many threads poll tasks.
    pub workers: usize,
    /// The version of the crate that was linked.
    pub version: String,
}

impl Subject {
    /// The name without a number of workers: `tokio-mt` for `tokio-mt:4`.
    #[must_use]
    pub fn base_name(&self) -> &str {
        self.name.split(':').next().unwrap_or_default()
    }

    /// The options of a combination, if its name has some: `block=none` of `steal+mio+wheel,block=none`.
    #[must_use]
    pub fn options(&self) -> Option<&str> {
        match self.kind {
            SubjectKind::Own => Some(self.name.split_once(',')?.1),
            _ => None,
        }
    }
}

/// Which parts of a runtime a case depends on; the matrix collapses the others unless told to be exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axes {
    /// The executor matters.
    pub executor: bool,
    /// The reactor matters.
    pub reactor: bool,
    /// The timer queue matters.
    pub timers: bool,
    /// The options after a combination's comma matter, as in `steal+mio+wheel,block=none`.
    #[serde(default)]
    pub options: bool,
}

/// What the catalogue says about a case, for `--list`, the plan and the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseInfo {
    /// The path by which `--filter` selects it: `starvation/race/no-yields/seed`, `tcp_echo/conns=64/bytes=64`.
    pub path: String,
    /// Experiment or bench.
    pub kind: Kind,
    /// The parameters in its path.
    pub params: BTreeMap<String, String>,
    /// One sentence: what is done, and what one operation is.
    pub about: String,
    /// The unit of its first metric; empty for an experiment.
    pub unit: String,
    /// Which axes it depends on.
    pub axes: Axes,
    /// Whether `--quick` has it.
    pub quick: bool,
    /// Whether a default run has it; the rest is for `--full`.
    pub default: bool,
    /// How long one run takes at scale 1, for the estimate and the time limit. A bench takes its slot if that is longer.
    pub seconds: f64,
    /// How many open files it needs in the process.
    pub files: u64,
}

/// What a cell process is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The subject's name.
    pub subject: String,
    /// The case's path.
    pub case: String,
    /// Seeds whatever the case draws.
    pub seed: u64,
    /// Sleeps of 500 ms and more are multiplied by this; 1 is verbatim.
    pub scale: f64,
    /// How long the timed part of a bench should take, in milliseconds.
    pub slot_ms: u64,
    /// How many rounds a bench does, if they are counted and not timed; it then says how many operations those were.
    #[serde(default)]
    pub rounds: Option<u64>,
    /// Whether to record a timeline. Numbers of a traced run are not used.
    pub trace: bool,
}

/// How a cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As predicted, or for a bench: the result was right.
    Pass,
    /// Not as predicted, or the result was wrong.
    Fail,
    /// This machine cannot run it; the reason says why.
    Unavailable,
    /// This subject cannot do it by design; the reason says why.
    Unsupported,
    /// Killed after its time limit.
    Timeout,
    /// The process died.
    Crash,
    /// Not reached.
    NotRun,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Smaller numbers are better.
    Lower,
    /// Larger numbers are better.
    Higher,
}

/// One number of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The metric's name, the same in every run of the case.
    pub name: String,
    /// Its unit: `ns`, `µs`, `req/s`, `bytes`, …
    pub unit: String,
    /// Which way is good.
    pub better: Better,
    /// The value.
    pub value: f64,
}

/// What was counted in the whole of a cell, warm-up and calibration included, where it could be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Polls of labelled futures (traced experiments).
    pub polls: Option<u64>,
    /// Atomic read-modify-writes and fences, of a bench whose operations were counted (`bench counts`).
    pub atomics: Option<u64>,
    /// Allocations, of a bench whose operations were counted.
    pub allocations: Option<u64>,
    /// System calls of the reactor: waits, registrations, its doorbell (own combinations); all of the process where the
    /// operations were counted.
    pub syscalls: Option<u64>,
}

/// What a cell process answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Why, if it did not pass.
    pub reason: Option<String>,
    /// What was predicted, in words (experiments).
    pub predicted: Option<String>,
    /// What was observed, in words (experiments).
    pub observed: Option<String>,
    /// Whether nothing was forced: what was observed is shown, and if nothing was lost, that is no verdict (experiments).
    #[serde(default)]
    pub open: bool,
    /// The numbers; the first one is the case's own.
    pub samples: Vec<Sample>,
    /// The counts.
    pub counts: Counts,
    /// The timeline, if one was asked for.
    pub timeline: Option<Timeline>,
}

/// Everything the lab can measure: the one thing that a plug-in hands to [`crate::main`].
///
/// The order of [`subjects`](Self::subjects) and [`cases`](Self::cases) is the order in which people see them.
pub trait Catalogue: Sync {
    /// The subjects of a matrix that names none.
    fn subjects(&self) -> Vec<Subject>;

    /// The subjects of an exhaustive one: those, and whatever else can be combined.
    fn every_subject(&self) -> Vec<Subject> {
        self.subjects()
    }

    /// The subject of this name, which need not be one of [`subjects`](Self::subjects): `steal:7+poll+heap`.
    ///
    /// # Errors
    ///
    /// One sentence that says what is wrong with the name and what is allowed.
    fn resolve(&self, name: &str) -> Result<Subject, String>;

    /// Every case, for every subject.
    fn cases(&self) -> Vec<CaseInfo>;

    /// Why this subject cannot do this case by design, if it cannot.
    fn unsupported(&self, case: &CaseInfo, subject: &Subject) -> Option<String>;

    /// Runs one cell in this process. May hang, crash or print: the runner copes.
    fn run(&self, request: &Request) -> Outcome;
}
