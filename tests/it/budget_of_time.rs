//! A budget of time, counted in operations by a clock that moves with every look.

#![forbid(unsafe_code)]

mod subjects;

use polyloop::spawn;
use polyloop::task::coop::{OPERATIONS, has_budget_remaining, poll_proceed};
use polyloop::task::{budgeted, budgeted_for, consume_budget, unconstrained};
use polyloop_conformance::{LIMIT, watched};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use subjects::{builder, names};

const SECOND: Duration = Duration::from_secs(1);

/// How many operations `hog` does in its first poll, of at most `most`, each look at the clock moving it by a millisecond.
fn operations_in_a_poll(name: &str, most: u32, wrap: impl FnOnce(BoxFuture) -> BoxFuture) -> u32 {
    let clock = polyloop::ManualClock::new().stepping(Duration::from_millis(1));
    let runtime = builder(name).clock(clock).build().unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let counter = count.clone();
    let hog = wrap(Box::pin(async move {
        for _ in 0..most {
            budgeted(std::future::ready(())).await;
            counter.fetch_add(1, Relaxed);
        }
    }));
    let first_poll = async move {
        let mut hog = hog;
        std::future::poll_fn(|cx| {
            let _ = hog.as_mut().poll(cx);
            std::task::Poll::Ready(count.load(Relaxed))
        })
        .await
    };
    runtime.block_on(async { spawn(first_poll).await.unwrap() })
}

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[test]
fn a_budget_of_time_ends_with_the_slice_in_which_the_time_is_over() {
    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            let first_poll = |wrap: fn(BoxFuture) -> BoxFuture| operations_in_a_poll(&name, 10_000, wrap);
            // A look at the beginning, and one after each sixteen.
            assert_eq!(first_poll(|hog| Box::pin(budgeted_for(ms(0), hog))), 16);
            assert_eq!(first_poll(|hog| Box::pin(budgeted_for(ms(3), hog))), 4 * 16);
            assert_eq!(
                first_poll(|hog| Box::pin(budgeted_for(ms(20), hog))),
                21 * 16,
                "more than {OPERATIONS}"
            );
            let earlier_end = |hog| -> BoxFuture { Box::pin(budgeted_for(ms(3), budgeted_for(SECOND, hog))) };
            assert_eq!(first_poll(earlier_end), 3 * 16, "the second beginning is a look as well");
            assert_eq!(first_poll(|hog| Box::pin(budgeted_for(ms(3), unconstrained(hog)))), 10_000);
            assert_eq!(first_poll(|hog| Box::pin(unconstrained(budgeted_for(ms(3), hog)))), 10_000);
        });
    }
}

#[test]
fn a_poll_that_ends_with_an_operation_that_was_pending_counts_as_one_all_the_same() {
    // A whole slice, and then something that is looked at, filled up for, and not to be had.
    async fn slice_and_wait() {
        for _ in 0..16 {
            consume_budget().await;
        }
        std::future::poll_fn(|cx| poll_proceed(cx).map(drop)).await;
        std::future::pending().await
    }
    for name in names(&[1]) {
        let runtime = builder(&name).build().unwrap();
        let polls = runtime.block_on(async {
            spawn(std::future::poll_fn(|cx| {
                let mut polls = 0;
                while has_budget_remaining() && polls < 10 * OPERATIONS {
                    let mut hog = std::pin::pin!(budgeted_for(10 * SECOND, slice_and_wait()));
                    assert!(hog.as_mut().poll(cx).is_pending());
                    polls += 1;
                }
                std::task::Poll::Ready(polls)
            }))
            .await
            .unwrap()
        });
        assert_eq!(polls, OPERATIONS, "{name}");
    }
}
