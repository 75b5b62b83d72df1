//! What real timer queues got wrong.

use super::log::{Log, at};
use super::{DAY, MS, New, SECOND, TICK};
use polyloop_core::time::Instant;
use std::task::Waker;
use std::time::Duration;

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

/// Bug 30: `Duration::MAX` panics, or equals a sentinel and fires at once. From several origins, near and far.
pub fn bug_30_no_duration_panics_or_fires_early(new: New) {
    for start in [0, 1, TICK, 3 * DAY + 12_345, (1 << 52) - 1, u64::MAX - DAY] {
        for edge in EDGES {
            let log = Log::default();
            let mut timers = new();
            assert_eq!(log.fire(&mut *timers, at(start)), []);
            let deadline = at(start) + edge;
            let key = timers.insert(deadline, log.waker(1));
            timers.insert(Instant::FAR_FUTURE, log.waker(2));
            assert_eq!(timers.next(), Some(deadline));
            if deadline > at(start) {
                assert_eq!(log.fire(&mut *timers, at(deadline.as_nanos() - 1)), [], "{edge:?} after {start}");
                assert_eq!(timers.next(), Some(deadline));
            }
            if deadline == Instant::FAR_FUTURE {
                assert!(timers.remove(key).is_some());
            } else {
                assert_eq!(log.fire(&mut *timers, deadline), [1], "{edge:?} after {start}");
            }
            assert_eq!((timers.len(), timers.next()), (1, Some(Instant::FAR_FUTURE)));
        }
    }
}

/// Bug 31: after days of uptime, one far timer hides all near ones.
pub fn bug_31_a_far_timer_hides_no_interval_from_day_11_to_13(new: New) {
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
        assert_eq!(log.fire(&mut *timers, at(due - 1)), []);
        assert_eq!(log.fire(&mut *timers, at(due)), [3]);
        now = due;
    }
    assert_eq!(timers.len(), 2);
}

/// Bug 32: a timeout beyond an `i32` of milliseconds becomes negative or short on its way to the kernel. Here the
/// queue's part: what it tells is not clamped.
pub fn bug_32_a_timeout_beyond_24_days_is_told_in_full(new: New) {
    for ms in [i32::MAX as u64, i32::MAX as u64 + 1, u32::MAX as u64, u32::MAX as u64 + 1, 1 << 40] {
        let mut timers = new();
        timers.insert(at(ms * MS), Waker::noop().clone());
        assert_eq!(timers.next().map(|next| next - Instant::ORIGIN), Some(Duration::from_millis(ms)));
    }
}

/// Bug 33: a timer that is dropped or reset while it comes due is lost, fires twice, or stays.
pub fn bug_33_drop_and_reset_around_the_moment_of_firing(new: New) {
    let log = Log::default();
    let mut timers = new();
    let fired = timers.insert(at(SECOND), log.waker(1));
    let moved = timers.insert(at(SECOND), log.waker(2));
    let dropped = timers.insert(at(SECOND), log.waker(3));
    assert_eq!(log.fire(&mut *timers, at(SECOND - 1)), []);
    assert!(timers.update(moved, at(SECOND + 1)));
    drop(timers.remove(dropped));
    assert_eq!(log.fire(&mut *timers, at(SECOND)), [1]);
    assert!(!timers.update(fired, at(SECOND)));
    assert!(timers.remove(fired).is_none());
    assert!(timers.update(moved, at(SECOND - 5)), "into the past");
    assert_eq!(timers.next(), Some(at(SECOND - 5)));
    assert_eq!(log.fire(&mut *timers, at(SECOND)), [2]);
    assert_eq!((timers.len(), timers.next()), (0, None));
}

/// Bug 34: a deadline that has passed waits for a wrap, or a deadline fires early.
pub fn bug_34_the_past_fires_at_once_and_nothing_fires_early(new: New) {
    let log = Log::default();
    let mut timers = new();
    let mut random = 34_u64;
    let mut now = 10 * DAY + 777;
    log.fire(&mut *timers, at(now));
    for past in [now, now - 1, now - TICK, 1, 0] {
        timers.insert(at(past), log.waker(past));
        assert_eq!(timers.next(), Some(at(past)));
    }
    assert_eq!(log.fire(&mut *timers, at(now)), [0, 1, now - TICK, now - 1, now]);
    let rounds = if cfg!(miri) { 500 } else { 100_000 };
    for _ in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let deadline = now + (random >> 32) % (SECOND >> (random >> 60));
        timers.insert(at(deadline), log.waker(deadline));
        now += (random >> 10) % MS;
        for deadline in log.fire(&mut *timers, at(now)) {
            assert!(deadline <= now, "{deadline} fired at {now}");
        }
        assert!(timers.next().is_none_or(|next| next > at(now)));
    }
}

/// Bug 35: a timer that was polled by another task wakes the one that polled it first.
pub fn bug_35_only_the_last_waker_is_woken(new: New) {
    let log = Log::default();
    let mut timers = new();
    let key = timers.insert(at(SECOND), log.waker(1));
    let old = std::mem::replace(timers.waker_mut(key).expect("the timer is live"), log.waker(2));
    drop(old);
    assert!(timers.update(key, at(2 * SECOND)));
    assert_eq!(log.fire(&mut *timers, at(2 * SECOND)), [2]);
    assert!(timers.waker_mut(key).is_none());
}
