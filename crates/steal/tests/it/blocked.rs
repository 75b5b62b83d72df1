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
    no_hang(|| {
        let pool = pool(2);
        let driver = pool.driver().clone();
        let (stop, ticks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let sleeper = |_| {
            let (driver, stop, ticks) = (driver.clone(), stop.clone(), ticks.clone());
            spawn(&pool, async move {
                while !stop.load(SeqCst) {
                    sleep(&driver, Duration::from_millis(1)).await;
                    ticks.fetch_add(1, SeqCst);
                }
            })
        };
        let sleepers: Vec<_> = (0..4).map(sleeper).collect();
        let episode = || {
            let (driver, (release, wait)) = (driver.clone(), mpsc::channel::<()>());
            let (begun, has_begun) = mpsc::channel();
            let blocker = spawn(&pool, async move {
                // Alone at this moment, for once in a while.
                sleep(&driver, Duration::from_micros(1_500)).await;
                begun.send(()).unwrap();
                let _ = wait.recv();
            });
            has_begun.recv().unwrap();
            let before = ticks.load(SeqCst);
            // Long enough for the monitor to see it, so that it remembers.
            while ticks.load(SeqCst) < before + 4 * 12 {
                std::thread::yield_now();
            }
            drop(release);
            join(blocker).unwrap();
        };
        episode();
        let first = pool.rescues();
        (0..20).for_each(|_| episode());
        assert_eq!(pool.rescues(), first, "somebody relied on a poll that blocked");
        stop.store(true, SeqCst);
        sleepers.into_iter().for_each(|task| join(task).unwrap());
    });
}
