//! Shares of the processor by weight, measured in run time.
//!
//! Invariant: of all flows that have runnables, the one is next that got the least so far, by *virtual* time: what its polls took,
//! divided by its weight. So flows that always have enough to do get run time in proportion to their weights.
//!
//! The tasks of one class and one weight are one **flow**: they share what it gets, first in, first out. Ten tasks of class 1 and
//! weight 1 get together what one of class 2 and weight 1 gets. A flow rather than a task has the account because a poll is over
//! before it is known what it took, and whoever woke the task meanwhile may have it on another worker already.
//!
//! Time is the runtime's clock's; what a manual one leaps over is charged to nobody.
//!
//! Who comes back after a pause begins with the virtual time of those who are running: nobody saves up by sleeping. With many
//! workers a flow must have a few more tasks than there are workers to use up its share.
//!
//! What it is for: several tenants or kinds of work in one process. What it costs: one lock for all, as `global`, the clock twice a
//! poll, and a look at every flow that has work, so there should be few. It heeds class and weight, no deadlines.
//!
//! Declared constants (C3): a poll counts [`LEAST`] at least, and every [`OLDEST_INTERVAL`]th poll takes the runnable that has waited
//! longest, whatever it weighs. So a task before which n − 1 others were ready is polled within 61·n polls of all workers. Those
//! polls are counted for their flows as any, so that shares stay what they are.

use polyloop_core::shim::sync::Mutex;
use polyloop_core::{Honours, Notify, ReadyBound, Runnable, Scheduler, Why};
use std::collections::{BTreeMap, VecDeque};

/// Every so many polls the runnable that has waited longest is next.
pub const OLDEST_INTERVAL: u64 = 61;

/// What a poll counts at least, in nanoseconds: about what it costs to come to it.
pub const LEAST: u64 = 100;

/// What one nanosecond of a flow of weight 1 is in virtual time, so that heavy flows are counted finely enough.
const UNIT: u128 = 1 << 32;

/// More room than this an empty queue gives back.
const KEEP: usize = 256;

/// The scheduler.
#[derive(Debug, Default)]
pub struct Fair {
    state: Mutex<State>,
}

/// Class and weight.
type Key = (u8, u32);

/// What a worker polls.
#[derive(Debug, Default)]
pub struct Local {
    polling: Option<Key>,
}

#[derive(Debug, Default)]
struct State {
    flows: BTreeMap<Key, Flow>,
    len: usize,
    /// How many were pushed so far, and how many given out.
    pushed: u64,
    given: u64,
    /// The virtual time of the flow that was given out last, or the most there ever was.
    now: u128,
}

#[derive(Debug, Default)]
struct Flow {
    /// With their numbers.
    queue: VecDeque<(u64, Runnable)>,
    virtual_time: u128,
    /// How many of its runnables are being polled.
    polling: usize,
}

impl State {
    fn push(&mut self, runnable: Runnable) {
        let wishes = runnable.wishes();
        let now = self.now;
        let flow = self.flows.entry((wishes.class, wishes.weight.max(1))).or_default();
        if flow.queue.is_empty() {
            flow.virtual_time = flow.virtual_time.max(now);
        }
        flow.queue.push_back((self.pushed, runnable));
        self.pushed += 1;
        self.len += 1;
    }

    fn next(&mut self) -> Option<(Key, Runnable)> {
        let ready = self.flows.iter_mut().filter(|(_, flow)| !flow.queue.is_empty());
        let oldest = (self.given + 1).is_multiple_of(OLDEST_INTERVAL);
        let age = |flow: &Flow| flow.queue.front().map(|(number, _)| *number);
        let (key, flow) = match oldest {
            true => ready.min_by_key(|(_, flow)| age(flow))?,
            false => ready.min_by_key(|(_, flow)| (flow.virtual_time, age(flow)))?,
        };
        let key = *key;
        let (_, runnable) = flow.queue.pop_front()?;
        flow.polling += 1;
        if flow.queue.is_empty() && flow.queue.capacity() > KEEP {
            flow.queue = VecDeque::new();
        }
        if !oldest {
            self.now = self.now.max(flow.virtual_time);
        }
        self.given += 1;
        self.len -= 1;
        Some((key, runnable))
    }

    fn charge(&mut self, key: Key, nanos: u64) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(&key) else { return };
        flow.virtual_time += u128::from(nanos.max(LEAST)) * UNIT / u128::from(key.1);
        flow.polling -= 1;
        // A flow that would begin afresh anyway need not be remembered.
        self.flows.retain(|_, flow| flow.polling > 0 || !flow.queue.is_empty() || flow.virtual_time > now);
    }
}

#[cfg(test)]
impl Fair {
    /// How many flows it knows.
    pub(crate) fn flows(&self) -> usize {
        self.state.lock().flows.len()
    }
}

impl Scheduler for Fair {
    type Local = Local;

    const HONOURS: Honours = Honours::NOTHING.and_class().and_weight();
    const MEASURES_POLLS: bool = true;

    fn name(&self) -> &'static str {
        "fair"
    }

    fn ready_bound(&self) -> Option<ReadyBound> {
        Some(|place| OLDEST_INTERVAL * place)
    }

    fn local(&self, _: usize) -> Local {
        Local::default()
    }

    fn push(&self, local: Option<&mut Local>, runnable: Runnable, why: Why) -> Notify {
        let mut state = self.state.lock();
        state.push(runnable);
        // Whoever pushes a task that yielded has ended its poll, and takes the next one.
        let own = local.is_some() && why == Why::Yield;
        if state.len > usize::from(own) { Notify::One } else { Notify::None }
    }

    fn next(&self, local: &mut Local) -> Option<Runnable> {
        let mut state = self.state.lock();
        // Given out and not polled.
        if let Some(key) = local.polling.take() {
            state.charge(key, 0);
        }
        let (key, runnable) = state.next()?;
        local.polling = Some(key);
        Some(runnable)
    }

    fn polled(&self, local: &mut Local, nanos: u64) {
        if let Some(key) = local.polling.take() {
            self.state.lock().charge(key, nanos);
        }
    }

    fn has_work(&self) -> bool {
        self.state.lock().len > 0
    }

    fn queued(&self) -> usize {
        self.state.lock().len
    }

    fn drain(&self) -> Vec<Runnable> {
        let mut state = self.state.lock();
        state.len = 0;
        let mut all: Vec<_> = state.flows.values_mut().flat_map(|flow| flow.queue.drain(..)).collect();
        drop(state);
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, runnable)| runnable).collect()
    }
}
