//! The contract of `Timers` (C4), mounted on both queues.

mod common;

use common::{Log, at};
use polyloop_core::WakeBatch;
use polyloop_core::time::{Instant, Timers};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const DAY: u64 = 86_400 * SECOND;
const TICK: u64 = 1 << 16;

/// Durations at which real runtimes broke: 0, 1 ns, 999 µs, 1 ms, an `i32` of milliseconds (24.8 days) ± 1 ms, a `u32`
/// of them (49.7 days), 2³⁰ and 2³⁶ ms ± 1, and the ends of `u64`.
const EDGES: [Duration; 20] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_nanos(TICK - 1),
    Duration::from_nanos(TICK),
    Duration::from_micros(999),
    Duration::from_millis(1),
    Duration::from_millis(i32::MAX as u64 - 1),
    Duration::from_millis(i32::MAX as u64),
    Duration::from_millis(i32::MAX as u64 + 1),
    Duration::from_secs(4_294_080),
    Duration::from_millis(1 << 30),
    Duration::from_millis((1 << 36) - 1),
    Duration::from_millis(1 << 36),
    Duration::from_millis((1 << 36) + 1),
    Duration::from_millis(u32::MAX as u64),
    Duration::from_millis(u32::MAX as u64 + 1),
    Duration::from_nanos(u64::MAX - 1),
    Duration::from_nanos(u64::MAX),
    Duration::from_millis(u64::MAX),
    Duration::MAX,
];

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

/// Mounts each test on both queues. The name in parentheses is a constructor of an empty queue.
macro_rules! on_both_queues {
    ($($(#[$meta:meta])* fn $name:ident($new:ident) $body:block)*) => {
        mod heap {
            use super::*;
            $($(#[$meta])* #[test] fn $name() { let $new = polyloop_time::Heap::new; $body })*
        }
        mod wheel {
            use super::*;
            $($(#[$meta])* #[test] fn $name() { let $new = polyloop_time::Wheel::new; $body })*
        }
    };
}

on_both_queues! {
    fn an_empty_queue_has_nothing_to_wait_for(new) {
        let mut timers = new();
        assert_eq!((timers.next(), timers.len(), timers.is_empty()), (None, 0, true));
        assert_eq!(Log::default().fire(&mut timers, at(DAY)), []);
        assert_eq!(timers.next(), None);
    }

    fn equal_deadlines_fire_in_insertion_order(new) {
        let log = Log::default();
        let mut timers = new();
        for id in 0..500 {
            timers.insert(at(DAY + id % 3), log.waker(id));
        }
        // Some of them come in after the others have moved down the levels.
        for now in [0, DAY / 2, DAY - SECOND, DAY - TICK, DAY - 1] {
            assert_eq!(log.fire(&mut timers, at(now)), []);
            timers.insert(at(DAY), log.waker(1000 + now));
        }
        let order = |rest| (0..500).filter(move |id| id % 3 == rest);
        let late = [0, DAY / 2, DAY - SECOND, DAY - TICK, DAY - 1].map(|now| 1000 + now);
        assert_eq!(log.fire(&mut timers, at(DAY)), order(0).chain(late).collect::<Vec<_>>());
        assert_eq!(log.fire(&mut timers, at(DAY + SECOND)), order(1).chain(order(2)).collect::<Vec<_>>());
    }

    fn an_update_counts_as_a_new_insertion(new) {
        let log = Log::default();
        let mut timers = new();
        let keys: Vec<_> = (0..4).map(|id| timers.insert(at(SECOND), log.waker(id))).collect();
        assert!(timers.update(keys[1], at(SECOND)));
        assert!(timers.update(keys[0], at(2 * SECOND)));
        assert!(timers.update(keys[0], at(SECOND)));
        assert!(timers.update(keys[3], at(SECOND - 1)));
        assert_eq!(timers.next(), Some(at(SECOND - 1)));
        assert_eq!(timers.len(), 4);
        assert_eq!(log.fire(&mut timers, at(SECOND)), [3, 2, 1, 0]);
        assert!(timers.is_empty());
    }

    fn a_jump_over_days_fires_in_order_of_deadline(new) {
        let log = Log::default();
        let mut timers = new();
        let mut deadlines: Vec<u64> = (0..1000).map(|i| i * i * i % 997 * (DAY / 77) + i % 7).collect();
        for (id, deadline) in deadlines.iter().enumerate() {
            timers.insert(at(*deadline), log.waker(id as u64));
        }
        let woken = log.fire(&mut timers, at(20 * DAY));
        let woken: Vec<u64> = woken.into_iter().map(|id| deadlines[id as usize]).collect();
        deadlines.sort_unstable();
        assert_eq!(woken, deadlines);
    }

    fn next_is_exact_after_every_kind_of_change(new) {
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
        assert_eq!(log.fire(&mut timers, at(5 * DAY + 3)), []);
        assert_eq!(timers.next(), Some(at(5 * DAY + 4)));
        assert_eq!(log.fire(&mut timers, at(5 * DAY + 4)), [2]);
        assert_eq!(timers.next(), Some(Instant::FAR_FUTURE));
        assert!(timers.remove(far).is_some());
        assert_eq!(timers.next(), None);
    }

    fn next_stays_exact_while_a_thousand_timeouts_are_cancelled_in_the_order_they_were_armed(new) {
        let log = Log::default();
        let mut timers = new();
        let keys: Vec<_> = (0..1000).map(|id| timers.insert(at(30 * SECOND + id * MS), log.waker(id))).collect();
        for (id, key) in keys.into_iter().enumerate() {
            assert_eq!(timers.next(), Some(at(30 * SECOND + id as u64 * MS)));
            assert!(timers.remove(key).is_some());
        }
        assert_eq!(timers.next(), None);
    }

    fn a_key_that_outlived_its_timer_does_nothing(new) {
        let log = Log::default();
        let mut timers = new();
        let fired = timers.insert(at(1), log.waker(1));
        let removed = timers.insert(at(9), log.waker(2));
        assert_eq!(log.fire(&mut timers, at(1)), [1]);
        assert!(timers.remove(removed).is_some());
        let tenants = [timers.insert(at(7), log.waker(3)), timers.insert(at(8), log.waker(4))];
        for stale in [fired, removed] {
            assert!(!tenants.contains(&stale));
            assert!(timers.remove(stale).is_none());
            assert!(timers.waker_mut(stale).is_none());
            assert!(!timers.update(stale, at(2)));
        }
        assert_eq!((timers.next(), timers.len()), (Some(at(7)), 2));
        assert_eq!(log.fire(&mut timers, at(9)), [3, 4]);
    }

    /// Bug 30: `Duration::MAX` panics, or equals a sentinel and fires at once. From several origins, near and far.
    fn bug_30_no_duration_panics_or_fires_early(new) {
        for start in [0, 1, TICK, 3 * DAY + 12_345, (1 << 52) - 1, u64::MAX - DAY] {
            for edge in EDGES {
                let log = Log::default();
                let mut timers = new();
                assert_eq!(log.fire(&mut timers, at(start)), []);
                let deadline = at(start) + edge;
                let key = timers.insert(deadline, log.waker(1));
                timers.insert(Instant::FAR_FUTURE, log.waker(2));
                assert_eq!(timers.next(), Some(deadline));
                if deadline > at(start) {
                    assert_eq!(log.fire(&mut timers, at(deadline.as_nanos() - 1)), [], "{edge:?} after {start}");
                    assert_eq!(timers.next(), Some(deadline));
                }
                if deadline == Instant::FAR_FUTURE {
                    assert!(timers.remove(key).is_some());
                } else {
                    assert_eq!(log.fire(&mut timers, deadline), [1], "{edge:?} after {start}");
                }
                assert_eq!((timers.len(), timers.next()), (1, Some(Instant::FAR_FUTURE)));
            }
        }
    }

    /// Bug 31: after days of uptime, one far timer hides all near ones.
    fn bug_31_a_far_timer_hides_no_interval_from_day_11_to_13(new) {
        let step = 333 * MS * if cfg!(miri) { 97 } else { 1 };
        let log = Log::default();
        let mut timers = new();
        timers.insert(Instant::FAR_FUTURE, log.waker(1));
        timers.insert(at((1 << 36) * MS - 1), log.waker(2));
        let mut now = 11 * DAY - 5;
        while now < 13 * DAY {
            let due = now + step;
            timers.insert(at(due), log.waker(3));
            assert_eq!(timers.next(), Some(at(due)));
            assert_eq!(log.fire(&mut timers, at(due - 1)), []);
            assert_eq!(log.fire(&mut timers, at(due)), [3]);
            now = due;
        }
        assert_eq!(timers.len(), 2);
    }

    /// Bug 32: a timeout beyond an `i32` of milliseconds becomes negative or short on its way to the kernel. Here the
    /// queue's part: what it tells is not clamped.
    fn bug_32_a_timeout_beyond_24_days_is_told_in_full(new) {
        for ms in [i32::MAX as u64, i32::MAX as u64 + 1, u32::MAX as u64, u32::MAX as u64 + 1, 1 << 40] {
            let mut timers = new();
            timers.insert(at(ms * MS), Waker::noop().clone());
            assert_eq!(timers.next().map(|next| next - Instant::ORIGIN), Some(Duration::from_millis(ms)));
        }
    }

    /// Bug 33: a timer that is dropped or reset while it comes due is lost, fires twice, or stays.
    fn bug_33_drop_and_reset_around_the_moment_of_firing(new) {
        let log = Log::default();
        let mut timers = new();
        let fired = timers.insert(at(SECOND), log.waker(1));
        let moved = timers.insert(at(SECOND), log.waker(2));
        let dropped = timers.insert(at(SECOND), log.waker(3));
        assert_eq!(log.fire(&mut timers, at(SECOND - 1)), []);
        assert!(timers.update(moved, at(SECOND + 1)));
        drop(timers.remove(dropped));
        assert_eq!(log.fire(&mut timers, at(SECOND)), [1]);
        assert!(!timers.update(fired, at(SECOND)));
        assert!(timers.remove(fired).is_none());
        assert!(timers.update(moved, at(SECOND - 5)), "into the past");
        assert_eq!(timers.next(), Some(at(SECOND - 5)));
        assert_eq!(log.fire(&mut timers, at(SECOND)), [2]);
        assert_eq!((timers.len(), timers.next()), (0, None));
    }

    /// Bug 34: a deadline that has passed waits for a wrap, or a deadline fires early.
    fn bug_34_the_past_fires_at_once_and_nothing_fires_early(new) {
        let log = Log::default();
        let mut timers = new();
        let mut random = 34_u64;
        let mut now = 10 * DAY + 777;
        log.fire(&mut timers, at(now));
        for past in [now, now - 1, now - TICK, 1, 0] {
            timers.insert(at(past), log.waker(past));
            assert_eq!(timers.next(), Some(at(past)));
        }
        assert_eq!(log.fire(&mut timers, at(now)), [0, 1, now - TICK, now - 1, now]);
        let rounds = if cfg!(miri) { 500 } else { 100_000 };
        for _ in 0..rounds {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let deadline = now + (random >> 32) % (SECOND >> (random >> 60));
            timers.insert(at(deadline), log.waker(deadline));
            now += (random >> 10) % MS;
            for deadline in log.fire(&mut timers, at(now)) {
                assert!(deadline <= now, "{deadline} fired at {now}");
            }
            assert!(timers.next().is_none_or(|next| next > at(now)));
        }
    }

    /// Bug 35: a timer that was polled by another task wakes the one that polled it first.
    fn bug_35_only_the_last_waker_is_woken(new) {
        let log = Log::default();
        let mut timers = new();
        let key = timers.insert(at(SECOND), log.waker(1));
        let old = std::mem::replace(timers.waker_mut(key).expect("the timer is live"), log.waker(2));
        drop(old);
        assert!(timers.update(key, at(2 * SECOND)));
        assert_eq!(log.fire(&mut timers, at(2 * SECOND)), [2]);
        assert!(timers.waker_mut(key).is_none());
    }

    fn no_waker_is_woken_or_dropped_inside(new) {
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

    fn dropping_a_queue_drops_its_wakers(new) {
        let touched = Arc::new(Touched::default());
        let mut timers = new();
        for i in 0..600 {
            timers.insert(at(i * DAY), touched.waker());
        }
        drop(timers);
        assert_eq!(touched.counts(), (0, 600));
    }

    fn an_instant_before_the_last_is_survived(new) {
        let log = Log::default();
        let mut timers = new();
        log.fire(&mut timers, at(DAY));
        timers.insert(at(SECOND), log.waker(1));
        timers.insert(at(2 * DAY), log.waker(2));
        assert_eq!(log.fire(&mut timers, at(SECOND - 1)), []);
        assert_eq!(log.fire(&mut timers, at(SECOND)), [1]);
        assert_eq!(log.fire(&mut timers, at(2 * DAY)), [2]);
    }
}
