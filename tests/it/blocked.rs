//! Some workers, not all, are stuck in a poll: they hold nothing back (C5). A process of its own, so that other tests do not
//! eat the bound.
//!
//! Invariant: the stuck ones wait for a gate, which opens when everything else has been seen to go on. So every round shows
//! exactly that nothing waited for the end of a stuck poll. The 20 ms are asserted beside it, of the median of the rounds of
//! each scene, less what an idle thread lost in the same wait: on a busy machine single waits take longer, with no sentinel
//! late, so that a delay in a minority of rounds is not found by the time. Where the stuck ones spin, the processors are theirs
//! as much as anybody's, and the order alone is judged.

#![forbid(unsafe_code)]

mod sentinel;

use polyloop::sync::Notify;
use polyloop::{Runtime, SystemClock, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use polyloop_core::time::Clock;
use sentinel::Sentinel;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

const BOUND: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_millis(1);
/// How long something may be waited for, so that a failure is the test's and not its time limit's.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many tasks a worker has when it gets stuck: the last one lies in its LIFO slot, the others in its queue.
const QUEUED: usize = 8;
const ROUNDS: usize = 5;

/// How a worker is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stuck {
    Sleep,
    Spin,
}

/// What the stuck workers wait for.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    /// How many have gone through.
    through: AtomicUsize,
}

impl Gate {
    fn pass(&self, how: Stuck) {
        match how {
            Stuck::Sleep => {
                drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
            }
            Stuck::Spin => {
                while !*self.open.lock().unwrap() {
                    for _ in 0..1000 {
                        std::hint::spin_loop();
                    }
                }
            }
        }
        self.through.fetch_add(1, SeqCst);
    }
}

/// Opens the gate when it goes, on a panic too: otherwise the runtime's end would wait for it.
struct Opens(Arc<Gate>);

impl Drop for Opens {
    fn drop(&mut self) {
        *self.0.open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }
}

/// How long each kind of thing was waited for, less what the machine lost meanwhile.
#[derive(Default)]
struct Waits(BTreeMap<&'static str, Vec<Duration>>);

impl Waits {
    /// Waits with `wait`, which says whether it got what it waited for.
    fn wait(&mut self, scene: &str, what: &'static str, wait: impl FnOnce() -> bool) {
        let sentinel = Sentinel::start();
        let before = SystemClock.now();
        let came = wait();
        let took = SystemClock.now() - before;
        let (_, lost) = sentinel.lost();
        assert!(came, "{scene}: {what} waited for a stuck worker");
        self.0.entry(what).or_default().push(took.saturating_sub(lost));
    }

    fn judge(mut self, scene: &str) {
        for (what, times) in self.0.iter_mut().filter(|(_, times)| times.len() >= ROUNDS) {
            times.sort_unstable();
            assert!(times[times.len() / 2] <= BOUND, "{scene}: {what} took {times:?}");
        }
    }
}

fn nothing_is_held_back(scene: &str, name: &str, stuck: usize, how: Stuck) {
    let runtime = Runtime::from_name(name).unwrap();
    // Everything is spawned from outside and nobody is in `block_on`, so that only the workers can help.
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
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut trip = || {
        client.write_all(&[1]).unwrap();
        client.read_exact(&mut [0]).is_ok()
    };
    assert!(trip());
    let (tick, ticks) = mpsc::channel();
    runtime.spawn(async move {
        while tick.send(()).is_ok() {
            time::sleep(TICK).await;
        }
    });

    let mut seen = Waits::default();
    let gate = Arc::<Gate>::default();
    let opens = Opens(gate.clone());
    for _ in 0..stuck {
        let (ran, runs) = mpsc::channel();
        let (bell, woken) = (Arc::new(Notify::new()), ran.clone());
        let (waits, waiting) = mpsc::channel();
        let rung = bell.clone();
        runtime.spawn(async move {
            waits.send(()).unwrap();
            rung.notified().await;
            woken.send(()).unwrap();
        });
        waiting.recv().unwrap();
        // So that it has gone to sleep most of the time.
        block_thread(TICK);
        let (begun, began) = mpsc::channel();
        let gate = gate.clone();
        runtime.spawn(async move {
            bell.notify_one();
            for _ in 0..QUEUED {
                let ran = ran.clone();
                polyloop::spawn(async move { ran.send(()).unwrap() });
            }
            begun.send(()).unwrap();
            gate.pass(how);
        });
        seen.wait(scene, "a task beside those that were stuck before", || {
            began.recv_timeout(PATIENCE).is_ok()
        });
        seen.wait(scene, "what a stuck worker had queued or woken", || {
            (0..=QUEUED).all(|_| runs.recv_timeout(PATIENCE).is_ok())
        });
    }
    for _ in 0..ROUNDS {
        while ticks.try_recv().is_ok() {}
        seen.wait(scene, "a timer", || ticks.recv_timeout(PATIENCE).is_ok());
        seen.wait(scene, "a socket", &mut trip);
        let (bell, (ran, runs)) = (Arc::new(Notify::new()), mpsc::channel());
        let rung = bell.clone();
        runtime.spawn(async move {
            ran.send(()).unwrap();
            rung.notified().await;
            ran.send(()).unwrap();
        });
        seen.wait(scene, "a task spawned from outside", || runs.recv_timeout(PATIENCE).is_ok());
        bell.notify_one();
        seen.wait(scene, "a task woken from outside", || runs.recv_timeout(PATIENCE).is_ok());
    }
    assert_eq!(gate.through.load(SeqCst), 0, "{scene}: nobody is to be released before the others are done");
    drop(opens);
    if how == Stuck::Sleep {
        seen.judge(scene);
    }
}

/// One after the other, so that they do not disturb each other.
fn on_every_reactor_and_policy(how: Stuck) {
    for reactor in ["mio", "polling", "poll"] {
        for policy in ["none", "detect", "handoff"] {
            for (workers, stuck) in [(2, 1), (4, 1), (4, 2), (4, 3)] {
                let name = format!("steal:{workers}+{reactor},block={policy}");
                let scene = format!("{name}, {stuck} in {how:?}");
                watched(&scene.clone(), 4 * LIMIT, move || nothing_is_held_back(&scene, &name, stuck, how));
            }
        }
    }
}

#[test]
fn workers_that_sleep_or_spin_hold_nothing_back() {
    on_every_reactor_and_policy(Stuck::Sleep);
    on_every_reactor_and_policy(Stuck::Spin);
}
