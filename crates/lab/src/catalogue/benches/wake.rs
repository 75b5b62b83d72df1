//! Getting a parked runtime going: from another thread, from the blocking pool, and by a timer beside busy tasks.

use crate::catalogue::info::{ALL, Adjust, EXECUTOR_REACTOR, bench};
use crate::catalogue::kit::channel::channel;
use crate::catalogue::kit::measure::{distribution, expect, timed_by};
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::{Cell, report};
use crate::cell::{CaseInfo, Outcome, Sample};
use polyloop_traits::Runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The pause before a wake: long enough that every runtime has parked.
const GAP: Duration = Duration::from_millis(1);
/// Closures under way at once.
const BLOCKING: u64 = 64;
/// The heart's period, and what a hog does between two yields.
const BEAT: Duration = Duration::from_millis(1);
/// A distribution needs so many values at least.
const FEWEST: usize = 100;

pub(crate) fn cases() -> Vec<CaseInfo> {
    vec![
        bench(
            "remote_wake",
            "µs",
            EXECUTOR_REACTOR,
            "a thread sends to a task after 1 ms of silence; time from the send to the task's poll, median",
        )
        .takes(0.12),
        bench(
            "blocking_pool",
            "ns",
            EXECUTOR_REACTOR,
            "64 empty closures at once on the blocking pool, joined; one operation is one closure",
        )
        .takes(0.2)
        .not_quick(),
        bench(
            "heartbeat",
            "µs",
            ALL,
            "lateness of a 1 ms tick beside one hog per worker that yields every 1 ms, 99th percentile",
        )
        .takes(0.15)
        .not_quick(),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(match cell.part(0) {
        "remote_wake" => remote_wake(rt, cell),
        "blocking_pool" => blocking_pool(rt, cell),
        _ => heartbeat(rt, cell),
    })
}

fn remote_wake<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let wakes = (cell.slot().as_millis() as usize).max(FEWEST);
    let (send, mut received) = channel();
    let thread = thread::spawn(move || {
        for _ in 0..wakes {
            clock::block(GAP);
            if send.send(clock::now()).is_err() {
                break;
            }
        }
    });
    let times = inside(rt, async move {
        let mut times = Vec::with_capacity(wakes);
        while let Some(sent) = received.recv().await {
            times.push(sent.elapsed());
        }
        times
    });
    thread.join().map_err(|_| "the waking thread panicked")?;
    expect("the number of wakes", times.len(), wakes)?;
    Ok(distribution(times))
}

fn blocking_pool<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), BLOCKING, |rounds| {
        let pool = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            let mut sum = 0;
            for _ in 0..rounds {
                let closures: Vec<_> = (0..BLOCKING).map(|i| pool.spawn_blocking(move || i)).collect();
                for closure in closures {
                    sum += closure.await.map_err(|error| error.to_string())?;
                }
            }
            let wall = start.elapsed();
            expect("the sum of all closures", sum, rounds * (BLOCKING * (BLOCKING - 1) / 2)).map(|()| wall)
        })
    })?;
    Ok(timed.samples())
}

/// Ticks are due at fixed times, so a late one does not hide that the next one is late too.
fn heartbeat<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let beats = (cell.slot().as_millis() as usize).max(FEWEST);
    let (spawner, hogs) = (rt.clone(), cell.nature.workers);
    let times = inside(rt, async move {
        let over = Arc::new(AtomicBool::new(false));
        let hogs: Vec<_> = (0..hogs)
            .map(|_| {
                let (rt, over) = (spawner.clone(), over.clone());
                spawner.spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        clock::spin(BEAT);
                        rt.yield_now().await;
                    }
                })
            })
            .collect();
        let mut times = Vec::with_capacity(beats);
        let mut due = spawner.now();
        for _ in 0..beats {
            due = due + BEAT;
            spawner.sleep_until(due).await;
            let now = spawner.now();
            if now < due {
                return Err(format!("a tick came {:?} early", due - now));
            }
            times.push(now - due);
        }
        over.store(true, Ordering::Relaxed);
        for hog in hogs {
            hog.await.map_err(|error| error.to_string())?;
        }
        Ok(times)
    })?;
    expect("the number of ticks", times.len(), beats)?;
    let mut samples = distribution(times);
    samples.swap(0, 1);
    Ok(samples)
}
