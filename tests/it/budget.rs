//! The cooperative budget, on every combination: who is always ready lets others go all the same.
//!
//! Invariant: counted in polls and operations; no test here looks at the wall's clock.

use crate::subjects::{builder, names};
use polyloop::net::unix::UnixStream;
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

/// Runs `round` over and over in one task beside another one that yields; the most rounds between two turns of the latter.
async fn rounds_between_turns<F, R>(round: F) -> u32
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
    let other = async move {
        let (mut most, mut last) = (0, rounds.load(Relaxed));
        for _ in 0..20 {
            yield_now().await;
            let now = rounds.load(Relaxed);
            (most, last) = (most.max(now - last), now);
        }
        over.store(true, SeqCst);
        assert!(last > 0, "both had their turns");
        most
    };
    // Spawned by a task, so that both are ready before either is polled.
    let both = polyloop::spawn(async move { (polyloop::spawn(hog), polyloop::spawn(other)) });
    let (hog, other) = both.await.unwrap();
    hog.await.unwrap();
    other.await.unwrap()
}

#[test]
fn a_sleep_of_no_length_lets_others_go_within_the_budget() {
    on_one_thread(|runtime| {
        let rounds = runtime.block_on(rounds_between_turns(|| time::sleep(Duration::ZERO)));
        assert!(rounds <= OPERATIONS, "{rounds}");
    });
}

#[test]
fn a_socket_that_is_always_ready_lets_others_go_within_the_budget() {
    on_one_thread(|runtime| {
        let rounds = runtime.block_on(async {
            let (socket, _peer) = UnixStream::pair().unwrap();
            let socket = Arc::new(socket);
            rounds_between_turns(move || {
                let socket = socket.clone();
                async move { socket.writable().await.unwrap() }
            })
            .await
        });
        assert!(rounds <= OPERATIONS, "{rounds}");
    });
}

#[test]
fn a_future_of_somebody_else_lets_others_go_once_it_is_wrapped() {
    on_one_thread(|runtime| {
        let rounds = runtime.block_on(rounds_between_turns(|| budgeted(std::future::ready(()))));
        assert!(rounds <= OPERATIONS, "{rounds}");
        let rounds = runtime.block_on(rounds_between_turns(consume_budget));
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
