//! The cooperative budget, on every combination: who is always ready lets others go all the same.
//!
//! Invariant: counted in polls and operations; no test here looks at the wall's clock.

use crate::subjects::{builder, names};
use polyloop::task::coop::OPERATIONS;
use polyloop::task::{budgeted, consume_budget, unconstrained, yield_now};
use polyloop::{Runtime, time};
use polyloop_conformance::{LIMIT, watched};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{Relaxed, SeqCst},
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Runs `body` on each combination with one thread for tasks, its clock paused.
fn on_one_thread(body: fn(&Runtime)) {
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || body(&builder(&name).start_paused(true).build().unwrap()));
    }
}

/// Runs `hog` as a task beside one that waits for its turn; how many times `hog` went round by then.
async fn rounds_before_the_other<F, R>(round: F) -> u32
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let (rounds, over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let hog = {
        let (rounds, over) = (rounds.clone(), over.clone());
        async move {
            // So many rounds, if nobody stops it, that a failure is one of this test and not of its time limit.
            while !over.load(SeqCst) && rounds.load(Relaxed) < 100_000 {
                round().await;
                rounds.fetch_add(1, Relaxed);
            }
        }
    };
    let seen = rounds.clone();
    // Spawned by a task, so that both are ready before either is polled.
    let both = polyloop::spawn(async move {
        let hog = polyloop::spawn(hog);
        let other = polyloop::spawn(async move {
            over.store(true, SeqCst);
            seen.load(Relaxed)
        });
        (hog, other)
    });
    let (hog, other) = both.await.unwrap();
    hog.await.unwrap();
    other.await.unwrap()
}

#[test]
fn a_sleep_of_no_length_lets_others_go_within_the_budget() {
    on_one_thread(|runtime| {
        let rounds = runtime.block_on(rounds_before_the_other(|| time::sleep(Duration::ZERO)));
        assert!(rounds <= OPERATIONS, "{rounds}");
    });
}

#[test]
fn a_future_of_somebody_else_lets_others_go_once_it_is_wrapped() {
    on_one_thread(|runtime| {
        let rounds = runtime.block_on(rounds_before_the_other(|| budgeted(std::future::ready(()))));
        assert!(rounds <= OPERATIONS, "{rounds}");
        let rounds = runtime.block_on(rounds_before_the_other(consume_budget));
        assert!(rounds <= OPERATIONS, "{rounds}");
    });
}

#[test]
fn what_is_unconstrained_goes_on_to_its_end() {
    on_one_thread(|runtime| {
        let finished = runtime.block_on(async {
            polyloop::spawn(async {
                let other = polyloop::spawn(async {});
                unconstrained(async {
                    for _ in 0..10 * OPERATIONS {
                        consume_budget().await;
                    }
                })
                .await;
                let before = other.is_finished();
                yield_now().await;
                other.await.unwrap();
                before
            })
            .await
            .unwrap()
        });
        assert!(!finished, "the other task could run only if this one yielded");
    });
}

#[test]
fn a_deadline_holds_for_one_that_is_always_ready() {
    for name in names(&[1, 2, 4]) {
        watched(&name.clone(), LIMIT, move || {
            let clock = polyloop::ManualClock::new();
            let runtime = builder(&name).clock(clock.clone()).build().unwrap();
            runtime.block_on(async {
                let forever = async {
                    loop {
                        consume_budget().await;
                        // So that time passes although nobody ever waits.
                        clock.advance(Duration::from_millis(1));
                    }
                };
                time::timeout(SECOND, forever).await.unwrap_err();
            });
        });
    }
}
