//! Rows of the bug catalogue (docs/bug-catalogue.md) that no other test's name tells of: each happened to somebody's runtime.

use crate::subjects::{builder, names};
use polyloop::{Runtime, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use std::sync::Arc;
use std::time::Duration;

/// How often somebody went to sleep, which is once more than it was woken.
fn parks(runtime: &Runtime) -> u64 {
    let metrics = runtime.metrics();
    (0..metrics.num_workers()).map(|worker| metrics.worker_park_count(worker)).sum()
}

/// Waits until all workers sleep: nobody has gone to sleep for a while.
fn at_rest(runtime: &Runtime) -> u64 {
    let mut before = parks(runtime);
    loop {
        block_thread(Duration::from_millis(30));
        match parks(runtime) {
            same if same == before => return same,
            more => before = more,
        }
    }
}

#[test]
fn bug_07_one_spawn_wakes_no_herd() {
    const SPAWNS: u64 = 20;
    for name in ["steal:8+mio+wheel", "steal:8+poll+heap"] {
        watched(name, LIMIT, move || {
            let runtime = builder(name).build().unwrap();
            at_rest(&runtime);
            let before = at_rest(&runtime);
            for _ in 0..SPAWNS {
                runtime.block_on(runtime.spawn(async {})).unwrap();
                at_rest(&runtime);
            }
            let woken = at_rest(&runtime) - before;
            // For each task the one that runs it, one that takes over the driver, and one that it calls when it has found work. On a
            // busy machine some are still on their way when it looks as if all slept, and are counted with the next task.
            assert!((1..=3 * SPAWNS + 8).contains(&woken), "{name}: {woken} wake-ups for {SPAWNS} tasks");
        });
    }
}

#[test]
fn bug_08_a_sleep_of_less_than_a_millisecond_is_no_spin() {
    const SLEEPS: u64 = 200;
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            let turns = || runtime.metrics().driver_turns_count();
            let before = turns();
            runtime.block_on(async {
                for _ in 0..SLEEPS {
                    time::sleep(Duration::from_micros(900)).await;
                }
            });
            let turns = turns() - before;
            // A wait that is rounded down to nothing makes hundreds for each sleep. One that is woken as the deadline is told to
            // the driver, one that waits for it, and now and then one in between.
            assert!(turns <= 4 * SLEEPS, "{name}: {turns} turns for {SLEEPS} sleeps");
        });
    }
}

#[test]
fn bug_11_threads_that_block_on_keep_no_timer_from_each_other() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = Arc::new(builder(&name).build().unwrap());
            let threads: Vec<_> = (0..4)
                .map(|number| {
                    let runtime = Arc::clone(&runtime);
                    std::thread::spawn(move || {
                        runtime.block_on(async {
                            for round in 0..20 {
                                time::sleep(Duration::from_micros(300 * (1 + (number + round) % 4))).await;
                            }
                        });
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}
