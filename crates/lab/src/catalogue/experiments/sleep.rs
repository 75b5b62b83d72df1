//! The seed's three tasks, with an async sleep and with a blocking one.
//!
//! Invariant of a right run: an async sleep holds up nobody; a blocking one holds up everybody who needs its thread, since
//! a task can only be paused at an await.

use crate::catalogue::info::{Adjust, experiment};
use crate::catalogue::kit::clock;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Timeline};
use crate::subjects::Nature;
use polyloop_timeline::{Log, longest_poll, longest_wait, say_us, say_wait};
use polyloop_traits::{JoinFailed, Runtime};
use std::time::Duration;

const NAP: [&str; 5] = [
    "Start sleeping",
    "1 seconds has passed",
    "2 seconds has passed",
    "3 seconds has passed",
    "End sleeping, what a nice nap!",
];
const I: [&str; 4] = ["Task 2: i = 0", "Task 2: i = 1", "Task 2: i = 2", "Task 2: i = 3"];
const J: [&str; 4] = ["Task 3: j = 100", "Task 3: j = 101", "Task 3: j = 102", "Task 3: j = 103"];

pub(crate) fn cases() -> Vec<CaseInfo> {
    vec![
        experiment(
            "sleep/async",
            3.0,
            "one task sleeps 3 × 1 s by the runtime, two print every 500 ms: nobody is held up",
        ),
        experiment(
            "sleep/blocking",
            3.8,
            "one task blocks its thread for 3 × 1 s, two print every 500 ms: who needs that thread is held up",
        )
        .with_options(),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    let blocking = cell.part(1) == "blocking";
    let (second, half) = (cell.scaled(1_000), cell.scaled(500));
    let joined = rt.block_on(async {
        let nap = rt.spawn(log.task("nap", nap(rt.clone(), log.clone(), blocking, second)));
        let i = rt.spawn(log.task("i", count(rt.clone(), log.clone(), "i", &I, half)));
        let j = rt.spawn(log.task("j", count(rt.clone(), log.clone(), "j", &J, half)));
        nap.await?;
        i.await?;
        j.await?;
        Ok::<(), JoinFailed>(())
    });
    match joined {
        Ok(()) => judge(cell, &log, &prediction(blocking, cell.nature), |timeline| why(timeline, blocking)),
        Err(error) => failed(error.to_string()),
    }
}

/// Task 1 of the seed.
async fn nap<R: Runtime>(rt: R, log: Log, blocking: bool, second: Duration) {
    let [start, seconds @ .., end] = NAP;
    log.say("nap", start);
    for passed in seconds {
        match blocking {
            true => clock::block(second),
            false => rt.sleep(second).await,
        }
        log.say("nap", passed);
    }
    log.say("nap", end);
}

/// Tasks 2 and 3 of the seed.
async fn count<R: Runtime>(rt: R, log: Log, lane: &str, lines: &[&str], half: Duration) {
    for line in lines {
        log.say(lane, *line);
        rt.sleep(half).await;
    }
}

fn prediction(blocking: bool, nature: Nature) -> Prediction {
    let own = |rule: Prediction| rule.sequence(&NAP).sequence(&I).sequence(&J);
    let each = own(Prediction::new());
    match blocking {
        // Half a second of the text lies between these; `i = 2` and `1 seconds has passed` are a tie and not compared.
        false => each.by_time(
            Prediction::new()
                .before(&[I[0], I[1], J[0], J[1]], &[NAP[1]])
                .before(&[I[3], J[3]], &[NAP[4]])
                .before(&[NAP[0]], &[I[1], J[1]]),
        ),
        // The three were spawned in this order from outside a task, so the one worker begins with the nap.
        true if nature.serial() => each.before(&NAP, &[I[0], J[0]]),
        // Another worker takes both, or a fresh one does, and sees their timers. Not all of their steps: a busy machine wants room.
        true if nature.reachable || nature.relief => {
            each.by_time(Prediction::new().before(&[I[1], J[1]], &[NAP[4]]))
        }
        true => own(Prediction::open("with several workers, who holds which task differs from run to run")),
    }
}

fn why(timeline: &Timeline, blocking: bool) -> String {
    let waits = ["i", "j"].iter().filter_map(|label| Some((label, longest_wait(timeline, label)?)));
    let Some((label, wait)) = waits.max_by(|a, b| a.1.us.total_cmp(&b.1.us)) else {
        return "neither i nor j was ever ready".to_owned();
    };
    let napped = longest_poll(timeline).map_or(0.0, |(_, _, us)| us);
    match blocking {
        false => format!("each sleep gave its thread back: i and j waited for {} at most", say_us(wait.us)),
        true if wait.us * 2.0 > napped => {
            format!("{}: a blocked thread polls nobody else", say_wait(label, &wait))
        }
        true => format!(
            "the nap held one worker for {}; another one polled i and j, which waited for {} at most",
            say_us(napped),
            say_us(wait.us)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::resolve;

    #[test]
    fn a_nap_that_blocks_holds_up_whom_nobody_else_takes() {
        let held_up = [&NAP[..], &I, &J].concat().iter().map(ToString::to_string).collect::<Vec<_>>();
        let beside =
            [&NAP[..4], &I, &J, &NAP[4..]].concat().iter().map(ToString::to_string).collect::<Vec<_>>();
        let of = |subject: &str| prediction(true, resolve(subject).unwrap().nature);
        let fits = |subject: &str, events: &[String]| of(subject).check(events).all().is_empty();
        for serial in ["fifo", "steal:1,block=none", "tokio-ct", "tokio-mt:1", "smol-1"] {
            assert!(fits(serial, &held_up) && !fits(serial, &beside), "{serial}");
        }
        for helped in ["steal:1", "steal:2", "steal:2,block=none", "percore:2,block=none", "smol-n:2"] {
            assert!(fits(helped, &beside) && !fits(helped, &held_up), "{helped}");
        }
        assert!(of("tokio-mt:2").is_open() && !fits("tokio-mt:2", &beside[1..]));
    }
}
