//! What the parts count about themselves, for reports and tests.
//!
//! Invariant: whatever is counted often is counted by one thread at a time, without a read-modify-write: one instruction.

use crate::fairness::Fairness;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;
use std::thread::ThreadId;

static CONTAINED_PANICS: AtomicU64 = AtomicU64::new(0);

/// How many panics in drops of outputs and in wakers were contained in this process (C8).
pub fn contained_panics() -> u64 {
    CONTAINED_PANICS.load(Relaxed)
}

pub(crate) fn contained_panic() {
    CONTAINED_PANICS.fetch_add(1, Relaxed);
}

/// A number that any thread may read and one thread at a time counts up.
///
/// Two that count at the same time lose counts, no more. That is why these are plain atomics, which no model needs to see.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts `more`.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// Says that the number is `value` now.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// The number so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// What a thread that runs an executor's tasks counts about itself, on lines of its own.
///
/// Polls are counted where the driver is turned and before a wait, not one by one, so that a poll costs nothing.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerCounts {
    polls: Count,
    busy_nanos: Count,
    parks: Count,
    queued: Count,
}

impl WorkerCounts {
    /// Adds `polls` that took `time`, the driver's turns in between included.
    #[inline]
    pub fn polled(&self, polls: u32, time: Duration) {
        self.polls.add(polls.into());
        self.busy_nanos.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a wait that is about to begin.
    #[inline]
    pub fn parked(&self) {
        self.parks.add(1);
    }

    /// Notes how many runnables wait in a queue that only this thread can see.
    #[inline]
    pub fn queued(&self, runnables: usize) {
        self.queued.set(runnables as u64);
    }

    /// The numbers so far.
    pub fn read(&self) -> WorkerMetrics {
        WorkerMetrics {
            polls: self.polls.get(),
            busy: Duration::from_nanos(self.busy_nanos.get()),
            parks: self.parks.get(),
            queued: usize::try_from(self.queued.get()).unwrap_or(usize::MAX),
            steals: 0,
        }
    }
}

/// What one worker has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// How many polls it has made, as of its last driver turn or wait.
    pub polls: u64,
    /// How long it has been at work, as of the same moment.
    pub busy: Duration,
    /// How often it has waited, in the driver or for a call.
    pub parks: u64,
    /// How many runnables wait in its own queue.
    pub queued: usize,
    /// How many runnables it has taken from other workers.
    pub steals: u64,
}

/// What the threads of an executor are doing. Each number is right for some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Staff {
    /// Those that there are.
    pub threads: usize,
    /// Workers that sleep, in the driver or in their own parkers, or have said that they are about to.
    pub asleep: usize,
    /// Workers that look for work.
    pub searching: usize,
    /// Threads that are still in the poll from which another one has relieved them.
    pub relieved: usize,
    /// How often a thread has taken the place of a stuck one so far.
    pub hand_offs: u64,
    /// How often one was to, and could not be had.
    pub refused: u64,
    /// Threads that wait to take somebody's place.
    pub standby: usize,
}

/// What an executor tells about itself without being stopped.
pub trait Gauges: Send + Sync + 'static {
    /// What each of its workers has done.
    fn workers(&self) -> Vec<WorkerMetrics>;

    /// How many runnables wait in the queue that belongs to no worker.
    fn queued(&self) -> usize;

    /// The constants that the executor declares (C2, C3).
    fn fairness(&self) -> Fairness;

    /// Which worker the thread is, at this moment.
    fn worker_of(&self, thread: ThreadId) -> Option<usize> {
        let _ = thread;
        None
    }

    /// What its threads are doing, at a glance.
    fn staff(&self) -> Staff {
        Staff::default()
    }
}
