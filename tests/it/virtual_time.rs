//! Time that passes only when nothing else can happen, on every combination and any number of workers.
//!
//! Invariant: no test here looks at the wall's clock; every duration is exact.

use crate::subjects::{builder, names};
use polyloop::time::{self, Instant, MissedTickBehavior, interval};
use polyloop::{ManualClock, Runtime};
use polyloop_conformance::{LIMIT, watched};
use polyloop_traits::{Missed, Time};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Runs `body` on each combination, its clock paused.
fn paused(body: fn(&Runtime)) {
    for name in names(&[1, 2, 4]) {
        watched(&name.clone(), LIMIT, move || body(&builder(&name).start_paused(true).build().unwrap()));
    }
}

#[test]
fn an_hour_of_sleeps_wakes_in_order() {
    paused(|runtime| {
        let woke = Arc::new(Mutex::new(Vec::new()));
        runtime.block_on(async {
            let start = Instant::now();
            // 97 has no factor in common with 360, so this is every tenth second once, in disorder.
            let spawn = |n: u64| {
                let (at, woke) = (10 * (n * 97 % 360), woke.clone());
                polyloop::spawn(async move {
                    time::sleep_until(start + Duration::from_secs(at)).await;
                    woke.lock().unwrap().push((at, start.elapsed().as_secs()));
                })
            };
            for task in (0..360).map(spawn).collect::<Vec<_>>() {
                task.await.unwrap();
            }
        });
        let expected: Vec<_> = (0..360).map(|n| (10 * n, 10 * n)).collect();
        assert_eq!(*woke.lock().unwrap(), expected);
    });
}

/// When the ticks come, in seconds, if 3.5 periods are missed after the second one.
fn ticks(runtime: &Runtime, behavior: MissedTickBehavior) -> Vec<f64> {
    runtime.block_on(async {
        let start = Instant::now();
        let mut interval = interval(SECOND);
        interval.set_missed_tick_behavior(behavior);
        let mut came = Vec::new();
        for n in 0..7 {
            interval.tick().await;
            came.push(start.elapsed().as_secs_f64());
            if n == 1 {
                time::sleep(SECOND * 7 / 2).await;
            }
        }
        came
    })
}

#[test]
fn an_interval_makes_up_for_what_it_missed_as_told() {
    paused(|runtime| {
        assert_eq!(ticks(runtime, MissedTickBehavior::Burst), [0.0, 1.0, 4.5, 4.5, 4.5, 5.0, 6.0]);
        assert_eq!(ticks(runtime, MissedTickBehavior::Delay), [0.0, 1.0, 4.5, 5.5, 6.5, 7.5, 8.5]);
        assert_eq!(ticks(runtime, MissedTickBehavior::Skip), [0.0, 1.0, 4.5, 5.0, 6.0, 7.0, 8.0]);
    });
}

/// The same by the interval that is generic over runtimes.
fn ticks_of_traits(runtime: &Runtime, missed: Missed) -> Vec<f64> {
    let rt = runtime.handle().clone();
    runtime.block_on(async {
        let start = rt.now();
        let mut interval = rt.interval(SECOND).missed(missed);
        let mut came = Vec::new();
        for n in 0..7 {
            if n == 1 {
                // A wait that is dropped loses nothing.
                assert!(futures::poll!(std::pin::pin!(interval.tick())).is_pending());
            }
            interval.tick().await;
            came.push((rt.now() - start).as_secs_f64());
            if n == 1 {
                rt.sleep(SECOND * 7 / 2).await;
            }
        }
        came
    })
}

#[test]
fn an_interval_of_any_runtime_makes_up_for_what_it_missed_as_told() {
    paused(|runtime| {
        assert_eq!(ticks_of_traits(runtime, Missed::Burst), [0.0, 1.0, 4.5, 4.5, 4.5, 5.0, 6.0]);
        assert_eq!(ticks_of_traits(runtime, Missed::Delay), [0.0, 1.0, 4.5, 5.5, 6.5, 7.5, 8.5]);
        assert_eq!(ticks_of_traits(runtime, Missed::Skip), [0.0, 1.0, 4.5, 5.0, 6.0, 7.0, 8.0]);
    });
}

#[test]
fn a_timeout_takes_exactly_its_time() {
    paused(|runtime| {
        runtime.block_on(async {
            let start = Instant::now();
            time::timeout(SECOND * 30, std::future::pending::<()>()).await.unwrap_err();
            assert_eq!(start.elapsed(), SECOND * 30);
            assert_eq!(time::timeout(SECOND, async { 3 }).await, Ok(3));
            time::timeout(SECOND * 2, time::sleep(SECOND)).await.unwrap();
            assert_eq!(start.elapsed(), SECOND * 31);
        });
    });
}

#[test]
fn time_stands_still_while_a_job_blocks_or_a_task_is_ready() {
    paused(|runtime| {
        runtime.block_on(async {
            let start = Instant::now();
            let sleeper = polyloop::spawn(async {
                time::sleep(SECOND).await;
                Instant::now()
            });
            for _ in 0..1000 {
                polyloop::task::yield_now().await;
            }
            polyloop::task::spawn_blocking(|| polyloop_conformance::block_thread(Duration::from_millis(2)))
                .await
                .unwrap();
            assert_eq!(Instant::now(), start);
            assert_eq!(sleeper.await.unwrap() - start, SECOND);
        });
    });
}

#[test]
fn a_clock_moved_by_hand_fires_what_is_due() {
    for name in names(&[1, 2, 4]) {
        watched(&name.clone(), LIMIT, move || {
            let clock = ManualClock::new();
            let runtime = builder(&name).clock(clock.clone()).build().unwrap();
            let mover = clock.clone();
            runtime.block_on(async {
                let sleeper = polyloop::spawn(time::sleep(SECOND));
                // A thousand steps from a foreign thread, each of which finds the runtime asleep or awake.
                let moving = std::thread::spawn(move || (0..1100).for_each(|_| mover.advance(SECOND / 1000)));
                sleeper.await.unwrap();
                moving.join().unwrap();
            });
            assert_eq!(polyloop_core::time::Clock::now(&clock).as_nanos(), 1_100_000_000);
        });
    }
}
