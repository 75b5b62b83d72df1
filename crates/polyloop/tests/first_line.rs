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
