//! The thinnest line through everything: spawn, sleep, join, on the combinations of one thread.

#![forbid(unsafe_code)]

use polyloop::{Builder, Combination, time};
use std::time::Duration;

fn one_thread() -> impl Iterator<Item = Combination> {
    Combination::ALL.into_iter().filter(|combination| combination.executor() == "fifo")
}

#[test]
fn tasks_run_in_the_order_in_which_they_became_ready() {
    for combination in one_thread() {
        let runtime = Builder::new().combination(combination).start_paused(true).build().unwrap();
        let (log, order) = std::sync::mpsc::channel();
        runtime.block_on(async move {
            let tasks: Vec<_> = (0..3)
                .map(|task| {
                    let log = log.clone();
                    polyloop::spawn(async move {
                        for round in 0..2 {
                            log.send((round, task)).unwrap();
                            polyloop::task::yield_now().await;
                        }
                        time::sleep(Duration::from_secs(3600 - task)).await;
                        log.send((2, task)).unwrap();
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let order: Vec<_> = order.iter().collect();
        let expected = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 2), (2, 1), (2, 0)];
        assert_eq!(order, expected, "{combination}");
    }
}

#[test]
fn a_second_thread_takes_over_when_the_first_leaves() {
    for combination in one_thread() {
        let runtime = Builder::new().combination(combination).build().unwrap();
        let (go, gone) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let handle = runtime.handle();
            let first = scope.spawn(move || {
                handle.block_on(async {
                    go.send(()).unwrap();
                    time::sleep(Duration::from_millis(5)).await;
                });
            });
            gone.recv().unwrap();
            let slept = handle.block_on(async {
                polyloop::spawn(async {
                    time::sleep(Duration::from_millis(30)).await;
                    7
                })
                .await
                .unwrap()
            });
            assert_eq!(slept, 7, "{combination}");
            first.join().unwrap();
        });
    }
}

#[test]
fn a_tree_of_tasks_adds_up_on_every_combination() {
    fn sum(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(async move {
            if depth == 0 {
                return 1;
            }
            let children: Vec<_> = (0..4).map(|_| polyloop::spawn(sum(depth - 1))).collect();
            let mut total = 0;
            for child in children {
                total += child.await.unwrap();
            }
            total
        })
    }
    for combination in Combination::ALL {
        for workers in [1, 2, 4] {
            if combination.executor() == "fifo" && workers > 1 {
                continue;
            }
            let runtime = Builder::new().combination(combination).worker_threads(workers).build().unwrap();
            assert_eq!(runtime.block_on(sum(6)), 4096, "{combination} on {workers}");
        }
    }
}

#[test]
fn an_hour_of_sleeping_passes_at_once_on_any_number_of_workers() {
    for combination in Combination::ALL {
        for workers in [1, 2, 4] {
            if combination.executor() == "fifo" && workers > 1 {
                continue;
            }
            let builder = Builder::new().combination(combination).worker_threads(workers);
            let runtime = builder.start_paused(true).build().unwrap();
            let woke = runtime.block_on(async {
                let start = time::Instant::now();
                let sleepers: Vec<_> = (0..100)
                    .map(|minute| {
                        polyloop::spawn(async move {
                            time::sleep(Duration::from_secs(60 * minute)).await;
                            (minute, start.elapsed())
                        })
                    })
                    .collect();
                let mut woke = Vec::new();
                for sleeper in sleepers {
                    woke.push(sleeper.await.unwrap());
                }
                woke
            });
            for (minute, slept) in woke {
                assert_eq!(slept, Duration::from_secs(60 * minute), "{combination} on {workers}");
            }
        }
    }
}

#[test]
fn a_tick_that_is_late_counts_as_missed_after_five_milliseconds() {
    use polyloop::time::{Instant, MissedTickBehavior, interval, sleep};

    // When the third tick comes if the second one, due at 50, is taken so late.
    let third = |late: u64, behavior| {
        let runtime = Builder::new().combination("fifo").start_paused(true).build().unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            let mut interval = interval(Duration::from_millis(50));
            interval.set_missed_tick_behavior(behavior);
            interval.tick().await;
            sleep(Duration::from_millis(50 + late)).await;
            interval.tick().await;
            interval.tick().await;
            start.elapsed().as_millis()
        })
    };
    assert_eq!(third(5, MissedTickBehavior::Delay), 100);
    assert_eq!(third(20, MissedTickBehavior::Delay), 120);
    assert_eq!(third(20, MissedTickBehavior::Skip), 100);
    assert_eq!(third(20, MissedTickBehavior::Burst), 100);
}

#[test]
fn a_number_of_workers_outlives_the_choice_of_a_combination() {
    let chosen = |builder: Builder| builder.build().map(|runtime| runtime.combination().to_string());
    let eight = || Builder::new().worker_threads(8);
    assert_eq!(chosen(eight().combination("steal+poll")).unwrap(), "steal:8+poll+wheel");
    assert_eq!(chosen(eight().combination("steal:2+poll")).unwrap(), "steal:8+poll+wheel");
    assert!(chosen(eight().combination("fifo")).unwrap_err().to_string().contains("one thread"));
}

#[test]
fn a_combination_with_workers_has_a_name_that_parses() {
    let four = std::num::NonZeroUsize::new(4).unwrap();
    for combination in Combination::ALL {
        let combination = combination.with_workers(four);
        assert_eq!(combination.to_string().parse(), Ok(combination));
        let other = combination.with_executor("fifo").unwrap();
        assert_eq!(other.to_string().parse(), Ok(other));
    }
}
