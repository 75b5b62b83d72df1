//! Broken timer queues.

use crate::mutants::finds;
use polyloop_conformance::timers;
use polyloop_conformance::timers::properties;
use polyloop_core::WakeBatch;
use polyloop_core::time::{Instant, TimerKey, Timers};
use std::mem::ManuallyDrop;
use std::task::Waker;

const SOUND: u8 = 0;
const EQUAL_DEADLINES_BACKWARDS: u8 = 1;
const UPDATE_LOST: u8 = 2;
const FAR_HIDES_NEAR: u8 = 3;
const EARLY: u8 = 4;
const UPDATE_KEEPS_ITS_PLACE: u8 = 5;
const STALE_KEYS_LIVE: u8 = 6;
const WAKES_INSIDE: u8 = 7;
const DROPS_INSIDE: u8 = 8;
const LEAKS: u8 = 9;
const NEXT_CLAMPED: u8 = 10;
const LATEST_FIRST: u8 = 11;
const PAST_LOST: u8 = 12;
const REMOVE_LEAVES_IT: u8 = 13;

#[derive(Debug)]
struct Entry {
    deadline: u64,
    sequence: u64,
    key: TimerKey,
    waker: ManuallyDrop<Waker>,
}

/// A list that is searched from end to end, with one fault.
#[derive(Debug, Default)]
struct List<const FAULT: u8> {
    entries: Vec<Entry>,
    made: u64,
    now: u64,
}

impl<const FAULT: u8> List<FAULT> {
    fn new() -> Self {
        Self { entries: Vec::new(), made: 0, now: 0 }
    }

    fn find(&self, key: TimerKey) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }

    /// The place in the order, lowest first.
    fn rank(entry: &Entry) -> (u64, u64) {
        let deadline = match FAULT {
            FAR_HIDES_NEAR if entry.deadline == u64::MAX => 0,
            LATEST_FIRST => u64::MAX - entry.deadline,
            _ => entry.deadline,
        };
        (
            deadline,
            if FAULT == EQUAL_DEADLINES_BACKWARDS { u64::MAX - entry.sequence } else { entry.sequence },
        )
    }
}

impl<const FAULT: u8> Timers for List<FAULT> {
    fn insert(&mut self, deadline: Instant, waker: Waker) -> TimerKey {
        self.made += 1;
        let index = if FAULT == STALE_KEYS_LIVE { self.entries.len() as u64 } else { self.made };
        let key = TimerKey::new(index as u32, 0);
        let mut deadline = deadline.as_nanos();
        if FAULT == PAST_LOST && deadline < self.now {
            deadline = u64::MAX;
        }
        self.entries.push(Entry { deadline, sequence: self.made, key, waker: ManuallyDrop::new(waker) });
        key
    }

    fn update(&mut self, key: TimerKey, deadline: Instant) -> bool {
        let Some(index) = self.find(key) else { return false };
        self.made += 1;
        let entry = &mut self.entries[index];
        if FAULT != UPDATE_LOST {
            entry.deadline = deadline.as_nanos();
        }
        if FAULT != UPDATE_KEEPS_ITS_PLACE {
            entry.sequence = self.made;
        }
        true
    }

    fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        let index = self.find(key)?;
        Some(&mut self.entries[index].waker)
    }

    fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        let index = self.find(key)?;
        if FAULT == REMOVE_LEAVES_IT {
            return Some((*self.entries[index].waker).clone());
        }
        let waker = ManuallyDrop::into_inner(self.entries.remove(index).waker);
        if FAULT == DROPS_INSIDE {
            drop(waker);
            return Some(Waker::noop().clone());
        }
        Some(waker)
    }

    fn next(&mut self) -> Option<Instant> {
        let first = self.entries.iter().min_by_key(|entry| Self::rank(entry))?;
        let limit = if FAULT == NEXT_CLAMPED { self.now + i32::MAX as u64 * 1_000_000 } else { u64::MAX };
        Some(Instant::from_nanos(first.deadline.min(limit)))
    }

    fn fire(&mut self, now: Instant, batch: &mut WakeBatch) {
        self.now = now.as_nanos();
        let until = if FAULT == EARLY { self.now.saturating_add(1 << 16) } else { self.now };
        self.entries.sort_by_key(Self::rank);
        if FAULT == FAR_HIDES_NEAR && self.entries.first().is_some_and(|entry| entry.deadline > until) {
            return;
        }
        for entry in self.entries.extract_if(.., |entry| entry.deadline <= until) {
            let waker = ManuallyDrop::into_inner(entry.waker);
            if FAULT == WAKES_INSIDE { waker.wake() } else { batch.push(waker) }
        }
    }

    fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<const FAULT: u8> Drop for List<FAULT> {
    fn drop(&mut self) {
        if FAULT != LEAKS {
            self.entries.drain(..).for_each(|entry| drop(ManuallyDrop::into_inner(entry.waker)));
        }
    }
}

timers!(sound, super::List::<{ super::SOUND }>::new);

#[track_caller]
fn assert_found<const FAULT: u8>(by: &str) {
    let new: timers::New = || Box::new(List::<FAULT>::new());
    let (name, property) =
        properties().into_iter().find(|(name, _)| *name == by).unwrap_or_else(|| panic!("no property {by}"));
    assert!(finds(name, move || property(new)), "not found by {by}");
}

#[test]
fn equal_deadlines_that_fire_backwards() {
    assert_found::<EQUAL_DEADLINES_BACKWARDS>("equal_deadlines_fire_in_insertion_order");
}

#[test]
fn an_update_that_is_lost() {
    assert_found::<UPDATE_LOST>("bug_33_drop_and_reset_around_the_moment_of_firing");
}

#[test]
fn an_update_that_keeps_its_place() {
    assert_found::<UPDATE_KEEPS_ITS_PLACE>("an_update_counts_as_a_new_insertion");
}

#[test]
fn a_far_timer_that_hides_near_ones() {
    assert_found::<FAR_HIDES_NEAR>("bug_31_a_far_timer_hides_no_interval_from_day_11_to_13");
}

#[test]
fn a_bucket_that_fires_early() {
    assert_found::<EARLY>("bug_34_the_past_fires_at_once_and_nothing_fires_early");
}

#[test]
fn a_jump_that_fires_the_latest_first() {
    assert_found::<LATEST_FIRST>("a_jump_over_days_fires_in_order_of_deadline");
}

#[test]
fn a_deadline_in_the_past_that_never_comes() {
    assert_found::<PAST_LOST>("bug_34_the_past_fires_at_once_and_nothing_fires_early");
}

#[test]
fn keys_without_a_generation() {
    assert_found::<STALE_KEYS_LIVE>("a_key_that_outlived_its_timer_does_nothing");
}

#[test]
fn a_removal_that_removes_nothing() {
    assert_found::<REMOVE_LEAVES_IT>("bug_33_drop_and_reset_around_the_moment_of_firing");
}

#[test]
fn a_timeout_that_is_clamped_to_an_i32_of_milliseconds() {
    assert_found::<NEXT_CLAMPED>("bug_32_a_timeout_beyond_24_days_is_told_in_full");
}

#[test]
fn wakers_that_are_woken_inside() {
    assert_found::<WAKES_INSIDE>("no_waker_is_woken_or_dropped_inside");
}

#[test]
fn wakers_that_are_dropped_inside() {
    assert_found::<DROPS_INSIDE>("no_waker_is_woken_or_dropped_inside");
}

#[test]
fn wakers_that_are_leaked() {
    assert_found::<LEAKS>("dropping_a_queue_drops_its_wakers");
}
