//! Earliest deadline first.
//!
//! Invariant: of all runnables the one is next whose task's deadline is the earliest; without a deadline a task comes last, and among
//! equals who was ready first comes first.
//!
//! On one worker this meets every set of deadlines that can be met at all, as far as tasks yield; a poll is never interrupted. A
//! deadline is an order and nothing else: who misses his is still the first, and is not told.
//!
//! A task that holds the facade's `PriorityMutex` has the earliest deadline of all who wait for
//! it, through any number of such locks. When that changes, the queue is sorted anew before the next choice.
//!
//! What it is for: work that knows when it is due. What it costs: one lock for all, as `global`, and a tree, so that a push and a poll
//! take steps in the logarithm of those that wait. It heeds deadlines, no classes and no weights.
//!
//! Declared constant (C3): every [`OLDEST_INTERVAL`]th poll takes the runnable that has waited longest, whatever its deadline. So a
//! task before which n − 1 others were ready is polled within 61·n polls of all workers, and one without a deadline does not starve.

use polyloop_core::shim::sync::Mutex;
use polyloop_core::time::Instant;
use polyloop_core::{Honours, Notify, ReadyBound, Runnable, Scheduler, Why, inheritance};
use std::collections::BTreeMap;

/// Every so many polls the runnable that has waited longest is next.
pub const OLDEST_INTERVAL: u64 = 61;

/// The scheduler.
#[derive(Debug, Default)]
pub struct Edf {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By deadline, and by the number of the push.
    queue: BTreeMap<(Instant, u64), Runnable>,
    /// The deadlines in `queue`, by the number of the push.
    ages: BTreeMap<u64, Instant>,
    pushed: u64,
    given: u64,
    /// Of what is inherited, when the queue was sorted.
    version: u64,
}

impl State {
    fn push(&mut self, runnable: Runnable) {
        let deadline = runnable.deadline();
        self.queue.insert((deadline, self.pushed), runnable);
        self.ages.insert(self.pushed, deadline);
        self.pushed += 1;
    }

    /// Sorts anew if somebody has inherited a deadline, or has passed one on.
    fn heed(&mut self) {
        let version = inheritance::version();
        if version == self.version {
            return;
        }
        self.version = version;
        for ((_, number), runnable) in std::mem::take(&mut self.queue) {
            let deadline = runnable.deadline();
            self.queue.insert((deadline, number), runnable);
            self.ages.insert(number, deadline);
        }
    }

    fn next(&mut self) -> Option<Runnable> {
        self.heed();
        let (deadline, number) = match (self.given + 1).is_multiple_of(OLDEST_INTERVAL) {
            true => self.ages.first_key_value().map(|(number, deadline)| (*deadline, *number)),
            false => self.queue.first_key_value().map(|(key, _)| *key),
        }?;
        self.given += 1;
        self.ages.remove(&number);
        self.queue.remove(&(deadline, number))
    }
}

impl Scheduler for Edf {
    type Local = ();

    const HONOURS: Honours = Honours::NOTHING.and_deadline();

    fn name(&self) -> &'static str {
        "edf"
    }

    fn ready_bound(&self) -> Option<ReadyBound> {
        Some(|place| OLDEST_INTERVAL * place)
    }

    fn local(&self, _: usize) {}

    fn push(&self, local: Option<&mut ()>, runnable: Runnable, why: Why) -> Notify {
        let mut state = self.state.lock();
        state.push(runnable);
        // Whoever pushes a task that yielded has ended its poll, and takes the next one.
        let own = local.is_some() && why == Why::Yield;
        if state.queue.len() > usize::from(own) { Notify::One } else { Notify::None }
    }

    fn next(&self, (): &mut ()) -> Option<Runnable> {
        self.state.lock().next()
    }

    fn has_work(&self) -> bool {
        !self.state.lock().queue.is_empty()
    }

    fn queued(&self) -> usize {
        self.state.lock().queue.len()
    }

    fn drain(&self) -> Vec<Runnable> {
        let mut state = self.state.lock();
        state.ages.clear();
        let all = std::mem::take(&mut state.queue);
        drop(state);
        all.into_values().collect()
    }
}
