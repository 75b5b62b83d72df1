//! What a thread that runs tasks shows of itself: whether it runs code of others, and when it goes on to the next.
//!
//! Which task it polls it shows already, for wakes and dumps (`Current` in `context.rs`): a poll costs one number more, which
//! moves once, and which is the count by which the driver's turns are paced, too.
//!
//! Invariant: *the name that is told is that of the task whose poll was judged*. The thread only stores, and knows of nobody who
//! looks; whoever looks follows no pointer to a task, but asks the registry what lies at the address that is shown, and then
//! looks once more. The task is shown only while the runnable keeps it, and no two polls have the same number; a poll that runs
//! others has several, its own and theirs. So if nothing has
//! changed between the two looks, it was there all the time.

use crate::shim::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::task::{Header, Meta, TaskSpace};
use core::fmt;
use core::ptr::NonNull;
use std::sync::Arc;
use std::thread::ThreadId;

/// One thread, as others see it. Written by that thread alone, without a read-modify-write, but for the hail.
pub struct Desk {
    /// Odd while the thread runs code of others, which may block: a poll, wakers, hooks. Moves with each of them, and never back:
    /// the lower half by [`POLL`] with each poll, the upper half by [`OTHER`] with all else.
    epoch: AtomicU64,
    /// How far the lower half may go before the thread looks up: [`FULL`], or 0 when somebody wants it to look up after the present
    /// piece of code, because it takes long, or because something was left for the thread. The one word that others write.
    limit: AtomicU32,
}

const POLL: u64 = 2;
const OTHER: u64 = 1 << 32;
const LOWER: u64 = OTHER - 1;
const AT_WORK: u64 = 1;
const FULL: u32 = 1 << 31;

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
        Self { epoch: AtomicU64::new(0), limit: AtomicU32::new(FULL) }
    }

    /// The thread goes to work, if it was at rest; whether it was.
    pub fn rise(&self) -> bool {
        let epoch = self.epoch.load(Relaxed);
        let at_rest = epoch & AT_WORK == 0;
        if at_rest {
            self.show(epoch | AT_WORK);
        }
        at_rest
    }

    /// The thread is at rest from now on, if it was not.
    pub fn rest(&self) {
        let epoch = self.epoch.load(Relaxed);
        if epoch & AT_WORK != 0 {
            self.show((epoch & !AT_WORK).wrapping_add(OTHER));
        }
    }

    /// The thread goes from one poll to the next. Whether it is to look up first: because it was [hailed](Self::hail), or because as
    /// many polls have gone by as were to be [counted down](Self::count_down).
    #[inline(always)]
    pub fn goes_on(&self) -> bool {
        let epoch = self.epoch.load(Relaxed).wrapping_add(POLL);
        self.show(epoch);
        // The lower half.
        epoch as u32 >= self.limit.load(Relaxed)
    }

    /// Whether the poll that goes on may run another one, which counts like any other, before the thread is to look up: there is
    /// room for it and for the poll itself, which is counted when it is over.
    pub(crate) fn has_room(&self) -> bool {
        let after = (self.epoch.load(Relaxed).wrapping_add(2 * POLL) & !AT_WORK) as u32;
        after <= self.limit.load(Relaxed)
    }

    /// The poll that goes on runs another one.
    pub(crate) fn goes_deeper(&self) {
        self.show(self.epoch.load(Relaxed).wrapping_add(POLL));
    }

    /// After `polls` polls from now on, one at least, the thread is to look up.
    pub fn count_down(&self, polls: u32) {
        let epoch = self.epoch.load(Relaxed);
        let lower = (u64::from(FULL) - POLL * u64::from(polls)) | (epoch & AT_WORK);
        // The lower half goes back, and the whole must not: the number of a poll that is over would be that of another one.
        #[cfg(not(polyloop_mutant = "desk_counts_back"))]
        let epoch = epoch.wrapping_add(OTHER);
        self.show((epoch & !LOWER) | lower);
    }

    /// How many polls have gone by since so many were to be [counted down](Self::count_down). It may be more: a poll runs another
    /// one where there is no room, too.
    pub fn passed(&self, polls: u32) -> u32 {
        let lower = (self.epoch.load(Relaxed) & !AT_WORK) as u32;
        (lower - (FULL - POLL as u32 * polls)) / POLL as u32
    }

    /// The thread goes on to other code, which is no poll of its own.
    pub(crate) fn stir(&self) {
        self.show(self.epoch.load(Relaxed).wrapping_add(OTHER));
    }

    #[inline(always)]
    fn show(&self, epoch: u64) {
        // For measuring what it costs: `cargo xtask bench watch`.
        if cfg!(polyloop_without = "watch") {
            return;
        }
        // Ordering: Release, so that whoever sees a poll's number does not take what the poll before has shown for its task.
        #[cfg(not(polyloop_mutant = "desk_steps_relaxed"))]
        self.epoch.store(epoch, Release);
        #[cfg(polyloop_mutant = "desk_steps_relaxed")]
        self.epoch.store(epoch, Relaxed);
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
        self.limit.swap(0, AcqRel);
    }

    /// The thread, which looks up, has heard: it sees what whoever has hailed it left before.
    pub fn take_hail(&self) {
        if self.limit.load(Relaxed) == FULL {
            return;
        }
        // Taken, not overwritten: the hail that is taken may be a later one than that which was seen, and what came with it would
        // be missed.
        #[cfg(not(polyloop_mutant = "hail_overwritten"))]
        self.limit.swap(FULL, AcqRel);
        #[cfg(polyloop_mutant = "hail_overwritten")]
        self.limit.store(FULL, Relaxed);
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

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;

    /// How many polls go by before the thread looks up, at most 100.
    fn polls_until_it_looks_up(desk: &Desk) -> usize {
        (1..=100).find(|_| desk.goes_on()).unwrap_or(usize::MAX)
    }

    #[test]
    fn the_thread_looks_up_after_as_many_polls_as_were_to_be_counted() {
        for at_work in [false, true] {
            let desk = Desk::new();
            if at_work {
                desk.rise();
            }
            for polls in [1, 2, 61, 3] {
                desk.count_down(polls);
                assert_eq!(desk.passed(polls), 0);
                assert_eq!(polls_until_it_looks_up(&desk), polls as usize);
                assert_eq!(desk.passed(polls), polls);
            }
        }
    }

    #[test]
    fn polls_within_a_poll_count_and_leave_room_for_it() {
        let desk = Desk::new();
        desk.rise();
        desk.count_down(5);
        let deeper = || std::iter::from_fn(|| desk.has_room().then(|| desk.goes_deeper()));
        assert_eq!(deeper().count(), 4);
        assert_eq!(desk.passed(5), 4);
        assert!(desk.goes_on(), "the poll itself is the fifth");
        desk.count_down(1);
        desk.goes_deeper();
        assert!(desk.goes_on());
        assert_eq!(desk.passed(1), 2, "more than there was room for");
        desk.count_down(5);
        desk.hail();
        assert!(!desk.has_room(), "the thread is to look up");
    }

    #[test]
    fn what_is_no_poll_is_not_counted() {
        let desk = Desk::new();
        desk.count_down(5);
        for left in (0..5).rev() {
            assert!(desk.rise() && !desk.rise());
            desk.apart(|| assert!(!desk.epoch().is_multiple_of(2)));
            assert_eq!(desk.goes_on(), left == 0);
            desk.rest();
            desk.rest();
            desk.apart(|| assert!(!desk.epoch().is_multiple_of(2)));
            assert!(desk.epoch().is_multiple_of(2));
            assert_eq!(desk.passed(5), 5 - left);
        }
    }

    #[test]
    fn a_hail_interrupts_the_count_once_and_leaves_it() {
        let desk = Desk::new();
        desk.count_down(10);
        assert!(!desk.goes_on());
        desk.hail();
        desk.hail();
        assert!(desk.goes_on());
        desk.take_hail();
        assert_eq!(desk.passed(10), 2);
        assert_eq!(polls_until_it_looks_up(&desk), 8);
        // There was none.
        desk.take_hail();
        desk.count_down(2);
        assert_eq!(polls_until_it_looks_up(&desk), 2);
    }

    #[test]
    fn no_number_comes_twice() {
        let desk = Desk::new();
        let mut before = desk.epoch();
        let mut moves = 0;
        let mut moved = || {
            assert!(desk.epoch() > before, "after {moves} moves");
            (before, moves) = (desk.epoch(), moves + 1);
        };
        for polls in [1, 61, 1, 30, 1, 1] {
            desk.count_down(polls);
            moved();
            desk.rise();
            moved();
            desk.apart(&mut moved);
            moved();
            desk.goes_on();
            moved();
            desk.rest();
            moved();
        }
    }
}
