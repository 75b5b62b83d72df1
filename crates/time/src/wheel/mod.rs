//! The wheel: constant work per timer, exact to the nanosecond.
//!
//! Invariant: time is cut into ticks of 2¹⁶ ns, and an entry lives in the slot that its own tick and the wheel's
//! `origin` (the tick of the last `fire`) determine: the level is the highest base-64 digit in which the two differ, the
//! slot is the entry's digit there. An entry whose tick has passed counts as one of the origin's tick. Hence
//!
//! - eight levels hold every deadline that a `u64` can name, nothing wraps, and no far deadline shares a slot with a
//!   near one unless their ticks agree down to that level;
//! - slots in order of (level, digit) are ranges of time in order, so the nearest deadline is in the first slot that has
//!   a live entry;
//! - equal deadlines are always in the same slot, in the order in which they were inserted.
//!
//! A slot is an array of entries of 16 bytes. A timer's node, with its waker, is touched only when it is armed,
//! cancelled or fired; entries move down the levels without it. A cancelled timer leaves its entry behind: dead entries
//! are dropped when their slot is due, or by one sweep over all slots once they outnumber the live ones.

mod chunks;
#[cfg(test)]
mod tests;

use crate::nodes::Nodes;
use chunks::{Chain, Chunks, Entry};
use polyloop_core::WakeBatch;
use polyloop_core::time::{Instant, TimerKey, Timers};
use std::fmt;
use std::task::Waker;

/// Bits of a deadline below its tick: 65.5 µs.
const TICK_BITS: u32 = 16;

/// Bits of a digit: 64 slots per level, one bit each in a `u64`.
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;

/// Digits of a tick: together with the bits below it, all of a `u64`.
const LEVELS: usize = 8;
const _: () = assert!(LEVELS as u32 * DIGIT_BITS + TICK_BITS == u64::BITS);

/// Dead entries that are never worth a sweep.
const TOLERATED_DEAD: usize = 64;

/// What `due` keeps allocated after a burst.
const KEPT_DUE: usize = 256;

/// A queue of deadlines as a hierarchical wheel: 8 levels of 64 slots, a tick of 65.5 µs, deadlines exact.
///
/// Insert, update and remove touch one entry, or, where a sweep is due, two on average; firing costs a move per level
/// that the timer came down. `next` reads a cached entry and looks into one slot's array only when that timer went away.
///
/// A timer takes 32 bytes, and its entry 16; cancelled timers leave at most as many entries behind as there are live
/// ones, plus 64. After a burst the wheel keeps at most 64 KiB, plus one page of 8 KiB for each timer that stays. While
/// the population swings by less than 700 timers or so, nothing is allocated.
///
/// Dropping the queue drops the wakers that are still in it.
///
/// # Panics
///
/// `insert` at 2³² live timers.
pub struct Wheel {
    /// The tick of the last `fire`.
    origin: u64,
    /// One word per level, one bit per slot that has entries.
    occupied: [u64; LEVELS],
    slots: Box<[Slot]>,
    chunks: Chunks,
    nodes: Nodes,
    /// The due entries, while they are put in order.
    due: Vec<Entry>,
}

/// The entries of one digit of one level.
#[derive(Clone, Copy, Debug)]
struct Slot {
    chain: Chain,
    /// The least entry: no live entry of the slot is due before it, and it is the nearest itself while it lives.
    least: Entry,
}

impl Slot {
    const EMPTY: Self =
        Self { chain: Chain::EMPTY, least: Entry { deadline: u64::MAX, index: u32::MAX, stamp: 0 } };
}

impl Wheel {
    /// An empty queue. Allocates 12 KiB of slots.
    pub fn new() -> Self {
        Self {
            origin: 0,
            occupied: [0; LEVELS],
            slots: vec![Slot::EMPTY; LEVELS * SLOTS].into_boxed_slice(),
            chunks: Chunks::new(),
            nodes: Nodes::default(),
            due: Vec::new(),
        }
    }

    /// Bytes held on the heap.
    #[doc(hidden)]
    pub fn footprint(&self) -> usize {
        size_of_val(&*self.slots)
            + self.chunks.footprint()
            + self.nodes.footprint()
            + self.due.capacity() * size_of::<Entry>()
    }

    /// Entries in the slots, dead ones included: at most twice the live ones and 64.
    #[doc(hidden)]
    pub fn entries(&self) -> usize {
        self.chunks.entries()
    }

    /// The slot of `deadline`, counted over all levels.
    fn slot_of(&self, deadline: u64) -> usize {
        let tick = (deadline >> TICK_BITS).max(self.origin);
        let level = level_of(self.origin, tick);
        level * SLOTS + digit(tick, level)
    }

    /// Appends an entry to its slot.
    fn place(&mut self, entry: Entry) {
        let at = self.slot_of(entry.deadline);
        let slot = &mut self.slots[at];
        if slot.chain.is_empty() || entry.deadline < slot.least.deadline {
            slot.least = entry;
        }
        self.chunks.push(&mut slot.chain, entry);
        self.occupied[at / SLOTS] |= 1 << (at % SLOTS);
    }

    /// Takes all entries out of a slot.
    fn take(&mut self, at: usize) -> Chain {
        self.occupied[at / SLOTS] &= !(1 << (at % SLOTS));
        std::mem::replace(&mut self.slots[at], Slot::EMPTY).chain
    }

    /// The first slot with entries, in order of time.
    fn first_occupied(&self) -> Option<usize> {
        let (level, bits) = self.occupied.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        Some(level * SLOTS + bits.trailing_zeros() as usize)
    }

    /// Empties a slot whose range of time has begun: what is due is gathered, what is not goes to the slot that is now its
    /// own. No timer is touched.
    fn open(&mut self, at: usize, now: u64) {
        let mut chain = self.take(at);
        while !chain.is_empty() {
            for i in 0..self.chunks.front_len(chain) {
                let entry = self.chunks.front_entry(chain, i);
                if entry.deadline <= now {
                    self.due.push(entry);
                } else {
                    self.place(entry);
                }
            }
            self.chunks.pop_front(&mut chain);
        }
    }

    /// Fires what was gathered. The timers are looked up in one tight loop, so that the processor waits for many at once.
    fn fire_gathered(&mut self, batch: &mut WakeBatch) {
        let mut live = 0;
        self.due.retain_mut(|entry| {
            let keep = is_live(&self.nodes, entry);
            // From here on the stamp has no use; among equal deadlines this is the order of insertion.
            entry.stamp = live;
            live += u32::from(keep);
            keep
        });
        self.due.sort_unstable_by_key(|entry| (entry.deadline, entry.stamp));
        batch.extend(self.due.drain(..).filter_map(|entry| self.nodes.remove(entry.index)));
        self.due.shrink_to(KEPT_DUE);
    }

    /// Drops the dead entries once they are the majority.
    fn entries_died(&mut self) {
        if self.chunks.entries() > 2 * self.nodes.len() + TOLERATED_DEAD {
            self.sweep();
        }
    }

    /// Drops all dead entries.
    fn sweep(&mut self) {
        for level in 0..LEVELS {
            for slot in ones(self.occupied[level]) {
                let at = level * SLOTS + slot;
                let nodes = &self.nodes;
                match self.chunks.retain(&mut self.slots[at].chain, |entry| is_live(nodes, entry)) {
                    Some(least) => self.slots[at].least = least,
                    None => _ = self.take(at),
                }
            }
        }
        self.give_back();
    }

    /// Gives the memory of a burst back.
    fn give_back(&mut self) {
        if self.chunks.is_sparse() {
            self.chunks.compact(self.slots.iter_mut().map(|slot| &mut slot.chain));
        }
    }
}

/// The highest digit in which `tick` differs from `origin`; the lowest if they are the same.
fn level_of(origin: u64, tick: u64) -> usize {
    (((origin ^ tick) | 1).ilog2() / DIGIT_BITS) as usize
}

/// The digit of `tick` at `level`.
fn digit(tick: u64, level: usize) -> usize {
    (tick >> (level as u32 * DIGIT_BITS)) as usize % SLOTS
}

/// The positions of the ones in `bits`, ascending.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let position = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(position)
    })
}

/// Whether an entry still speaks for its timer.
fn is_live(nodes: &Nodes, entry: &Entry) -> bool {
    nodes.at(entry.index).is_some_and(|node| node.mark == entry.stamp && node.deadline == entry.deadline)
}

impl Default for Wheel {
    fn default() -> Self {
        Self::new()
    }
}

impl Timers for Wheel {
    fn insert(&mut self, deadline: Instant, waker: Waker) -> TimerKey {
        let deadline = deadline.as_nanos();
        let key = self.nodes.insert(deadline, waker);
        self.place(Entry { deadline, index: key.index(), stamp: key.generation() });
        key
    }

    fn update(&mut self, key: TimerKey, deadline: Instant) -> bool {
        let deadline = deadline.as_nanos();
        let stamp = self.nodes.stamp();
        let Some(node) = self.nodes.get_mut(key) else { return false };
        node.deadline = deadline;
        node.mark = stamp;
        self.place(Entry { deadline, index: key.index(), stamp });
        self.entries_died();
        true
    }

    fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        self.nodes.waker_mut(key)
    }

    fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        let waker = self.nodes.remove_key(key)?;
        self.entries_died();
        Some(waker)
    }

    fn next(&mut self) -> Option<Instant> {
        if self.nodes.len() == 0 {
            return None;
        }
        while let Some(at) = self.first_occupied() {
            let nodes = &self.nodes;
            let slot = &mut self.slots[at];
            if is_live(nodes, &slot.least) {
                return Some(Instant::from_nanos(slot.least.deadline));
            }
            match self.chunks.least(slot.chain, |entry| is_live(nodes, entry)) {
                Some(least) => slot.least = least,
                None => {
                    let mut dead = self.take(at);
                    while !dead.is_empty() {
                        self.chunks.pop_front(&mut dead);
                    }
                }
            }
        }
        None
    }

    fn fire(&mut self, now: Instant, batch: &mut WakeBatch) {
        let now = now.as_nanos();
        let tick = (now >> TICK_BITS).max(self.origin);
        let top = level_of(self.origin, tick);
        self.origin = tick;
        // Below `top` every slot lies before the new origin; at `top` those up to the origin's digit do, and that last
        // one is split. Above, nothing changes its place.
        let begun = u64::MAX >> (SLOTS - 1 - digit(tick, top));
        for level in 0..=top {
            for slot in ones(self.occupied[level] & if level == top { begun } else { u64::MAX }) {
                let at = level * SLOTS + slot;
                // Only a slot that has to be split may be looked past, and only where its entries stay.
                if top > 0 || self.slots[at].least.deadline <= now {
                    self.open(at, now);
                }
            }
        }
        if !self.due.is_empty() {
            self.fire_gathered(batch);
            self.entries_died();
            self.give_back();
        }
    }

    fn len(&self) -> usize {
        self.nodes.len()
    }
}

impl fmt::Debug for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("len", &self.len())
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}
