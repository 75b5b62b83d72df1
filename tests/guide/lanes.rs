//! A scheduler with a fast lane, as the guide shows it.

use polyloop_core::{Honours, Notify, ReadyBound, RunQueue, Runnable, Scheduler, Why};
use std::sync::{Mutex, MutexGuard};

/// Tasks of class 1 go first, but after so many of them in a row comes another.
const AHEAD: u64 = 8;

/// A fast lane and a slow one.
#[derive(Debug, Default)]
pub struct Lanes(Mutex<Queues>);

#[derive(Debug, Default)]
struct Queues {
    fast: RunQueue,
    slow: RunQueue,
    /// How many came from the fast lane since one came from the slow lane.
    in_a_row: u64,
}

impl Queues {
    fn len(&self) -> usize {
        self.fast.len() + self.slow.len()
    }

    fn pop(&mut self) -> Option<Runnable> {
        if (self.in_a_row < AHEAD || self.slow.is_empty())
            && let Some(runnable) = self.fast.pop_front()
        {
            self.in_a_row += 1;
            return Some(runnable);
        }
        self.in_a_row = 0;
        self.slow.pop_front()
    }
}

impl Lanes {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().expect("nothing in here panics")
    }
}

impl Scheduler for Lanes {
    const HONOURS: Honours = Honours::NOTHING.and_class();

    type Local = ();

    fn name(&self) -> &'static str {
        "lanes"
    }

    fn ready_bound(&self) -> Option<ReadyBound> {
        Some(|place| (AHEAD + 1) * place)
    }

    fn local(&self, _worker: usize) {}

    fn push(&self, _local: Option<&mut ()>, runnable: Runnable, _why: Why) -> Notify {
        let mut queues = self.queues();
        let lane = if runnable.wishes().class == 1 { &mut queues.fast } else { &mut queues.slow };
        lane.push_back(runnable);
        Notify::One
    }

    fn next(&self, (): &mut ()) -> Option<Runnable> {
        self.queues().pop()
    }

    fn has_work(&self) -> bool {
        self.queues().len() > 0
    }

    fn queued(&self) -> usize {
        self.queues().len()
    }

    fn drain(&self) -> Vec<Runnable> {
        let mut queues = std::mem::take(&mut *self.queues());
        std::iter::from_fn(|| queues.pop()).collect()
    }
}
