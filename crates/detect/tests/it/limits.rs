//! The heuristics: silent up to their limit, and told beyond it.

use crate::kit::{Bench, Kept, keeps, kinds};
use polyloop_detect::{Certainty, Detect, Kind, Limits};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_wake_that_a_runtime_loses_is_found_by_the_time() {
    let (detect, kept) = (Detect::new(), Kept::default());
    let mut task = Bench::new(detect.task("task", keeps(&kept)));
    assert!(task.poll().is_pending());
    detect.check(100 * SECOND);
    kept.lock().unwrap()[0].wake_by_ref();
    detect.check(101 * SECOND);
    detect.check(101 * SECOND + SECOND / 2);
    assert_eq!(kinds(&detect), []);
    detect.check(102 * SECOND);
    assert_eq!(kinds(&detect), [(Kind::WakeIgnored { waited: SECOND }, Certainty::Heuristic)]);
}

#[test]
fn a_wake_that_is_followed_by_its_poll_is_none_whatever_the_time() {
    let (detect, kept) = (Detect::new(), Kept::default());
    let mut task = Bench::new(detect.task("task", keeps(&kept)));
    assert!(task.poll().is_pending());
    for second in 0..10 {
        kept.lock().unwrap()[second].wake_by_ref();
        detect.check(second as u32 * SECOND);
        assert!(!task.run());
    }
    assert_eq!(kinds(&detect), []);
}

#[test]
fn a_task_that_spins_is_found_and_one_that_yields_is_not() {
    for (every, found) in [(1, true), (4, false)] {
        let (detect, kept) = (Detect::new(), Kept::default());
        let (mut polls, keep) = (0, kept.clone());
        let future = poll_fn(move |cx| {
            polls += 1;
            keep.lock().unwrap().push(cx.waker().clone());
            if polls % every == 0 {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        let mut task = Bench::new(detect.task("task", future));
        for _ in 0..2_000 {
            assert!(task.poll().is_pending());
            kept.lock().unwrap().pop().unwrap().wake();
        }
        let spins = kinds(&detect).iter().any(|(kind, _)| matches!(kind, Kind::SelfWakes { .. }));
        assert_eq!(spins, found, "in one of {every} polls");
        assert_eq!(kinds(&detect).len(), usize::from(found));
    }
}

/// A runtime of one task. A good one queues a task that is not queued yet, a bad one queues it once per wake.
struct Queue {
    queued: Mutex<VecDeque<()>>,
    doubles: bool,
}

impl Wake for Queue {
    fn wake(self: Arc<Self>) {
        let mut queued = self.queued.lock().unwrap();
        if self.doubles || queued.is_empty() {
            queued.push_back(());
        }
    }
}

#[test]
fn a_runtime_that_queues_a_task_once_per_wake_is_found() {
    for doubles in [false, true] {
        let (detect, kept) = (Detect::new(), Kept::default());
        let mut task: Pin<Box<dyn Future<Output = ()>>> = Box::pin(detect.task("task", keeps(&kept)));
        let queue = Arc::new(Queue { queued: Mutex::new(VecDeque::from([()])), doubles });
        for _ in 0..20 {
            while queue.queued.lock().unwrap().pop_front().is_some() {
                let waker = Waker::from(queue.clone());
                assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            let waker = kept.lock().unwrap().last().unwrap().clone();
            waker.wake_by_ref();
            waker.wake_by_ref();
        }
        let found = kinds(&detect);
        assert_eq!(found.len(), usize::from(doubles));
        assert!(found.iter().all(|(kind, _)| matches!(kind, Kind::SpuriousPolls { spurious: 16, .. })));
    }
}

#[test]
fn a_part_that_is_passed_over_again_and_again_is_found() {
    let limits = Limits { passed_over: 3, ..Limits::default() };
    let (detect, part, rest) = (Detect::with(limits, |_| ()), Kept::default(), Kept::default());
    let mut left = Box::pin(detect.watch("left", keeps(&part)));
    let mut others = Box::pin(keeps(&rest));
    let mut first = true;
    let future = poll_fn(move |cx| {
        if std::mem::replace(&mut first, false) {
            assert!(left.as_mut().poll(cx).is_pending());
        }
        others.as_mut().poll(cx)
    });
    let mut task = Bench::new(detect.task("task", future));
    assert!(task.poll().is_pending());
    for n in 0..3 {
        assert_eq!(kinds(&detect), [], "after {n}");
        part.lock().unwrap()[0].wake_by_ref();
        assert!(!task.run());
    }
    let kind = Kind::PassedOver { polls: 3, waited: None, lock: None };
    assert_eq!(kinds(&detect), [(kind, Certainty::Heuristic)]);
}
