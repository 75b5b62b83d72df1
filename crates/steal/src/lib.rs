//! The work-stealing scheduler, on crossbeam-deque, run by the pool.
//!
//! Each worker has a FIFO deque and a LIFO slot; runnables from outside go to a shared injector. A worker takes from its
//! slot, its deque, the injector, and then from its siblings.
//!
//! Invariant: whatever is pushed can be taken by any worker (C5), except with [`Lifo::Private`]: from the injector and the
//! deques at once, from a slot when its owner is stuck. The slot is spared otherwise, because a task that was just woken
//! finds its data in the owner's cache; two tasks that wake each other would bounce between workers.
//!
//! What a stuck worker has queued goes to the injector, because its siblings look for victims only when they run dry: one
//! that always has something to do would never come to it.
//!
//! A push to an own deque does not wake a sibling as such: a wake-up costs microseconds. A sibling is invited when the
//! backlog is worth more than that, by the average poll. While polls have blocked lately, any backlog is.
//!
//! Declared constants (C3), [`READY_BOUND`]: of the polls of one worker that come from its slot or its deque, at most
//! [`LIFO_POLLS`] in a row come from the slot. Every [`INJECTOR_INTERVAL`]th poll, the first after a driver turn, and all as long as
//! what was taken from a worker that seemed stuck may be there, look at the injector first, but never two without a poll from slot
//! or deque between them. So a task that is the n-th in its deque is polled within
//! 8·n + 8 polls of the worker that holds it: 4·n + 4 and one for every 61 while polls are short, twice as many when each is so
//! long that the driver turns after it.

#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use crossbeam_deque::{Injector, Steal as Stolen, Stealer, Worker};
use polyloop_core::shim::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use polyloop_core::{Count, Notify, ReadyBound, RunSlot, Runnable, Scheduler, Why};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

/// How many polls in a row may come from the LIFO slot, so that two tasks that wake each other do not keep the rest
/// waiting.
pub const LIFO_POLLS: u8 = 3;

/// Every so many polls a worker looks at the injector first, so that what comes from outside is not kept waiting by a
/// deque that never empties. A prime, so that it does not fall into step with a program.
pub const INJECTOR_INTERVAL: u32 = 61;

/// C3, as the module argues it.
pub const READY_BOUND: ReadyBound = |place| 2 * (LIFO_POLLS as u64 + 1) * (place + 1);

/// The most runnables that are taken from the injector at once.
const INJECTOR_BATCH: usize = 32;

/// What it costs to wake a sleeping sibling, in nanoseconds: measured at 5 to 17 µs on a virtual machine.
const WAKE_COST: u64 = 11_000;

/// How long a poll takes until it has been measured: long enough that the first backlog is shared.
const FIRST_GUESS: u64 = 50_000;

/// What becomes of a task that a poll wakes or spawns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lifo {
    /// It goes to the end of the deque, as one that yielded does.
    Off,
    /// It waits in the slot and is the worker's next, at most [`LIFO_POLLS`] times in a row. Others take it from there once its
    /// owner is stuck, not before.
    #[default]
    Stealable,
    /// The same, but nobody else takes it: it waits for as long as the owner's poll lasts, relief or not. This breaks C5; it is
    /// here to measure what the promise costs.
    Private,
}

/// The scheduler.
pub struct Steal {
    lifo: Lifo,
    injector: Injector<Runnable>,
    /// What siblings can reach of each worker, once it has begun.
    workers: Box<[OnceLock<Arc<Public>>]>,
    /// One more than the highest index that has begun: nobody need look beyond.
    begun: AtomicUsize,
    /// Whether polls have blocked lately.
    blocking: AtomicBool,
}

/// What siblings can reach of a worker. On a line of its own, as the owner writes the slot at every wake.
#[repr(align(128))]
struct Public {
    slot: RunSlot,
    stealer: Stealer<Runnable>,
    /// How many runnables the owner has taken from its siblings.
    stolen: Count,
    /// Whether what the owner had has been put into the injector: it is older than what the owner has now.
    ///
    /// A hint, with no order and no model: the runnables themselves go through the injector, whose own synchronisation hands them
    /// on. Set late, or undone by an owner who has just found the injector empty, it costs the order that it was to mend: the
    /// injector has its turn every [`INJECTOR_INTERVAL`]th time, which is the bound that is declared. Cleared late, it has the owner
    /// look into an empty injector.
    spilled: AtomicBool,
}

/// What a worker keeps to itself.
pub struct Local {
    index: usize,
    public: Arc<Public>,
    deque: Worker<Runnable>,
    /// How many of the last polls came from the slot without one from elsewhere.
    lifo_polls: u8,
    tick: u32,
    /// Whether the injector came first since the last poll from the slot or the deque, whose turn it is now.
    owes_own: bool,
    /// Where to begin looking for a victim.
    random: u32,
    /// Average length of a poll, in nanoseconds.
    poll_nanos: u64,
}

impl Steal {
    /// A scheduler with room for so many workers, those included that stand in for others.
    pub fn new(workers: NonZeroUsize) -> Self {
        Self::with_lifo(workers, Lifo::default())
    }

    /// The same with another use of the LIFO slot.
    pub fn with_lifo(workers: NonZeroUsize, lifo: Lifo) -> Self {
        Self {
            lifo,
            injector: Injector::new(),
            workers: (0..workers.get()).map(|_| OnceLock::new()).collect(),
            begun: AtomicUsize::new(0),
            blocking: AtomicBool::new(false),
        }
    }

    /// Up to where siblings have begun.
    ///
    /// Ordering: Relaxed. Whoever misses one that begins just now misses nothing that was pushed: such a sibling is awake, and
    /// what made the pushed runnable known to the one that looks, a fence or a lock, made this known before.
    fn begun(&self) -> usize {
        self.begun.load(Relaxed)
    }

    fn public(&self, index: usize) -> Option<&Public> {
        self.workers[index].get().map(|public| &**public)
    }

    fn all_public(&self) -> impl Iterator<Item = &Public> {
        self.workers[..self.begun()].iter().filter_map(OnceLock::get).map(|public| &**public)
    }

    /// Takes from the injector: one to run, and a fair share to keep.
    fn take_from_injector(&self, local: &Local) -> Option<Runnable> {
        if self.injector.is_empty() {
            return None;
        }
        let share = self.injector.len() / self.begun() + 1;
        let limit = share.min(INJECTOR_BATCH);
        retry(|| self.injector.steal_batch_with_limit_and_pop(&local.deque, limit))
    }

    /// Takes half of a sibling's deque.
    fn take_from_sibling(&self, local: &mut Local) -> Option<Runnable> {
        let count = self.begun();
        let start = local.next_random() as usize % count;
        let victims = (start..start + count).map(|at| at % count).filter(|victim| *victim != local.index);
        let steal = |victim: usize| {
            let public = self.public(victim)?;
            retry(|| public.stealer.steal_batch_and_pop(&local.deque))
        };
        let stolen = victims.into_iter().find_map(steal)?;
        // The deque was empty: all that is in it now, and the one to run.
        local.public.stolen.add(local.deque.len() as u64 + 1);
        Some(stolen)
    }

    /// Moves what worker `index` has to the injector. One at a time is in the caller's hands meanwhile, and waits as long as the
    /// kernel keeps the caller from running.
    fn give_away(&self, index: usize, with_slot: bool) {
        let Some(Public { slot, stealer, spilled, .. }) = self.public(index) else { return };
        // Before and after: an owner that comes back meanwhile may find the injector empty, and takes the mark down.
        // Ordering: Relaxed; an owner that sees it a poll late looks there a poll late.
        spilled.store(true, Relaxed);
        // No more than there is now: a poll that never ends may push for ever.
        for _ in 0..stealer.len() {
            let Some(runnable) = retry(|| stealer.steal()) else { break };
            self.injector.push(runnable);
        }
        if with_slot && let Some(runnable) = slot.take() {
            self.injector.push(runnable);
        }
        spilled.store(true, Relaxed);
    }
}

impl Local {
    /// xorshift: any victim will do, as long as thieves do not all begin with the same.
    fn next_random(&mut self) -> u32 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random = x;
        x
    }

    /// Whether the backlog is worth waking a sibling for. A task that yielded has ended its poll, so that the first in
    /// the deque is not kept waiting by anything.
    fn is_worth_sharing(&self, why: Why, blocking: bool) -> bool {
        let backlog = self.deque.len().saturating_sub(usize::from(why == Why::Yield));
        if blocking {
            // The average says nothing about the poll that blocks.
            return backlog > 0;
        }
        (backlog as u64).saturating_mul(self.poll_nanos) > WAKE_COST
    }
}

fn retry(mut steal: impl FnMut() -> Stolen<Runnable>) -> Option<Runnable> {
    loop {
        match steal() {
            Stolen::Success(runnable) => return Some(runnable),
            Stolen::Empty => return None,
            Stolen::Retry => polyloop_core::shim::hint::spin_loop(),
        }
    }
}

impl Scheduler for Steal {
    type Local = Local;

    fn name(&self) -> &'static str {
        "steal"
    }

    fn ready_bound(&self) -> Option<ReadyBound> {
        Some(READY_BOUND)
    }

    fn local(&self, index: usize) -> Local {
        let deque = Worker::new_fifo();
        let public = Arc::new(Public {
            slot: RunSlot::new(),
            stealer: deque.stealer(),
            stolen: Count::new(),
            spilled: AtomicBool::new(false),
        });
        assert!(
            self.workers[index].set(Arc::clone(&public)).is_ok(),
            "each worker asks for its local part once"
        );
        self.begun.fetch_max(index + 1, Relaxed);
        let random = 0x9E37_79B9_u32.wrapping_mul(index as u32 + 1);
        Local {
            index,
            public,
            deque,
            lifo_polls: 0,
            tick: 0,
            owes_own: false,
            random,
            poll_nanos: FIRST_GUESS,
        }
    }

    #[inline]
    fn push(&self, local: Option<&mut Local>, runnable: Runnable, why: Why) -> Notify {
        let Some(local) = local else {
            self.injector.push(runnable);
            return Notify::One;
        };
        let to_deque = match why {
            // Whoever woke or spawned it has just touched its data.
            Why::Spawn | Why::Wake if self.lifo != Lifo::Off => local.public.slot.replace(runnable),
            Why::Spawn | Why::Wake | Why::Yield | Why::Io | Why::Timer => Some(runnable),
        };
        match to_deque {
            None => Notify::None,
            Some(runnable) => {
                local.deque.push(runnable);
                let blocking = self.blocking.load(Relaxed);
                if local.is_worth_sharing(why, blocking) { Notify::One } else { Notify::None }
            }
        }
    }

    fn next(&self, local: &mut Local) -> Option<Runnable> {
        local.tick = local.tick.wrapping_add(1);
        let spilled = &local.public.spilled;
        if spilled.load(Relaxed) && self.injector.is_empty() {
            spilled.store(false, Relaxed);
        }
        let injector_first = local.tick.is_multiple_of(INJECTOR_INTERVAL) || spilled.load(Relaxed);
        if !std::mem::take(&mut local.owes_own)
            && injector_first
            && let Some(runnable) = self.take_from_injector(local)
        {
            local.owes_own = true;
            return Some(runnable);
        }
        if local.lifo_polls < LIFO_POLLS
            && let Some(runnable) = local.public.slot.take()
        {
            local.lifo_polls += 1;
            return Some(runnable);
        }
        local.lifo_polls = 0;
        local
            .deque
            .pop()
            .or_else(|| local.public.slot.take())
            .or_else(|| self.take_from_injector(local))
            .or_else(|| self.take_from_sibling(local))
    }

    fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.all_public().any(|worker| !worker.stealer.is_empty())
    }

    fn queued(&self) -> usize {
        self.injector.len()
    }

    fn queued_at(&self, index: usize) -> usize {
        let Some(Public { slot, stealer, .. }) = self.public(index) else { return 0 };
        stealer.len() + usize::from(!slot.is_empty())
    }

    fn stolen(&self, index: usize) -> u64 {
        self.public(index).map_or(0, |public| public.stolen.get())
    }

    fn observe_poll(&self, local: &mut Local, nanos: u64) {
        // Half the weight to the latest stretch: programs change their ways quickly. A clock that stands still tells
        // nothing: work would never be worth sharing under it.
        if nanos > 0 {
            local.poll_nanos = local.poll_nanos / 2 + nanos.div_ceil(2);
        }
        // Long polls must not keep the injector waiting for dozens of them, nor, if each is one, the injector the deque.
        local.tick = INJECTOR_INTERVAL - 1;
    }

    fn observe_stuck(&self, index: usize, stuck: bool) {
        if stuck {
            self.give_away(index, self.lifo != Lifo::Private);
        }
    }

    fn observe_standby(&self, index: usize) {
        // Also what is private: the poll beside which it waited has ended, and nobody else would ever look.
        self.give_away(index, true);
    }

    fn observe_blocking(&self, blocking: bool) {
        self.blocking.store(blocking, Relaxed);
    }

    fn drain(&self) -> Vec<Runnable> {
        let mut all = Vec::new();
        while let Some(runnable) = retry(|| self.injector.steal()) {
            all.push(runnable);
        }
        for worker in self.all_public() {
            all.extend(worker.slot.take());
            while let Some(runnable) = retry(|| worker.stealer.steal()) {
                all.push(runnable);
            }
        }
        all
    }
}

impl fmt::Debug for Steal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steal")
            .field("lifo", &self.lifo)
            .field("workers", &self.begun())
            .field("injector", &self.injector.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("index", &self.index)
            .field("queued", &self.deque.len())
            .finish_non_exhaustive()
    }
}
