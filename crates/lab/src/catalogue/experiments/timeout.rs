//! The seed's `timeout`, built from a race with a sleep: a slow future runs into it, a fast one does not.
//!
//! Invariant of a right run: the loser of the race is dropped and never heard of again.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::race;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, judge};
use crate::cell::{CaseInfo, Outcome};
use futures::future::Either;
use polyloop_timeline::{Log, say_us};
use polyloop_traits::Runtime;
use std::time::Duration;

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about = "a future of 2 s runs into a timeout of 1 s, one of 500 ms does not";
    vec![experiment("timeout/fast-slow", 1.5, about)]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    let limit = cell.scaled(1_000);
    rt.block_on(async {
        for (name, millis) in [("slow", 2_000), ("fast", 500)] {
            let work = work(rt, &log, name, cell.scaled(millis));
            match timeout(rt, log.trace(name, work), limit).await {
                Ok(result) => log.say(name, format!("{name} finished within timeout: {result}")),
                Err(_) => log.say(name, format!("{name} exceeded timeout")),
            }
        }
    });
    // The race polls the future first, so a machine that stands still until both are due lets it win.
    let by_time = Prediction::new()
        .sequence(&["slow exceeded timeout", "fast ended", "fast finished within timeout: fast-result"])
        .never(&["slow ended", "fast exceeded timeout"]);
    let prediction = Prediction::new().by_time(by_time);
    judge(cell, &log, &prediction, |timeline| {
        let first =
            timeline.lanes.iter().find(|lane| lane.label == "slow").and_then(|lane| lane.marks.first());
        let at = first.map_or(0.0, |mark| mark.at_us);
        format!("slow was dropped after {}, when the sleep beside it was ready first", say_us(at))
    })
}

async fn work<R: Runtime>(rt: &R, log: &Log, name: &str, length: Duration) -> String {
    rt.sleep(length).await;
    log.say(name, format!("{name} ended"));
    format!("{name}-result")
}

/// The seed's function.
async fn timeout<T>(
    rt: &impl Runtime,
    future: impl Future<Output = T>,
    limit: Duration,
) -> Result<T, Duration> {
    match race(future, rt.sleep(limit)).await {
        Either::Left(value) => Ok(value),
        Either::Right(()) => Err(limit),
    }
}
