//! What becomes of a task that a poll wakes, by the policy of its slot.
//!
//! Invariant: who is trapped and who is not is told by order: the poll that blocks waits for the task that it made ready, and no
//! longer.

use polyloop::dump::TaskState;
use polyloop::sync::{Notify, mpsc as channel};
use polyloop::{Builder, Runtime};
use polyloop_conformance::{LIMIT, watched};
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn build(name: &str) -> Runtime {
    Builder::new().combination(name).experiments(true).build().unwrap()
}

/// How a poll makes another task ready.
#[derive(Clone, Copy, Debug)]
enum Trapped {
    Spawned,
    Woken,
}

/// A poll makes a task ready and blocks until that has run, for `patience` at most; whether it has.
fn the_task_runs(name: &str, how: Trapped, patience: Duration) -> bool {
    let runtime = build(name);
    let (ran, has_run) = mpsc::channel();
    let bell = Arc::new(Notify::new());
    let rung = bell.clone();
    let trapped = async move {
        if matches!(how, Trapped::Woken) {
            rung.notified().await;
        }
        // The poll that waited may have ended.
        let _ = ran.send(());
    };
    let blocks = move || has_run.recv_timeout(patience).is_ok();
    let (blocked, trapped) = match how {
        Trapped::Spawned => {
            let blocked = runtime.spawn(async move {
                let trapped = polyloop::spawn(trapped);
                (blocks(), trapped)
            });
            runtime.block_on(blocked).unwrap()
        }
        Trapped::Woken => {
            let trapped = runtime.spawn(trapped);
            // The wake must not find it in a poll: whoever polls it then would put it into a queue of his own.
            while !runtime.dump().tasks().iter().all(|task| *task.state() == TaskState::Waiting) {
                std::thread::yield_now();
            }
            let blocked = runtime.spawn(async move {
                bell.notify_one();
                blocks()
            });
            (runtime.block_on(blocked).unwrap(), trapped)
        }
    };
    // Sooner or later it does.
    runtime.block_on(trapped).unwrap();
    blocked
}

#[test]
fn a_task_that_lies_in_the_slot_of_a_blocked_poll_runs_unless_the_slot_is_private() {
    for how in [Trapped::Spawned, Trapped::Woken] {
        for policy in ["none", "detect", "handoff"] {
            let check = |lifo: &str, patience, runs| {
                let name = format!("steal:2,block={policy},lifo={lifo}");
                watched(&format!("{name} {how:?}"), LIMIT, move || {
                    assert_eq!(the_task_runs(&name, how, patience), runs, "{name} {how:?}");
                });
            };
            check("off", LIMIT, true);
            check("stealable", LIMIT, true);
            // What is in the slot is nobody's but the blocked worker's, however long it is waited for.
            check("private", Duration::from_millis(100), false);
        }
    }
}

#[test]
fn tasks_that_wake_each_other_go_on_whatever_the_slot_is() {
    for workers in [1, 2] {
        for lifo in ["off", "stealable", "private"] {
            let name = format!("steal:{workers},lifo={lifo}");
            watched(&name.clone(), LIMIT, move || {
                let runtime = build(&name);
                let (ping, mut pings) = channel::channel(1);
                let (pong, mut pongs) = channel::channel(1);
                runtime.spawn(async move {
                    while let Some(number) = pings.recv().await {
                        pong.send(number + 1).await.unwrap();
                    }
                });
                let last = runtime.spawn(async move {
                    let mut last = 0;
                    for _ in 0..1000 {
                        ping.send(last).await.unwrap();
                        last = pongs.recv().await.unwrap();
                    }
                    last
                });
                assert_eq!(runtime.block_on(last).unwrap(), 1000);
            });
        }
    }
}
