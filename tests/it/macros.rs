//! `select!`, `join!`, `try_join!` and `pin!`, in a crate that does not depend on the one that they come from.
//!
//! Invariant: order and counts only; the clock is paused.

use crate::subjects::{builder, names};
use polyloop::sync::{mpsc, oneshot};
use polyloop::task::coop::OPERATIONS;
use polyloop::task::{consume_budget, yield_now};
use polyloop::time::{Instant, interval, sleep};
use polyloop::{Runtime, join, pin, select, try_join};
use polyloop_conformance::{LIMIT, watched};
use std::cell::Cell;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Runs `body` on each combination, its clock paused.
fn everywhere(body: fn(&Runtime)) {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || body(&builder(&name).start_paused(true).build().unwrap()));
    }
}

#[test]
fn the_first_branch_that_is_ready_wins_and_the_others_are_dropped() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (mut never, kept) = oneshot::channel::<u8>();
            let won = select! {
                () = sleep(SECOND) => "early",
                () = sleep(SECOND * 2) => "late",
                _ = kept => "never",
            };
            assert_eq!(won, "early");
            never.closed().await;
        });
    });
}

#[test]
fn branches_have_patterns_conditions_an_order_and_an_else() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(10);
            for n in 0..3 {
                sender.send(n).await.unwrap();
            }
            drop(sender);
            let mut seen = Vec::new();
            loop {
                select! {
                    biased;
                    _ = async {}, if seen.len() == 1 => seen.push(100),
                    Some(n) = receiver.recv() => seen.push(n),
                    else => break,
                }
            }
            assert_eq!(seen, [0, 100, 1, 2]);
        });
    });
}

#[test]
fn a_pinned_future_is_selected_again_and_again() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let start = Instant::now();
            let long = sleep(SECOND * 10 + SECOND / 2);
            pin!(long);
            let mut ticks = interval(SECOND);
            let mut count = 0;
            loop {
                select! {
                    () = &mut long => break,
                    _ = ticks.tick() => count += 1,
                }
            }
            assert_eq!((count, start.elapsed()), (11, SECOND * 21 / 2));
        });
    });
}

#[test]
fn joined_futures_go_on_side_by_side() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let start = Instant::now();
            let joined = join!(sleep(SECOND), async { 1 }, async {
                sleep(SECOND * 2).await;
                2
            });
            assert_eq!((joined, start.elapsed()), (((), 1, 2), SECOND * 2));
        });
    });
}

#[test]
fn the_first_failure_ends_a_try_join() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let start = Instant::now();
            let fails = async {
                sleep(SECOND).await;
                Err::<(), _>("no")
            };
            let waits = async {
                sleep(SECOND * 5).await;
                Ok::<_, &str>(())
            };
            assert_eq!(try_join!(fails, waits), Err("no"));
            assert_eq!(start.elapsed(), SECOND);
            assert_eq!(try_join!(async { Ok::<_, &str>(1) }, async { Ok(2) }), Ok((1, 2)));
        });
    });
}

#[test]
fn a_branch_that_uses_the_whole_budget_of_each_poll_starves_no_other_branch() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let over = Cell::new(false);
            let hog = async {
                let mut rounds = 0;
                while !over.get() && rounds < 100 * OPERATIONS {
                    consume_budget().await;
                    rounds += 1;
                }
                rounds
            };
            let other = async {
                for _ in 0..10 {
                    consume_budget().await;
                    yield_now().await;
                }
                over.set(true);
            };
            let (rounds, ()) = join!(hog, other);
            assert!(rounds <= 30 * OPERATIONS, "the other one was polled first every other time: {rounds}");
        });
    });
}
