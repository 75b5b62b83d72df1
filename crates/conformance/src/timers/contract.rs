//! What a queue of deadlines promises, call by call.

use super::log::{Log, at};
use super::{DAY, MS, New, SECOND, TICK};
use polyloop_core::WakeBatch;
use polyloop_core::time::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// A waker's foreign code, counted: how often it was woken and how often it was dropped.
#[derive(Debug, Default)]
struct Touched {
    woken: AtomicUsize,
    dropped: AtomicUsize,
}

#[derive(Debug)]
struct Touchy(Arc<Touched>);

impl Wake for Touchy {
    fn wake(self: Arc<Self>) {
        self.0.woken.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Touched {
    /// A waker of its own, so that its drop is seen.
    fn waker(self: &Arc<Self>) -> Waker {
        Arc::new(Touchy(Arc::clone(self))).into()
    }

    /// (woken, dropped)
    fn counts(&self) -> (usize, usize) {
        (self.woken.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }
}

/// Nothing is next, nothing fires.
pub fn an_empty_queue_has_nothing_to_wait_for(new: New) {
    let mut timers = new();
    assert_eq!((timers.next(), timers.len(), timers.is_empty()), (None, 0, true));
    assert_eq!(Log::default().fire(&mut *timers, at(DAY)), []);
    assert_eq!(timers.next(), None);
}

/// Equal deadlines fire in the order of their insertion, however far they were when they came in.
pub fn equal_deadlines_fire_in_insertion_order(new: New) {
    let log = Log::default();
    let mut timers = new();
    for id in 0..500 {
        timers.insert(at(DAY + id % 3), log.waker(id));
    }
    // Some of them come in after the others have moved down the levels.
    for now in [0, DAY / 2, DAY - SECOND, DAY - TICK, DAY - 1] {
        assert_eq!(log.fire(&mut *timers, at(now)), []);
        timers.insert(at(DAY), log.waker(1000 + now));
    }
    let order = |rest| (0..500).filter(move |id| id % 3 == rest);
    let late = [0, DAY / 2, DAY - SECOND, DAY - TICK, DAY - 1].map(|now| 1000 + now);
    assert_eq!(log.fire(&mut *timers, at(DAY)), order(0).chain(late).collect::<Vec<_>>());
    assert_eq!(log.fire(&mut *timers, at(DAY + SECOND)), order(1).chain(order(2)).collect::<Vec<_>>());
}

/// An updated timer stands behind those of its deadline.
pub fn an_update_counts_as_a_new_insertion(new: New) {
    let log = Log::default();
    let mut timers = new();
    let keys: Vec<_> = (0..4).map(|id| timers.insert(at(SECOND), log.waker(id))).collect();
    assert!(timers.update(keys[1], at(SECOND)));
    assert!(timers.update(keys[0], at(2 * SECOND)));
    assert!(timers.update(keys[0], at(SECOND)));
    assert!(timers.update(keys[3], at(SECOND - 1)));
    assert_eq!(timers.next(), Some(at(SECOND - 1)));
    assert_eq!(timers.len(), 4);
    assert_eq!(log.fire(&mut *timers, at(SECOND)), [3, 2, 1, 0]);
    assert!(timers.is_empty());
}

/// A thousand deadlines that are found in one look fire in order.
pub fn a_jump_over_days_fires_in_order_of_deadline(new: New) {
    let log = Log::default();
    let mut timers = new();
    let mut deadlines: Vec<u64> = (0..1000).map(|i| i * i * i % 997 * (DAY / 77) + i % 7).collect();
    for (id, deadline) in deadlines.iter().enumerate() {
        timers.insert(at(*deadline), log.waker(id as u64));
    }
    let woken = log.fire(&mut *timers, at(20 * DAY));
    let woken: Vec<u64> = woken.into_iter().map(|id| deadlines[id as usize]).collect();
    deadlines.sort_unstable();
    assert_eq!(woken, deadlines);
}

/// The nearest deadline is told exactly after insertion, update, removal and firing.
pub fn next_is_exact_after_every_kind_of_change(new: New) {
    let log = Log::default();
    let mut timers = new();
    let far = timers.insert(Instant::FAR_FUTURE, log.waker(0));
    assert_eq!(timers.next(), Some(Instant::FAR_FUTURE));
    let a = timers.insert(at(5 * DAY + 3), log.waker(1));
    let b = timers.insert(at(5 * DAY + 2), log.waker(2));
    assert_eq!(timers.next(), Some(at(5 * DAY + 2)));
    assert!(timers.update(b, at(5 * DAY + 4)));
    assert_eq!(timers.next(), Some(at(5 * DAY + 3)));
    assert!(timers.remove(a).is_some());
    assert_eq!(timers.next(), Some(at(5 * DAY + 4)));
    assert_eq!(log.fire(&mut *timers, at(5 * DAY + 3)), []);
    assert_eq!(timers.next(), Some(at(5 * DAY + 4)));
    assert_eq!(log.fire(&mut *timers, at(5 * DAY + 4)), [2]);
    assert_eq!(timers.next(), Some(Instant::FAR_FUTURE));
    assert!(timers.remove(far).is_some());
    assert_eq!(timers.next(), None);
}

/// And while the nearest is removed again and again.
pub fn next_stays_exact_while_a_thousand_timeouts_are_cancelled_in_the_order_they_were_armed(new: New) {
    let log = Log::default();
    let mut timers = new();
    let keys: Vec<_> = (0..1000).map(|id| timers.insert(at(30 * SECOND + id * MS), log.waker(id))).collect();
    for (id, key) in keys.into_iter().enumerate() {
        assert_eq!(timers.next(), Some(at(30 * SECOND + id as u64 * MS)));
        assert!(timers.remove(key).is_some());
    }
    assert_eq!(timers.next(), None);
}

/// A stale key reaches nobody, not even the next tenant of its slot.
pub fn a_key_that_outlived_its_timer_does_nothing(new: New) {
    let log = Log::default();
    let mut timers = new();
    let fired = timers.insert(at(1), log.waker(1));
    let removed = timers.insert(at(9), log.waker(2));
    assert_eq!(log.fire(&mut *timers, at(1)), [1]);
    assert!(timers.remove(removed).is_some());
    let tenants = [timers.insert(at(7), log.waker(3)), timers.insert(at(8), log.waker(4))];
    for stale in [fired, removed] {
        assert!(!tenants.contains(&stale));
        assert!(timers.remove(stale).is_none());
        assert!(timers.waker_mut(stale).is_none());
        assert!(!timers.update(stale, at(2)));
    }
    assert_eq!((timers.next(), timers.len()), (Some(at(7)), 2));
    assert_eq!(log.fire(&mut *timers, at(9)), [3, 4]);
}

/// Foreign code runs only where the caller can hold no lock.
pub fn no_waker_is_woken_or_dropped_inside(new: New) {
    let touched = Arc::new(Touched::default());
    let mut timers = new();
    let mut batch = WakeBatch::new();
    let mut out = Vec::new();
    let count = 600;
    let keys: Vec<_> = (0..count).map(|i| timers.insert(at(i * 7 * MS), touched.waker())).collect();
    for (i, key) in keys.iter().enumerate() {
        match i % 3 {
            0 => assert!(timers.update(*key, at(i as u64 * 11 * MS))),
            1 => out.push(timers.remove(*key).expect("the timer is live")),
            _ => {}
        }
        timers.next();
    }
    for step in 0..100 {
        timers.fire(at(step * 100 * MS), &mut batch);
    }
    assert!(timers.is_empty());
    assert_eq!(touched.counts(), (0, 0));
    drop(out);
    assert_eq!(touched.counts(), (0, 200));
    batch.wake_all();
    assert_eq!(touched.counts(), (400, 600));
}

/// A queue that is dropped leaks no waker.
pub fn dropping_a_queue_drops_its_wakers(new: New) {
    let touched = Arc::new(Touched::default());
    let mut timers = new();
    for i in 0..600 {
        timers.insert(at(i * DAY), touched.waker());
    }
    drop(timers);
    assert_eq!(touched.counts(), (0, 600));
}

/// A clock that goes back loses nothing.
pub fn an_instant_before_the_last_is_survived(new: New) {
    let log = Log::default();
    let mut timers = new();
    log.fire(&mut *timers, at(DAY));
    timers.insert(at(SECOND), log.waker(1));
    timers.insert(at(2 * DAY), log.waker(2));
    assert_eq!(log.fire(&mut *timers, at(SECOND - 1)), []);
    assert_eq!(log.fire(&mut *timers, at(SECOND)), [1]);
    assert_eq!(log.fire(&mut *timers, at(2 * DAY)), [2]);
}
