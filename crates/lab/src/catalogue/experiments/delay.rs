//! A thousand `delay_message()` end in one delay: a task that waits costs no thread.
//!
//! Invariant of a right run: every task has said `step 1` before the first says `step 2`.

use crate::catalogue::info::experiment;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome};
use polyloop_timeline::{Log, say_us};
use polyloop_traits::Runtime;

const TASKS: usize = 1000;

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about = "1000 tasks print `step 1`, sleep 1 s, print `step 2`; all of them together take one delay";
    vec![experiment("delay/thousand", 1.0, about)]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let (log, delay) = (cell.log(), cell.scaled(1_000));
    let joined = rt.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|i| rt.spawn(log.task(&lane(i), delay_message(rt.clone(), log.clone(), i, delay))))
            .collect();
        for task in tasks {
            task.await?;
        }
        Ok::<(), polyloop_traits::JoinFailed>(())
    });
    if let Err(error) = joined {
        return failed(error.to_string());
    }
    let prediction = Prediction::new()
        .times("step 1", TASKS)
        .times("step 2", TASKS)
        .by_time(Prediction::new().before(&["step 1"], &["step 2"]));
    judge(cell, &log, &prediction, |timeline| {
        let (delay, total) = (say_us(delay.as_secs_f64() * 1e6), say_us(timeline.total_us));
        format!("1000 delays of {delay} took {total} together, because a sleeping task holds no thread")
    })
}

/// The first, one in the middle and the last have a lane each; the rest share one.
fn lane(i: usize) -> String {
    match i {
        0 | 500 | 999 => format!("task {i}"),
        _ => "the rest".to_owned(),
    }
}

/// The seed's function.
async fn delay_message<R: Runtime>(rt: R, log: Log, i: usize, delay: std::time::Duration) {
    log.say(&lane(i), "step 1");
    rt.sleep(delay).await;
    log.say(&lane(i), "step 2");
}
