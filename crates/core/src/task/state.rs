//! The state word: who may poll, free or complete a task, in 64 bits.
//!
//! Invariant: *the right to poll exists exactly while the wake count is not zero and `DONE` is not set*, and whoever
//! moved the count from zero holds it (as a [`Runnable`](super::Runnable)). So two threads never poll one task, and a
//! wake that comes during a poll is seen when the poll ends.
//!
//! ```text
//!  63            34 33             8 7      5   4      3        2       1      0
//! | wakes: 30 bits | references: 26 | ROOT HOOKED LOCAL … | ABORT | CLAIMED | JOINER | HANDLE | DONE |
//! ```
//!
//! | phase | wakes | DONE | Runnable exists? | leaves by |
//! |---|---|---|---|---|
//! | idle | 0 | – | no | [`wake`](State::wake): 0 → 1 |
//! | scheduled, polled | ≥ 1 | – | yes, one | [`end_poll`](State::end_poll), completion |
//! | complete | any | set | no | last reference or handle goes |
//!
//! The count is never taken down by a wake, only by `end_poll`, and by no more than what the poll had seen when it
//! began. A self-wake during a poll does not touch the word at all: the runnable simply stays.
//!
//! References are wakers and abort handles. The join handle is the bit `HANDLE`, the runnable and the registry hold
//! none. The cell is freed by the one transition after which `DONE` is set, `HANDLE` is not, and no reference is left.
//! A task that is pending without any waker stays until its executor shuts down.
//!
//! The scheme of a wake counter instead of a "notified" flag follows nexosim's executor (S. Barral): a wake-and-poll
//! cycle costs two read-modify-writes.

use crate::shim::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use core::fmt;

/// The output is stored (or dropped) and the future is gone. Set once, by the completing thread, last of all; a spawn that is
/// refused sets it first, because nobody has the handle yet.
const DONE: u64 = 1 << 0;
/// A join handle exists and owns the output once `DONE` is set. Cleared once, by the handle.
const HANDLE: u64 = 1 << 1;
/// The joiner slot holds a waker. While unset, the slot is the handle's; while set, whoever clears it (the handle) or
/// sets `CLAIMED` (the completing thread) takes what is in it.
const JOINER: u64 = 1 << 2;
/// The completing thread owns the joiner slot from now on; `DONE` follows at once. Set only while `JOINER` is.
const CLAIMED: u64 = 1 << 3;
/// Somebody asked for the end: the next run drops the future instead of polling it.
const ABORT: u64 = 1 << 4;
/// The future is not `Send`: it is polled and dropped on the thread that spawned it only. Constant.
const LOCAL: u64 = 1 << 5;
/// Somebody wants to be told of the end. Constant.
const HOOKED: u64 = 1 << 6;
/// It is the future of a `block_on`. Constant.
const ROOT: u64 = 1 << 7;

const REF: u64 = 1 << 8;
const REF_BITS: u32 = 26;
const WAKE: u64 = 1 << 34;

/// Wakes beyond this are taken back, so that a task that is woken for hours during one poll cannot overflow its field.
///
/// A wake that gives up its reference must not touch the word again. So it is taken back by whoever makes the next
/// reference ([`State::retain`]): the count exceeds the limit by no more than there are references and threads.
const WAKE_LIMIT: u64 = 1 << 29;
/// More references than this are a leak in a loop; going on would end in a use after free.
const REF_LIMIT: u64 = 1 << (REF_BITS - 1);
/// The bits of which one is set when a limit is reached.
const AT_LIMIT: u64 = (REF_LIMIT * REF) | (WAKE_LIMIT * WAKE);

#[cfg(all(test, not(polyloop_loom)))]
pub(crate) const REF_LIMIT_FOR_TEST: u64 = REF_LIMIT;
#[cfg(all(test, not(polyloop_loom)))]
pub(crate) const WAKE_LIMIT_FOR_TEST: u64 = WAKE_LIMIT;

/// What an unused slot's word holds. No live task has all flags set.
const VACANT: u64 = u64::MAX;

/// A copy of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

impl Snapshot {
    pub(crate) fn done(self) -> bool {
        self.0 & DONE != 0
    }

    pub(crate) fn handle(self) -> bool {
        self.0 & HANDLE != 0
    }

    pub(crate) fn joiner(self) -> bool {
        self.0 & JOINER != 0
    }

    pub(crate) fn claimed(self) -> bool {
        self.0 & CLAIMED != 0
    }

    pub(crate) fn abort(self) -> bool {
        self.0 & ABORT != 0
    }

    pub(crate) fn local(self) -> bool {
        self.0 & LOCAL != 0
    }

    pub(crate) fn root(self) -> bool {
        self.0 & ROOT != 0
    }

    pub(crate) fn hooked(self) -> bool {
        self.0 & HOOKED != 0
    }

    pub(crate) fn vacant(self) -> bool {
        self.0 == VACANT
    }

    pub(crate) fn references(self) -> u64 {
        (self.0 >> 8) & ((1 << REF_BITS) - 1)
    }

    pub(crate) fn wakes(self) -> u64 {
        self.0 >> 34
    }

    /// What follows for one who counted a wake upon this word and keeps a reference.
    fn after_wake(self) -> AfterWake {
        if !self.done() && self.wakes() == 0 { AfterWake::Schedule } else { AfterWake::Nothing }
    }

    /// Nobody but the caller can reach the cell.
    pub(crate) fn is_sole(self) -> bool {
        self.references() == 0 && !self.handle()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vacant() {
            return f.write_str("vacant");
        }
        write!(f, "wakes={} references={}", self.wakes(), self.references())?;
        for (bit, name) in [
            (DONE, "DONE"),
            (HANDLE, "HANDLE"),
            (JOINER, "JOINER"),
            (CLAIMED, "CLAIMED"),
            (ABORT, "ABORT"),
            (LOCAL, "LOCAL"),
            (HOOKED, "HOOKED"),
        ] {
            if self.0 & bit != 0 {
                write!(f, " {name}")?;
            }
        }
        Ok(())
    }
}

/// What the caller of a wake has to do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterWake {
    /// Nothing: somebody holds the runnable already, or the task is over.
    Nothing,
    /// The caller holds the runnable now and hands it to the scheduler.
    Schedule,
    /// The reference that was given up was the last one: free the cell.
    Free,
}

/// What the thread that polled has to do after a pending poll.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterPoll {
    /// The runnable is gone; the cell must not be touched again.
    Idle,
    /// A wake came during the poll: the runnable is still the caller's, and goes back to the scheduler.
    Woken,
}

/// The result of one attempt to complete.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// `DONE` is set; the cell must not be touched again.
    Published,
    /// Nobody else can reach the cell: the caller frees it.
    Sole,
    /// No handle will take the output: the caller drops it and tries again.
    DropOutput,
    /// A joiner waits: the caller claims it and tries again.
    ClaimJoiner,
}

/// The state word of one task.
pub(crate) struct State(AtomicU64);

impl State {
    /// The word of a slot that holds no task.
    pub(crate) fn vacant() -> Self {
        Self(AtomicU64::new(VACANT))
    }

    pub(crate) fn set_vacant(&self) {
        // Release: pairs with the registry's Acquire, which must see that the task in this slot is over.
        self.0.store(VACANT, Release);
    }

    /// Fills a vacant slot's word. Release: a registry that sees it also sees the header behind it.
    pub(crate) fn occupy(&self, handle: bool, local: bool, root: bool, hooked: bool) {
        let flag = |set: bool, flag: u64| if set { flag } else { 0 };
        let flags = flag(handle, HANDLE) | flag(local, LOCAL) | flag(root, ROOT) | flag(hooked, HOOKED);
        self.0.store(WAKE | flags, Release);
    }

    /// Acquire: what wakers wrote before they woke, and what a completing thread stored, is visible.
    pub(crate) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Acquire))
    }

    /// Counts a wake, by a waker that goes on living.
    pub(crate) fn wake(&self) -> AfterWake {
        // Ordering: Release publishes what the waker's thread wrote to the poll that will see this count; Acquire takes
        // the future's state over from the poll that left the count at zero. A plain load instead of the
        // read-modify-write when the count is positive already would lose the first of the two (tokio #7589).
        #[cfg(not(polyloop_mutant = "wake_relaxed"))]
        let old = Snapshot(self.0.fetch_add(WAKE, AcqRel));
        #[cfg(polyloop_mutant = "wake_relaxed")]
        let old = Snapshot(self.0.fetch_add(WAKE, Relaxed));
        if old.wakes() >= WAKE_LIMIT {
            self.uncount_wake();
        }
        old.after_wake()
    }

    /// Counts a wake and gives up the waker's reference, in one step.
    pub(crate) fn wake_and_release(&self) -> AfterWake {
        let old = Snapshot(self.0.fetch_add(WAKE - REF, AcqRel));
        if old.done() {
            return if old.references() == 1 && !old.handle() { AfterWake::Free } else { AfterWake::Nothing };
        }
        old.after_wake()
    }

    /// Takes back one wake beyond the limit. Never below the limit, which the poll may have seen.
    #[cold]
    fn uncount_wake(&self) {
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| {
            (Snapshot(word).wakes() > WAKE_LIMIT).then(|| word - WAKE)
        });
    }

    /// Ends a pending poll that began when the word was `seen`.
    pub(crate) fn end_poll(&self, seen: Snapshot) -> AfterPoll {
        // Less than the limit: at the limit a wake during the poll leaves no trace, so that another poll must follow.
        let handled = seen.wakes().min(WAKE_LIMIT - 1);
        // Ordering: Release hands the future's state to the next wake's Acquire; Acquire sees what a wake during the
        // poll published, for the poll that follows at once.
        #[cfg(not(polyloop_mutant = "end_poll_forgets"))]
        let old = Snapshot(self.0.fetch_sub(handled * WAKE, AcqRel));
        #[cfg(polyloop_mutant = "end_poll_forgets")]
        let old = Snapshot(self.0.fetch_and(!(u64::MAX << 34), AcqRel)).min_wakes(handled);
        if old.wakes() == handled { AfterPoll::Idle } else { AfterPoll::Woken }
    }

    /// Tries to make the task complete, when its output is stored. `output` says whether it still is, `claimed`
    /// whether the caller has the joiner already.
    pub(crate) fn complete(&self, output: bool, claimed: bool) -> Completion {
        let mut seen = self.load();
        loop {
            #[cfg(not(polyloop_mutant = "complete_keeps_output"))]
            if !seen.handle() && output {
                return Completion::DropOutput;
            }
            if seen.is_sole() {
                // No waker, no handle, and the registry leaves a task alone whose wake count is not zero: a plain
                // look is enough, because there is nobody who could race.
                return Completion::Sole;
            }
            #[cfg(not(polyloop_mutant = "complete_ignores_joiner"))]
            if seen.joiner() && !claimed {
                return Completion::ClaimJoiner;
            }
            // Ordering: Release publishes the output to the handle's Acquire load.
            match self.0.compare_exchange_weak(seen.0, seen.0 | DONE, AcqRel, Acquire) {
                Ok(_) => return Completion::Published,
                // A wake, a handle that left, a joiner that came: look again.
                Err(moved) => seen = Snapshot(moved),
            }
        }
    }

    /// Takes the joiner slot for the completing thread; `false` if the handle emptied it meanwhile.
    pub(crate) fn claim_joiner(&self) -> bool {
        // Ordering: Acquire sees the waker that the handle stored in the slot.
        let claimed =
            self.0.fetch_update(AcqRel, Acquire, |word| Snapshot(word).joiner().then_some(word | CLAIMED));
        claimed.is_ok()
    }

    /// Offers the joiner slot, filled, to the completing thread. `Err` if the task completed first.
    pub(crate) fn set_joiner(&self) -> Result<(), Snapshot> {
        // Ordering: Release publishes the slot; Acquire in the failure case sees the output.
        self.0
            .fetch_update(AcqRel, Acquire, |word| (word & DONE == 0).then_some(word | JOINER))
            .map(drop)
            .map_err(Snapshot)
    }

    /// Takes the joiner slot back for the handle. `Err` if the completing thread has it, or the task is over.
    pub(crate) fn take_joiner(&self) -> Result<(), Snapshot> {
        self.0
            .fetch_update(AcqRel, Acquire, |word| {
                (word & (DONE | CLAIMED | JOINER) == JOINER).then_some(word & !JOINER)
            })
            .map(drop)
            .map_err(Snapshot)
    }

    /// The handle leaves before the task is done, taking its joiner along if it is still there.
    /// `Err` if the task is done: then the output is the handle's to drop, and [`leave_done`](Self::leave_done) follows.
    pub(crate) fn leave_pending(&self) -> Result<Snapshot, Snapshot> {
        self.0
            .fetch_update(AcqRel, Acquire, |word| {
                let seen = Snapshot(word);
                if seen.done() {
                    None
                } else if seen.claimed() {
                    Some(word & !HANDLE)
                } else {
                    Some(word & !(HANDLE | JOINER))
                }
            })
            .map(Snapshot)
            .map_err(Snapshot)
    }

    /// The handle leaves a task that is done, its output taken or dropped; whether the caller frees the cell.
    #[must_use]
    pub(crate) fn leave_done(&self) -> bool {
        if self.load().references() == 0 {
            return true;
        }
        let old = Snapshot(self.0.fetch_and(!HANDLE, AcqRel));
        // The last waker may have gone since the look; it saw the handle and left the cell to it.
        #[cfg(not(polyloop_mutant = "leave_done_trusts_its_look"))]
        return old.references() == 0;
        #[cfg(polyloop_mutant = "leave_done_trusts_its_look")]
        return old.references() == u64::MAX;
    }

    /// Asks for the end. The caller wakes the task afterwards, so that somebody looks.
    pub(crate) fn abort(&self) {
        self.0.fetch_or(ABORT, Release);
    }

    /// Counts one more reference.
    ///
    /// Aborts the process when there are more than 33 million: only forgotten wakers get there, and the field would
    /// overflow into a use after free.
    pub(crate) fn retain(&self) {
        // Ordering: Relaxed, because whoever retains holds a reference already.
        let old = Snapshot(self.0.fetch_add(REF, Relaxed));
        if old.0 & AT_LIMIT != 0 {
            self.retain_at_limit(old);
        }
    }

    #[cold]
    fn retain_at_limit(&self, old: Snapshot) {
        if old.references() >= REF_LIMIT {
            std::process::abort();
        }
        self.uncount_wake();
    }

    /// For a spawn that comes too late: the task counts as ended, although its future is still to be dropped.
    pub(crate) fn refuse(&self) {
        // Ordering: Relaxed, because there is nothing to see yet.
        self.0.fetch_or(DONE, Relaxed);
    }

    /// Gives up one reference; whether the caller frees the cell.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // Ordering: Release, so that whatever this thread did to the task comes before the freeing; whoever frees
        // acquires.
        let old = Snapshot(self.0.fetch_sub(REF, Release));
        let last = old.references() == 1 && old.done() && !old.handle();
        if last {
            // Ordering: a load, not a fence, because ThreadSanitizer does not understand fences.
            self.0.load(Acquire);
        }
        last
    }

    /// For the registry at shutdown: takes the runnable of an idle task, marked for its end. `false` if somebody holds
    /// the runnable (it is queued, or being polled), if the task is over, or if there is none.
    pub(crate) fn claim_idle(&self) -> bool {
        #[cfg(polyloop_mutant = "claim_by_look")]
        {
            let seen = self.load();
            let idle = !seen.vacant() && !seen.done() && seen.wakes() == 0;
            if idle {
                self.0.fetch_add(WAKE, AcqRel);
            }
            return idle;
        }
        #[cfg(not(polyloop_mutant = "claim_by_look"))]
        // Ordering: Acquire takes the future's state over from its last poll.
        self.0
            .fetch_update(AcqRel, Relaxed, |word| {
                let seen = Snapshot(word);
                let idle = !seen.vacant() && !seen.done() && seen.wakes() == 0;
                idle.then(|| (word + WAKE) | ABORT)
            })
            .is_ok()
    }

    /// As if `references` had been made and `wakes` been counted more than were.
    #[cfg(all(test, not(polyloop_loom)))]
    pub(crate) fn add_for_test(&self, references: u64, wakes: u64) {
        self.0.fetch_add(references * REF + wakes * WAKE, Relaxed);
    }

    #[cfg(all(test, not(polyloop_loom)))]
    pub(crate) fn sub_for_test(&self, references: u64, wakes: u64) {
        self.0.fetch_sub(references * REF + wakes * WAKE, Relaxed);
    }
}

#[cfg(polyloop_mutant = "end_poll_forgets")]
impl Snapshot {
    fn min_wakes(self, wakes: u64) -> Self {
        Self(self.0 & !(u64::MAX << 34) | wakes << 34)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}
