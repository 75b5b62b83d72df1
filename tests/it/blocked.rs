//! A worker that is stuck in a poll holds nothing back (C5). A process of its own, so that other tests do not eat the bound.
//!
//! Invariant: what counts is exact: everything that lay with the stuck worker has run before its poll ends. The 20 ms are
//! asserted beside it, plus what an idle thread lost at the same time.

#![forbid(unsafe_code)]

mod sentinel;

use polyloop::{Runtime, SystemClock, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use polyloop_core::time::{Clock, Instant};
use sentinel::Sentinel;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const BLOCKED: Duration = Duration::from_millis(300);
const BOUND: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_millis(5);

fn longest_gap(times: &[Instant]) -> Duration {
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

fn nothing_is_held_back(name: &str) {
    let runtime = Runtime::from_name(name).unwrap();
    let ticks = Arc::new(Mutex::new(Vec::new()));
    let log = ticks.clone();
    // Everything is spawned from outside and nobody is in `block_on`, so that only the two workers can help.
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
    let mut trip = || {
        let before = SystemClock.now();
        client.write_all(&[1]).unwrap();
        client.read_exact(&mut [0]).unwrap();
        SystemClock.now() - before
    };
    trip();

    let sentinel = Sentinel::start();
    let over = Arc::new(AtomicBool::new(false));
    let (ran, runs) = mpsc::channel();
    let (begun, began) = mpsc::channel();
    let blocked = over.clone();
    runtime.spawn(async move {
        // The last one lies in the LIFO slot, the others in the queue.
        for _ in 0..8 {
            let (ran, blocked) = (ran.clone(), blocked.clone());
            polyloop::spawn(async move { ran.send((SystemClock.now(), blocked.load(SeqCst))).unwrap() });
        }
        begun.send(SystemClock.now()).unwrap();
        block_thread(BLOCKED);
        blocked.store(true, SeqCst);
    });
    let start = began.recv().unwrap();
    let mut trips = Vec::new();
    while !over.load(SeqCst) && SystemClock.now() - start < BLOCKED - TICK {
        trips.push(trip());
        block_thread(TICK);
    }
    let runs: Vec<_> = (0..8).map(|_| runs.recv().unwrap()).collect();
    let (lost, _) = sentinel.lost();
    let end = start + BLOCKED;
    let during = |at: &Instant| start <= *at && *at <= end;
    let ticks: Vec<_> = ticks.lock().unwrap().iter().copied().filter(during).collect();

    assert!(runs.iter().all(|(_, after)| !after), "{name}: a task waited for the stuck worker");
    let bound = BOUND + lost;
    // A machine that stood still for a third of the time shows too little of the rest.
    let enough = |count: usize| count > 2 || lost > BLOCKED / 3;
    let late = runs.iter().map(|(at, _)| *at - start).max().unwrap();
    assert!(late <= bound, "{name}: a ready task ran after {late:?}, {lost:?} lost");
    let gap = longest_gap(&ticks);
    assert!(enough(ticks.len()) && gap <= TICK + bound, "{name}: {gap:?} between ticks, {lost:?} lost");
    let slowest = trips.iter().max().unwrap();
    assert!(enough(trips.len()) && *slowest <= bound, "{name}: a round trip of {slowest:?}, {lost:?} lost");
}

/// One after the other, so that they do not disturb each other.
#[test]
fn a_worker_that_sleeps_holds_nothing_back() {
    for reactor in ["mio", "polling", "poll"] {
        for round in 0..3 {
            let name = format!("steal:2+{reactor}");
            watched(&format!("{name}, round {round}"), LIMIT, move || nothing_is_held_back(&name));
        }
    }
}
