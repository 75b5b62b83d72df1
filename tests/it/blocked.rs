//! Workers that are stuck in a poll hold nothing back (C5), on every executor with workers and on every reactor, under every policy. A
//! program of its own, so that no test of the same program eats the bound; for other programs the sentinels allow.
//!
//! Invariant: who ran before whom is exact: the blockers are held until everything that lay with them has run, and timers, a
//! socket and wakes from outside have had their turns; were one of them to wait for a blocker, the test would hang. The 20 ms
//! are asserted beside it by the clock of [`Sentinels`], so that what the machine itself loses is not counted.

#![forbid(unsafe_code)]

use polyloop::sync::Notify;
use polyloop::{Runtime, SystemClock, time};
use polyloop_conformance::{LIMIT, Sentinels, TICKS_IN_20_MS, Ticks, block_thread, watched};
use polyloop_core::time::Clock;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// So many ticks of the timer, round trips and wakes from outside while workers are blocked.
const TURNS: usize = 30;

/// What each blocker leaves in its queue, and one more that it wakes last, which lies in the LIFO slot.
const TRAPPED: usize = 4;

#[derive(Clone, Copy, Debug)]
enum How {
    /// The thread waits in the kernel.
    Sleeps,
    /// It computes.
    Spins,
}

/// Holds workers until it is opened.
#[derive(Debug, Default)]
struct Gate(AtomicBool);

impl Gate {
    fn block(&self, how: How) {
        while !self.0.load(SeqCst) {
            match how {
                How::Sleeps => std::thread::park(),
                How::Spins => std::hint::spin_loop(),
            }
        }
    }
}

/// Blocks `blocked` workers of the runtime of this name, and holds them until everybody else has had his turns: the longest that
/// one was kept waiting, in ticks, and who it was.
fn longest_wait(name: &str, workers: usize, blocked: usize, how: How) -> (u64, &'static str) {
    let runtime = Runtime::from_name(name).unwrap();
    let sentinels = Sentinels::start(workers);
    let clock = sentinels.clock();
    let mut waits = Vec::new();

    all_workers_run(&runtime, workers);
    // Everything is spawned from outside and nobody is in `block_on`, so that only the workers can help.
    let mut client = echo(&runtime);
    round_trip(&mut client);
    let (bells, answers) = listeners(&runtime, 2 * workers);

    let gate = Arc::new(Gate::default());
    let (ran, runs) = mpsc::channel();
    let mut threads = Vec::new();
    for _ in 0..blocked {
        let bell = Arc::new(Notify::new());
        let (waits_now, is_waiting) = mpsc::channel();
        let (rung, tell, ticks) = (bell.clone(), ran.clone(), clock.clone());
        runtime.spawn(async move {
            waits_now.send(()).unwrap();
            rung.notified().await;
            tell.send(ticks.now()).unwrap();
        });
        is_waiting.recv().unwrap();
        let (begun, has_begun) = mpsc::channel();
        let (gate, ran, ticks) = (gate.clone(), ran.clone(), clock.clone());
        runtime.spawn(async move {
            for _ in 0..TRAPPED {
                let (ran, ticks) = (ran.clone(), ticks.clone());
                polyloop::spawn(async move { ran.send(ticks.now()).unwrap() });
            }
            bell.notify_one();
            begun.send((ticks.now(), std::thread::current())).unwrap();
            ticks.ignore_this_thread();
            gate.block(how);
        });
        let (since, thread) = has_begun.recv().unwrap();
        threads.push(thread);
        for _ in 0..=TRAPPED {
            runs.recv().unwrap();
            waits.push((clock.since(&since), "a task that lay with the blocker"));
        }
    }

    let timer = ticking(&runtime, &clock);
    for _ in 0..TURNS {
        let before = clock.now();
        round_trip(&mut client);
        waits.push((clock.since(&before), "a round trip"));
        let before = clock.now();
        let (tell, told) = mpsc::channel();
        runtime.spawn(async move { tell.send(()).unwrap() });
        told.recv().unwrap();
        waits.push((clock.since(&before), "a task from outside"));
        let before = clock.now();
        bells.iter().for_each(|bell| bell.notify_one());
        bells.iter().for_each(|_| answers.recv().unwrap());
        waits.push((clock.since(&before), "one who was woken from outside"));
        block_thread(Duration::from_millis(1));
    }
    waits.push((timer.recv().unwrap(), "a timer"));

    gate.0.store(true, SeqCst);
    threads.iter().for_each(std::thread::Thread::unpark);
    waits.into_iter().max().unwrap()
}

/// Returns when each worker has polled a task: on a busy machine a thread may take long to begin at all.
fn all_workers_run(runtime: &Runtime, workers: usize) {
    let all = Arc::new(Barrier::new(workers + 1));
    for _ in 0..workers {
        let all = all.clone();
        runtime.spawn(async move { _ = all.wait() });
    }
    all.wait();
}

/// Tasks that each answer when their bells ring. Those that have a home have it with every worker, also with one that is about to block.
fn listeners(runtime: &Runtime, count: usize) -> (Vec<Arc<Notify>>, mpsc::Receiver<()>) {
    let bells: Vec<_> = (0..count).map(|_| Arc::new(Notify::new())).collect();
    let (answer, answers) = mpsc::channel();
    for bell in &bells {
        let (bell, answer) = (bell.clone(), answer.clone());
        runtime.spawn(async move {
            // The first one says that it has been polled.
            while answer.send(()).is_ok() {
                bell.notified().await;
            }
        });
    }
    (0..count).for_each(|_| answers.recv().unwrap());
    (bells, answers)
}

/// A task that gives back what the client sends.
fn echo(runtime: &Runtime) -> TcpStream {
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
    client
}

fn round_trip(client: &mut TcpStream) {
    client.write_all(&[1]).unwrap();
    client.read_exact(&mut [0]).unwrap();
}

/// A task that sleeps a millisecond at a time; the longest that it was kept waiting beyond that.
fn ticking(runtime: &Runtime, clock: &Ticks) -> mpsc::Receiver<u64> {
    let (tell, told) = mpsc::channel();
    let clock = clock.clone();
    runtime.spawn(async move {
        let mut longest = 0;
        for _ in 0..TURNS {
            let before = clock.now();
            time::sleep(Duration::from_millis(1)).await;
            // Its own millisecond, and that to which it is rounded.
            longest = longest.max(clock.since(&before).saturating_sub(2));
        }
        tell.send(longest).unwrap();
    });
    told
}

/// One after the other, so that they do not disturb each other.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For k = 1 to N - 1.
fn nothing_is_held_back(executor: &str, reactors: &[&str], how: How) {
    let _alone = alone();
    for reactor in reactors {
        for policy in ["none", "detect", "handoff"] {
            for (workers, blocked) in [(2, 1), (4, 1), (4, 2), (4, 3)] {
                let name = format!("{executor}:{workers}+{reactor},block={policy}");
                let what = format!("{name}: {blocked} of {workers} blocked, {how:?}");
                watched(&what.clone(), LIMIT, move || {
                    let (ticks, who) = longest_wait(&name, workers, blocked, how);
                    assert!(ticks <= TICKS_IN_20_MS, "{what}: {who} waited for {ticks} ticks");
                });
            }
        }
    }
}

#[test]
fn workers_that_sleep_hold_nothing_back() {
    nothing_is_held_back("steal", &["mio", "polling", "poll"], How::Sleeps);
}

#[test]
fn workers_that_spin_hold_nothing_back() {
    nothing_is_held_back("steal", &["mio", "polling", "poll"], How::Spins);
}

/// For how many ticks anybody waited that lay with a blocked worker, while the other one has polls of 1 ms, of two tasks that always
/// yield. Nobody else is there to run them.
fn longest_wait_beside_long_polls(name: &str) -> u64 {
    let runtime = Runtime::from_name(name).unwrap();
    let sentinels = Sentinels::start(2);
    let clock = sentinels.clock();
    all_workers_run(&runtime, 2);
    let gate = Arc::new(Gate::default());
    let (begun, has_begun) = mpsc::channel();
    let over = gate.clone();
    // By one task, so that both have one home, where tasks have one.
    runtime.spawn(async move {
        for _ in 0..2 {
            let (over, begun) = (over.clone(), begun.clone());
            polyloop::spawn(async move {
                while !over.0.load(SeqCst) {
                    spin(Duration::from_millis(1));
                    let _ = begun.send(());
                    polyloop::task::yield_now().await;
                }
            });
        }
    });
    has_begun.recv().unwrap();
    let ((ran, runs), (blocks, is_blocked)) = (mpsc::channel(), mpsc::channel());
    let (held, ticks) = (gate.clone(), clock.clone());
    runtime.spawn(async move {
        for _ in 0..TRAPPED {
            let (ran, ticks) = (ran.clone(), ticks.clone());
            polyloop::spawn(async move { ran.send(ticks.now()).unwrap() });
        }
        blocks.send((ticks.now(), std::thread::current())).unwrap();
        ticks.ignore_this_thread();
        held.block(How::Sleeps);
    });
    let (before, thread) = is_blocked.recv().unwrap();
    let waits = (0..TRAPPED).map(|_| clock.between(&before, &runs.recv().unwrap()));
    let longest = waits.max().unwrap();
    gate.0.store(true, SeqCst);
    thread.unpark();
    longest
}

fn spin(length: Duration) {
    let begun = SystemClock.now();
    while SystemClock.now() - begun < length {
        std::hint::spin_loop();
    }
}

/// After the 20 ms in which it is found out, those who lay there and those who are busy take turns at worst, and each of the latter's
/// turns lasts a tick.
const TURNS_OF_THE_BUSY: u64 = 2 * TRAPPED as u64 + 1;

#[test]
fn siblings_that_are_busy_with_long_polls_hold_nothing_back() {
    let _alone = alone();
    for executor in ["steal", "global", "percore", "fair", "edf"] {
        for policy in ["none", "detect"] {
            let name = format!("{executor}:2,block={policy}");
            watched(&name.clone(), LIMIT, move || {
                let ticks = longest_wait_beside_long_polls(&name);
                println!("{name}: {ticks} ticks");
                assert!(ticks <= TICKS_IN_20_MS + TURNS_OF_THE_BUSY, "{name}: {ticks} ticks");
            });
        }
    }
}

/// Whoever has a queue for each worker has to give it away, and whoever has one for all must not forget to call somebody.
mod schedulers {
    use super::{How, nothing_is_held_back};

    fn both(executor: &str) {
        for how in [How::Sleeps, How::Spins] {
            nothing_is_held_back(executor, &["mio"], how);
        }
    }

    #[test]
    fn global_holds_nothing_back() {
        both("global");
    }

    #[test]
    fn percore_holds_nothing_back() {
        both("percore");
    }

    #[test]
    fn fair_holds_nothing_back() {
        both("fair");
    }

    #[test]
    fn edf_holds_nothing_back() {
        both("edf");
    }
}
