//! Workers that are stuck in a poll: what they had goes to others (C5).

use crate::kit::{here, join, no_hang, pool, rounds, sleep, spawn};
use crate::stuck::{block, block_after, on_a_channel};
use polyloop_conformance::{Sentinels, TICKS_IN_20_MS};
use polyloop_core::yield_now;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[test]
fn what_a_worker_queued_before_it_got_stuck_is_run_by_others() {
    no_hang(|| {
        for blocked in 1..4 {
            let pool = pool(4);
            let (space, ran) = (pool.space().clone(), Arc::new(AtomicUsize::new(0)));
            let counter = ran.clone();
            let blocked_tasks = block_after(&pool, blocked, on_a_channel, move || {
                // One more than the deque shows: the last is in the slot.
                for _ in 0..10 {
                    let counter = counter.clone();
                    space.spawn_detached(
                        async move {
                            counter.fetch_add(1, SeqCst);
                        },
                        here(),
                    );
                }
            });
            while ran.load(SeqCst) < 10 * blocked {
                std::thread::yield_now();
            }
            blocked_tasks.release();
        }
    });
}

#[test]
fn what_a_stuck_worker_queued_is_run_although_its_sibling_is_never_idle() {
    no_hang(|| {
        let pool = pool(2);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let spinning = spawn(&pool, async move {
            while !stopped.load(SeqCst) {
                yield_now().await;
            }
        });
        let (space, ran) = (pool.space().clone(), Arc::new(AtomicBool::new(false)));
        let (running, begun) = (ran.clone(), mpsc::channel());
        let blocked = block_after(&pool, 1, on_a_channel, move || {
            let (running, done) = (running.clone(), begun.0.clone());
            let task = async move {
                running.store(true, SeqCst);
                let _ = done.send(());
            };
            space.spawn_detached(task, here());
        });
        while !ran.load(SeqCst) {
            std::thread::yield_now();
        }
        stop.store(true, SeqCst);
        join(spinning).unwrap();
        blocked.release();
    });
}

/// Blocks `blocked` of four workers until a timer and a task from outside have had their turns fifty times: the longest that one of
/// them was kept waiting, in ticks.
fn longest_wait(blocked: usize) -> u64 {
    const TURNS: usize = 50;
    let pool = pool(4);
    let driver = pool.driver().clone();
    // On a busy machine a thread may take long to begin at all.
    block(&pool, 4, on_a_channel).release();
    let sentinels = Sentinels::start(pool.workers());
    let clock = sentinels.clock();
    let blocker = clock.clone();
    let blockers = block_after(&pool, blocked, on_a_channel, move || blocker.ignore_this_thread());
    let ticks = clock.clone();
    let ticking = spawn(&pool, async move {
        let mut longest = 0;
        for _ in 0..TURNS {
            let before = ticks.now();
            sleep(&driver, Duration::from_millis(1)).await;
            // Its own millisecond, and that to which a timer is rounded.
            longest = longest.max(ticks.since(&before).saturating_sub(2));
        }
        longest
    });
    let mut longest = 0;
    for _ in 0..TURNS {
        let before = clock.now();
        join(spawn(&pool, yield_now())).unwrap();
        longest = longest.max(clock.since(&before));
        std::thread::park_timeout(Duration::from_millis(1));
    }
    longest = longest.max(join(ticking).unwrap());
    blockers.release();
    longest
}

#[test]
fn timers_and_wakes_go_on_within_20_ms_while_k_of_n_workers_block() {
    no_hang(|| {
        for blocked in (1..4).cycle().take(rounds(3, 60)) {
            let longest = longest_wait(blocked);
            assert!(
                longest <= TICKS_IN_20_MS,
                "{blocked} of 4 blocked: something waited for {longest} ticks"
            );
        }
    });
}

/// A task that a timer wakes, and that then blocks, leaves the driver to nobody: its worker woke up in the driver, and its
/// sibling sleeps elsewhere. The first time the monitor sees to that, within its two looks; from then on nobody needs it.
#[test]
fn once_a_poll_has_blocked_a_worker_that_leaves_the_driver_has_somebody_in_it() {
    const EPISODES: u64 = 20;
    no_hang(|| {
        let pool = pool(2);
        let driver = pool.driver().clone();
        let episode = || {
            let (driver, (release, wait)) = (driver.clone(), mpsc::channel::<()>());
            // Due in the middle of the poll that blocks, and so late that the monitor sees that, and remembers.
            let other = spawn(&pool, sleep(&driver, Duration::from_millis(25)));
            let blocker = spawn(&pool, async move {
                sleep(&driver, Duration::from_millis(3)).await;
                let _ = wait.recv();
            });
            join(other).unwrap();
            drop(release);
            join(blocker).unwrap();
        };
        episode();
        let first = pool.rescues();
        (0..EPISODES).for_each(|_| episode());
        // On a busy machine the one who was called may come later than the monitor. Without the memory there is one in each.
        let more = pool.rescues() - first;
        assert!(more <= EPISODES / 2, "somebody relied {more} times on a poll that blocked");
    });
}
