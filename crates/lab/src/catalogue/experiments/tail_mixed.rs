//! Thin tasks beside fat ones, all of which yield after every poll: is anybody passed over?
//!
//! Invariant: every task is ready all the time, until it has had as many polls as all others. So whoever is polled twice
//! while another is polled not at all has overtaken it. How long that takes is the bench `tail_mixed`.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Timeline};
use crate::subjects::Nature;
use polyloop_timeline::{Log, longest_poll, longest_wait, say_us};
use polyloop_traits::{JoinFailed, Runtime};
use std::time::Duration;

const THIN: usize = 16;
const FAT: usize = 2;
const ROUNDS: usize = 8;
/// What a fat task does in each poll.
const WORK: Duration = Duration::from_millis(1);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about = "16 tasks of short polls beside 2 of 1 ms polls, all yield 7 times: a turn for each before anybody's next";
    vec![experiment("tail-mixed", 0.02, about)]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let (log, spawner) = (cell.log(), rt.clone());
    let tasks_log = log.clone();
    // From inside one task, so that on one worker all are queued before the first runs.
    let joined = inside(rt, async move {
        let tasks: Vec<_> = (0..FAT + THIN)
            .map(|i| {
                let (lane, work) = match i {
                    0..FAT => (format!("fat {i}"), Some(WORK)),
                    FAT => ("thin 0".to_owned(), None),
                    _ => ("the other thin".to_owned(), None),
                };
                let task = turns(spawner.clone(), tasks_log.clone(), lane.clone(), work);
                spawner.spawn(tasks_log.task(&lane, task))
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        Ok::<(), JoinFailed>(())
    });
    match joined {
        Ok(()) => judge(cell, &log, &prediction(cell.nature), why),
        Err(error) => failed(error.to_string()),
    }
}

async fn turns<R: Runtime>(rt: R, log: Log, lane: String, work: Option<Duration>) {
    for turn in 1..=ROUNDS {
        log.say(&lane, said(turn));
        if let Some(work) = work {
            clock::spin(work);
        }
        if turn < ROUNDS {
            rt.yield_now().await;
        }
    }
}

fn said(turn: usize) -> String {
    format!("turn {turn}")
}

fn prediction(nature: Nature) -> Prediction {
    let all = Prediction::new().times(said(ROUNDS), FAT + THIN);
    match nature {
        // Whoever yields is queued behind all that are ready, or with all that yielded: either way a turn for each.
        _ if nature.serial() && nature.in_turn => {
            all.steps((1..=ROUNDS).map(|turn| vec![said(turn)]).collect())
        }
        // A worker that the machine keeps from running holds its tasks back, while the other's tasks go on.
        _ => all,
    }
}

fn why(timeline: &Timeline) -> String {
    let fat = longest_poll(timeline).map_or(0.0, |(_, _, us)| us);
    let wait = longest_wait(timeline, "thin 0").map_or(0.0, |wait| wait.us);
    format!(
        "fat polls took up to {}, and a thin task waited {} for its turn at most",
        say_us(fat),
        say_us(wait)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::resolve;

    #[test]
    fn where_tasks_come_in_turn_nobody_has_a_second_turn_before_all_had_the_first() {
        let fair: Vec<String> = (1..=ROUNDS).flat_map(|turn| vec![said(turn); FAT + THIN]).collect();
        let mut passed_over = fair.clone();
        passed_over.swap(FAT + THIN - 1, FAT + THIN);
        let fits = |subject: &str, events: &[String]| {
            prediction(resolve(subject).unwrap().nature).check(events).all().is_empty()
        };
        for serial in ["fifo", "tokio-ct", "smol-1"] {
            assert!(fits(serial, &fair) && !fits(serial, &passed_over), "{serial}");
        }
        for parallel in ["steal:2", "steal:1,block=none", "tokio-mt:1", "smol-n:2"] {
            assert!(fits(parallel, &passed_over) && !fits(parallel, &fair[1..fair.len() - 1]), "{parallel}");
        }
    }
}
