//! `k` of `N` workers blocked at the same moment: what becomes of a ready task, a timer and a socket?
//!
//! Invariant: all three are ready or about to be when the last blocker arrives, and that blocker wakes the ready one
//! itself, from inside the poll that then blocks. Nothing is measured; only who came first counts.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::clock;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::order::Prediction;
use crate::catalogue::trace::{Log, longest_wait, say_wait};
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Subject, Timeline};
use crate::subjects::Nature;
use futures::io::AsyncReadExt;
use polyloop_traits::{Runtime, TcpListener};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What the three others say.
const OTHERS: [&str; 3] = ["the ready task ran", "the timer fired", "the byte came"];
const BLOCKED: &str = "all blocked";
const RELEASED: &str = "first released";
/// The timer's period.
const TICK: Duration = Duration::from_millis(20);
/// A blocker looks this often whether the others are done.
const SLICE: Duration = Duration::from_millis(1);
/// How long blockers wait for each other before it is told that so many cannot be had at once.
const RENDEZVOUS: Duration = Duration::from_secs(10);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let mut all = Vec::new();
    for (how, what) in [("sleep", "blocked in thread::sleep"), ("spin", "spinning")] {
        for (k, many) in [("0", "none"), ("1", "one"), ("n", "all")] {
            let about = format!(
                "{many} of the N workers {what} for up to 500 ms, beside a ready task, a timer and a socket"
            );
            all.push(experiment(format!("blocked/k-of-n/{how}/k={k}"), 0.6, &about));
        }
    }
    all
}

/// One of one worker is all of them.
pub(crate) fn unsupported(case: &CaseInfo, subject: &Subject) -> Option<String> {
    let one_of_one = case.path.starts_with("blocked/") && case.path.ends_with("/k=1") && subject.workers == 1;
    one_of_one.then(|| format!("{} has one worker: k = 1 is k = n there", subject.name))
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    let k = match cell.part(3) {
        "k=n" => cell.nature.workers,
        _ => match cell.number("k") {
            Ok(k) => k,
            Err(error) => return failed(error),
        },
    };
    // Relief takes up to 20 ms, so however the run is scaled there is time to see it.
    let limit = cell.scaled(500).max(Duration::from_millis(200));
    let scene = Arc::new(Scene {
        log: log.clone(),
        begun: Gate::default(),
        done: AtomicUsize::new(0),
        armed: AtomicUsize::new(0),
        all_armed: Gate::default(),
        released: AtomicBool::new(false),
        arrived: Mutex::new(0),
        arrival: Condvar::new(),
        k,
        spin: cell.part(2) == "spin",
        limit,
    });
    match rt.block_on(play(rt, &scene)) {
        Ok(()) => judge(cell, &log, &prediction(k, cell.nature), why),
        Err(error) => failed(error),
    }
}

fn prediction(k: usize, nature: Nature) -> Prediction {
    let rule = Prediction::new();
    match k {
        0 => rule.before(&[BLOCKED], &OTHERS).never(&[RELEASED]),
        k if k == nature.workers && !nature.relief => {
            rule.sequence(&[BLOCKED, RELEASED]).before(&[RELEASED], &OTHERS)
        }
        // Relief comes while the blockers still hold on, which is a matter of time.
        k if k == nature.workers => {
            rule.before(&[BLOCKED], &OTHERS).by_time(Prediction::new().before(&OTHERS, &[RELEASED]))
        }
        _ if nature.reachable => {
            rule.before(&[BLOCKED], &OTHERS).by_time(Prediction::new().before(&OTHERS, &[RELEASED]))
        }
        _ => Prediction::open("with some workers left, who holds what was ready differs from run to run"),
    }
}

fn why(timeline: &Timeline) -> String {
    let waits =
        ["ready", "timer", "io"].iter().filter_map(|label| Some((label, longest_wait(timeline, label)?)));
    match waits.max_by(|a, b| a.1.us.total_cmp(&b.1.us)) {
        Some((label, wait)) => say_wait(label, &wait),
        None => "nobody was ever ready".to_owned(),
    }
}

/// What the actors share.
struct Scene {
    log: Log,
    /// Opens when all blockers have their worker.
    begun: Gate,
    /// How many of the others are done.
    done: AtomicUsize,
    /// How many of the others wait for their event.
    armed: AtomicUsize,
    all_armed: Gate,
    released: AtomicBool,
    arrived: Mutex<usize>,
    arrival: Condvar,
    k: usize,
    spin: bool,
    limit: Duration,
}

async fn play<R: Runtime>(rt: &R, scene: &Arc<Scene>) -> Result<(), String> {
    let log = &scene.log;
    let listener = rt.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(|error| error.to_string())?;
    let peer = peer(listener.local_addr().map_err(|error| error.to_string())?, scene.clone());
    let ready = rt.spawn(log.task("ready", ready(scene.clone())));
    let timer = rt.spawn(log.task("timer", timer(rt.clone(), scene.clone())));
    let io = rt.spawn(log.task("io", socket(listener, scene.clone())));
    scene.all_armed.wait().await;
    let mut blockers = Vec::new();
    for i in 0..scene.k {
        let scene = scene.clone();
        blockers.push(rt.spawn(log.task(&format!("blocker {i}"), async move { scene.block() })));
    }
    if scene.k == 0 {
        scene.begin();
    }
    for blocker in blockers {
        blocker.await.map_err(|error| error.to_string())??;
    }
    ready.await.map_err(|error| error.to_string())?;
    timer.await.map_err(|error| error.to_string())?;
    io.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    peer.join().map_err(|_| "the peer panicked")?.map_err(|error| error.to_string())
}

impl Scene {
    fn begin(&self) {
        self.log.say("blockers", BLOCKED);
        self.begun.open();
    }

    /// One of the others has begun to wait.
    fn armed(&self) {
        if self.armed.fetch_add(1, Ordering::SeqCst) + 1 == OTHERS.len() {
            self.all_armed.open();
        }
    }

    fn done(&self, lane: &str, event: &str) {
        self.log.say(lane, event);
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits, blocking, for the other blockers, then holds the worker until the others are done or time is up.
    fn block(&self) -> Result<(), String> {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        *arrived += 1;
        if *arrived == self.k {
            self.begin();
            self.arrival.notify_all();
        }
        let (arrived, waited) = self
            .arrival
            .wait_timeout_while(arrived, RENDEZVOUS, |arrived| *arrived < self.k)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(format!("only {} of {} blockers got a worker at the same time", *arrived, self.k));
        }
        drop(arrived);
        let start = clock::now();
        while start.elapsed() < self.limit && self.done.load(Ordering::SeqCst) < OTHERS.len() {
            match self.spin {
                true => clock::spin(SLICE),
                false => clock::block(SLICE),
            }
        }
        if !self.released.swap(true, Ordering::SeqCst) {
            self.log.say("blockers", RELEASED);
        }
        Ok(())
    }
}

async fn ready(scene: Arc<Scene>) {
    scene.armed();
    scene.begun.wait().await;
    scene.done("ready", OTHERS[0]);
}

/// Ticks all the time; the first tick after the blockers have begun counts.
async fn timer<R: Runtime>(rt: R, scene: Arc<Scene>) {
    scene.armed();
    loop {
        rt.sleep(TICK).await;
        if scene.begun.is_open() {
            return scene.done("timer", OTHERS[1]);
        }
    }
}

async fn socket<L: TcpListener>(listener: L, scene: Arc<Scene>) -> io::Result<()> {
    let (mut conn, _) = listener.accept().await?;
    scene.armed();
    conn.read_exact(&mut [0]).await?;
    scene.done("io", OTHERS[2]);
    Ok(())
}

/// Sends one byte as soon as the blockers have begun.
fn peer(addr: SocketAddr, scene: Arc<Scene>) -> thread::JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        let mut conn = TcpStream::connect(addr)?;
        let start = clock::now();
        while !scene.begun.is_open() && start.elapsed() < RENDEZVOUS {
            clock::block(SLICE);
        }
        conn.write_all(&[1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::Yields;

    #[test]
    fn all_workers_blocked_means_nobody_runs_unless_a_worker_is_replaced() {
        let starved = [BLOCKED, RELEASED, OTHERS[2], OTHERS[0], OTHERS[1]].map(str::to_owned);
        let relieved = [BLOCKED, OTHERS[1], OTHERS[0], OTHERS[2], RELEASED].map(str::to_owned);
        let two = |relief| Nature { workers: 2, yields: Yields::Requeue, relief, reachable: true };
        assert!(prediction(2, two(false)).check(&starved).all().is_empty());
        assert!(!prediction(2, two(false)).check(&relieved).all().is_empty());
        assert!(prediction(2, two(true)).check(&relieved).all().is_empty());
        assert!(!prediction(2, two(true)).check(&starved).all().is_empty());
        let some = prediction(1, two(false));
        assert!(some.check(&relieved).all().is_empty() && !some.check(&starved).all().is_empty());
        assert!(prediction(1, Nature { reachable: false, ..two(false) }).is_open());
        assert!(prediction(0, two(true)).check(&relieved[..4]).all().is_empty());
        assert!(
            !prediction(0, two(true)).check(&relieved).all().is_empty(),
            "nobody blocked, so nobody is released"
        );
    }
}
