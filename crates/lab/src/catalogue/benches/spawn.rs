//! What a task costs, by where it is spawned and how it is awaited.

use crate::catalogue::info::{Adjust, EXECUTOR, EXECUTOR_REACTOR, bench};
use crate::catalogue::kit::channel::{Sender, channel};
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::kit::measure::{expect, timed, timed_by};
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::{Cell, report};
use crate::cell::{CaseInfo, Outcome, Sample};
use polyloop_traits::{Join, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Tasks alive at once.
const BATCH: u64 = 1_000;

pub(crate) fn cases() -> Vec<CaseInfo> {
    vec![
        bench(
            "spawn_join",
            "ns",
            EXECUTOR,
            "one task spawns 1000 and then joins them; one operation is one of them",
        ),
        bench(
            "spawn_await",
            "ns",
            EXECUTOR,
            "one task spawns one and awaits it, again and again; one operation is one of them",
        )
        .not_quick(),
        bench(
            "spawn_remote",
            "ns",
            EXECUTOR_REACTOR,
            "a thread outside the runtime spawns 1000 and waits for all; one operation is one of them",
        )
        .not_quick(),
        bench(
            "chained_spawn",
            "ns",
            EXECUTOR,
            "each task spawns the next, 1000 in a chain; one operation is one link",
        )
        .not_quick(),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(match cell.part(0) {
        "spawn_join" => spawn_join(rt, cell),
        "spawn_await" => spawn_await(rt, cell),
        "spawn_remote" => spawn_remote(rt, cell),
        _ => chained_spawn(rt, cell),
    })
}

fn spawn_join<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), BATCH, |rounds| {
        let spawner = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            let mut sum = 0;
            for _ in 0..rounds {
                let tasks: Vec<_> = (0..BATCH).map(|i| spawner.spawn(async move { i })).collect();
                for task in tasks {
                    sum += task.await.map_err(|error| error.to_string())?;
                }
            }
            let wall = start.elapsed();
            expect("the sum of all tasks", sum, rounds * (BATCH * (BATCH - 1) / 2)).map(|()| wall)
        })
    })?;
    Ok(timed.samples())
}

fn spawn_await<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed(cell.effort(), |n| {
        let spawner = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            let mut sum = 0;
            for i in 0..n {
                sum += spawner.spawn(async move { i }).await.map_err(|error| error.to_string())?;
            }
            let wall = start.elapsed();
            expect("the sum of all tasks", sum, (0..n).sum()).map(|()| wall)
        })
    })?;
    Ok(timed.samples())
}

fn spawn_remote<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), BATCH, |rounds| {
        let (done, remote) = (Gate::default(), rt.clone());
        let over = done.clone();
        let thread = thread::spawn(move || {
            let wall = spawn_from_outside(&remote, rounds);
            over.open();
            wall
        });
        rt.block_on(done.wait());
        thread.join().map_err(|_| "the spawning thread panicked")?
    })?;
    Ok(timed.samples())
}

fn spawn_from_outside<R: Runtime>(rt: &R, rounds: u64) -> Result<Duration, String> {
    let sum = Arc::new(AtomicU64::new(0));
    let (tell, told) = mpsc::channel();
    let start = clock::now();
    for _ in 0..rounds {
        let left = Arc::new(AtomicU64::new(BATCH));
        for i in 0..BATCH {
            let (sum, left, tell) = (sum.clone(), left.clone(), tell.clone());
            rt.spawn(async move {
                sum.fetch_add(i, Ordering::Relaxed);
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    tell.send(()).ok();
                }
            })
            .detach();
        }
        told.recv().map_err(|error| error.to_string())?;
    }
    let wall = start.elapsed();
    expect("the sum of all tasks", sum.load(Ordering::SeqCst), rounds * (BATCH * (BATCH - 1) / 2))
        .map(|()| wall)
}

fn chained_spawn<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), BATCH, |rounds| {
        let spawner = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            for _ in 0..rounds {
                let (end, mut ended) = channel();
                link(spawner.clone(), 1, end);
                expect("the chain's length", ended.recv().await, Some(BATCH))?;
            }
            Ok(start.elapsed())
        })
    })?;
    Ok(timed.samples())
}

/// Spawns the `nth` task of a chain, which spawns the next one.
fn link<R: Runtime>(rt: R, nth: u64, end: Sender<u64>) {
    let next = rt.clone();
    let task = async move {
        match nth {
            BATCH => drop(end.send(nth)),
            _ => link(next, nth + 1, end),
        }
    };
    rt.spawn(task).detach();
}
