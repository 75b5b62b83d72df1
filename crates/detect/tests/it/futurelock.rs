//! Futurelock in its forms, and its neighbours that are none.

use crate::kit::{Bench, kinds};
use futures::channel::oneshot;
use futures::future::{Either, join, select};
use futures::stream::{FuturesUnordered, StreamExt};
use polyloop_detect::{Certainty, Detect, Hold, Kind, Lock, watched};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

type Shared = Arc<Lock<Mutex<()>>>;

fn lock() -> Shared {
    Arc::new(Lock::new("lock", Mutex::new(())))
}

async fn work(lock: Shared) {
    let _guard = lock.acquire(Mutex::lock).await;
}

/// Has the guard until it is told to go on.
async fn long_work(lock: Shared, go_on: oneshot::Receiver<()>) {
    let _guard = lock.acquire(Mutex::lock).await;
    _ = go_on.await;
}

fn futurelock(detect: &Detect) -> Vec<(String, Hold, String)> {
    let found = detect.findings().into_iter().map(|finding| match finding.kind {
        Kind::Futurelock { hold, waiter, .. } => (finding.future, hold, waiter),
        other => panic!("{other:?}"),
    });
    found.collect()
}

#[test]
fn a_branch_that_is_kept_holds_the_guard() {
    let (detect, lock) = (Detect::new(), lock());
    let (go_on, told) = oneshot::channel();
    let (timer, fires) = oneshot::channel::<()>();
    let mut task = Bench::new(detect.task("task", async {
        let first = Box::pin(watched("first", long_work(lock.clone(), told)));
        let Either::Right((_, _kept)) = select(first, fires).await else { panic!("the timer is first") };
        watched("second", work(lock.clone())).await;
    }));
    assert!(task.poll().is_pending());
    timer.send(()).unwrap();
    assert!(!task.run());
    assert_eq!(kinds(&detect), [], "the first may still have to wait for something");
    go_on.send(()).unwrap();
    assert!(!task.run());
    assert_eq!(futurelock(&detect), [("first".to_owned(), Hold::Holds, "second".to_owned())]);
}

#[test]
fn a_member_of_a_set_is_not_polled_in_the_body_of_the_loop() {
    let (detect, lock) = (Detect::new(), lock());
    let guard = lock.get_ref().try_lock().unwrap();
    let set = FuturesUnordered::new();
    set.push(Either::Left(Box::pin(work(lock.clone()))));
    set.push(Either::Right(std::future::ready(())));
    let mut set = set;
    let inside = lock.clone();
    let mut task = Bench::new(detect.task("task", async move {
        while let Some(()) = set.next().await {
            work(inside.clone()).await;
        }
    }));
    assert!(task.poll().is_pending());
    assert_eq!(kinds(&detect), []);
    drop(guard);
    assert!(!task.run());
    // Neither future has a name of its own, so the task's is told; the wait knows where it was made.
    assert_eq!(futurelock(&detect), [("task".to_owned(), Hold::NextInLine, "task".to_owned())]);
}

#[test]
fn a_branch_that_is_dropped_leaves_the_line() {
    let (detect, lock) = (Detect::new(), lock());
    let guard = lock.get_ref().try_lock().unwrap();
    let (timer, fires) = oneshot::channel::<()>();
    let mut task = Bench::new(detect.task("task", async {
        let first = Box::pin(watched("first", work(lock.clone())));
        let Either::Right((_, first)) = select(first, fires).await else { panic!("the timer is first") };
        drop(first);
        work(lock.clone()).await;
    }));
    assert!(task.poll().is_pending());
    timer.send(()).unwrap();
    assert!(!task.run());
    drop(guard);
    assert!(task.run());
    assert_eq!(kinds(&detect), []);
}

#[test]
fn branches_that_are_both_polled_share_a_lock() {
    let (detect, lock) = (Detect::new(), lock());
    let guard = lock.get_ref().try_lock().unwrap();
    let both = join(watched("a", work(lock.clone())), watched("b", work(lock.clone())));
    let mut task = Bench::new(detect.task("task", both));
    assert!(task.poll().is_pending());
    drop(guard);
    assert!(task.run());
    assert_eq!(kinds(&detect), []);
}

#[test]
fn a_kept_branch_that_is_polled_again_in_time_is_none() {
    let (detect, lock) = (Detect::new(), lock());
    let guard = lock.get_ref().try_lock().unwrap();
    let (timer, fires) = oneshot::channel::<()>();
    let mut task = Bench::new(detect.task("task", async {
        let first = Box::pin(watched("first", work(lock.clone())));
        let Either::Right((_, first)) = select(first, fires).await else { panic!("the timer is first") };
        join(first, work(lock.clone())).await;
    }));
    assert!(task.poll().is_pending());
    timer.send(()).unwrap();
    assert!(!task.run());
    drop(guard);
    assert!(task.run());
    assert_eq!(kinds(&detect), []);
}

#[test]
fn a_guard_that_was_handed_out_is_the_receivers() {
    let (detect, lock) = (Detect::new(), lock());
    let mut task = Bench::new(detect.task("task", async move {
        let mut first = Box::pin(watched("first", async { lock.acquire(Mutex::lock).await }));
        let guard = first.as_mut().await;
        drop(guard);
        drop(first);
        work(lock.clone()).await;
    }));
    assert!(task.poll().is_ready());
    assert_eq!(kinds(&detect), []);
}

#[test]
fn a_lock_of_async_lock_is_watched_as_well() {
    let detect = Detect::new();
    let lock = Arc::new(Lock::new("lock", smol::lock::Mutex::new(())));
    let (go_on, told) = oneshot::channel();
    let (timer, fires) = oneshot::channel::<()>();
    let mut task = Bench::new(detect.task("task", async {
        let first = Box::pin(watched("first", async {
            let _guard = lock.acquire(smol::lock::Mutex::lock).await;
            _ = told.await;
        }));
        let Either::Right((_, _kept)) = select(first, fires).await else { panic!("the timer is first") };
        drop(lock.acquire(smol::lock::Mutex::lock).await);
    }));
    assert!(task.poll().is_pending());
    timer.send(()).unwrap();
    assert!(!task.run());
    go_on.send(()).unwrap();
    assert!(!task.run());
    assert_eq!(futurelock(&detect), [("first".to_owned(), Hold::Holds, "task".to_owned())]);
}

/// A set polls only those of its members that were woken, so that the last poll of the task does not show that it waits for the lock.
#[test]
fn a_wait_in_a_set_that_was_told_nothing_is_found_by_a_check() {
    let (detect, lock) = (Detect::new(), lock());
    let guard = lock.get_ref().try_lock().unwrap();
    let (timer, fires) = oneshot::channel::<()>();
    let mut task = Bench::new(detect.task("task", async {
        let first = Box::pin(watched("first", work(lock.clone())));
        let Either::Right((_, _kept)) = select(first, fires).await else { panic!("the timer is first") };
        let mut set = FuturesUnordered::from_iter([watched("second", work(lock.clone()))]);
        set.next().await;
    }));
    assert!(task.poll().is_pending());
    timer.send(()).unwrap();
    assert!(!task.run());
    drop(guard);
    assert!(!task.run());
    assert_eq!(kinds(&detect), []);
    detect.check(Duration::ZERO);
    detect.check(Duration::from_secs(1));
    let (waited, lock) = (Some(Duration::from_secs(1)), Some("lock".to_owned()));
    let told = detect.findings();
    let of_lock =
        told.iter().find(|finding| finding.kind == Kind::PassedOver { polls: 1, waited, lock: lock.clone() });
    assert!(
        of_lock.is_some_and(|finding| finding.future == "first" && finding.certainty == Certainty::Heuristic),
        "{told:?}"
    );
}
