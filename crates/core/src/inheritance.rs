//! Which tasks others with earlier deadlines wait for: priority inheritance, for schedulers that heed deadlines.
//!
//! Invariant: what a task inherits is the earliest deadline of all who wait for it, through any number of locks, and what those
//! inherit. Known are only locks that somebody waits for, so a lock that is free when it is wanted costs nothing here.
//!
//! A change is rare and finds queued runnables where they are; so a scheduler asks for the [`version`] when it chooses, and sorts
//! anew if that has changed.

use crate::task::Id;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// A lock that tasks wait for. Forgotten when it is dropped.
#[derive(Debug)]
pub struct Awaited {
    number: u64,
}

/// Who has a lock, and who waits for it, as far as they are tasks.
#[derive(Debug)]
struct Queue {
    holder: Id,
    waiting: Vec<(Option<Id>, Instant)>,
}

#[derive(Debug)]
struct State {
    locks: BTreeMap<u64, Queue>,
    inherited: BTreeMap<Id, Instant>,
}

// Not of the shim, whose loom has no statics: no model gets here.
static STATE: Mutex<State> = Mutex::new(State { locks: BTreeMap::new(), inherited: BTreeMap::new() });
static VERSION: AtomicU64 = AtomicU64::new(0);

impl Awaited {
    /// A lock that nobody waits for.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Relaxed) }
    }

    /// The lock is with `holder`, if that is a task, and these wait for it, each with the deadline of its own.
    pub fn update(&self, holder: Option<Id>, waiting: impl Iterator<Item = (Option<Id>, Instant)>) {
        let waiting: Vec<_> = waiting.collect();
        let queue = holder.filter(|_| !waiting.is_empty()).map(|holder| Queue { holder, waiting });
        let mut state = STATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = match queue {
            Some(queue) => state.locks.insert(self.number, queue),
            None => state.locks.remove(&self.number),
        };
        if before.is_some() || state.locks.contains_key(&self.number) {
            state.settle();
        }
    }
}

impl Default for Awaited {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.update(None, std::iter::empty());
    }
}

impl State {
    /// Works out who inherits what.
    fn settle(&mut self) {
        let mut inherited: BTreeMap<Id, Instant> = BTreeMap::new();
        // Deadlines only get earlier, and there are finitely many: circles of waiters end, too.
        loop {
            let mut changed = false;
            for Queue { holder, waiting } in self.locks.values() {
                let of = |(id, own): &(Option<Id>, Instant)| {
                    id.and_then(|id| inherited.get(&id).copied()).map_or(*own, |more| more.min(*own))
                };
                let earliest = waiting.iter().map(of).min().unwrap_or(Instant::FAR_FUTURE);
                let before = inherited.get(holder).copied().unwrap_or(Instant::FAR_FUTURE);
                if earliest < before {
                    inherited.insert(*holder, earliest);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        if inherited != self.inherited {
            self.inherited = inherited;
            // Ordering: Release pairs with the Acquire of `version`; what is inherited is behind the lock besides.
            VERSION.fetch_add(1, Release);
        }
    }
}

/// Changes whenever somebody inherits something else than before. 0 as long as nobody ever has.
pub fn version() -> u64 {
    VERSION.load(Acquire)
}

/// What the task inherits.
pub fn of(id: Id) -> Option<Instant> {
    let state = STATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    state.inherited.get(&id).copied()
}
