//! Stalls: polls that last, and the naming of the task that is to blame (C7).
//!
//! Invariant: *what is reported is proven*. A poll is a stall once its thread was seen asleep or on a processor in it for as long as
//! the threshold; time in which the thread was ready and not let run, or stopped, does not count (`judge.rs`). So a busy machine,
//! a debugger or a quota makes no alarm. The price is that a stall may be seen later than that by the clock.
//!
//! A stall is reported once while it lasts and once when it is over. Blocking jobs, `block_in_place` of a worker, wakers that are
//! nobody's tasks, and hooks are no polls of a task, and no stalls.

mod case;
mod place;
mod post;
mod report;
mod says;

pub use case::{Case, Witness};
pub use place::{Place, Syscall};
pub use post::Post;
use report::Outbox;
pub(crate) use report::look_after_reports;
pub use report::tell;

use crate::judge::Verdict;
use crate::monitor::TICK;
use polyloop_core::{Count, Meta};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A function that is told of stalls.
pub type StallHook = Arc<dyn Fn(&Stall) + Send + Sync>;

/// What a runtime does about stalls. Clones count together.
#[derive(Clone, Default)]
pub struct Stalls {
    /// From when on a poll is a stall; `None` reports none.
    pub threshold: Option<Duration>,
    /// Told instead of a line on stderr.
    pub hook: Option<StallHook>,
    /// From when on a poll is counted as blocked or computing; `None` counts none.
    pub detect: Option<Duration>,
    counts: Arc<Counts>,
    /// What waits for the hook.
    outbox: Arc<Outbox>,
}

#[derive(Default)]
struct Counts {
    stalls: Count,
    blocked: Count,
    computing: Count,
}

/// How many polls were found to last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StallCounts {
    /// Those that were reported.
    pub stalls: u64,
    /// Those that were [detected](Stalls::detect) in a thread that waited in the kernel.
    pub blocked: u64,
    /// Those that were [detected](Stalls::detect) in a thread that used its processor.
    pub computing: u64,
}

/// A poll that lasts, or has lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// What is polled.
    pub what: What,
    /// The name of the task, if it has one, and where it was spawned; for the future of a `block_on`, where that was called.
    pub task: Meta,
    /// Whether the poll goes on.
    pub phase: Phase,
    /// How long the poll has lasted so far, or altogether, by the clock: to within 4 ms, or a quarter of a threshold below 16 ms.
    pub lasted: Duration,
    /// What its thread does meanwhile.
    pub cause: Cause,
    /// The name of the thread.
    pub thread: Option<Box<str>>,
    /// Where the thread was when the stall was found.
    pub place: Place,
}

/// What is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum What {
    /// A task that was spawned.
    Task,
    /// The future that was given to `block_on`.
    BlockOn,
}

/// Whether a stall goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// It does.
    Lasting,
    /// The poll has ended.
    Over,
}

/// What the thread of a stalled poll does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It waits in the kernel.
    Blocked,
    /// It uses its processor.
    Computing,
    /// This system does not tell.
    Unknown,
}

impl Stalls {
    /// Nothing is reported or counted.
    pub fn off() -> Self {
        Self::default()
    }

    /// How many there were.
    pub fn counts(&self) -> StallCounts {
        let Counts { stalls, blocked, computing } = &*self.counts;
        StallCounts { stalls: stalls.get(), blocked: blocked.get(), computing: computing.get() }
    }

    /// Whether anybody wants to know.
    pub fn is_on(&self) -> bool {
        self.threshold.is_some() || self.detect.is_some()
    }

    /// How often the monitor must look: so often that a stall is told of before it has lasted twice the threshold. If it
    /// computes that holds for thresholds of more than two ticks of the kernel's clock.
    pub fn tick(&self) -> Duration {
        let shortest = [self.threshold, self.detect].into_iter().flatten().min();
        shortest.map_or(TICK, |shortest| TICK.min(shortest / 4))
    }
}

impl Cause {
    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Blocked => Self::Blocked,
            Verdict::Computing => Self::Computing,
            Verdict::Unsure => Self::Unknown,
        }
    }
}

impl fmt::Debug for Stalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stalls")
            .field("threshold", &self.threshold)
            .field("hook", &self.hook.is_some())
            .field("detect", &self.detect)
            .finish_non_exhaustive()
    }
}
