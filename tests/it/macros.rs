//! `select!`, `join!`, `try_join!` and `pin!`, in a crate that does not depend on the one that they come from.
//!
//! Invariant: order and counts only; the clock is paused, but where something must come true beside a loop that never rests.

use crate::subjects::{builder, names};
use polyloop::net::unix::UnixStream;
use polyloop::sync::{mpsc, oneshot};
use polyloop::task::coop::{OPERATIONS, has_budget_remaining};
use polyloop::task::{consume_budget, yield_now};
use polyloop::time::{Instant, interval, sleep, timeout};
use polyloop::{Runtime, join, pin, select, spawn, try_join};
use polyloop_conformance::{LIMIT, watched};
use std::cell::Cell;
use std::future::{pending, ready};
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

#[test]
fn a_branch_that_uses_the_whole_budget_of_each_poll_does_not_keep_a_try_join_from_failing() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let rounds = Cell::new(0);
            let hog = async {
                while rounds.get() < 100 * OPERATIONS {
                    consume_budget().await;
                    rounds.set(rounds.get() + 1);
                }
                Ok(())
            };
            let fails = async {
                for _ in 0..10 {
                    consume_budget().await;
                    yield_now().await;
                }
                Err::<(), _>("no")
            };
            assert_eq!(try_join!(hog, fails), Err("no"));
            assert!(rounds.get() <= 30 * OPERATIONS, "{rounds:?}");
        });
    });
}

/// A future of another crate that is ready at once counts nothing by itself.
#[test]
fn a_select_in_a_loop_over_a_foreign_future_that_is_always_ready_starves_no_other_task() {
    const POLLS: u32 = 10;
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).start_paused(true).build().unwrap();
            // The hog, the other one, and who waits for both.
            let bound = runtime.handle().fairness().ready_bound.map_or(3, |polls| polls(3));
            let most = (POLLS + 2) * u32::try_from(bound).unwrap() * OPERATIONS;
            let rounds = runtime.block_on(async {
                let other = spawn(async {
                    for _ in 0..POLLS {
                        yield_now().await;
                    }
                });
                let hog = spawn(async move {
                    let mut rounds = 0;
                    while !other.is_finished() && rounds <= most {
                        select! {
                            biased;
                            () = ready(()) => rounds += 1,
                            () = pending() => {}
                        }
                    }
                    rounds
                });
                hog.await.unwrap()
            });
            assert!(rounds <= most, "{name}: the other one had no turn in {rounds} rounds");
        });
    }
}

/// The clock is the system's, for a paused one never moves beside somebody who is always busy.
#[test]
fn timers_and_sockets_go_on_beside_a_select_that_is_always_ready() {
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            builder(&name).build().unwrap().block_on(async {
                let (near, far) = UnixStream::pair().unwrap();
                let slept = spawn(sleep(Duration::from_millis(1)));
                let read = spawn(async move { far.read(&mut [0; 1]).await.unwrap() });
                let hog = async move {
                    // The reader waits before there is something to read.
                    yield_now().await;
                    near.write_all(b"x").await.unwrap();
                    while !(slept.is_finished() && read.is_finished()) {
                        select! {
                            () = ready(()) => {}
                            () = pending() => {}
                        }
                    }
                };
                spawn(hog).await.unwrap();
            });
        });
    }
}

#[test]
fn a_channel_without_budget_loses_no_more_than_a_round_to_a_branch_that_is_always_ready() {
    const MESSAGES: u32 = 4 * OPERATIONS;
    everywhere(|runtime| {
        let task = async {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            (0..MESSAGES).for_each(|n| sender.send(n).unwrap());
            let (mut expected, mut lost) = (0, 0);
            while expected < MESSAGES {
                select! {
                    biased;
                    Some(n) = receiver.recv() => {
                        assert_eq!(n, expected);
                        expected += 1;
                    }
                    () = ready(()) => lost += 1,
                }
            }
            lost
        };
        // Two operations a round: at most one round in each poll finds one only.
        let lost = runtime.block_on(async { spawn(task).await.unwrap() });
        assert!(lost <= 2 * MESSAGES / OPERATIONS + 1, "{lost}");
    });
}

#[test]
fn the_losers_are_dropped_before_the_winner_is_handled() {
    struct Told<'a>(&'a Cell<bool>);
    impl Drop for Told<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    everywhere(|runtime| {
        runtime.block_on(async {
            let dropped = Cell::new(false);
            let loser = async {
                let _told = Told(&dropped);
                pending::<()>().await;
            };
            select! {
                biased;
                () = loser => unreachable!(),
                () = yield_now() => assert!(dropped.get()),
            }
        });
    });
}

#[test]
fn a_select_that_is_dropped_before_its_turn_has_taken_nothing() {
    everywhere(|runtime| {
        let task = async {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            sender.send(1).unwrap();
            while has_budget_remaining() {
                consume_budget().await;
            }
            let waits = async {
                select! {
                    message = receiver.recv() => message,
                }
            };
            assert!(timeout(Duration::ZERO, waits).await.is_err());
            assert_eq!(receiver.try_recv(), Ok(1));
        };
        runtime.block_on(async { spawn(task).await.unwrap() });
    });
}
