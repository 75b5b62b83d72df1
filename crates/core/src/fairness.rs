//! What an executor promises about turns, in numbers (C2, C3).
//!
//! Invariant: *numbers, not adjectives*. Each is counted in polls of one worker, so that it holds on any machine, and the suites of
//! `polyloop-conformance` hold every executor to the numbers it declares here.

use crate::block_on::{CHECK_POLLS, MAX_POLLS, TURN_INTERVAL};
use core::fmt;
use core::time::Duration;

/// After how many polls of the worker that holds it a task has been polled, its own poll included, whose place among the ready
/// ones was the n-th, counted from 1. Tasks that are ready again all the time count once each.
pub type ReadyBound = fn(place: u64) -> u64;

/// The constants that an executor declares.
///
/// # Examples
///
/// ```
/// use polyloop_core::Fairness;
///
/// let strict_order = Fairness::paced(Some(|place| place));
/// assert!(strict_order.max_polls_between_turns <= 1024);
/// assert_eq!(strict_order.ready_bound.map(|polls| polls(7)), Some(7));
/// ```
#[derive(Clone, Copy)]
pub struct Fairness {
    /// C2: the most polls of a worker between two turns of the driver, if no other worker waits in it.
    pub max_polls_between_turns: u64,
    /// C2: the most polls once so much time has passed since the last turn; `None` where the clock is not looked at.
    pub polls_after_interval: Option<(u64, Duration)>,
    /// C3; `None` where a ready task may have to wait for ever.
    pub ready_bound: Option<ReadyBound>,
    /// C3 for a task whose worker is stuck or gone, its place being the one among those: within how many polls of any one worker
    /// that is at work. `None` where such a task is in no other place than those that have a worker.
    pub orphan_bound: Option<ReadyBound>,
}

impl Fairness {
    /// The constants of a loop that lets [`TurnPacer`](crate::block_on::TurnPacer) decide when the driver turns.
    pub const fn paced(ready_bound: Option<ReadyBound>) -> Self {
        Self {
            max_polls_between_turns: MAX_POLLS as u64,
            polls_after_interval: Some((CHECK_POLLS as u64, TURN_INTERVAL)),
            ready_bound,
            orphan_bound: None,
        }
    }

    /// The same for a scheduler that keeps the tasks apart whose worker is stuck or gone.
    #[must_use]
    pub const fn with_orphans(self, orphan_bound: Option<ReadyBound>) -> Self {
        Self { orphan_bound, ..self }
    }
}

/// As a sentence for people; the bound on ready tasks for the first and the hundredth.
impl fmt::Display for Fairness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} polls between driver turns", self.max_polls_between_turns)?;
        if let Some((polls, interval)) = self.polls_after_interval {
            write!(f, ", {polls} once {interval:?} have passed")?;
        }
        match self.ready_bound {
            Some(bound) => write!(
                f,
                "; the first ready task is polled within {} polls, the 100th within {}",
                bound(1),
                bound(100)
            ),
            None => f.write_str("; no bound for a ready task"),
        }?;
        match self.orphan_bound {
            Some(bound) => write!(f, "; the first whose worker is stuck within {} of another", bound(1)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Fairness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fairness({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_sentence() {
        let said = Fairness::paced(Some(|place| 8 * place + 8)).to_string();
        assert_eq!(
            said,
            "at most 976 polls between driver turns, 61 once 100µs have passed; \
             the first ready task is polled within 16 polls, the 100th within 808"
        );
        let said = Fairness {
            max_polls_between_turns: 61,
            polls_after_interval: None,
            ready_bound: None,
            orphan_bound: None,
        };
        assert_eq!(said.to_string(), "at most 61 polls between driver turns; no bound for a ready task");
        assert_eq!(
            said.with_orphans(Some(|place| 9 * place)).to_string(),
            "at most 61 polls between driver turns; no bound for a ready task; \
             the first whose worker is stuck within 9 of another"
        );
    }
}
