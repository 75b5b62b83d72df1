//! What a waiting task keeps in memory.

use super::idle::resident;
use crate::catalogue::info::{Adjust, EXECUTOR, bench};
use crate::catalogue::kit::inside;
use crate::catalogue::kit::measure::{expect, sample};
use crate::catalogue::{Cell, report};
use crate::cell::{Better, CaseInfo, Outcome, Sample};
use polyloop_traits::{Join, Runtime};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const TASKS: usize = 100_000;

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about =
        "100,000 detached tasks that wait for ever and hold 16 bytes; growth of the resident set, each";
    vec![bench("memory_per_task", "bytes", EXECUTOR, about).not_quick()]
}

pub(crate) fn run<R: Runtime>(rt: &R, _: &Cell<'_>) -> Outcome {
    report(grow(rt))
}

fn grow<R: Runtime>(rt: &R) -> Result<Vec<Sample>, String> {
    // What the first task makes the runtime allocate is not the tasks' own.
    inside(rt, async {});
    let spawner = rt.clone();
    let (before, after, polled) = inside(rt, async move {
        let polled = Arc::new(AtomicUsize::new(0));
        let before = resident()?;
        for i in 0..TASKS {
            let polled = polled.clone();
            spawner
                .spawn(async move {
                    let held = (i, polled);
                    held.1.fetch_add(1, Ordering::Relaxed);
                    pending::<()>().await;
                    drop(held);
                })
                .detach();
        }
        while polled.load(Ordering::Relaxed) < TASKS {
            spawner.yield_now().await;
        }
        Ok::<_, String>((before, resident()?, polled.load(Ordering::Relaxed)))
    })?;
    expect("the number of tasks that were polled", polled, TASKS)?;
    let each = after.saturating_sub(before) as f64 / TASKS as f64;
    Ok(vec![sample("resident", "bytes", Better::Lower, each)])
}
