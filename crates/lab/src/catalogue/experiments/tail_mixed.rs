//! Thin tasks beside fat ones, all of which yield after every poll: is anybody passed over?
//!
//! Invariant: every task is ready all the time, until it has had as many polls as all others. So whoever is polled twice
//! while another is polled not at all has overtaken it, and how many polls come between two of one task is what its runtime bounds.
//! How long that takes is the bench `tail_mixed`.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Timeline};
use crate::subjects::Nature;
use polyloop_timeline::{Log, longest_poll, longest_wait, say_us};
use polyloop_traits::{JoinFailed, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const THIN: usize = 16;
const FAT: usize = 2;
/// So many that a task could wait for longer than any bound that is predicted.
const ROUNDS: usize = 16;
/// What a fat task does in each poll.
const WORK: Duration = Duration::from_millis(1);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about = "16 tasks of short polls beside 2 of 1 ms polls, all yield 15 times: a turn for each before anybody's next";
    vec![experiment("tail-mixed", 0.04, about)]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let (log, spawner) = (cell.log(), rt.clone());
    let tasks_log = log.clone();
    let polls = Polls { so_far: Arc::default(), most: most(cell.nature) };
    // From inside one task, so that on one worker all are queued before the first runs.
    let joined = inside(rt, async move {
        let tasks: Vec<_> = (0..FAT + THIN)
            .map(|i| {
                let (lane, work) = match i {
                    0..FAT => (format!("fat {i}"), Some(WORK)),
                    FAT => ("thin 0".to_owned(), None),
                    _ => ("the other thin".to_owned(), None),
                };
                let task = turns(spawner.clone(), tasks_log.clone(), lane.clone(), work, polls.clone());
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

/// What tells a task how many polls of others came before its own.
#[derive(Clone)]
struct Polls {
    so_far: Arc<AtomicUsize>,
    /// More than so many at once are worth a word.
    most: Option<usize>,
}

async fn turns<R: Runtime>(rt: R, log: Log, lane: String, work: Option<Duration>, polls: Polls) {
    let mut seen = 0;
    for turn in 1..=ROUNDS {
        let so_far = polls.so_far.fetch_add(1, Ordering::SeqCst);
        if let Some(most) = polls.most.filter(|most| so_far - seen > *most) {
            log.say(&lane, passed_over(most));
        }
        seen = so_far + 1;
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

fn passed_over(most: usize) -> String {
    format!("a task waited for more than {most} polls of others")
}

/// For how many polls of others a task waits at most, where that is all that is forced.
fn most(nature: Nature) -> Option<usize> {
    // One more task is ready now and then: who waits for them all.
    (nature.workers == 1 && !nature.in_turn).then(|| nature.most_between(FAT + THIN + 1))
}

fn prediction(nature: Nature) -> Prediction {
    let forced = match most(nature) {
        Some(most) => Prediction::new().never(&[passed_over(most)]),
        // Whoever yields is queued behind all that are ready, or with all that yielded: either way a turn for each.
        None => Prediction::new().steps((1..=ROUNDS).map(|turn| vec![said(turn)]).collect()),
    };
    match nature.workers {
        1 if nature.serial() => forced.times(said(ROUNDS), FAT + THIN),
        // Polls are too short for relief, unless the machine stands still.
        1 => Prediction::new().times(said(ROUNDS), FAT + THIN).by_time(forced),
        _ => {
            Prediction::open("a worker that is not let run holds its tasks back while those of others go on")
                .times(said(ROUNDS), FAT + THIN)
        }
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

    fn fits(subject: &str, events: &[String]) -> bool {
        prediction(resolve(subject).unwrap().nature).check(events).all().is_empty()
    }

    #[test]
    fn where_tasks_come_in_turn_nobody_has_a_second_turn_before_all_had_the_first() {
        let fair: Vec<String> = (1..=ROUNDS).flat_map(|turn| vec![said(turn); FAT + THIN]).collect();
        let mut overtaken = fair.clone();
        overtaken.swap(FAT + THIN - 1, FAT + THIN);
        for serial in ["fifo", "global:1", "percore:1,block=none", "fair:1", "edf:1", "tokio-ct", "smol-1"] {
            assert!(fits(serial, &fair) && !fits(serial, &overtaken), "{serial}");
        }
        for other in ["steal:1", "tokio-mt:1", "steal:2", "global:2", "smol-n:2"] {
            assert!(fits(other, &overtaken) && !fits(other, &fair[1..fair.len() - 1]), "{other}");
        }
    }

    #[test]
    fn where_only_a_bound_is_declared_it_is_predicted_and_could_be_broken() {
        let in_time: Vec<String> = vec![said(ROUNDS); FAT + THIN];
        for bounded in ["steal:1", "steal:1,block=none", "steal:1,lifo=off", "tokio-mt:1"] {
            let nature = resolve(bounded).unwrap().nature;
            let most = most(nature).unwrap();
            // As if all others had all their turns first.
            assert!(most < (FAT + THIN - 1) * ROUNDS, "{bounded}");
            let late = [in_time.clone(), vec![passed_over(most)]].concat();
            assert!(fits(bounded, &in_time) && !fits(bounded, &late), "{bounded}");
        }
    }

    #[test]
    fn on_several_workers_nothing_is_forced_but_that_nobody_is_lost() {
        for parallel in ["steal:2", "steal:2,block=none", "global:2", "percore:2", "fair:2", "edf:2"] {
            assert!(prediction(resolve(parallel).unwrap().nature).is_open(), "{parallel}");
            assert!(!fits(parallel, &vec![said(ROUNDS); FAT + THIN - 1]), "{parallel}");
        }
        for one in ["fifo", "steal:1", "global:1,block=none", "tokio-ct", "tokio-mt:1", "smol-1", "smol-n:1"]
        {
            assert!(!prediction(resolve(one).unwrap().nature).is_open(), "{one}");
        }
    }
}
