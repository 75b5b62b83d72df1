//! All workers are stuck, and the rest of the program goes on (C6), or does not: as the policy says. A process of its own, so
//! that other tests do not eat the bound.
//!
//! Invariant: what counts is exact: who has run before the first stuck poll ends. The 20 ms are asserted beside it, plus
//! what an idle thread lost at the same time.

#![forbid(unsafe_code)]

mod sentinel;

use polyloop::{Runtime, SystemClock, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use polyloop_core::time::{Clock, Instant};
use sentinel::Sentinel;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const BLOCKED: Duration = Duration::from_secs(1);
const BOUND: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_millis(5);
/// How long it is watched what goes on while all workers are stuck.
const WATCHED: Duration = Duration::from_millis(200);

/// How a worker gets stuck.
#[derive(Clone, Copy, Debug)]
enum Stuck {
    Sleep,
    Read,
    Lock,
    Spin,
}

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
                let start = SystemClock.now();
                while !self.over.load(SeqCst) && SystemClock.now() - start < BLOCKED {
                    block_thread(BLOCKED / 2);
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

/// What was seen while all workers were stuck.
struct Seen {
    /// How long a task waited that was ready when the last worker got stuck.
    ready: Option<Duration>,
    /// The longest time without a tick.
    gap: Duration,
    ticks: usize,
    /// The slowest round trip over TCP, and how many there were.
    slowest: Duration,
    trips: usize,
    /// What the machine lost.
    lost: Duration,
}

fn watch(name: &str, workers: usize, how: Stuck) -> Seen {
    let runtime = Runtime::from_name(name).unwrap();
    let ticks = Arc::new(Mutex::new(Vec::new()));
    let log = ticks.clone();
    runtime.spawn(async move {
        loop {
            time::sleep(TICK).await;
            log.lock().unwrap().push(SystemClock.now());
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
    let mut client = TcpStream::connect(told.recv().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    // A policy that does nothing must not hang the test.
    client.set_read_timeout(Some(WATCHED)).unwrap();
    let mut trip = || {
        let before = SystemClock.now();
        client.write_all(&[1]).unwrap();
        client.read_exact(&mut [0]).ok().map(|()| SystemClock.now() - before)
    };
    trip().expect("nobody is stuck yet");

    let scene = Scene::new();
    let held = scene.lock.lock().unwrap();
    let sentinel = Sentinel::start();
    let (ran, runs) = mpsc::channel();
    let (begun, began) = mpsc::channel();
    for index in 0..workers {
        let (scene, begun) = (scene.clone(), begun.clone());
        let ran = (index + 1 == workers).then(|| ran.clone());
        runtime.spawn(async move {
            if let Some(ran) = ran {
                polyloop::spawn(async move { ran.send(SystemClock.now()).unwrap() });
            }
            begun.send(SystemClock.now()).unwrap();
            scene.get_stuck(how);
        });
        // One after the other, so that each takes a worker of its own.
        began.recv().unwrap();
    }
    let start = SystemClock.now();
    let mut trips = Vec::new();
    while SystemClock.now() - start < WATCHED {
        let Some(trip) = trip() else { break };
        trips.push(trip);
        block_thread(TICK);
    }
    let end = SystemClock.now();
    let (lost, _) = sentinel.lost();
    let ready = runs.try_recv().ok().map(|at: Instant| at - start.min(at));
    let mut ticks = ticks.lock().unwrap().clone();
    scene.release();
    drop(held);
    ticks.retain(|at| start <= *at && *at <= end);
    let gaps = [&[start], &ticks[..], &[end]].concat();
    Seen {
        ready,
        gap: gaps.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default(),
        ticks: ticks.len(),
        slowest: trips.iter().max().copied().unwrap_or_default(),
        trips: trips.len(),
        lost,
    }
}

fn all_go_on(name: &str, workers: usize, how: Stuck) {
    let seen = watch(name, workers, how);
    let (lost, bound) = (seen.lost, BOUND + seen.lost);
    let ready =
        seen.ready.unwrap_or_else(|| panic!("{name} {how:?}: a ready task waited for the stuck workers"));
    assert!(
        seen.ticks > 0 && seen.trips > 0,
        "{name} {how:?}: timers or sockets waited for the stuck workers"
    );
    // A thread that computes has the processor, and the machine has few of them: there it is only said who runs.
    if !matches!(how, Stuck::Spin) {
        assert!(ready <= bound, "{name} {how:?}: a ready task waited for {ready:?}, {lost:?} lost");
        assert!(seen.gap <= TICK + bound, "{name} {how:?}: {:?} without a tick, {lost:?} lost", seen.gap);
        let slowest = seen.slowest;
        assert!(slowest <= bound, "{name} {how:?}: a round trip took {slowest:?}, {lost:?} lost");
    }
}

fn nobody_goes_on(name: &str, workers: usize, how: Stuck) {
    let seen = watch(name, workers, how);
    assert_eq!(seen.ready, None, "{name} {how:?}: who ran the ready task?");
    assert_eq!((seen.ticks, seen.trips), (0, 0), "{name} {how:?}: ticks and round trips");
}

/// One after the other, so that they do not disturb each other.
#[test]
fn with_a_hand_off_all_go_on_and_without_one_nobody_does() {
    for workers in [1, 2, 4] {
        for how in [Stuck::Sleep, Stuck::Read, Stuck::Lock, Stuck::Spin] {
            for reactor in ["mio", "polling", "poll"] {
                let name = format!("steal:{workers}+{reactor}");
                watched(&format!("{name} {how:?}"), LIMIT, move || all_go_on(&name, workers, how));
            }
            let name = format!("steal:{workers},block=none");
            watched(&format!("{name} {how:?}"), LIMIT, move || nobody_goes_on(&name, workers, how));
        }
    }
}
