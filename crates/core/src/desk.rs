//! What a thread that runs tasks shows of itself: whether it runs code of others, and when it goes on to the next.
//!
//! Which task it polls it shows already, for wakes and dumps (`Current` in `context.rs`): a poll costs one number more, which
//! moves once.
//!
//! Invariant: *the name that is told is that of the task whose poll was judged*. The thread only stores, and knows of nobody who
//! looks; whoever looks follows no pointer to a task, but asks the registry what lies at the address that is shown, and then
//! looks once more. The task is shown only while the runnable keeps it. So if nothing has changed between the two looks, it was
//! there all the time.

use crate::shim::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::task::{Header, Meta, TaskSpace};
use core::fmt;
use core::ptr::NonNull;
use std::sync::Arc;
use std::thread::ThreadId;

/// One thread, as others see it. Written by that thread alone, without a read-modify-write.
pub struct Desk {
    /// Odd while the thread runs code of others, which may block: a poll, wakers, hooks. Moves with each of them.
    epoch: AtomicU64,
    /// Whether somebody wants the thread to look up when the present piece of code is over: because it takes long, or because
    /// something was left for the thread, which is seen by whoever [takes the hail](Desk::takes_hail). The one word that others write.
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
        Self { epoch: AtomicU64::new(0), hailed: AtomicBool::new(false) }
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
        // For measuring what it costs: `cargo xtask bench watch`.
        if cfg!(polyloop_without = "watch") {
            return;
        }
        // Ordering: Release, so that whoever sees a poll's number does not take what the poll before has shown for its task.
        #[cfg(not(polyloop_mutant = "desk_steps_relaxed"))]
        self.epoch.store(self.epoch.load(Relaxed).wrapping_add(by), Release);
        #[cfg(polyloop_mutant = "desk_steps_relaxed")]
        self.epoch.store(self.epoch.load(Relaxed).wrapping_add(by), Relaxed);
    }

    /// Runs `f`, other code than what ran before: it counts anew, and so does what follows.
    pub fn apart<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Back<'a>(&'a Desk, bool);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                if self.1 { self.0.rest() } else { self.0.stir() }
            }
        }
        let was_at_rest = self.rise();
        if !was_at_rest {
            self.stir();
        }
        let _back = Back(self, was_at_rest);
        f()
    }

    /// The thread is to look up when the present piece of code is over: at the clock, however many short ones came before, and at
    /// whatever the caller has left for it.
    pub fn hail(&self) {
        // Ordering: AcqRel, as in `take_hail`: hails and takes are one chain, in which each sees what came with those before.
        self.hailed.swap(true, AcqRel);
    }

    /// Whether it was hailed since it last asked. For the thread itself, after each piece of code.
    #[inline(always)]
    pub fn takes_hail(&self) -> bool {
        // For measuring what it costs: `cargo xtask bench watch`.
        !cfg!(polyloop_without = "watch") && self.hailed.load(Relaxed) && self.take_hail()
    }

    #[cold]
    fn take_hail(&self) -> bool {
        // Taken, not overwritten: the hail that is taken may be a later one than that which was seen, and what came with it would
        // be missed.
        #[cfg(not(polyloop_mutant = "hail_overwritten"))]
        return self.hailed.swap(false, AcqRel);
        #[cfg(polyloop_mutant = "hail_overwritten")]
        {
            self.hailed.store(false, Relaxed);
            true
        }
    }

    /// Odd while the thread runs code of others.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Acquire)
    }

    /// The task whose poll by `thread`, whose desk this is, has the number `epoch`, if that is still going on; it lives in one
    /// of `spaces`, in one of which the thread is. Costs a look at the list of pages, and stops nobody.
    pub fn polled(&self, epoch: u64, thread: ThreadId, spaces: &[Arc<TaskSpace>]) -> Option<Polled> {
        if self.epoch() != epoch {
            return None;
        }
        let task = shown(thread, spaces)?;
        let meta = spaces.iter().find_map(|space| space.meta_at(task))?;
        #[cfg(not(polyloop_mutant = "desk_looked_at_once"))]
        if shown(thread, spaces) != Some(task) || self.epoch() != epoch {
            return None;
        }
        Some(Polled { meta, address: task.addr().get() })
    }
}

/// What `thread` shows as the task that it polls.
fn shown(thread: ThreadId, spaces: &[Arc<TaskSpace>]) -> Option<NonNull<Header>> {
    spaces.iter().find_map(|space| space.visitors().shown_by(thread)).flatten()
}

/// Whether `thread` polls a task of one of `spaces` just now.
pub fn polls_task_of(thread: ThreadId, spaces: &[Arc<TaskSpace>]) -> bool {
    shown(thread, spaces).is_some_and(|task| spaces.iter().any(|space| space.has_slot(task)))
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("epoch", &self.epoch.load(Relaxed)).finish_non_exhaustive()
    }
}
