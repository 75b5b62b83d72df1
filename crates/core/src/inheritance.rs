//! Which tasks others with earlier deadlines wait for: priority inheritance, for schedulers that heed deadlines.
//!
//! Invariant: *a task inherits the earliest deadline of those who wait for a lock that it holds*, where who waits counts with what it
//! has inherited itself. Known are only locks that somebody waits for, so a lock that is free when it is wanted costs nothing here.
//!
//! A change concerns one lock. It is followed from the lock to its holder, and on through the locks that the holder waits for, as long
//! as anything changes and [`MOST_STEPS`] tasks at most. Each step takes time in the logarithm of those who wait for the lock.
//! Tasks that wait for each other in a circle would keep what came into it: each has it from the next. So where a deadline goes and
//! somebody still has the same from elsewhere, it is followed back to whose own it is, and if it goes round, all in the circle
//! begin anew.
//!
//! A scheduler asks for the [`version`] when it chooses, and if that has changed, for [whom](changed_since) it concerns.

use crate::task::Id;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Mutex, MutexGuard};

/// One change goes on through so many tasks at most.
pub const MOST_STEPS: usize = if cfg!(miri) { 32 } else { 1024 };

/// So many changes are remembered for schedulers that have not looked.
const REMEMBERED: usize = MOST_STEPS / 4;

/// A lock that tasks wait for. Forgotten when it is dropped.
#[derive(Debug)]
pub struct Awaited {
    number: u64,
}

/// Who has a lock, and who waits for it.
#[derive(Debug, Default)]
struct Queue {
    holder: Option<Id>,
    waiting: BTreeMap<u64, Waiter>,
    /// By what counts, and by the number of the place.
    order: BTreeSet<(Instant, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    task: Option<Id>,
    own: Instant,
    /// The earlier of its own deadline and what it has inherited.
    counts: Instant,
}

/// A task that holds or waits.
#[derive(Debug)]
struct Node {
    inherited: Instant,
    holds: Vec<u64>,
    /// Lock and place.
    waits: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Table {
    locks: BTreeMap<u64, Queue>,
    tasks: BTreeMap<Id, Node>,
    /// How many changes there were, and the last of them.
    changes: u64,
    changed: VecDeque<Id>,
}

// Not of the shim, whose loom has no statics: no model gets here.
static TABLE: Mutex<Table> = Mutex::new(Table::new());
static VERSION: AtomicU64 = AtomicU64::new(0);

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Awaited {
    /// A lock that nobody waits for.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Relaxed) }
    }

    /// Somebody waits from now on, a task or not, with a deadline of its own. `place` tells it from all others who wait, and who
    /// came first. `holder` has the lock, if that is a task.
    pub fn join(&self, place: u64, task: Option<Id>, own: Instant, holder: Option<Id>) {
        let mut table = table();
        table.join(self.number, place, task, own);
        table.hold(self.number, holder);
        table.publish();
    }

    /// It waits no more.
    pub fn leave(&self, place: u64) {
        let mut table = table();
        table.leave(self.number, place);
        table.publish();
    }

    /// The lock is with `holder` from now on, if that is a task.
    pub fn held_by(&self, holder: Option<Id>) {
        let mut table = table();
        table.hold(self.number, holder);
        table.publish();
    }

    /// The most urgent one who waits has the lock from now on: its place.
    pub fn pass_on(&self) -> Option<u64> {
        let mut table = table();
        let queue = table.locks.get(&self.number)?;
        let (_, place) = *queue.order.first()?;
        let task = queue.waiting.get(&place)?.task;
        table.leave(self.number, place);
        table.hold(self.number, task);
        table.publish();
        Some(place)
    }
}

impl Default for Awaited {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut table = table();
        let places: Option<Vec<_>> =
            table.locks.get(&self.number).map(|queue| queue.waiting.keys().copied().collect());
        for place in places.unwrap_or_default() {
            table.leave(self.number, place);
        }
        table.publish();
    }
}

impl Node {
    fn idle() -> Self {
        Self { inherited: Instant::FAR_FUTURE, holds: Vec::new(), waits: Vec::new() }
    }
}

impl Queue {
    fn earliest(&self) -> Instant {
        self.order.first().map_or(Instant::FAR_FUTURE, |(counts, _)| *counts)
    }
}

impl Table {
    const fn new() -> Self {
        Self { locks: BTreeMap::new(), tasks: BTreeMap::new(), changes: 0, changed: VecDeque::new() }
    }

    fn inherited(&self, task: Id) -> Instant {
        self.tasks.get(&task).map_or(Instant::FAR_FUTURE, |node| node.inherited)
    }

    fn join(&mut self, lock: u64, place: u64, task: Option<Id>, own: Instant) {
        let counts = task.map_or(own, |task| self.inherited(task).min(own));
        let queue = self.locks.entry(lock).or_default();
        queue.waiting.insert(place, Waiter { task, own, counts });
        queue.order.insert((counts, place));
        let holder = queue.holder;
        if let Some(task) = task {
            self.tasks.entry(task).or_insert_with(Node::idle).waits.push((lock, place));
        }
        self.settle(holder, false);
    }

    fn leave(&mut self, lock: u64, place: u64) {
        let Some(queue) = self.locks.get_mut(&lock) else { return };
        let Some(waiter) = queue.waiting.remove(&place) else { return };
        queue.order.remove(&(waiter.counts, place));
        let (holder, is_free) = (queue.holder, queue.waiting.is_empty());
        if let Some(node) = waiter.task.and_then(|task| self.tasks.get_mut(&task)) {
            node.waits.retain(|wait| *wait != (lock, place));
        }
        if is_free {
            self.hold(lock, None);
            self.locks.remove(&lock);
        }
        self.settle(holder, true);
        waiter.task.into_iter().for_each(|task| self.forget(task));
    }

    /// Nothing for a lock that nobody waits for.
    fn hold(&mut self, lock: u64, holder: Option<Id>) {
        let Some(queue) = self.locks.get_mut(&lock).filter(|queue| queue.holder != holder) else { return };
        let before = std::mem::replace(&mut queue.holder, holder);
        if let Some(node) = before.and_then(|task| self.tasks.get_mut(&task)) {
            node.holds.retain(|held| *held != lock);
        }
        if let Some(task) = holder {
            self.tasks.entry(task).or_insert_with(Node::idle).holds.push(lock);
        }
        self.settle(before, true);
        self.settle(holder, false);
        before.into_iter().for_each(|task| self.forget(task));
    }

    fn forget(&mut self, task: Id) {
        if self.tasks.get(&task).is_some_and(|node| node.holds.is_empty() && node.waits.is_empty()) {
            self.tasks.remove(&task);
        }
    }

    /// What waits for the locks of `task` has changed, and so may what it inherits, and those for whom it waits. `gone` says that
    /// it may be later now, not earlier.
    fn settle(&mut self, task: Option<Id>, gone: bool) {
        let unmoved = self.follow(task, gone);
        for task in unmoved {
            let circle = self.circle(task);
            self.begin_anew(&circle);
        }
    }

    /// Follows a change. Those who, though a deadline has gone, have the same from elsewhere.
    fn follow(&mut self, task: Option<Id>, gone: bool) -> Vec<Id> {
        let mut concerned = VecDeque::from_iter(task.map(|task| (task, gone)));
        let mut unmoved = Vec::new();
        for _ in 0..MOST_STEPS {
            let Some((task, gone)) = concerned.pop_front() else { break };
            let Some(node) = self.tasks.get(&task) else { continue };
            let held = node.holds.iter().filter_map(|lock| self.locks.get(lock)).map(Queue::earliest);
            let inherited = held.min().unwrap_or(Instant::FAR_FUTURE);
            if inherited == node.inherited {
                if gone && inherited < Instant::FAR_FUTURE {
                    unmoved.push(task);
                }
                continue;
            }
            let gone = inherited > node.inherited;
            concerned.extend(self.inherits(task, inherited).into_iter().map(|holder| (holder, gone)));
        }
        unmoved
    }

    /// `task` inherits this from now on, and counts with it where it waits. Who has the locks there.
    fn inherits(&mut self, task: Id, inherited: Instant) -> Vec<Id> {
        let Some(node) = self.tasks.get_mut(&task) else { return Vec::new() };
        node.inherited = inherited;
        self.changes += 1;
        self.changed.push_back(task);
        if self.changed.len() > REMEMBERED {
            self.changed.pop_front();
        }
        let mut holders = Vec::new();
        for (lock, place) in &node.waits {
            let Some(queue) = self.locks.get_mut(lock) else { continue };
            let Some(waiter) = queue.waiting.get_mut(place) else { continue };
            queue.order.remove(&(waiter.counts, *place));
            waiter.counts = inherited.min(waiter.own);
            queue.order.insert((waiter.counts, *place));
            holders.extend(queue.holder);
        }
        holders
    }

    /// The task from which `task` has what it inherits, if that one has inherited it, too.
    fn source(&self, task: Id) -> Option<Id> {
        let held = self.tasks.get(&task)?.holds.iter().filter_map(|lock| self.locks.get(lock));
        let first = |queue: &Queue| {
            let (_, place) = queue.order.first()?;
            queue.waiting.get(place).copied()
        };
        let first = held.filter_map(first).min_by_key(|waiter| waiter.counts)?;
        first.task.filter(|_| first.counts < first.own)
    }

    /// The circle in which what `task` inherits goes round. Nobody, if it is somebody's own in the end.
    fn circle(&self, task: Id) -> Vec<Id> {
        let mut seen = BTreeSet::new();
        let mut at = task;
        while seen.insert(at) && seen.len() <= MOST_STEPS {
            let Some(source) = self.source(at) else { return Vec::new() };
            at = source;
        }
        let mut circle = vec![at];
        while let Some(source) =
            circle.last().and_then(|last| self.source(*last)).filter(|source| *source != at)
        {
            if circle.len() >= MOST_STEPS {
                return Vec::new();
            }
            circle.push(source);
        }
        circle
    }

    /// None of these has its deadline from outside of them, as it seems: what is left is what does come from there.
    fn begin_anew(&mut self, circle: &[Id]) {
        let mut concerned: Vec<Id> = circle.to_vec();
        for task in circle {
            concerned.extend(self.inherits(*task, Instant::FAR_FUTURE));
        }
        for task in concerned {
            self.follow(Some(task), false);
        }
    }

    fn publish(&self) {
        // Ordering: Release pairs with the Acquire of `version`; what is inherited is behind the lock besides.
        VERSION.store(self.changes, Release);
    }

    fn changed_since(&self, version: u64) -> Option<Vec<Id>> {
        let many = usize::try_from(self.changes - version).ok().filter(|many| *many <= self.changed.len())?;
        Some(self.changed.iter().skip(self.changed.len() - many).copied().collect())
    }
}

/// Changes whenever somebody inherits something else than before. 0 as long as nobody ever has.
pub fn version() -> u64 {
    VERSION.load(Acquire)
}

/// The version at this moment, and who inherits something else than at `version`; `None` if that was too many changes ago.
pub fn changed_since(version: u64) -> (u64, Option<Vec<Id>>) {
    let table = table();
    (table.changes, table.changed_since(version))
}

/// What the task inherits.
pub fn of(id: Id) -> Option<Instant> {
    Some(table().inherited(id)).filter(|inherited| *inherited < Instant::FAR_FUTURE)
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    /// A task of this number.
    fn task(number: u64) -> Option<Id> {
        Some(Id::for_test(number))
    }

    impl Table {
        fn of(&self, number: u64) -> Option<u64> {
            let inherited = self.inherited(Id::for_test(number));
            (inherited < Instant::FAR_FUTURE).then_some((inherited - Instant::ORIGIN).as_nanos() as u64)
        }

        /// Task `number` holds `lock`, for which somebody without a deadline waits already.
        fn holds(&mut self, number: u64, lock: u64) {
            self.join(lock, 0, None, Instant::FAR_FUTURE);
            self.hold(lock, task(number));
        }
    }

    #[test]
    fn a_deadline_goes_through_a_chain_and_back() {
        const LENGTH: u64 = if cfg!(miri) { 20 } else { 100 };
        const LAST: u64 = LENGTH - 1;
        let mut table = Table::new();
        for number in 0..LENGTH {
            table.holds(number, number);
            // Task n + 1 waits for the lock of task n.
            table.join(number, 1, task(number + 1), at(1_000 + number));
        }
        assert_eq!(table.of(LAST), Some(1_000 + LAST));
        table.join(LAST, 2, None, at(5));
        assert!((0..LENGTH).all(|number| table.of(number) == Some(5)));
        let changes = table.changes;
        table.join(LAST, 3, None, at(7));
        assert_eq!(table.changes, changes, "who is less urgent changes nothing");
        table.leave(LAST, 2);
        assert!((0..LENGTH).all(|number| table.of(number) == Some(7)));
        table.leave(LAST, 3);
        assert_eq!((table.of(LAST), table.of(0)), (Some(1_000 + LAST), Some(1_000)));
    }

    #[test]
    fn a_lock_that_is_passed_on_takes_its_waiters_along() {
        let mut table = Table::new();
        table.join(1, 0, task(2), at(20));
        table.join(1, 1, task(3), at(10));
        table.hold(1, task(1));
        assert_eq!((table.of(1), table.of(2)), (Some(10), None));
        table.leave(1, 1);
        table.hold(1, task(3));
        assert_eq!((table.of(1), table.of(3)), (None, Some(20)));
        table.leave(1, 0);
        assert!(table.locks.is_empty() && table.tasks.is_empty(), "{table:?}");
    }

    #[test]
    fn who_holds_two_locks_has_the_earlier_of_both() {
        let mut table = Table::new();
        table.holds(1, 1);
        table.holds(1, 2);
        table.join(1, 1, None, at(30));
        table.join(2, 1, None, at(20));
        assert_eq!(table.of(1), Some(20));
        table.hold(2, task(9));
        assert_eq!((table.of(1), table.of(9)), (Some(30), Some(20)));
    }

    #[test]
    fn a_circle_comes_to_an_end() {
        let mut table = Table::new();
        table.holds(1, 1);
        table.holds(2, 2);
        table.join(1, 1, task(2), at(50));
        table.join(2, 1, task(1), at(60));
        table.join(1, 2, None, at(5));
        assert_eq!((table.of(1), table.of(2)), (Some(5), Some(5)));
        table.leave(1, 2);
        assert_eq!(
            (table.of(1), table.of(2)),
            (Some(50), Some(50)),
            "what has gone does not go round for ever"
        );
        // One of the two gives up.
        table.leave(2, 1);
        assert_eq!((table.of(1), table.of(2)), (Some(50), None));
    }

    #[test]
    fn what_has_gone_leaves_a_circle_and_those_whom_it_waits_for() {
        let mut table = Table::new();
        // 1, 2 and 3 wait for each other; 2 waits for 4 as well, and 1 is waited for by 5, which is not in the circle.
        for number in 1..=5 {
            table.holds(number, number);
        }
        for (lock, waiting) in [(1, 2), (2, 3), (3, 1), (4, 2), (1, 5)] {
            table.join(lock, waiting, task(waiting), at(100 * waiting));
        }
        table.join(5, 9, None, at(7));
        assert!((1..=5).all(|number| table.of(number) == Some(7)), "{table:?}");
        table.leave(5, 9);
        assert_eq!(table.of(5), None);
        assert!((1..=4).all(|number| table.of(number) == Some(100)), "{table:?}");
        // Somebody else brings the same, who stays.
        table.join(5, 9, None, at(7));
        table.join(4, 8, None, at(7));
        table.join(2, 8, None, at(7));
        table.leave(5, 9);
        assert!((1..=4).all(|number| table.of(number) == Some(7)), "{table:?}");
        table.leave(2, 8);
        assert_eq!(
            (1..=4).map(|number| table.of(number)).collect::<Vec<_>>(),
            [Some(100), Some(100), Some(100), Some(7)]
        );
    }

    #[test]
    fn a_walk_is_bounded_and_what_was_changed_is_remembered_for_a_while() {
        let mut table = Table::new();
        let long = MOST_STEPS as u64 + 50;
        for number in 0..long {
            table.holds(number, number);
            table.join(number, 1, task(number + 1), Instant::FAR_FUTURE);
        }
        assert_eq!(table.changes, 0);
        table.join(long - 1, 2, None, at(5));
        assert_eq!(table.changes, MOST_STEPS as u64);
        assert_eq!((table.of(50), table.of(49)), (Some(5), None));
        assert_eq!(table.changed_since(0), None);
        let last = table.changed_since(table.changes - 2).unwrap();
        assert_eq!(last, [Id::for_test(51), Id::for_test(50)]);
        assert_eq!(table.changed_since(table.changes), Some(vec![]));
    }
}
