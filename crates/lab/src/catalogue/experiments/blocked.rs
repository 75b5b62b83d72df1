//! `k` of `N` workers blocked at the same moment: what becomes of a ready task, a timer and a socket?
//!
//! Invariant: all three are ready or about to be when the last blocker arrives, and that blocker wakes the ready one
//! itself, from inside the poll that then blocks. Nothing is measured; only who came first counts.

use crate::catalogue::info::{Adjust, experiment};
use crate::catalogue::kit::clock;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Subject, Timeline};
use crate::subjects::Nature;
use futures::io::AsyncReadExt;
use polyloop_timeline::{Log, at, say_us};
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
/// How long blockers wait for each other before it is told that so many cannot be had at once.
const RENDEZVOUS: Duration = Duration::from_secs(10);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let mut all = Vec::new();
    for (how, what) in [("sleep", "blocked in thread::sleep"), ("spin", "spinning")] {
        for (k, many) in [("0", "none"), ("1", "one"), ("2", "two"), ("n-1", "all but one"), ("n", "all")] {
            let about = format!(
                "{many} of the N workers {what} for half a second or until all others went on: a ready task, a timer and a socket"
            );
            // Of those who are all blocked, some are relieved soon.
            let seconds = if k == "n" { 0.3 } else { 0.05 };
            all.push(experiment(format!("blocked/k-of-n/{how}/k={k}"), seconds, &about).with_options());
        }
    }
    all
}

/// How many of `workers` a `k` of a path means: `0`, `1`, …, `n-1`, `n`.
pub(crate) fn how_many(k: &str, workers: usize) -> Option<usize> {
    match k {
        "n" => Some(workers),
        "n-1" => workers.checked_sub(1),
        number => number.parse().ok(),
    }
}

/// With few workers some of the `k` are the same; the simplest name of each is run.
pub(crate) fn unsupported(case: &CaseInfo, subject: &Subject) -> Option<String> {
    let k = case.params.get("k").filter(|_| case.path.starts_with("blocked"))?;
    let name = |simplest: &str| format!("k = {k} is k = {simplest} there");
    let why = match how_many(k, subject.workers)? {
        count if count > subject.workers => format!("no {k} workers can be blocked there"),
        count if count == subject.workers => name("n"),
        count @ 0..=2 => name(&count.to_string()),
        _ => name("n-1"),
    };
    let workers = polyloop_timeline::text::count(subject.workers, "worker");
    (why != name(k)).then(|| format!("{} has {workers}: {why}", subject.name))
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    let k = cell.part(3).strip_prefix("k=").and_then(|k| how_many(k, cell.nature.workers));
    let Some(k) = k else { return failed(format!("`{}` does not say how many", cell.request.case)) };
    let nature = cell.nature;
    // Relief takes up to 20 ms, so however the run is scaled there is time to see it.
    let spin = cell.part(2) == "spin";
    let limit = cell.scaled(500).max(Duration::from_millis(200));
    // Whoever replaces a spinning worker has to share processors with it, and with whatever else runs.
    let limit = if spin && nature.relief { 2 * limit } else { limit };
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
        spin,
        limit,
    });
    match rt.block_on(play(rt, &scene)) {
        Ok(()) => judge(cell, &log, &prediction(k, nature), |timeline| why(timeline, k, nature)),
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
        // Relief comes while the blockers still hold on, which is a matter of time. It does not look into a private slot.
        k if k == nature.workers && !nature.private_slot => {
            rule.before(&[BLOCKED], &OTHERS).by_time(Prediction::new().before(&OTHERS, &[RELEASED]))
        }
        _ if nature.reachable => {
            rule.before(&[BLOCKED], &OTHERS).by_time(Prediction::new().before(&OTHERS, &[RELEASED]))
        }
        // The last blocker wakes the ready task in its own poll, and no other worker looks where that then waits. Who has the
        // timer and the socket differs from run to run.
        _ if nature.private_slot => OTHERS[1..]
            .iter()
            .fold(rule.sequence(&[BLOCKED, RELEASED]).before(&[RELEASED], &OTHERS[..1]), |rule, other| {
                rule.times(other, 1)
            }),
        _ => Prediction::open("with some workers left, who holds what was ready differs from run to run")
            .before(&[BLOCKED], &OTHERS),
    }
}

/// One sentence about the task that the last blocker woke.
fn why(timeline: &Timeline, k: usize, nature: Nature) -> String {
    let (Some(begun), Some(ran)) = (at(timeline, BLOCKED), at(timeline, OTHERS[0])) else {
        return "the ready task never ran".to_owned();
    };
    let waited = say_us(ran - begun);
    let starved = at(timeline, RELEASED).is_some_and(|released| released < ran);
    let all = match nature.workers {
        1 => "its one worker was blocked".to_owned(),
        n => format!("all {n} workers were blocked"),
    };
    match (k == nature.workers, starved) {
        _ if k == 0 => format!("no worker was blocked: the ready task ran after {waited}"),
        (true, false) => format!("{all}, a fresh one came, and the ready task ran after {waited}"),
        (true, true) if nature.alone => {
            format!(
                "{all}, and nobody can relieve one thread with tasks that are not Send: the ready task waited {waited}"
            )
        }
        (true, true) => {
            format!("{all} and nobody relieved them: the ready task waited {waited} for one to be free")
        }
        (false, false) => {
            format!("{k} of {} workers blocked, another took the ready task after {waited}", nature.workers)
        }
        (false, true) => format!(
            "{k} of {} workers blocked, and the ready task waited {waited} where no other worker looks",
            nature.workers
        ),
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
        let label = format!("blocker {i}");
        blockers.push(rt.spawn(log.task(&label.clone(), async move { scene.block(&label) })));
    }
    if scene.k == 0 {
        scene.begin("ready");
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
    fn begin(&self, lane: &str) {
        self.log.say(lane, BLOCKED);
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
    fn block(&self, lane: &str) -> Result<(), String> {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        *arrived += 1;
        if *arrived == self.k {
            self.begin(lane);
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
        let others_are_done = || self.done.load(Ordering::SeqCst) == OTHERS.len();
        match self.spin {
            true => clock::spin_until(self.limit, others_are_done),
            false => clock::hold(self.limit, others_are_done),
        }
        if !self.released.swap(true, Ordering::SeqCst) {
            self.log.say(lane, RELEASED);
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
        clock::hold(RENDEZVOUS, || scene.begun.is_open());
        conn.write_all(&[1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::resolve;

    #[test]
    fn all_workers_blocked_means_nobody_runs_unless_a_worker_is_replaced() {
        let starved = [BLOCKED, RELEASED, OTHERS[2], OTHERS[0], OTHERS[1]].map(str::to_owned);
        let relieved = [BLOCKED, OTHERS[1], OTHERS[0], OTHERS[2], RELEASED].map(str::to_owned);
        let trapped = [BLOCKED, OTHERS[1], OTHERS[2], RELEASED, OTHERS[0]].map(str::to_owned);
        let check = |subject: &str, k, events: &[String]| {
            prediction(k, resolve(subject).unwrap().nature).check(events).all().is_empty()
        };
        assert!(check("steal:2,block=none", 2, &starved) && !check("steal:2,block=none", 2, &relieved));
        assert!(check("tokio-mt:2", 2, &starved) && !check("tokio-mt:2", 2, &trapped));
        assert!(check("steal:2", 2, &relieved) && !check("steal:2", 2, &starved));
        for reachable in ["steal:2,block=none", "smol-n:2"] {
            assert!(check(reachable, 1, &relieved) && !check(reachable, 1, &starved), "{reachable}");
            assert!(!check(reachable, 1, &trapped), "{reachable}");
        }
        for private in
            [("steal:2,lifo=private", 1), ("steal:2,lifo=private", 2), ("steal:2,block=none,lifo=private", 1)]
        {
            assert!(
                check(private.0, private.1, &trapped) && !check(private.0, private.1, &relieved),
                "{private:?}"
            );
        }
        assert!(check("steal:2,lifo=off", 1, &relieved) && !check("steal:2,lifo=off", 1, &trapped));
        assert!(check("tokio-mt:3", 2, &starved) && check("tokio-mt:3", 2, &trapped));
        assert!(!check("tokio-mt:3", 2, &relieved), "the ready task is in a slot that nobody else sees");
        let nature = resolve("steal:2").unwrap().nature;
        assert!(prediction(1, Nature { reachable: false, ..nature }).is_open());
        assert!(check("steal:2", 0, &relieved[..4]));
        assert!(!check("steal:2", 0, &relieved), "nobody blocked, so nobody is released");
    }

    #[test]
    fn each_number_of_blocked_workers_has_one_name() {
        let runs = |workers: usize| -> Vec<&str> {
            let subject = resolve(&format!("steal:{workers}")).unwrap().subject;
            let names = ["0", "1", "2", "n-1", "n"];
            let cases = cases();
            let case = |k: &str| {
                cases.iter().find(|case| case.path == format!("blocked/k-of-n/spin/k={k}")).unwrap()
            };
            names.into_iter().filter(|k| unsupported(case(k), &subject).is_none()).collect()
        };
        assert_eq!(runs(1), ["0", "n"]);
        assert_eq!(runs(2), ["0", "1", "n"]);
        assert_eq!(runs(3), ["0", "1", "2", "n"]);
        assert_eq!(runs(4), ["0", "1", "2", "n-1", "n"]);
        assert_eq!(runs(9), ["0", "1", "2", "n-1", "n"]);
        let two = resolve("steal:1").unwrap().subject;
        let case = cases().into_iter().find(|case| case.path.ends_with("sleep/k=2")).unwrap();
        assert_eq!(
            unsupported(&case, &two).unwrap(),
            "steal:1+mio+wheel has 1 worker: no 2 workers can be blocked there"
        );
    }
}
