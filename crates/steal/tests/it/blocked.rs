//! Workers that are stuck in a poll: what they had goes to others (C5).

use crate::kit::{StealPool, here, join, no_hang, pool, rounds, sleep, spawn};
use polyloop_core::{JoinHandle, yield_now};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// Keeps workers in a poll until it goes.
struct Blocked {
    release: Vec<mpsc::Sender<()>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Blocks `count` workers of `pool`; each first does `before`.
fn block(pool: &StealPool, count: usize, before: impl Fn() + Clone + Send + 'static) -> Blocked {
    let mut blocked = Blocked { release: Vec::new(), tasks: Vec::new() };
    for _ in 0..count {
        let (begun, has_begun) = mpsc::channel();
        let (release, wait) = mpsc::channel();
        let before = before.clone();
        blocked.tasks.push(spawn(pool, async move {
            before();
            begun.send(()).unwrap();
            let _ = wait.recv();
        }));
        blocked.release.push(release);
        has_begun.recv().expect("there is a worker left to block");
    }
    blocked
}

impl Blocked {
    fn release(self) {
        drop(self.release);
        self.tasks.into_iter().for_each(|task| join(task).unwrap());
    }
}

#[test]
fn what_a_worker_queued_before_it_got_stuck_is_run_by_others() {
    no_hang(|| {
        for blocked in 1..4 {
            let pool = pool(4);
            let (space, ran) = (pool.space().clone(), Arc::new(AtomicUsize::new(0)));
            let counter = ran.clone();
            let blocked_tasks = block(&pool, blocked, move || {
                // One more than the deque shows: the last is in the slot.
                for _ in 0..10 {
                    let counter = counter.clone();
                    space.spawn_detached(
                        async move {
                            counter.fetch_add(1, SeqCst);
                        },
                        here(),
                    );
                }
            });
            while ran.load(SeqCst) < 10 * blocked {
                std::thread::yield_now();
            }
            blocked_tasks.release();
        }
    });
}

#[test]
fn what_a_stuck_worker_queued_is_run_although_its_sibling_is_never_idle() {
    no_hang(|| {
        let pool = pool(2);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let spinning = spawn(&pool, async move {
            while !stopped.load(SeqCst) {
                yield_now().await;
            }
        });
        let (space, ran) = (pool.space().clone(), Arc::new(AtomicBool::new(false)));
        let (running, begun) = (ran.clone(), mpsc::channel());
        let blocked = block(&pool, 1, move || {
            let (running, done) = (running.clone(), begun.0.clone());
            let task = async move {
                running.store(true, SeqCst);
                let _ = done.send(());
            };
            space.spawn_detached(task, here());
        });
        while !ran.load(SeqCst) {
            std::thread::yield_now();
        }
        stop.store(true, SeqCst);
        join(spinning).unwrap();
        blocked.release();
    });
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a bound in real time, with what a sentinel lost added")]
    Instant::now()
}

/// The longest that a thread which only sleeps was late: what the machine itself loses.
struct Sentinel {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Duration>,
}

impl Sentinel {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut lost = Duration::ZERO;
            while !stopped.load(SeqCst) {
                let before = now();
                std::thread::park_timeout(Duration::from_millis(1));
                lost = lost.max(before.elapsed().saturating_sub(Duration::from_millis(1)));
            }
            lost
        });
        Self { stop, thread }
    }

    fn lost(self) -> Duration {
        self.stop.store(true, SeqCst);
        self.thread.join().unwrap()
    }
}

#[test]
fn timers_and_wakes_go_on_within_20_ms_while_k_of_n_workers_block() {
    no_hang(|| {
        for blocked in (1..4).cycle().take(rounds(3, 60)) {
            let pool = pool(4);
            let driver = pool.driver().clone();
            let gaps: Arc<Mutex<Duration>> = Arc::default();
            let stop = Arc::new(AtomicBool::new(false));
            let (longest, stopped) = (gaps.clone(), stop.clone());
            let ticking = spawn(&pool, async move {
                let mut last = now();
                while !stopped.load(SeqCst) {
                    sleep(&driver, Duration::from_millis(1)).await;
                    let gap = std::mem::replace(&mut last, now()).elapsed();
                    let mut longest = longest.lock().unwrap();
                    *longest = gap.max(*longest);
                }
            });
            let sentinel = Sentinel::start();
            let before = now();
            let blocked = block(&pool, blocked, || {});
            while before.elapsed() < Duration::from_millis(150) {
                let asked = now();
                join(spawn(&pool, yield_now())).unwrap();
                let took = asked.elapsed();
                let mut longest = gaps.lock().unwrap();
                *longest = took.max(*longest);
                drop(longest);
                std::thread::park_timeout(Duration::from_millis(1));
            }
            stop.store(true, SeqCst);
            join(ticking).unwrap();
            let (gap, lost) = (*gaps.lock().unwrap(), sentinel.lost());
            blocked.release();
            assert!(gap <= Duration::from_millis(20) + lost, "{gap:?}, with {lost:?} lost by the machine");
        }
    });
}
