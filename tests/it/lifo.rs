//! What becomes of a task that a poll wakes, by the policy of its slot.
//!
//! Invariant: who is trapped and who is not is told by order: the poll that blocks waits for the task that it spawned, and no longer.

use polyloop::sync::mpsc as channel;
use polyloop::{Builder, Runtime};
use polyloop_conformance::{LIMIT, watched};
use std::sync::mpsc;
use std::time::Duration;

fn build(name: &str) -> Runtime {
    Builder::new().combination(name).experiments(true).build().unwrap()
}

/// A poll spawns a task, which has its place where one has that it wakes, and blocks until that has run, for `patience` at most;
/// whether it has.
fn the_task_runs(name: &str, patience: Duration) -> bool {
    let runtime = build(name);
    let (ran, has_run) = mpsc::channel();
    let blocked = runtime.spawn(async move {
        let trapped = polyloop::spawn(async move {
            // The poll that waited may have ended.
            let _ = ran.send(());
        });
        (has_run.recv_timeout(patience).is_ok(), trapped)
    });
    let (in_time, trapped) = runtime.block_on(blocked).unwrap();
    // Sooner or later it does.
    runtime.block_on(trapped).unwrap();
    in_time
}

#[test]
fn a_task_that_lies_in_the_slot_of_a_blocked_poll_runs_unless_the_slot_is_private() {
    for policy in ["none", "detect", "handoff"] {
        for lifo in ["off", "stealable"] {
            let name = format!("steal:2,block={policy},lifo={lifo}");
            watched(&name.clone(), LIMIT, move || assert!(the_task_runs(&name, LIMIT), "{name}"));
        }
        // What is in the slot is nobody's but the blocked worker's, however long it is waited for.
        let name = format!("steal:2,block={policy},lifo=private");
        let patience = Duration::from_millis(100);
        watched(&name.clone(), LIMIT, move || assert!(!the_task_runs(&name, patience), "{name}"));
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
