//! All workers are stuck, and the rest of the program goes on (C6), or does not: as the policy says. A program of its own, so
//! that no test of the same program eats the bound; for other programs the sentinels allow.
//!
//! Invariant: what counts is exact: who has run before the first stuck poll ends. The 20 ms are asserted beside it where nobody
//! computes, by the clock of [`Sentinels`], and in two scenes of four at most: a monitor that was kept from running for long begins to
//! count anew.

#![forbid(unsafe_code)]

use polyloop::{Runtime, SystemClock, time};
use polyloop_conformance::{LIMIT, Moment, Sentinels, TICKS_IN_20_MS, block_thread, watched};
use polyloop_core::time::Clock;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// How long a stuck worker sleeps at a time.
const NAP: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_millis(5);
/// Of the clock of sentinels, those that a sleep of [`TICK`] takes anyway, rounded up.
const TICK_ITSELF: u64 = 6;
/// So many scenes must keep the bound, and so many may miss it.
const KEPT: usize = 2;
const MISSED: usize = 2;
/// How long it is watched what goes on while all workers are stuck.
const WATCHED: Duration = Duration::from_millis(100);
/// How long it is waited for whoever must come: those that compute share processors with him, and with whatever else runs.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a worker gets stuck.
#[derive(Clone, Copy, Debug)]
enum Stuck {
    Sleep,
    Read,
    Lock,
    Spin,
}

/// Each way to get stuck, and two of them beside each other, which the workers take in turn.
const WAYS: [&[Stuck]; 5] =
    [&[Stuck::Sleep], &[Stuck::Read], &[Stuck::Lock], &[Stuck::Spin], &[Stuck::Sleep, Stuck::Spin]];

/// What the stuck ones wait for, besides the time.
struct Scene {
    over: AtomicBool,
    lock: Mutex<()>,
    /// Nobody writes to these, until they are dropped.
    writers: Mutex<Vec<UnixStream>>,
}

impl Scene {
    fn new() -> Arc<Self> {
        Arc::new(Self { over: AtomicBool::new(false), lock: Mutex::default(), writers: Mutex::default() })
    }

    fn get_stuck(&self, how: Stuck) {
        match how {
            Stuck::Sleep => {
                while !self.over.load(SeqCst) {
                    block_thread(NAP);
                }
            }
            Stuck::Read => {
                let (mut reader, writer) = UnixStream::pair().unwrap();
                self.writers.lock().unwrap().push(writer);
                let _ = reader.read(&mut [0]);
            }
            Stuck::Lock => drop(self.lock.lock().unwrap()),
            Stuck::Spin => {
                while !self.over.load(SeqCst) {
                    std::hint::spin_loop();
                }
            }
        }
    }

    fn release(&self) {
        self.over.store(true, SeqCst);
        self.writers.lock().unwrap().clear();
    }
}

/// What was seen while all workers were stuck; times in ticks of the clock of sentinels.
struct Seen {
    /// How long a task waited that was ready when the last worker got stuck.
    ready: Option<u64>,
    /// The longest that the ticking task waited beyond its sleep.
    gap: u64,
    ticks: usize,
    /// The slowest round trip over TCP, and how many there were.
    slowest: u64,
    trips: usize,
}

/// What is known of the ticking task.
struct Ticking {
    last: Moment,
    longest: u64,
    count: usize,
}

/// Watches for `length`, and until all others went on if `all` have to.
fn watch(name: &str, workers: usize, how: &[Stuck], length: Duration, all: bool) -> Seen {
    let runtime = Runtime::from_name(name).unwrap();
    let sentinels = Sentinels::start(workers);
    let clock = sentinels.clock();
    let ticking = Arc::new(Mutex::new(Ticking { last: clock.now(), longest: 0, count: 0 }));
    let (ticks, ticked) = (ticking.clone(), clock.clone());
    runtime.spawn(async move {
        loop {
            time::sleep(TICK).await;
            let mut ticks = ticks.lock().unwrap();
            ticks.longest = ticks.longest.max(ticked.since(&ticks.last));
            ticks.count += 1;
            ticks.last = ticked.now();
        }
    });
    let (tell, told) = mpsc::channel();
    runtime.spawn(async move {
        let listener = polyloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        tell.send(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut byte = [0];
        while stream.read_exact(&mut byte).await.is_ok() {
            stream.write_all(&byte).await.unwrap();
        }
    });
    let client = TcpStream::connect(told.recv().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let trip = || {
        let before = clock.now();
        (&client).write_all(&[1]).unwrap();
        (&client).read_exact(&mut [0]).ok().map(|()| clock.since(&before))
    };
    trip().expect("nobody is stuck yet");
    if !all {
        // A policy that does nothing must not hang the test.
        client.set_read_timeout(Some(length)).unwrap();
    }

    let scene = Scene::new();
    let held = scene.lock.lock().unwrap();
    let (ran, runs) = mpsc::channel();
    let (begun, began) = mpsc::channel();
    let mut start = clock.now();
    for index in 0..workers {
        let (scene, begun, clock, how) =
            (scene.clone(), begun.clone(), clock.clone(), how[index % how.len()]);
        let ran = (index + 1 == workers).then(|| ran.clone());
        runtime.spawn(async move {
            if let Some(ran) = ran {
                let clock = clock.clone();
                polyloop::spawn(async move { _ = ran.send(clock.now()) });
            }
            clock.ignore_this_thread();
            begun.send(clock.now()).unwrap();
            scene.get_stuck(how);
        });
        // One after the other, so that each takes a worker of its own.
        start = began.recv().unwrap();
    }
    *ticking.lock().unwrap() = Ticking { last: start.clone(), longest: 0, count: 0 };
    let begun = SystemClock.now();
    let (mut ready, mut trips) = (None, Vec::new());
    while let Some(trip) = trip() {
        trips.push(trip);
        ready = ready.or_else(|| Some(clock.between(&start, &runs.try_recv().ok()?)));
        let passed = SystemClock.now() - begun;
        let missing = ready.is_none() || ticking.lock().unwrap().count == 0;
        if passed >= length && !(all && missing && passed < PATIENCE) {
            break;
        }
        block_thread(TICK);
    }
    let ticking = ticking.lock().unwrap();
    let gap = ticking.longest.max(clock.since(&ticking.last));
    let seen = Seen {
        ready,
        gap: gap.saturating_sub(TICK_ITSELF),
        ticks: ticking.count,
        slowest: trips.iter().max().copied().unwrap_or_default(),
        trips: trips.len(),
    };
    scene.release();
    drop(held);
    seen
}

fn all_go_on(name: &str, workers: usize, how: &[Stuck]) {
    // A thread that computes has the processor, and the machine has few of them: there it is only said who runs.
    let is_timed = !how.iter().any(|how| matches!(how, Stuck::Spin));
    let (mut kept, mut late) = (0, Vec::new());
    while kept < KEPT {
        let seen = watch(name, workers, how, WATCHED, true);
        let ready =
            seen.ready.unwrap_or_else(|| panic!("{name} {how:?}: a ready task waited for the stuck workers"));
        assert!(
            seen.ticks > 0 && seen.trips > 0,
            "{name} {how:?}: timers or sockets waited for the stuck workers"
        );
        if !is_timed {
            return;
        }
        if ready.max(seen.gap).max(seen.slowest) <= TICKS_IN_20_MS {
            kept += 1;
        } else {
            late.push(format!("ready {ready}, timer {}, round trip {}", seen.gap, seen.slowest));
            println!("{name} {how:?}: {}", late[late.len() - 1]);
        }
        assert!(late.len() <= MISSED, "{name} {how:?}: waits in ticks: {late:?}");
    }
}

fn nobody_goes_on(name: &str, workers: usize, how: &[Stuck]) {
    let seen = watch(name, workers, how, WATCHED, false);
    assert_eq!(seen.ready, None, "{name} {how:?}: who ran the ready task?");
    assert_eq!((seen.ticks, seen.trips), (0, 0), "{name} {how:?}: ticks and round trips");
}

/// Each way to get stuck; one after the other, so that they do not disturb each other.
fn the_policy_decides(executor: &str, workers: &[usize], reactors: &[&str]) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for &workers in workers {
        for how in WAYS.into_iter().filter(|how| how.len() <= workers) {
            for reactor in reactors {
                let name = format!("{executor}:{workers}+{reactor}");
                watched(&format!("{name} {how:?}"), PATIENCE + LIMIT, move || all_go_on(&name, workers, how));
            }
            let name = format!("{executor}:{workers},block=none");
            watched(&format!("{name} {how:?}"), LIMIT, move || nobody_goes_on(&name, workers, how));
        }
    }
}

#[test]
fn with_a_hand_off_all_go_on_and_without_one_nobody_does() {
    the_policy_decides("steal", &[1, 2, 4], &["mio", "polling", "poll"]);
}

#[test]
fn so_it_is_with_every_scheduler() {
    for executor in ["global", "percore", "fair", "edf"] {
        the_policy_decides(executor, &[1, 2], &["mio"]);
    }
}
