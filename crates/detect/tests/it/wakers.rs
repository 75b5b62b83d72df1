//! Wakers that are dropped, kept too long or woken too often. Each case is a fault that somebody once made.

use crate::kit::{Bench, Kept, keeps, kinds};
use polyloop_detect::{Certainty, Detect, Kind, watched};
use std::future::{pending, poll_fn};
use std::task::{Poll, Waker};

const LOST: fn(u64) -> (Kind, Certainty) = |poll| (Kind::LostWake { poll }, Certainty::Exact);

#[test]
fn a_waker_that_nobody_kept_is_a_lost_wake_at_the_end_of_the_poll() {
    let detect = Detect::new();
    let mut task = Bench::new(detect.task("task", pending::<()>()));
    assert!(task.poll().is_pending());
    assert_eq!(kinds(&detect), [LOST(1)]);
}

#[test]
fn a_waker_that_is_dropped_is_a_lost_wake_at_the_drop_of_the_last_clone() {
    let (detect, kept) = (Detect::new(), Kept::default());
    let mut task = Bench::new(detect.task("task", keeps(&kept)));
    assert!(task.poll().is_pending());
    let clone: Waker = kept.lock().unwrap()[0].clone();
    kept.lock().unwrap().clear();
    assert_eq!(kinds(&detect), []);
    drop(clone);
    assert_eq!(kinds(&detect), [LOST(1)]);
}

#[test]
fn a_waker_that_was_woken_may_be_dropped() {
    let (detect, kept) = (Detect::new(), Kept::default());
    let mut task = Bench::new(detect.task("task", keeps(&kept)));
    assert!(task.poll().is_pending());
    kept.lock().unwrap().pop().unwrap().wake();
    assert_eq!(kinds(&detect), []);
    assert!(!task.run());
    assert_eq!(kinds(&detect), []);
}

#[test]
fn a_future_that_is_dropped_loses_nothing() {
    let (detect, kept) = (Detect::new(), Kept::default());
    let mut task = Bench::new(detect.task("task", keeps(&kept)));
    assert!(task.poll().is_pending());
    drop(task);
    kept.lock().unwrap().pop().unwrap().wake();
    let counts = detect.counts()[0].1;
    assert_eq!((counts.wakes, counts.late_wakes), (1, 1));
    assert_eq!(kinds(&detect), []);
}

#[test]
fn a_future_that_holds_its_own_waker_may_be_dropped() {
    let detect = Detect::new();
    let mut own = None;
    let future = poll_fn(move |cx| {
        drop(own.replace(cx.waker().clone()));
        Poll::<()>::Pending
    });
    let mut task = Bench::new(detect.task("task", future));
    assert!(task.poll().is_pending());
    drop(task);
    assert_eq!(kinds(&detect), []);
}

#[test]
fn who_keeps_the_first_waker_only_has_a_stale_one() {
    let detect = Detect::new();
    let kept = Kept::default();
    let first = kept.clone();
    let future = poll_fn(move |cx| {
        let mut kept = first.lock().unwrap();
        if kept.is_empty() {
            kept.push(cx.waker().clone());
        }
        Poll::<()>::Pending
    });
    let mut task = Bench::new(detect.task("task", future));
    assert!(task.poll().is_pending());
    assert_eq!(kinds(&detect), []);
    assert!(task.poll().is_pending());
    assert_eq!(kinds(&detect), [(Kind::StaleWaker { poll: 2 }, Certainty::Exact)]);
    kept.lock().unwrap()[0].wake_by_ref();
    assert_eq!(detect.counts()[0].1.stale_wakes, 1);
    assert!(!task.run());
    drop(std::mem::take(&mut *kept.lock().unwrap()));
    assert_eq!(kinds(&detect)[1..], [LOST(3)]);
}

#[test]
fn a_lost_wake_names_the_part_that_lost_it() {
    let detect = Detect::new();
    let mut task = Bench::new(detect.task("task", watched("part", pending::<()>())));
    assert!(task.poll().is_pending());
    let found: Vec<_> =
        detect.findings().iter().map(|finding| (finding.future.clone(), finding.certainty)).collect();
    let expected = [("part", Certainty::Heuristic), ("task", Certainty::Exact)];
    assert_eq!(found, expected.map(|(name, certainty)| (name.to_owned(), certainty)));
}

#[test]
fn outside_of_a_watched_task_nothing_is_watched() {
    let mut bench = Bench::new(watched("part", pending::<()>()));
    assert!(bench.poll().is_pending());
}

#[test]
fn a_poll_after_the_end_is_found() {
    let detect = Detect::new();
    let mut task = Bench::new(detect.task("task", poll_fn(|_| Poll::Ready(()))));
    assert!(task.poll().is_ready());
    assert_eq!(kinds(&detect), []);
    assert!(task.poll().is_ready());
    assert_eq!(kinds(&detect), [(Kind::PolledAfterReady, Certainty::Exact)]);
}

#[test]
fn a_future_that_panics_has_ended() {
    let detect = Detect::new();
    let mut task = Bench::new(detect.task("task", poll_fn(|_| -> Poll<()> { panic!("on purpose") })));
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| task.poll()));
    assert!(polled.is_err());
    assert_eq!(kinds(&detect), []);
    // The thread's account of what it polls was put right, too.
    let mut next = Bench::new(watched("next", pending::<()>()));
    assert!(next.poll().is_pending());
    assert_eq!(detect.counts().len(), 1);
}

#[test]
fn wakes_and_polls_are_counted() {
    let (detect, kept) = (Detect::new(), Kept::default());
    let mut task = Bench::new(detect.task("task", keeps(&kept)));
    assert!(task.poll().is_pending());
    let waker = kept.lock().unwrap()[0].clone();
    for _ in 0..3 {
        waker.wake_by_ref();
    }
    assert!(!task.run());
    assert!(task.poll().is_pending());
    let counts = detect.counts()[0].1;
    assert_eq!((counts.polls, counts.wakes), (3, 3));
    assert_eq!((counts.duplicate_wakes, counts.spurious_polls), (2, 1));
}
