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

/// A stretch of time.
type Span = (Instant, Instant);

/// Threads that only sleep, as many as there are workers, and when they were late: what the machine itself loses.
struct Sentinels {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<Vec<Span>>>,
}

impl Sentinels {
    fn start(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = |stopped: Arc<AtomicBool>| {
            let mut late = Vec::new();
            while !stopped.load(SeqCst) {
                let due = now() + Duration::from_millis(1);
                std::thread::park_timeout(Duration::from_millis(1));
                late.push((due, now()));
            }
            late
        };
        let start = |_| {
            let stopped = stop.clone();
            std::thread::spawn(move || watch(stopped))
        };
        let threads = (0..count).map(start).collect();
        Self { stop, threads }
    }

    fn late(self) -> Vec<Span> {
        self.stop.store(true, SeqCst);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

/// How much of what was lost falls into `gap`: what was lost at other times excuses nothing.
fn lost_in(gap: Span, late: &[Span]) -> Duration {
    late.iter().map(|(from, to)| gap.1.min(*to).saturating_duration_since(gap.0.max(*from))).sum()
}

/// Blocks `blocked` of four workers for a while: the longest that a timer or a task kept waiting, less what the machine lost
/// meanwhile.
fn longest_gap(blocked: usize) -> Duration {
    let pool = pool(4);
    let driver = pool.driver().clone();
    let gaps: Arc<Mutex<Vec<Span>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let (ticks, stopped) = (gaps.clone(), stop.clone());
    let ticking = spawn(&pool, async move {
        let mut last = now();
        while !stopped.load(SeqCst) {
            sleep(&driver, Duration::from_millis(1)).await;
            let from = std::mem::replace(&mut last, now());
            ticks.lock().unwrap().push((from, last));
        }
    });
    let sentinels = Sentinels::start(pool.workers());
    let before = now();
    let blocked = block(&pool, blocked, || {});
    while before.elapsed() < Duration::from_millis(150) {
        let asked = now();
        join(spawn(&pool, yield_now())).unwrap();
        gaps.lock().unwrap().push((asked, now()));
        std::thread::park_timeout(Duration::from_millis(1));
    }
    stop.store(true, SeqCst);
    join(ticking).unwrap();
    let late = sentinels.late();
    blocked.release();
    let gaps = gaps.lock().unwrap();
    gaps.iter().map(|gap| (gap.1 - gap.0).saturating_sub(lost_in(*gap, &late))).max().unwrap_or_default()
}

#[test]
fn timers_and_wakes_go_on_within_20_ms_while_k_of_n_workers_block() {
    no_hang(|| {
        for blocked in (1..4).cycle().take(rounds(3, 60)) {
            // A busy machine keeps now and then a worker waiting and no sentinel; what the pool itself keeps waiting it does
            // each time.
            let gaps: Vec<_> = (0..3).map(|_| longest_gap(blocked)).collect();
            let shortest = gaps.iter().min();
            assert!(shortest <= Some(&Duration::from_millis(20)), "{blocked} of 4 blocked: {gaps:?}");
        }
    });
}
