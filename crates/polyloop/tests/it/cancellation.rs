//! `CancellationToken` and `TaskTracker`, on every combination.
//!
//! Invariant: order and counts only; the clock is paused.

use polyloop::sync::CancellationToken;
use polyloop::task::coop::OPERATIONS;
use polyloop::task::{LocalSet, TaskTracker, consume_budget, yield_now};
use polyloop::time::{Instant, sleep};
use polyloop::{Handle, select, spawn};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

async fn is_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
    let mut future = Some(future);
    poll_fn(|cx| Poll::Ready(future.take().is_none_or(|future| future.poll(cx).is_pending()))).await
}

#[polyloop::test(all)]
async fn a_token_tells_its_clones_and_children_and_not_its_parent() {
    let parent = CancellationToken::new();
    let (child, other) = (parent.child_token(), parent.child_token());
    let waiting: Vec<_> = [child.clone(), child.child_token()]
        .into_iter()
        .map(|token| spawn(async move { token.cancelled().await }))
        .collect();
    yield_now().await;
    child.cancel();
    for task in waiting {
        task.await.unwrap();
    }
    assert!(!parent.is_cancelled() && !other.is_cancelled());
    let owned = spawn(other.clone().cancelled_owned());
    let guard = parent.clone().drop_guard();
    drop(guard);
    owned.await.unwrap();
    assert!(other.is_cancelled() && parent.child_token().is_cancelled());
    assert_eq!(parent, parent.clone());
}

#[polyloop::test(all, start_paused = true)]
async fn a_future_runs_until_the_token_is_cancelled() {
    let token = CancellationToken::new();
    assert_eq!(token.run_until_cancelled(async { 1 }).await, Some(1));
    let cancelling = token.clone();
    spawn(async move {
        sleep(SECOND).await;
        cancelling.cancel();
    });
    let start = Instant::now();
    assert_eq!(token.run_until_cancelled(pending::<()>()).await, None);
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!(token.run_until_cancelled(async { 1 }).await, None, "it is not polled");
}

#[polyloop::test(all)]
async fn a_token_holds_for_one_that_is_always_ready() {
    let token = CancellationToken::new();
    let (cancelling, rounds) = (token.clone(), Arc::new(AtomicU32::new(0)));
    let counted = rounds.clone();
    let forever = async move {
        loop {
            consume_budget().await;
            if counted.fetch_add(1, SeqCst) == 10 * OPERATIONS {
                cancelling.cancel();
            }
        }
    };
    assert_eq!(token.run_until_cancelled::<_>(forever).await, None::<()>);
    assert!(rounds.load(SeqCst) <= 12 * OPERATIONS);
    // And one that looks at a cancelled token over and over lets others go.
    let other = spawn(async {});
    for _ in 0..2 * OPERATIONS {
        token.cancelled().await;
    }
    drop(other);
}

#[polyloop::test(all)]
async fn a_tracker_waits_until_it_is_closed_and_empty() {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    let ended = Arc::new(AtomicU32::new(0));
    for _ in 0..20 {
        let (token, ended) = (token.clone(), ended.clone());
        drop(tracker.spawn(async move {
            token.cancelled().await;
            ended.fetch_add(1, SeqCst);
        }));
    }
    assert_eq!(tracker.len(), 20);
    let mut waiting = pin!(tracker.wait());
    assert!(is_pending(waiting.as_mut()).await);
    token.cancel();
    while !tracker.is_empty() {
        yield_now().await;
    }
    assert!(is_pending(waiting.as_mut()).await, "it is open");
    assert!(tracker.close() && !tracker.close());
    waiting.await;
    assert_eq!(ended.load(SeqCst), 20);
    tracker.wait().await;
}

#[polyloop::test(all)]
async fn a_moment_without_tasks_is_enough_and_every_kind_of_task_counts() {
    let tracker = TaskTracker::new();
    tracker.close();
    let token = tracker.token();
    let before = tracker.wait();
    let second = token.clone();
    assert_eq!(token.task_tracker().len(), 2);
    drop(token);
    drop(second);
    assert!(tracker.reopen() && !tracker.reopen());
    assert!(!tracker.is_closed());
    before.await;

    let (set, gate) = (LocalSet::new(), CancellationToken::new());
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let wait = |n| {
        let gate = gate.clone();
        async move {
            gate.cancelled().await;
            n
        }
    };
    let waits = wait(0);
    let panics = tracker.spawn(async move { panic!("tracked all the same {}", waits.await) });
    let aborted = tracker.spawn(pending::<()>());
    let job = tracker.spawn_blocking(move || opened.recv().is_err());
    let local = tracker.spawn_local(wait(2));
    let in_set = tracker.spawn_local_on(wait(3), &set);
    let on = tracker.spawn_on(wait(4), &Handle::current());
    let by_hand = tracker.track_future(wait(5));
    assert_eq!(tracker.len(), 7);
    gate.cancel();
    drop(open);
    aborted.abort();
    tracker.close();
    let outputs = async {
        let spawned = (job.await.unwrap(), local.await.unwrap(), in_set.await.unwrap(), on.await.unwrap());
        (spawned, by_hand.await, panics.await.unwrap_err().is_panic())
    };
    assert_eq!(set.run_until(outputs).await, ((true, 2, 3, 4), 5, true));
    select! {
        () = tracker.wait() => {}
        () = sleep(20 * SECOND) => panic!("{tracker:?}"),
    }
    let same = tracker.clone();
    assert!(TaskTracker::ptr_eq(&tracker, &same) && !TaskTracker::ptr_eq(&tracker, &TaskTracker::new()));
}
