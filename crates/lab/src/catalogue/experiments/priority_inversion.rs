//! The most urgent task waits for a lock that the least urgent one holds, while others, less urgent than the first, keep the
//! workers busy: how many of their polls come first?
//!
//! Invariant: the holder needs a fixed number of polls to let go, and the others are always ready. So if nobody knows that the
//! holder is urgent now, each of its polls waits for one of every other's, and the wait grows with their number without
//! a bound. Where a scheduler heeds deadlines, the tasks have some and the lock is the one that passes them on; there the wait
//! does not depend on how many others there are.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::kit::inside;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome};
use crate::subjects::Nature;
use futures::lock::Mutex;
use polyloop::sync::PriorityMutex;
use polyloop::task;
use polyloop::time::Instant;
use polyloop_timeline::Log;
use polyloop_timeline::text::count;
use polyloop_traits::{JoinFailed, Runtime};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const HELD: &str = "low has the lock";
const ASKED: &str = "high asks for it";
const AHEAD: &str = "a medium one ran ahead of high";
const GOT: &str = "high has the lock";
/// How often the holder yields while it holds.
const POLLS: usize = 8;
/// A medium task gives up after so many polls: a runtime that never lets the holder run is to be told, not to hang.
const PATIENCE: usize = 10_000;
/// So many polls come after each other until the urgent task has the lock: the holder's, the one in which it is told to go on
/// included, and its own.
const CHAIN: usize = POLLS + 2;
/// With inheritance, so many polls of others may come first: one in 61 goes by age, and while the holder is polled for the last
/// times one such turn can fall due. The other is to spare, and far from one for each of the holder's polls.
const FEW: usize = 2;
/// When the urgent tasks and those in between want to be done, from the start on; the holder has no deadline.
const URGENT: Duration = Duration::from_secs(1);
const MEDIUM: Duration = Duration::from_secs(2);

pub(crate) fn cases() -> Vec<CaseInfo> {
    [2, 8]
        .map(|medium| {
            let about = format!(
                "a task waits for a lock whose holder yields 8 times, beside {medium} tasks that are always ready: \
                 it waits for them, too, unless the holder inherits its deadline"
            );
            experiment(format!("priority-inversion/medium={medium}"), 0.01, &about)
        })
        .into()
}

/// What the program asks of a lock.
trait Lock: Default + Send + Sync + 'static {
    fn held(&self) -> impl Future<Output = impl Send> + Send;
}

impl Lock for Mutex<()> {
    fn held(&self) -> impl Future<Output = impl Send> + Send {
        self.lock()
    }
}

impl Lock for PriorityMutex<()> {
    fn held(&self) -> impl Future<Output = impl Send> + Send {
        self.lock()
    }
}

/// A task's end.
type Joined = Pin<Box<dyn Future<Output = Result<(), JoinFailed>> + Send>>;

/// Spawns into the runtime in which the caller is a task, with a deadline if it has one.
fn spawn<R: Runtime>(
    rt: &R,
    deadline: Option<Instant>,
    future: impl Future<Output = ()> + Send + 'static,
) -> Joined {
    let Some(deadline) = deadline else {
        return Box::pin(rt.spawn(future));
    };
    let joined = task::Builder::new().deadline(deadline).spawn(future);
    Box::pin(async {
        joined.await.map_err(|error| match error.try_into_panic() {
            Ok(payload) => JoinFailed::panicked(payload),
            Err(_) => JoinFailed::cancelled(),
        })
    })
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let medium = match cell.number("medium") {
        Ok(medium) => medium,
        Err(error) => return failed(error),
    };
    let nature = cell.nature;
    let log = cell.log();
    let (spawner, log_inside) = (rt.clone(), log.clone());
    let joined = match nature.inherits {
        true => inside(rt, async move {
            let start = Instant::now();
            let due = [start + URGENT, start + MEDIUM].map(Some);
            play::<R, PriorityMutex<()>>(spawner, log_inside, medium, due).await
        }),
        false => inside(rt, play::<R, Mutex<()>>(spawner, log_inside, medium, [None; 2])),
    };
    let events = log.events();
    let ahead = events.iter().filter(|event| *event == AHEAD).count();
    match joined {
        Ok(()) => judge(cell, &log, &prediction(medium, nature), |_| why(ahead, nature)),
        Err(error) => failed(error.to_string()),
    }
}

/// The program; `due` has the deadlines of the urgent task and of those in between.
async fn play<R: Runtime, L: Lock>(
    rt: R,
    log: Log,
    medium: usize,
    due: [Option<Instant>; 2],
) -> Result<(), JoinFailed> {
    let lock = Arc::new(L::default());
    let (held, asked) = (Gate::default(), Gate::default());
    let over = Arc::new(AtomicBool::new(false));
    let low = {
        let (rt, log, lock, held, asked) =
            (rt.clone(), log.clone(), lock.clone(), held.clone(), asked.clone());
        rt.clone().spawn(log.clone().task("low", async move {
            let guard = lock.held().await;
            log.say("low", HELD);
            held.open();
            asked.wait().await;
            for _ in 0..POLLS {
                rt.yield_now().await;
            }
            drop(guard);
        }))
    };
    held.wait().await;
    let mediums: Vec<_> = (0..medium)
        .map(|i| {
            let (yields, log, asked, over) = (rt.clone(), log.clone(), asked.clone(), over.clone());
            let label = format!("medium {i}");
            let task = log.clone().task(&label.clone(), async move {
                for _ in 0..PATIENCE {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    if asked.is_open() {
                        log.say(&label, AHEAD);
                    }
                    yields.yield_now().await;
                }
            });
            spawn(&rt, due[1], task)
        })
        .collect();
    let high = {
        let log = log.clone();
        let task = log.clone().task("high", async move {
            log.say("high", ASKED);
            asked.open();
            drop(lock.held().await);
            over.store(true, Ordering::SeqCst);
            log.say("high", GOT);
        });
        spawn(&rt, due[0], task)
    };
    high.await?;
    low.await?;
    for medium in mediums {
        medium.await?;
    }
    Ok(())
}

fn prediction(medium: usize, nature: Nature) -> Prediction {
    let story = [HELD, ASKED, GOT];
    // The holder is one of those who are ready, or the urgent task is.
    let most = CHAIN * nature.most_between(medium + 1);
    let forced = match nature {
        _ if nature.inherits => Prediction::new().at_most(AHEAD, FEW),
        // One of them may have had its turn just before high asked.
        _ if nature.in_turn => Prediction::new().at_least(AHEAD, (POLLS - 1) * medium).at_most(AHEAD, most),
        _ => Prediction::new().at_most(AHEAD, most),
    };
    match nature.workers {
        1 if nature.serial() => forced.sequence(&story),
        // Polls are too short for relief, unless the machine stands still.
        1 => Prediction::new().sequence(&story).by_time(forced),
        _ => Prediction::open("the others may be with another worker, which has nothing more urgent to do")
            .sequence(&story),
    }
}

/// One sentence about who came first.
fn why(ahead: usize, nature: Nature) -> String {
    let polls = format!(
        "the holder needed {POLLS} polls, and others were polled {} before they were over",
        count(ahead, "time")
    );
    match (nature.inherits, nature.workers) {
        (true, 1) => format!("{polls}: while an urgent task waits for it, it is as urgent"),
        (true, _) => {
            format!("{polls}: it was the first each time, and other workers had nothing more urgent to do")
        }
        (false, _) => format!("{polls}: nobody knew that an urgent task waits for it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::resolve;

    #[test]
    fn where_tasks_come_in_turn_the_wait_grows_with_the_number_of_others() {
        let events = |ahead: usize| {
            let mut events = vec![HELD.to_owned(), ASKED.to_owned()];
            events.extend(vec![AHEAD.to_owned(); ahead]);
            events.push(GOT.to_owned());
            events
        };
        let fits = |subject: &str, medium, events: &[String]| {
            prediction(medium, resolve(subject).unwrap().nature).check(events).all().is_empty()
        };
        for serial in ["fifo", "global:1", "percore:1,block=none", "fair:1", "tokio-ct", "smol-1"] {
            assert!(fits(serial, 2, &events(14)) && fits(serial, 8, &events(60)), "{serial}");
            assert!(!fits(serial, 2, &events(0)) && !fits(serial, 8, &events(14)), "{serial}");
        }
        // Others end after so many polls, and would have them all if the holder were never polled.
        for (serial, most) in
            [("fifo", 80), ("global:1,block=none", 80), ("steal:1", 790), ("tokio-mt:1", 640)]
        {
            assert!(fits(serial, 8, &events(most)) && !fits(serial, 8, &events(most + 1)), "{serial}");
            assert!(most < 8 * PATIENCE);
        }
        assert!(fits("steal:1", 8, &events(0)), "it may be passed over and may pass others");
        for (one, open) in [("edf:1", false), ("steal:1", false), ("edf:2", true), ("percore:2", true)] {
            assert_eq!(prediction(8, resolve(one).unwrap().nature).is_open(), open, "{one}");
        }
        assert!(fits("steal:2", 8, &events(0)));
        for medium in [2, 8] {
            assert!(fits("edf:1", medium, &events(0)) && fits("edf:1", medium, &events(FEW)));
            assert!(!fits("edf:1", medium, &events(POLLS - 1)), "a turn of another for each of the holder's");
        }
        assert!(fits("edf:2", 8, &events(60)), "another worker has nothing more urgent to do");
        let mut never = events(14);
        never.pop();
        assert!(!fits("steal:2", 2, &never), "the urgent task must get it in the end");
    }
}
