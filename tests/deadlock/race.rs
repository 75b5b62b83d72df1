//! Wakes that arrive at the last moment, while somebody looks.

use crate::Says::Ok as SaysOk;
use crate::{Case, busy, ok};
use polyloop::sync::oneshot;
use polyloop::{Builder, task};
use polyloop_conformance::is_long;
use std::ops::Range;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    busy("race-with-a-job", SaysOk, with_a_job),
    busy("race-with-a-thread", SaysOk, with_a_thread),
    busy("race-between-tasks", SaysOk, between_tasks),
];

/// In all processes of a case together there are 10⁵ rounds and more with `cargo xtask test --long`, and a twenty-fourth of that without.
fn rounds() -> Range<u32> {
    0..if is_long() { 6_000 } else { 250 }
}

/// Whoever waits looks at once, and does so five times before it sleeps.
fn hasty(builder: Builder) -> polyloop::Runtime {
    builder.deadlock_patience(Duration::ZERO).build().unwrap()
}

/// Waits a little, a different time in each round, so that the wake meets each step of the look.
fn dally(round: u32) {
    for _ in 0..round * 7919 % 4096 {
        std::hint::spin_loop();
    }
}

/// The wakes of threads that work for the runtime, and rest at once: there is no stranger who would betray them.
fn with_a_job(builder: Builder) {
    let runtime = hasty(builder);
    for round in rounds() {
        let woken = runtime.try_block_on(async {
            let (wake, wait) = oneshot::channel();
            drop(task::spawn_blocking(move || {
                dally(round);
                wake.send(round).unwrap();
            }));
            wait.await.unwrap()
        });
        assert_eq!(woken, Ok(round));
    }
    ok();
}

/// A stranger's last act is the wake, through a task; then there is none.
fn with_a_thread(builder: Builder) {
    let runtime = hasty(builder);
    for round in rounds() {
        let woken = runtime.try_block_on(async {
            let (wake, wait) = oneshot::channel();
            let task = polyloop::spawn(async move { wait.await.unwrap() });
            std::thread::spawn(move || {
                dally(round);
                wake.send(round).unwrap();
            });
            task.await.unwrap()
        });
        assert_eq!(woken, Ok(round));
    }
    ok();
}

/// A chain of tasks that wake each other, each of which may be the last one at work, and a local one at its end.
fn between_tasks(builder: Builder) {
    let runtime = hasty(builder);
    for round in rounds() {
        let woken = runtime.try_block_on(async {
            let (first, mut wait) = oneshot::channel();
            for _ in 0..3 {
                let (wake, next) = oneshot::channel();
                let before = std::mem::replace(&mut wait, next);
                drop(polyloop::spawn(async move {
                    let value: u32 = before.await.unwrap();
                    dally(round);
                    wake.send(value).unwrap();
                }));
            }
            let last = task::spawn_local(async move { wait.await.unwrap() });
            first.send(round).unwrap();
            last.await.unwrap()
        });
        assert_eq!(woken, Ok(round));
    }
    ok();
}
