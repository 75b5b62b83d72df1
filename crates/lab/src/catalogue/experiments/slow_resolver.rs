//! Names that take long to be looked up, more of them than there are workers: who else has to wait?
//!
//! Invariant: the resolver blocks its thread, as the system's does. Every look-up has begun to wait before the others are
//! ready, and none of these needs a name.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::clock;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Subject, Timeline};
use crate::subjects;
use futures::io::AsyncReadExt;
use polyloop_timeline::{Log, at, say_us};
use polyloop_traits::{Runtime, TcpListener};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const ASKED: &str = "all names asked for";
const OTHERS: [&str; 3] = ["the ready task ran", "the timer fired", "the byte came"];
const ANSWERED: &str = "a name was found";
const TICK: Duration = Duration::from_millis(5);
/// How long the peer waits for what does not come.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about = "two names for each worker, each of which takes 1 s to be looked up, beside a ready task, a timer and a socket";
    vec![experiment("slow-resolver", 1.0, about)]
}

/// Where the lab cannot put a slow resolver in, there is nothing to see.
pub(crate) fn unsupported(case: &CaseInfo, subject: &Subject) -> Option<String> {
    let lacks = || !subjects::resolve(&subject.name).is_ok_and(|contestant| contestant.nature.resolver);
    (case.path == "slow-resolver" && lacks())
        .then(|| "it always asks the system's resolver; no slow one can be put in its place".to_owned())
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    let names = 2 * cell.nature.workers;
    // The pool's threads take a moment to come.
    let pause = cell.scaled(1_000).max(Duration::from_millis(200));
    match rt.block_on(play(rt, &log, names, pause)) {
        Ok(()) => judge(cell, &log, &prediction(names), |timeline| why(timeline, names)),
        Err(error) => failed(error),
    }
}

fn prediction(names: usize) -> Prediction {
    let by_time = Prediction::new().before(&[ASKED], &[ANSWERED]).before(&OTHERS, &[ANSWERED]);
    Prediction::new().before(&[ASKED], &OTHERS).times(ANSWERED, names).by_time(by_time)
}

fn why(timeline: &Timeline, names: usize) -> String {
    let since = |event| Some(say_us(at(timeline, event)? - at(timeline, ASKED)?));
    match (since(OTHERS[0]), since(ANSWERED)) {
        (Some(ran), Some(found)) => format!(
            "{names} look-ups of {found} waited on threads of their own, and the ready task ran after {ran}"
        ),
        _ => "not all of it happened".to_owned(),
    }
}

async fn play<R: Runtime>(rt: &R, log: &Log, names: usize, pause: Duration) -> Result<(), String> {
    let listener = rt.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(|error| error.to_string())?;
    let addr = listener.local_addr().map_err(|error| error.to_string())?;
    let asked = Gate::default();
    let peer_asked = asked.clone();
    let peer = thread::spawn(move || -> io::Result<()> {
        let mut conn = TcpStream::connect(addr)?;
        clock::hold(PATIENCE, || peer_asked.is_open());
        conn.write_all(&[1])
    });
    let (mut conn, _) = listener.accept().await.map_err(|error| error.to_string())?;
    let (ready_log, ready_asked) = (log.clone(), asked.clone());
    let ready = rt.spawn(log.task("ready", async move {
        ready_asked.wait().await;
        ready_log.say("ready", OTHERS[0]);
    }));
    let (timer_rt, timer_log, timer_asked) = (rt.clone(), log.clone(), asked.clone());
    let timer = rt.spawn(log.task("timer", async move {
        loop {
            timer_rt.sleep(TICK).await;
            if timer_asked.is_open() {
                return timer_log.say("timer", OTHERS[1]);
            }
        }
    }));
    let io_log = log.clone();
    let io = rt.spawn(log.task("io", async move {
        conn.read_exact(&mut [0]).await?;
        io_log.say("io", OTHERS[2]);
        io::Result::Ok(())
    }));
    let begun = Arc::new(AtomicUsize::new(0));
    let lookups: Vec<_> = (0..names)
        .map(|i| {
            let (log, begun, asked) = (log.clone(), begun.clone(), asked.clone());
            let label = format!("name {i}");
            rt.spawn(log.clone().task(&label.clone(), async move {
                let name = subjects::slow_name(pause);
                let mut found = std::pin::pin!(polyloop::net::lookup_host((name, 80)));
                // The first poll asks.
                let first = futures::poll!(found.as_mut());
                if begun.fetch_add(1, Ordering::SeqCst) + 1 == names {
                    log.say(&label, ASKED);
                    asked.open();
                }
                let found = match first {
                    std::task::Poll::Ready(found) => found,
                    std::task::Poll::Pending => found.await,
                };
                log.say(&label, ANSWERED);
                found
            }))
        })
        .collect();
    for lookup in lookups {
        let found = lookup.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        if found.is_empty() {
            return Err("a name has no address".to_owned());
        }
    }
    ready.await.map_err(|error| error.to_string())?;
    timer.await.map_err(|error| error.to_string())?;
    io.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    peer.join().map_err(|_| "the peer panicked")?.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_for_a_name_that_is_not_his_contradicts_it() {
        let events = |order: [&str; 6]| order.map(str::to_owned);
        let right = events([ASKED, OTHERS[0], OTHERS[2], OTHERS[1], ANSWERED, ANSWERED]);
        let held_up = events([ASKED, OTHERS[0], OTHERS[2], ANSWERED, OTHERS[1], ANSWERED]);
        let one_by_one = events([OTHERS[0], ANSWERED, ASKED, OTHERS[1], OTHERS[2], ANSWERED]);
        assert!(prediction(2).check(&right).all().is_empty());
        assert!(!prediction(2).check(&held_up).time.is_empty());
        assert!(!prediction(2).check(&one_by_one).structure.is_empty());
        let on_the_callers_thread = events([ANSWERED, ASKED, ANSWERED, OTHERS[0], OTHERS[1], OTHERS[2]]);
        assert!(!prediction(2).check(&on_the_callers_thread).time.is_empty());
        assert!(!prediction(3).check(&right).structure.is_empty(), "a name is missing");
    }
}
