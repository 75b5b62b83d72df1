//! The most urgent task waits for a lock that the least urgent one holds, while others, less urgent than the first, keep the
//! workers busy: how many of their polls come first?
//!
//! Invariant: the holder needs a fixed number of polls to let go, and the others are always ready. So if nobody knows that the
//! holder is urgent now, each of its polls waits for one of every other's, and the wait grows with their number without
//! a bound. A scheduler that inherits urgency through the lock has a bound of none.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::kit::inside;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome};
use crate::subjects::Nature;
use futures::lock::Mutex;
use polyloop_traits::{JoinFailed, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const HELD: &str = "low has the lock";
const ASKED: &str = "high asks for it";
const AHEAD: &str = "a medium one ran ahead of high";
const GOT: &str = "high has the lock";
/// How often the holder yields while it holds.
const POLLS: usize = 8;
/// A medium task gives up after so many polls: a runtime that never lets the holder run is to be told, not to hang.
const PATIENCE: usize = 10_000;

pub(crate) fn cases() -> Vec<CaseInfo> {
    [2, 8]
        .map(|medium| {
            let about = format!(
                "a task waits for a lock whose holder yields 8 times, beside {medium} tasks that are always ready: it waits for them, too"
            );
            experiment(format!("priority-inversion/medium={medium}"), 0.05, &about)
        })
        .into()
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let medium = match cell.number("medium") {
        Ok(medium) => medium,
        Err(error) => return failed(error),
    };
    let (log, spawner) = (cell.log(), rt.clone());
    let log_inside = log.clone();
    let joined = inside(rt, async move {
        let lock = Arc::new(Mutex::new(()));
        let (held, asked) = (Gate::default(), Gate::default());
        let over = Arc::new(AtomicBool::new(false));
        let (rt, log) = (spawner, log_inside);
        let low = {
            let (rt, log, lock, held, asked) =
                (rt.clone(), log.clone(), lock.clone(), held.clone(), asked.clone());
            rt.clone().spawn(log.clone().task("low", async move {
                let guard = lock.lock().await;
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
                let (rt, log, asked, over) = (rt.clone(), log.clone(), asked.clone(), over.clone());
                let label = format!("medium {i}");
                rt.clone().spawn(log.clone().task(&label.clone(), async move {
                    for _ in 0..PATIENCE {
                        if over.load(Ordering::SeqCst) {
                            break;
                        }
                        if asked.is_open() {
                            log.say(&label, AHEAD);
                        }
                        rt.yield_now().await;
                    }
                }))
            })
            .collect();
        let high = {
            let log = log.clone();
            rt.spawn(log.clone().task("high", async move {
                log.say("high", ASKED);
                asked.open();
                drop(lock.lock().await);
                over.store(true, Ordering::SeqCst);
                log.say("high", GOT);
            }))
        };
        high.await?;
        low.await?;
        for medium in mediums {
            medium.await?;
        }
        Ok::<(), JoinFailed>(())
    });
    let events = log.events();
    let ahead = events.iter().filter(|event| *event == AHEAD).count();
    match joined {
        Ok(()) => judge(cell, &log, &prediction(medium, cell.nature), |_| {
            format!(
                "the holder needed {POLLS} polls, and {ahead} polls of {medium} others came before them: nobody knew that an \
                 urgent task waits for it"
            )
        }),
        Err(error) => failed(error.to_string()),
    }
}

fn prediction(medium: usize, nature: Nature) -> Prediction {
    let rule = Prediction::new().sequence(&[HELD, ASKED, GOT]);
    match nature {
        // One of them may have had its turn just before high asked.
        _ if nature.serial() && nature.in_turn => rule.at_least(AHEAD, (POLLS - 1) * medium),
        // The others may all be with another worker, or be passed over for a while.
        _ => rule,
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
        for serial in ["fifo", "tokio-ct", "smol-1"] {
            assert!(fits(serial, 2, &events(14)) && fits(serial, 8, &events(60)), "{serial}");
            assert!(!fits(serial, 2, &events(0)) && !fits(serial, 8, &events(14)), "{serial}");
        }
        assert!(fits("steal:2", 8, &events(0)));
        let mut never = events(14);
        never.pop();
        assert!(!fits("steal:2", 2, &never), "the urgent task must get it in the end");
    }
}
