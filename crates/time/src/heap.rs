//! The heap: few lines, exact order, O(log n).
//!
//! Invariant: `order` is a 4-ary min-heap by (deadline, sequence), and the node of the entry at position `p` has the
//! mark `p`. Sequences are unique, so equal deadlines leave in insertion order. Four children to a parent halve the
//! depth of a binary heap, and all four are read from two cache lines.

use crate::nodes::Nodes;
use polyloop_core::WakeBatch;
use polyloop_core::time::{Instant, TimerKey, Timers};
use std::fmt;
use std::task::Waker;

/// Children of a node of the heap.
const ARITY: usize = 4;

/// What `order` keeps allocated after a burst.
const KEPT_CAPACITY: usize = 1024;

/// A queue of deadlines as a 4-ary heap that knows where each entry is.
///
/// Insert, update and remove move O(log n) entries, `next` reads one. Nothing is left behind by a removed entry. After a
/// burst it keeps at most 64 KiB plus one page of 8 KiB for each entry that stays.
///
/// Dropping the queue drops the wakers that are still in it.
///
/// # Panics
///
/// `insert` at 2³² live timers.
#[derive(Default)]
pub struct Heap {
    order: Vec<Entry>,
    nodes: Nodes,
    sequence: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    deadline: u64,
    sequence: u64,
    index: u32,
}

impl Heap {
    /// An empty queue. Allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held on the heap.
    #[doc(hidden)]
    pub fn footprint(&self) -> usize {
        self.nodes.footprint() + self.order.capacity() * size_of::<Entry>()
    }

    fn entry(&mut self, deadline: Instant, index: u32) -> Entry {
        self.sequence += 1;
        Entry { deadline: deadline.as_nanos(), sequence: self.sequence, index }
    }

    /// Writes `entry` to `position` and tells its node.
    fn put(&mut self, position: usize, entry: Entry) {
        self.order[position] = entry;
        if let Some(node) = self.nodes.at_mut(entry.index) {
            node.mark = position as u32;
        }
    }

    /// Puts `entry` where it belongs, from the hole at `position` towards the root.
    fn sift_up(&mut self, mut position: usize, entry: Entry) {
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.order[parent] < entry {
                break;
            }
            self.put(position, self.order[parent]);
            position = parent;
        }
        self.put(position, entry);
    }

    /// Puts `entry` where it belongs, from the hole at `position` in either direction.
    fn sift(&mut self, mut position: usize, entry: Entry) {
        if position > 0 && entry < self.order[(position - 1) / ARITY] {
            return self.sift_up(position, entry);
        }
        loop {
            let first = position * ARITY + 1;
            let children = first..(first + ARITY).min(self.order.len());
            let Some(least) = children.min_by_key(|child| self.order[*child]) else { break };
            if entry < self.order[least] {
                break;
            }
            self.put(position, self.order[least]);
            position = least;
        }
        self.put(position, entry);
    }

    /// Takes the entry at `position` out of the order, and its waker out of the nodes.
    fn take(&mut self, position: usize) -> Option<Waker> {
        let entry = self.order.swap_remove(position);
        if let Some(last) = self.order.get(position).copied() {
            self.sift(position, last);
        }
        if self.order.len() < self.order.capacity() / 4 && self.order.capacity() > KEPT_CAPACITY {
            self.order.shrink_to((self.order.len() * 2).max(KEPT_CAPACITY));
        }
        self.nodes.remove(entry.index)
    }
}

impl Timers for Heap {
    fn insert(&mut self, deadline: Instant, waker: Waker) -> TimerKey {
        let key = self.nodes.insert(deadline.as_nanos(), waker);
        let entry = self.entry(deadline, key.index());
        self.order.push(entry);
        self.sift_up(self.order.len() - 1, entry);
        key
    }

    fn update(&mut self, key: TimerKey, deadline: Instant) -> bool {
        let Some(node) = self.nodes.get_mut(key) else { return false };
        node.deadline = deadline.as_nanos();
        let position = node.mark as usize;
        let entry = self.entry(deadline, key.index());
        self.sift(position, entry);
        true
    }

    fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        self.nodes.waker_mut(key)
    }

    fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        let position = self.nodes.get_mut(key)?.mark as usize;
        self.take(position)
    }

    fn next(&mut self) -> Option<Instant> {
        self.order.first().map(|entry| Instant::from_nanos(entry.deadline))
    }

    fn fire(&mut self, now: Instant, batch: &mut WakeBatch) {
        while self.order.first().is_some_and(|entry| entry.deadline <= now.as_nanos()) {
            if let Some(waker) = self.take(0) {
                batch.push(waker);
            }
        }
    }

    fn len(&self) -> usize {
        self.order.len()
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_knows_its_position_and_no_child_precedes_its_parent() {
        let mut heap = Heap::new();
        let mut keys = Vec::new();
        let mut random = 1_u64;
        let rounds = if cfg!(miri) { 100 } else { 2_000 };
        for round in 0..rounds {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let deadline = Instant::from_nanos(random >> 54);
            match keys.len() {
                live if live > 0 && random.is_multiple_of(3) => {
                    let key = keys.swap_remove((random >> 32) as usize % live);
                    assert!(heap.remove(key).is_some());
                }
                live if live > 0 && random % 3 == 1 => assert!(heap.update(keys[round % live], deadline)),
                _ => keys.push(heap.insert(deadline, Waker::noop().clone())),
            }
            for (position, entry) in heap.order.iter().enumerate() {
                let node = heap.nodes.at(entry.index).expect("an entry has a live node");
                assert_eq!((node.mark as usize, node.deadline), (position, entry.deadline));
                assert!(position == 0 || heap.order[(position - 1) / ARITY] < *entry);
            }
        }
    }

    #[test]
    fn a_burst_does_not_stay_resident() {
        let burst = if cfg!(miri) { 300 } else { 1_000_000 };
        let mut heap = Heap::new();
        for i in 0..burst {
            heap.insert(Instant::from_nanos(i), Waker::noop().clone());
        }
        let mut batch = WakeBatch::new();
        heap.fire(Instant::from_nanos(burst), &mut batch);
        assert_eq!(batch.len() as u64, burst);
        assert!(heap.footprint() <= 64 << 10, "{} bytes stay", heap.footprint());
    }
}
