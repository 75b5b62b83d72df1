//! A task is woken by one that then blocks in the same poll (tokio#4941): is it trapped beside it?
//!
//! Invariant: the woken task is ready before the poll blocks, and at that moment every other worker is idle. Whoever could
//! take it would have nothing else to do.

use crate::catalogue::info::{Adjust, experiment};
use crate::catalogue::kit::clock;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Timeline};
use crate::subjects::Nature;
use polyloop_timeline::{at, say_us};
use polyloop_traits::{JoinFailed, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const WOKE: &str = "woke the other and blocks";
const RAN: &str = "the woken task ran";
const FREE: &str = "blocks no longer";

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about =
        "a task wakes another and blocks for up to 500 ms in the same poll, while all other workers are idle";
    vec![experiment("lifo-trap", 0.3, about).with_options()]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let (log, nature) = (cell.log(), cell.nature);
    // Relief takes up to 20 ms, so however the run is scaled there is time to see it.
    let limit = cell.scaled(500).max(Duration::from_millis(200));
    let (waits, go, ran) = (Gate::default(), Gate::default(), Arc::new(AtomicBool::new(false)));
    let joined = rt.block_on(async {
        let (woken_log, woken_waits, woken_go, woken_ran) =
            (log.clone(), waits.clone(), go.clone(), ran.clone());
        let woken = rt.spawn(log.task("woken", async move {
            woken_waits.open();
            woken_go.wait().await;
            woken_log.say("woken", RAN);
            woken_ran.store(true, Ordering::SeqCst);
        }));
        waits.wait().await;
        rt.sleep(limit / 8).await;
        let waker_log = log.clone();
        let waker = rt.spawn(log.task("waker", async move {
            waker_log.say("waker", WOKE);
            go.open();
            clock::hold(limit, || ran.load(Ordering::SeqCst));
            waker_log.say("waker", FREE);
        }));
        waker.await?;
        woken.await?;
        Ok::<(), JoinFailed>(())
    });
    match joined {
        Ok(()) => judge(cell, &log, &prediction(nature), |timeline| why(timeline, nature)),
        Err(error) => failed(error.to_string()),
    }
}

fn prediction(nature: Nature) -> Prediction {
    let rule = Prediction::new().sequence(&[WOKE, RAN]).sequence(&[WOKE, FREE]);
    match nature {
        _ if nature.serial() || nature.private_slot => rule.sequence(&[FREE, RAN]),
        _ if nature.reachable || nature.relief => rule.by_time(Prediction::new().sequence(&[RAN, FREE])),
        _ => Prediction::open("who looks where the woken task waits differs from run to run")
            .sequence(&[WOKE, RAN])
            .sequence(&[WOKE, FREE]),
    }
}

fn why(timeline: &Timeline, nature: Nature) -> String {
    let (Some(woke), Some(ran), Some(free)) = (at(timeline, WOKE), at(timeline, RAN), at(timeline, FREE))
    else {
        return "not all of it happened".to_owned();
    };
    let waited = say_us(ran - woke);
    match (ran < free, nature.workers) {
        (true, 1) => format!("a fresh worker took the woken task after {waited}"),
        (true, _) => format!(
            "another worker took the woken task after {waited}, although it was queued beside the blocked one"
        ),
        (false, 1) => format!("the only worker was blocked, so the woken task waited {waited}"),
        (false, _) => {
            format!("the woken task waited {waited} beside idle workers, where only the blocked one looks")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::resolve;

    #[test]
    fn only_a_slot_that_nobody_else_sees_or_a_lone_worker_is_a_trap() {
        let taken = [WOKE, RAN, FREE].map(str::to_owned);
        let trapped = [WOKE, FREE, RAN].map(str::to_owned);
        let fits = |subject: &str, events: &[String]| {
            prediction(resolve(subject).unwrap().nature).check(events).all().is_empty()
        };
        for subject in ["steal:2", "steal:2,block=none", "steal:2,lifo=off", "steal:1", "smol-n:2"] {
            assert!(fits(subject, &taken) && !fits(subject, &trapped), "{subject}");
        }
        for subject in ["steal:2,lifo=private", "steal:2,block=none,lifo=private", "steal:1,lifo=private"] {
            assert!(fits(subject, &trapped) && !fits(subject, &taken), "{subject}");
        }
        for subject in ["fifo", "steal:1,block=none", "tokio-ct", "tokio-mt:1", "tokio-mt:2", "smol-1"] {
            assert!(fits(subject, &trapped) && !fits(subject, &taken), "{subject}");
        }
        assert!(!fits("steal:2", &[RAN, WOKE, FREE].map(str::to_owned)), "woken by nobody");
    }
}
