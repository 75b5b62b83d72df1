//! One queue for all workers, first in, first out: the textbook's scheduler, and the baseline for those that do better.
//!
//! Invariant: a runnable is in the queue or with whoever polls it; a worker keeps nothing.
//!
//! What it is for: strict order, and perfect balance. What it costs: every push and every poll takes the one lock, so that
//! workers with short polls wait for each other, and a task runs on whichever worker comes next, far from its cache.
//!
//! Declared constant (C3): a task that is the n-th in the queue is polled as the n-th from then on, counting the polls of all
//! workers.

use polyloop_core::shim::sync::Mutex;
use polyloop_core::{Notify, ReadyBound, RunQueue, Runnable, Scheduler, Why};

/// The scheduler.
#[derive(Debug, Default)]
pub struct Global {
    queue: Mutex<RunQueue>,
}

impl Scheduler for Global {
    type Local = ();

    fn name(&self) -> &'static str {
        "global"
    }

    fn ready_bound(&self) -> Option<ReadyBound> {
        Some(|place| place)
    }

    fn local(&self, _: usize) {}

    fn push(&self, local: Option<&mut ()>, runnable: Runnable, why: Why) -> Notify {
        let mut queue = self.queue.lock();
        queue.push_back(runnable);
        // Whoever pushes a task that yielded has ended its poll, and takes the first one next.
        let own = local.is_some() && why == Why::Yield;
        if queue.len() > usize::from(own) { Notify::One } else { Notify::None }
    }

    fn next(&self, (): &mut ()) -> Option<Runnable> {
        self.queue.lock().pop_front()
    }

    fn has_work(&self) -> bool {
        !self.queue.lock().is_empty()
    }

    fn queued(&self) -> usize {
        self.queue.lock().len()
    }

    fn drain(&self) -> Vec<Runnable> {
        let mut all = std::mem::take(&mut *self.queue.lock());
        std::iter::from_fn(|| all.pop_front()).collect()
    }
}
