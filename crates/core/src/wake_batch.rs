//! Wakers that were collected under a lock and are woken after it.
//!
//! Invariant: a waker runs foreign code, so none is woken or dropped while a lock is held. Whatever wakes several tasks
//! (a driver turn, a channel's close) takes their wakers out under its lock, lets go, and wakes the batch. A waker that
//! panics does not keep the rest from running, and one that blocks keeps no task of ours: foreign wakers come last.

use crate::task::{contain, is_own_waker};
use core::task::Waker;

/// Wakers to be woken together, once no lock is held.
///
/// # Examples
///
/// ```
/// use polyloop_core::WakeBatch;
/// use std::task::Waker;
///
/// let mut batch = WakeBatch::new();
/// batch.push(Waker::noop().clone());
/// batch.wake_all();
/// assert!(batch.is_empty());
/// ```
#[derive(Debug, Default)]
pub struct WakeBatch {
    /// Those of tasks, which only hand a runnable to its scheduler.
    tasks: Vec<Waker>,
    /// Those of anybody else, which may do anything.
    foreign: Vec<Waker>,
}

/// What a batch keeps allocated between turns: a burst of wakes must not stay resident.
const KEPT_CAPACITY: usize = 1024;

impl WakeBatch {
    /// An empty batch.
    pub const fn new() -> Self {
        Self { tasks: Vec::new(), foreign: Vec::new() }
    }

    /// Adds a waker.
    pub fn push(&mut self, waker: Waker) {
        if is_own_waker(&waker) { self.tasks.push(waker) } else { self.foreign.push(waker) }
    }

    /// How many wakers wait.
    pub fn len(&self) -> usize {
        self.tasks.len() + self.foreign.len()
    }

    /// Whether there is nothing to wake.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.foreign.is_empty()
    }

    /// Wakes all: first the tasks of this crate, of any runtime, and then whatever else, each in the order in which they
    /// came.
    ///
    /// A waker that panics is counted ([`contained_panics`](crate::contained_panics)). One that blocks keeps the foreign ones
    /// behind it waiting. The caller holds no lock and no lease.
    pub fn wake_all(&mut self) {
        self.wake_tasks();
        self.wake_foreign();
    }

    /// The first half of [`wake_all`](Self::wake_all).
    pub(crate) fn wake_tasks(&mut self) {
        wake(&mut self.tasks);
    }

    /// The second half of [`wake_all`](Self::wake_all).
    pub(crate) fn wake_foreign(&mut self) {
        wake(&mut self.foreign);
    }
}

fn wake(wakers: &mut Vec<Waker>) {
    for waker in wakers.drain(..) {
        // A panic of one waker is its task's loss alone (C8).
        contain(move || waker.wake());
    }
    wakers.shrink_to(KEPT_CAPACITY);
}

impl Extend<Waker> for WakeBatch {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        wakers.into_iter().for_each(|waker| self.push(waker));
    }
}
