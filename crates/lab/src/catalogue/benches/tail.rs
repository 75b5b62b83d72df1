//! Thin tasks beside fat ones: how long a thin one waits for its turn, and whether turns are dealt evenly.
//!
//! Invariant: thin tasks are ready all the time. The time from one of their polls to the next is all waiting, since their
//! own polls do nothing.

use crate::catalogue::info::{Adjust, EXECUTOR, bench};
use crate::catalogue::kit::measure::{distribution_by, jain, sample};
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::{Cell, report};
use crate::cell::{Better, CaseInfo, Outcome, Sample};
use polyloop_traits::Runtime;
use std::time::Duration;

const THIN: usize = 64;
/// Fat tasks for each worker, and what one does in each poll.
const FAT: usize = 2;
const WORK: Duration = Duration::from_millis(1);
/// How long it is looked at, at least.
const WINDOW: Duration = Duration::from_millis(150);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about = "time between two polls of 64 tasks that always yield, beside two for each worker that \
                 work 1 ms in every poll, 99th percentile; Jain's index of their polls: 1 is even";
    vec![bench("tail_mixed", "µs", EXECUTOR, about).takes(0.2).not_quick()]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(gaps(rt, cell))
}

fn gaps<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let (window, fat) = (cell.slot().max(WINDOW), FAT * cell.nature.workers);
    let spawner = rt.clone();
    let gaps = inside(rt, async move {
        let start = clock::now();
        let fat: Vec<_> = (0..fat)
            .map(|_| {
                let rt = spawner.clone();
                spawner.spawn(async move {
                    while start.elapsed() < window {
                        clock::spin(WORK);
                        rt.yield_now().await;
                    }
                })
            })
            .collect();
        let thin: Vec<_> = (0..THIN)
            .map(|_| {
                let rt = spawner.clone();
                spawner.spawn(async move {
                    let mut gaps = Vec::new();
                    // Its first wait counts, too: whoever never gets a turn has one gap as long as the window.
                    let mut last = start;
                    loop {
                        let now = clock::now();
                        gaps.push(now - last);
                        last = now;
                        if start.elapsed() >= window {
                            return gaps;
                        }
                        rt.yield_now().await;
                    }
                })
            })
            .collect();
        let mut gaps = Vec::with_capacity(THIN);
        for thin in thin {
            gaps.push(thin.await.map_err(|error| error.to_string())?);
        }
        for fat in fat {
            fat.await.map_err(|error| error.to_string())?;
        }
        Ok::<_, String>(gaps)
    })?;
    let polls: Vec<usize> = gaps.iter().map(Vec::len).collect();
    let quantiles = [("p99", 0.99), ("p50", 0.5), ("p99.9", 0.999), ("max", 1.0)];
    let mut samples = distribution_by(gaps.concat(), &quantiles)?;
    samples.push(sample("jain", "", Better::Higher, jain(&polls)));
    Ok(samples)
}
