//! How late others are while `k` of `N` workers are blocked: the measured form of `blocked/k-of-n`.
//!
//! Invariant: a blocked worker is blocked again as soon as it was free, so that at almost every moment `k` of them are. What is
//! measured is only how late a sleep of 1 ms ended.

use crate::catalogue::experiments::blocked::how_many;
use crate::catalogue::info::{ALL, Adjust, bench};
use crate::catalogue::kit::measure::distribution_by;
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::{Cell, report};
use crate::cell::{CaseInfo, Outcome, Sample};
use polyloop_traits::{Join, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SLEEPERS: usize = 100;
const NAP: Duration = Duration::from_millis(1);
/// How long a blocker holds its worker at a time.
const BLOCK: Duration = Duration::from_millis(100);
/// How long it is looked at, at least.
const WINDOW: Duration = Duration::from_millis(400);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let mut all = Vec::new();
    for (how, what) in [("sleep", "sleeping in thread::sleep"), ("spin", "spinning")] {
        for (k, many) in [("0", "no worker"), ("1", "one worker"), ("n", "all N workers")] {
            let about = format!(
                "lateness of 100 sleepers of 1 ms beside {many} {what} for 100 ms again and again, 99th percentile"
            );
            all.push(
                bench(format!("blocked_latency/{how}/k={k}"), "µs", ALL, &about)
                    .takes(0.6)
                    .with_options()
                    .full_only(),
            );
        }
    }
    all
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(lateness(rt, cell))
}

fn lateness<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let k = cell.part(2).strip_prefix("k=").and_then(|k| how_many(k, cell.nature.workers));
    let k = k.ok_or_else(|| format!("`{}` does not say how many", cell.request.case))?;
    let (spin, window) = (cell.part(1) == "spin", cell.slot().max(WINDOW));
    let spawner = rt.clone();
    let times = inside(rt, async move {
        let (start, over) = (clock::now(), Arc::new(AtomicBool::new(false)));
        let sleepers: Vec<_> = (0..SLEEPERS)
            .map(|_| {
                let rt = spawner.clone();
                spawner.spawn(async move {
                    let mut late = Vec::with_capacity(window.as_millis() as usize);
                    while start.elapsed() < window {
                        let due = rt.now() + NAP;
                        rt.sleep_until(due).await;
                        let now = rt.now();
                        if now < due {
                            return Err(format!("a sleep ended {:?} early", due - now));
                        }
                        late.push(now - due);
                    }
                    Ok(late)
                })
            })
            .collect();
        let blockers: Vec<_> = (0..k)
            .map(|_| {
                let (rt, over) = (spawner.clone(), over.clone());
                spawner.spawn(async move {
                    while !over.load(Ordering::Relaxed) && start.elapsed() < window {
                        match spin {
                            true => clock::spin(BLOCK),
                            false => clock::block(BLOCK),
                        }
                        rt.yield_now().await;
                    }
                })
            })
            .collect();
        let mut times = Vec::new();
        for sleeper in sleepers {
            times.extend(sleeper.await.map_err(|error| error.to_string())??);
        }
        over.store(true, Ordering::Relaxed);
        for mut blocker in blockers {
            blocker.abort();
            let _ = blocker.await;
        }
        Ok::<_, String>(times)
    })?;
    distribution_by(times, &[("p99", 0.99), ("p50", 0.5), ("max", 1.0)])
}
