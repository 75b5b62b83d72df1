//! Trees of tasks, and one that has all the work while the others have none.

use crate::catalogue::info::{Adjust, EXECUTOR, bench};
use crate::catalogue::kit::measure::{expect, sample, timed_by, timed_once};
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::{Cell, report};
use crate::cell::{Better, CaseInfo, Outcome, Sample};
use polyloop_traits::Runtime;
use std::collections::HashSet;
use std::pin::Pin;
use std::thread;
use std::time::Duration;

const LEAVES: u64 = 1_000_000;
/// Tasks of the tree with that many leaves, each inner one with ten children.
const NODES: u64 = 1_111_111;
const FIB: u64 = 25;
const FIB_OF_25: u64 = 75_025;
/// Calls that it takes.
const CALLS: u64 = 242_785;
/// Tasks that one worker makes for all.
const IMBALANCED: u64 = 1_000;
/// What each of them does.
const WORK: Duration = Duration::from_micros(10);

type Boxed = Pin<Box<dyn Future<Output = u64> + Send>>;

pub(crate) fn cases() -> Vec<CaseInfo> {
    vec![
        bench(
            "skynet",
            "ns",
            EXECUTOR,
            "a tree of tasks with 10 children each and 10⁶ leaves; one operation is one task",
        )
        .takes(0.7)
        .not_quick(),
        bench(
            "fib",
            "ns",
            EXECUTOR,
            "fib(25), one of the two calls spawned; one operation is one of 242,785 calls",
        )
        .takes(0.3)
        .not_quick(),
        bench(
            "steal_imbalance",
            "ns",
            EXECUTOR,
            "one task spawns 1000 of 10 µs of work each and joins them; one operation is one of them",
        )
        .not_quick(),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(match cell.part(0) {
        "skynet" => skynets(rt, cell),
        "fib" => fibs(rt, cell),
        _ => steal_imbalance(rt, cell),
    })
}

/// One tree takes longer than any slot, so there is nothing to find out by a first one: a small one warms up.
fn skynets<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let grow = |leaves: u64| {
        let root = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            expect("the sum of the leaves", skynet(root, 0, leaves).await, leaves * (leaves - 1) / 2)?;
            Ok::<_, String>(start.elapsed())
        })
    };
    grow(LEAVES / 10)?;
    let timed = timed_once(cell.effort(), NODES, |rounds| (0..rounds).map(|_| grow(LEAVES)).sum())?;
    Ok(timed.samples())
}

fn fibs<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), CALLS, |rounds| {
        let root = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            for _ in 0..rounds {
                expect("fib(25)", fib(root.clone(), FIB).await, FIB_OF_25)?;
            }
            Ok(start.elapsed())
        })
    })?;
    Ok(timed.samples())
}

/// The sum of the leaves from `first` on.
fn skynet<R: Runtime>(rt: R, first: u64, leaves: u64) -> Boxed {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let each = leaves / 10;
        let children: Vec<_> =
            (0..10).map(|i| rt.spawn(skynet(rt.clone(), first + i * each, each))).collect();
        let mut sum = 0;
        for child in children {
            // A lost child is found by the sum.
            sum += child.await.unwrap_or_default();
        }
        sum
    })
}

fn fib<R: Runtime>(rt: R, n: u64) -> Boxed {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let left = rt.spawn(fib(rt.clone(), n - 1));
        let right = fib(rt, n - 2).await;
        left.await.unwrap_or_default() + right
    })
}

fn steal_imbalance<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let mut threads = HashSet::new();
    let timed = timed_by(cell.effort(), IMBALANCED, |rounds| {
        let spawner = rt.clone();
        let (wall, seen) = inside(rt, async move {
            let start = clock::now();
            let mut seen = HashSet::new();
            for _ in 0..rounds {
                let work = || {
                    clock::spin(WORK);
                    thread::current().id()
                };
                let tasks: Vec<_> = (0..IMBALANCED).map(|_| spawner.spawn(async move { work() })).collect();
                for task in tasks {
                    seen.insert(task.await.map_err(|error| error.to_string())?);
                }
            }
            Ok::<_, String>((start.elapsed(), seen))
        })?;
        threads = seen;
        // What was asked for cannot take less than its share on each worker.
        let least = WORK * (rounds * IMBALANCED) as u32 / cell.nature.workers as u32;
        if wall < least && !cell.nature.relief {
            return Err(format!(
                "the work took {wall:?} on {} workers; it is {least:?}",
                cell.nature.workers
            ));
        }
        Ok(wall)
    })?;
    let mut samples = timed.samples();
    samples.push(sample("threads", "threads", Better::Higher, threads.len() as f64));
    Ok(samples)
}
