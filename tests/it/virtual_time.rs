//! Time that passes only when nothing else can happen, on every combination and any number of workers.
//!
//! Invariant: no test here looks at the wall's clock; every duration is exact.

use crate::subjects::{builder, names};
use polyloop::net::unix::UnixStream;
use polyloop::time::{self, Instant, MissedTickBehavior, interval};
use polyloop::{ManualClock, Runtime};
use polyloop_conformance::{LIMIT, watched};
use polyloop_traits::{Missed, Time};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Rounds of a race, with forty exchanges each.
const EXCHANGES: usize = 25;

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

/// One that is served beside others, and has a second for each answer.
async fn exchange(rounds: usize) {
    let (client, server) = UnixStream::pair().unwrap();
    let serving = polyloop::spawn(async move {
        let mut byte = [0];
        while server.read(&mut byte).await.unwrap() > 0 {
            server.write_all(&byte).await.unwrap();
        }
    });
    for round in 0..rounds {
        let mut byte = [round as u8];
        client.write_all(&byte).await.unwrap();
        let answer = time::timeout(SECOND, client.read_exact(&mut byte)).await;
        answer.unwrap_or_else(|_| panic!("the clock overtook answer {round}")).unwrap();
    }
    drop(client);
    serving.await.unwrap();
}

#[test]
fn time_does_not_overtake_what_was_sent_on_another_worker() {
    for name in names(&[2, 4]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).start_paused(true).build().unwrap();
            let start = runtime.block_on(async { Instant::now() });
            for _ in 0..EXCHANGES {
                runtime.block_on(async {
                    let pairs: Vec<_> = (0..2).map(|_| polyloop::spawn(exchange(20))).collect();
                    for pair in pairs {
                        pair.await.unwrap();
                    }
                });
            }
            assert_eq!(runtime.block_on(async { Instant::now() }), start, "nothing took any time");
        });
    }
}

/// Runs `body` on each combination, with a clock that runs.
fn pausable(body: fn(&Runtime)) {
    for name in names(&[1, 2, 4]) {
        watched(&name.clone(), LIMIT, move || body(&builder(&name).pausable_clock(true).build().unwrap()));
    }
}

#[test]
fn a_running_clock_is_paused_and_goes_on_from_where_it_stood() {
    pausable(|runtime| {
        runtime.block_on(async {
            let begin = Instant::now();
            // Armed while the clock runs; without a pause this test would take hours.
            let [early, late] = [1, 3].map(|hours| polyloop::spawn(time::sleep(3600 * SECOND * hours)));
            time::sleep(Duration::from_millis(1)).await;
            time::pause();
            let paused = Instant::now();
            time::sleep(2 * 3600 * SECOND).await;
            assert_eq!(paused.elapsed(), 2 * 3600 * SECOND, "exactly, and it began where the clock was");
            early.await.unwrap();
            time::advance(SECOND).await;
            let moved = Instant::now();
            assert!(moved - paused >= 2 * 3600 * SECOND + SECOND);
            assert!(!late.is_finished());
            time::resume();
            time::sleep(Duration::from_millis(1)).await;
            let ran = moved.elapsed();
            assert!(ran >= Duration::from_millis(1) && ran < SECOND * 600, "in real time: {ran:?}");
            time::pause();
            late.await.unwrap();
            assert!(begin.elapsed() >= 3 * 3600 * SECOND);
        });
    });
}

#[test]
fn a_clock_that_others_wait_for_is_paused_and_resumed_from_elsewhere() {
    pausable(|runtime| {
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            let slept = polyloop::spawn(time::sleep(3600 * SECOND));
            let busy = polyloop::task::spawn_blocking(move || {
                let _within = handle.enter();
                // Everybody waits, for an hour, in real time; and while this goes on the clock stands still.
                polyloop_conformance::block_thread(Duration::from_millis(2));
                time::pause();
                let stood = Instant::now();
                polyloop_conformance::block_thread(Duration::from_millis(2));
                assert_eq!(Instant::now(), stood);
            });
            busy.await.unwrap();
            slept.await.unwrap();
            // Somebody waits for a time that does not come while a job runs, until the clock runs again.
            let handle = polyloop::Handle::current();
            let stood = Instant::now();
            let (tell, told) = std::sync::mpsc::channel();
            let resuming = polyloop::task::spawn_blocking(move || {
                let _within = handle.enter();
                polyloop_conformance::block_thread(Duration::from_millis(2));
                assert_eq!(Instant::now(), stood);
                time::resume();
                told.recv().unwrap();
            });
            time::sleep(Duration::from_millis(1)).await;
            tell.send(()).unwrap();
            resuming.await.unwrap();
        });
    });
}

#[test]
fn time_does_not_leap_past_those_at_work_when_it_is_paused() {
    pausable(|runtime| {
        runtime.block_on(async {
            for round in 0..200 {
                // Tasks that were at work before the pause, and do not know of it.
                let tasks: Vec<_> = (0..4)
                    .map(|_| {
                        polyloop::spawn(async {
                            for _ in 0..20 {
                                polyloop::task::yield_now().await;
                            }
                            let from = Instant::now();
                            time::sleep(SECOND).await;
                            from
                        })
                    })
                    .collect();
                time::pause();
                let paused = Instant::now();
                for task in tasks {
                    let from = task.await.unwrap();
                    assert!(from <= paused, "round {round}: the clock moved past a task at work");
                }
                assert!(paused.elapsed() <= SECOND, "round {round}: all began before it moved");
                time::resume();
            }
        });
    });
}
