//! Earliest deadline first.
//!
//! Invariant: of all runnables the one is next whose task's deadline is the earliest; without a deadline a task comes last, and among
//! equals who was ready first comes first.
//!
//! On one worker this meets every set of deadlines that can be met at all, as far as tasks yield; a poll is never interrupted. A
//! deadline is an order and nothing else: who misses his is still the first, and is not told.
//!
//! A task that holds the facade's `PriorityMutex` has the earliest deadline of all who wait for
//! it, through any number of such locks. When that changes, the queued runnable finds its new place before the next choice.
//!
//! What it is for: work that knows when it is due. What it costs: one lock for all, as `global`, and a tree, so that a push and a poll
//! take steps in the logarithm of those that wait. It heeds deadlines, no classes and no weights.
//!
//! Declared constant (C3): every [`OLDEST_INTERVAL`]th poll takes the runnable that has waited longest, whatever its deadline. So a
//! task before which n − 1 others were ready is polled within 61·n polls of all workers, and one without a deadline does not starve.

use polyloop_core::shim::sync::Mutex;
use polyloop_core::task::Id;
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
    /// The numbers of those whose tasks may inherit: only who has an id can be waited for.
    known: BTreeMap<Id, u64>,
    pushed: u64,
    given: u64,
    /// Of what is inherited, at the last choice.
    version: u64,
}

impl State {
    fn push(&mut self, runnable: Runnable) {
        let deadline = runnable.deadline();
        if let Some(task) = runnable.known_id() {
            self.known.insert(task, self.pushed);
        }
        self.queue.insert((deadline, self.pushed), runnable);
        self.ages.insert(self.pushed, deadline);
        self.pushed += 1;
    }

    /// Moves those who have inherited a deadline, or have one no more.
    fn heed(&mut self) {
        if inheritance::version() == self.version {
            return;
        }
        let (version, changed) = inheritance::changed_since(self.version);
        self.version = version;
        let numbers: Vec<u64> = match changed {
            Some(tasks) => tasks.iter().filter_map(|task| self.known.get(task).copied()).collect(),
            None => self.known.values().copied().collect(),
        };
        numbers.into_iter().for_each(|number| self.reconsider(number));
    }

    fn reconsider(&mut self, number: u64) {
        let Some(deadline) = self.ages.get_mut(&number) else { return };
        let Some(runnable) = self.queue.remove(&(*deadline, number)) else { return };
        *deadline = runnable.deadline();
        self.queue.insert((*deadline, number), runnable);
    }

    fn next(&mut self) -> Option<Runnable> {
        self.heed();
        let (deadline, number) = match (self.given + 1).is_multiple_of(OLDEST_INTERVAL) {
            true => self.ages.first_key_value().map(|(number, deadline)| (*deadline, *number)),
            false => self.queue.first_key_value().map(|(key, _)| *key),
        }?;
        self.given += 1;
        self.ages.remove(&number);
        let runnable = self.queue.remove(&(deadline, number))?;
        if let Some(task) = runnable.known_id() {
            self.known.remove(&task);
        }
        Some(runnable)
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
        state.known.clear();
        let all = std::mem::take(&mut state.queue);
        drop(state);
        all.into_values().collect()
    }
}
