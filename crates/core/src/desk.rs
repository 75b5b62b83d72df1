//! What a thread that runs tasks shows of itself: whether it runs code of others, and which task it polls.
//!
//! Invariant: *the name that is told is that of the task whose poll was judged*. The thread only stores, and knows of nobody who
//! looks; whoever looks follows no pointer, but asks the registry what lies at the address that is shown, and then looks once
//! more. The task is shown only while the runnable keeps it. So if nothing has changed between the two looks, it was there all the
//! time.

use crate::shim::atomic::{
    AtomicBool, AtomicPtr, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::task::{Header, Meta, TaskPtr, TaskSpace};
use core::fmt;
use core::ptr::{NonNull, null_mut};
use std::sync::Arc;

/// One thread, as others see it. Written by that thread alone, without a read-modify-write.
pub struct Desk {
    /// Odd while the thread runs code of others, which may block: a poll, wakers, hooks. Moves with each of them.
    epoch: AtomicU64,
    /// The task that is polled; null between polls and in all other code of others.
    task: AtomicPtr<Header>,
    /// Whether somebody who looked has seen one piece of code take long. The one word that others write; nothing but the
    /// moment of a driver turn follows from it, so that it needs no order and no model.
    hailed: AtomicBool,
}

/// A task in the middle of a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Polled {
    /// What it is called, and where it was spawned.
    pub meta: Meta,
    /// Where it lies: no other task does as long as it lives.
    pub address: usize,
}

impl Desk {
    /// A desk at which nobody works.
    pub fn new() -> Self {
        Self { epoch: AtomicU64::new(0), task: AtomicPtr::new(null_mut()), hailed: AtomicBool::new(false) }
    }

    /// The thread begins or ends to run code of others.
    #[inline]
    pub fn step(&self) {
        self.advance(1);
    }

    /// The thread goes from one piece of code of others to the next.
    #[inline]
    pub fn stir(&self) {
        self.advance(2);
    }

    /// The thread goes to work, if it was at rest; whether it was.
    pub fn rise(&self) -> bool {
        let at_rest = self.epoch.load(Relaxed).is_multiple_of(2);
        if at_rest {
            self.step();
        }
        at_rest
    }

    /// The thread is at rest from now on, if it was not.
    pub fn rest(&self) {
        if !self.epoch.load(Relaxed).is_multiple_of(2) {
            self.step();
        }
    }

    #[inline]
    fn advance(&self, by: u64) {
        // Ordering: Release, so that whoever sees a poll's number does not take what the poll before has shown for its task.
        #[cfg(not(polyloop_mutant = "desk_steps_relaxed"))]
        self.epoch.store(self.epoch.load(Relaxed).wrapping_add(by), Release);
        #[cfg(polyloop_mutant = "desk_steps_relaxed")]
        self.epoch.store(self.epoch.load(Relaxed).wrapping_add(by), Relaxed);
    }

    /// Shows the task whose poll begins.
    #[inline]
    pub(crate) fn show(&self, task: TaskPtr) {
        // Ordering: Release pairs with the second look's Acquire: who has seen this task sees that its poll has begun.
        #[cfg(not(polyloop_mutant = "desk_shows_relaxed"))]
        self.task.store(task.0.as_ptr(), Release);
        #[cfg(polyloop_mutant = "desk_shows_relaxed")]
        self.task.store(task.0.as_ptr(), Relaxed);
    }

    /// Shows no task any more, while the runnable still keeps it.
    #[inline]
    pub(crate) fn clear(&self) {
        // Ordering: Relaxed. Whoever finds another task in the same place has gone through that one's spawn, which comes after
        // this, and so sees it.
        self.task.store(null_mut(), Relaxed);
    }

    /// Runs `f`, which is in the middle of a poll but no part of it: no task is shown, and what follows counts anew.
    pub fn aside<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Back<'a>(&'a Desk, *mut Header);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.stir();
                self.0.task.store(self.1, Release);
            }
        }
        let back = Back(self, self.task.load(Relaxed));
        self.clear();
        self.stir();
        let result = f();
        drop(back);
        result
    }

    /// Somebody has seen one piece of code take long: the thread is to look at the clock when it is over, however many short
    /// ones came before.
    pub fn hail(&self) {
        self.hailed.store(true, Relaxed);
    }

    /// Whether it was hailed.
    #[inline]
    pub(crate) fn is_hailed(&self) -> bool {
        self.hailed.load(Relaxed)
    }

    /// The thread looks at the clock.
    pub(crate) fn heed_hail(&self) {
        self.hailed.store(false, Relaxed);
    }

    /// Odd while the thread runs code of others.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Acquire)
    }

    /// Whether a task is polled just now.
    pub fn shows_task(&self) -> bool {
        !self.task.load(Relaxed).is_null()
    }

    /// The task whose poll has the number `epoch`, if that is still going on; it lives in one of `spaces`. Costs a look at
    /// the list of pages, and stops nobody.
    pub fn polled<'a>(
        &self,
        epoch: u64,
        spaces: impl IntoIterator<Item = &'a Arc<TaskSpace>>,
    ) -> Option<Polled> {
        if self.epoch() != epoch {
            return None;
        }
        let task = self.task.load(Acquire);
        let slot = NonNull::new(task)?;
        let meta = spaces.into_iter().find_map(|space| space.meta_at(slot))?;
        #[cfg(not(polyloop_mutant = "desk_looked_at_once"))]
        if self.task.load(Acquire) != task || self.epoch() != epoch {
            return None;
        }
        Some(Polled { meta, address: task.addr() })
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("epoch", &self.epoch.load(Relaxed))
            .field("shows_task", &self.shows_task())
            .finish()
    }
}
