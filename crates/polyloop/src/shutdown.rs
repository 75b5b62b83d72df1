//! The end of a runtime, and what it leaves behind.
//!
//! Invariant (C9): every future of the runtime is dropped exactly once by the end of the shutdown, but for those that the
//! report names; those are dropped once, by the thread that polls them, when their poll ends. Nobody waits longer for them
//! than was asked for.

use crate::Handle;
use crate::executors::Owned;
use polyloop_core::time::Clock;
use polyloop_core::{Meta, TaskCounts, TaskSpace};
use polyloop_time::SystemClock;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

/// How long the drop of a runtime waits for bytes that were taken over and are not written yet.
pub(crate) const GRACE_FOR_WRITES: Duration = Duration::from_secs(10);

/// What a shutdown has ended, and what it left behind; see [`Runtime::shutdown`](crate::Runtime::shutdown).
#[must_use = "the report names what did not end"]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The tasks of the runtime. Those that have not ended are stuck in a poll, or in a drop.
    pub tasks: Ended,
    /// The blocking jobs. Those that have not ended are still running, or, as writes to a file do, will run.
    pub jobs: Ended,
    /// How many threads that run tasks have not ended. The calling one is not among them.
    pub threads: usize,
}

/// How those who were spawned have ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// How many ended before the shutdown reached them, in the whole life of the runtime.
    pub finished: u64,
    /// How many the shutdown has cancelled: their futures or closures were dropped.
    pub cancelled: u64,
    /// Of the cancelled ones, how many panicked while they were dropped. Their joiners are told.
    pub panicked_drops: u64,
    /// Those that have not ended: their names, if they have any, and where they were spawned.
    pub unfinished: Vec<Meta>,
}

impl Report {
    /// Whether nothing was left behind: all tasks, jobs and threads have ended.
    pub fn is_clean(&self) -> bool {
        self.tasks.unfinished.is_empty() && self.jobs.unfinished.is_empty() && self.threads == 0
    }
}

/// One sentence, and a line for everything that did not end.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, jobs, threads } = self;
        f.write_str(if self.is_clean() { "everything has ended: " } else { "not everything has ended: " })?;
        write!(f, "{} finished, {} cancelled", Number(tasks.finished, "task"), tasks.cancelled)?;
        write!(f, "; {} finished, {} cancelled", Number(jobs.finished, "blocking job"), jobs.cancelled)?;
        let panicked = tasks.panicked_drops + jobs.panicked_drops;
        if panicked > 0 {
            write!(f, "; {} panicked", Number(panicked, "drop"))?;
        }
        if *threads > 0 {
            write!(f, "; {} left", Number(*threads as u64, "thread"))?;
        }
        for task in &tasks.unfinished {
            write!(f, "\n  still in a poll: task {task}")?;
        }
        for job in &jobs.unfinished {
            write!(f, "\n  still running: blocking job {job}")?;
        }
        Ok(())
    }
}

/// So many of a thing.
struct Number(u64, &'static str);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, thing) = self;
        write!(f, "{count} {thing}{}", if *count == 1 { "" } else { "s" })
    }
}

/// How things stood when the shutdown began.
#[derive(Debug, Default)]
pub(crate) struct Beginning(OnceLock<[TaskCounts; 2]>);

impl Beginning {
    pub(crate) fn has_begun(&self) -> bool {
        self.0.get().is_some()
    }

    /// Notes how things stand, unless that was done before.
    pub(crate) fn note(&self, handle: &Handle) -> &[TaskCounts; 2] {
        self.0.get_or_init(|| [handle.space().counts(), handle.blocking().space().counts()])
    }
}

/// Ends everything, and waits for what cannot be ended until `deadline` has passed.
pub(crate) fn shut_down(handle: &Handle, executor: &dyn Owned, deadline: Duration) -> Report {
    let [tasks, jobs] = handle.shutdown_beginning().note(handle);
    // The system's clock, whatever the runtime's own is: what is waited for here are threads.
    let end = SystemClock.now() + deadline;
    // No new jobs from now on; those that run, or must, have until the end.
    let _ = handle.blocking().shutdown(Duration::ZERO);
    let threads = executor.shut_down(deadline);
    let _ = handle.blocking().shutdown(end - SystemClock.now());
    Report { tasks: ended(handle.space(), tasks), jobs: ended(handle.blocking().space(), jobs), threads }
}

fn ended(space: &TaskSpace, before: &TaskCounts) -> Ended {
    let unfinished = space.unfinished();
    let now = space.counts();
    let cancelled = now.cancelled - before.cancelled;
    Ended {
        finished: now.spawned.saturating_sub(cancelled + unfinished.len() as u64),
        cancelled,
        panicked_drops: now.panicked_drops - before.panicked_drops,
        unfinished,
    }
}
