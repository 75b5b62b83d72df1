//! Wakers that were collected under a lock and are woken after it.
//!
//! Invariant: a waker runs foreign code, so none is woken or dropped while a lock is held. Whatever wakes several tasks
//! (a driver turn, a channel's close) takes their wakers out under its lock, lets go, and wakes the batch. A waker that
//! panics does not keep the rest from running.

use crate::task::contain;
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
    wakers: Vec<Waker>,
}

/// What a batch keeps allocated between turns: a burst of wakes must not stay resident.
const KEPT_CAPACITY: usize = 1024;

impl WakeBatch {
    /// An empty batch.
    pub const fn new() -> Self {
        Self { wakers: Vec::new() }
    }

    /// Adds a waker.
    pub fn push(&mut self, waker: Waker) {
        self.wakers.push(waker);
    }

    /// How many wakers wait.
    pub fn len(&self) -> usize {
        self.wakers.len()
    }

    /// Whether there is nothing to wake.
    pub fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Wakes all in the order in which they came.
    ///
    /// A waker that panics is counted ([`contained_panics`](crate::contained_panics)). The caller holds no lock and no
    /// lease.
    pub fn wake_all(&mut self) {
        for waker in self.wakers.drain(..) {
            // A panic of one waker is its task's loss alone (C8).
            contain(move || waker.wake());
        }
        self.wakers.shrink_to(KEPT_CAPACITY);
    }
}

impl Extend<Waker> for WakeBatch {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        self.wakers.extend(wakers);
    }
}
