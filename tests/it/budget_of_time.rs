//! A budget of time, counted in operations by a clock that moves with every look.

#![forbid(unsafe_code)]

mod subjects;

use polyloop::spawn;
use polyloop::task::coop::OPERATIONS;
use polyloop::task::{budgeted, budgeted_for, unconstrained};
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
