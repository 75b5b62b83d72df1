//! What a poll may do, counted.

use super::*;
use crate::schedule::{Schedule, Why};
use crate::task::{Meta, Ran, Runnable, TaskSpace};
use crate::yield_now;
use core::future::poll_fn;
use core::panic::Location;
use core::task::Waker;
use std::sync::{Arc, Mutex};

/// Keeps the one runnable there is.
#[derive(Debug, Default)]
struct One(Mutex<Option<Runnable>>);

impl Schedule for One {
    fn schedule(&self, runnable: Runnable, _: Why) {
        *self.0.lock().unwrap() = Some(runnable);
    }
}

/// Runs `future` as a task, to its end; how many polls it took.
fn polls(future: impl Future<Output = ()> + Send + 'static) -> u32 {
    let one = Arc::new(One::default());
    let space = TaskSpace::new(one.clone());
    space.spawn_detached(future, Meta::new(Location::caller()));
    let mut polls = 0;
    let mut next = one.0.lock().unwrap().take();
    while let Some(runnable) = next {
        polls += 1;
        next = match runnable.run() {
            Ran::Yielded(runnable) | Ran::Woken(runnable) => Some(runnable),
            Ran::Pending => one.0.lock().unwrap().take(),
            Ran::Done => None,
        };
    }
    space.retire();
    polls
}

/// One operation that is always ready.
async fn operate() {
    poll_fn(|cx| poll_proceed(cx).map(|operation| operation.made_progress())).await;
}

async fn operations(n: u32) {
    for _ in 0..n {
        operate().await;
    }
}

/// Asks once, outside of any future.
fn admitted() -> bool {
    poll_proceed(&mut Context::from_waker(Waker::noop()))
        .map(|operation| operation.made_progress())
        .is_ready()
}

#[test]
fn a_poll_ends_after_its_operations() {
    assert_eq!(polls(operations(OPERATIONS)), 1);
    assert_eq!(polls(operations(OPERATIONS + 1)), 2);
    assert_eq!(polls(operations(10 * OPERATIONS)), 10);
}

#[test]
fn a_poll_that_ends_by_itself_leaves_the_next_one_a_full_budget() {
    let polls = polls(async {
        for _ in 0..3 {
            operations(OPERATIONS).await;
            yield_now().await;
        }
    });
    assert_eq!(polls, 4);
}

#[test]
fn outside_of_a_task_nothing_is_counted() {
    assert!((0..10 * OPERATIONS).all(|_| admitted()));
    assert!(has_remaining());
}

#[test]
fn an_operation_that_was_pending_is_given_back() {
    let polls = polls(async {
        poll_fn(|cx| {
            for _ in 0..10 * OPERATIONS {
                assert!(poll_proceed(cx).is_ready(), "dropped without progress");
            }
            Poll::Ready(())
        })
        .await;
        operations(OPERATIONS).await;
    });
    assert_eq!(polls, 1);
}

#[test]
fn within_unlimited_nothing_is_counted_and_afterwards_there_is_what_was_left() {
    let polls = polls(async {
        operations(OPERATIONS - 1).await;
        poll_fn(|_| {
            unlimited(|| assert!((0..10 * OPERATIONS).all(|_| admitted())));
            Poll::Ready(())
        })
        .await;
        operations(1).await;
        assert!(!has_remaining());
    });
    assert_eq!(polls, 1);
}

#[test]
fn a_job_that_may_block_is_not_limited_by_the_poll_around_it() {
    polls(async {
        operations(OPERATIONS).await;
        context::outside_of_tasks(|| assert!((0..10 * OPERATIONS).all(|_| admitted())));
        assert!(!has_remaining());
    });
}

#[test]
fn a_task_that_is_dropped_inside_a_poll_takes_nothing_of_its_budget() {
    struct Spender;
    impl Drop for Spender {
        fn drop(&mut self) {
            assert!((0..OPERATIONS).all(|_| admitted()));
            assert!(!admitted());
        }
    }
    let one = Arc::new(One::default());
    let space = TaskSpace::new(one.clone());
    let inner = Spender;
    space.spawn_detached(
        async move {
            let _inner = inner;
            core::future::pending::<()>().await;
        },
        Meta::new(Location::caller()),
    );
    let polls = polls(async move {
        let runnable = one.0.lock().unwrap().take();
        drop(runnable);
        operations(OPERATIONS).await;
        space.retire();
    });
    assert_eq!(polls, 1);
}

#[test]
fn an_executor_inside_of_a_poll_is_not_stuck_forever() {
    // It polls on whenever it was woken, as `block_on` of another crate does.
    let polls = polls(async {
        let mut cx = Context::from_waker(Waker::noop());
        let mut inner = core::pin::pin!(operations(3 * OPERATIONS));
        while inner.as_mut().poll(&mut cx).is_pending() {}
    });
    assert_eq!(polls, 1);
}

#[test]
fn an_operation_does_not_hide_that_the_task_woke_itself() {
    let mut woke = false;
    let polls = polls(poll_fn(move |cx| {
        if core::mem::replace(&mut woke, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        // Noted in the same place as the wake.
        assert!(poll_proceed(cx).map(|operation| operation.made_progress()).is_ready());
        Poll::Pending
    }));
    assert_eq!(polls, 2);
}
