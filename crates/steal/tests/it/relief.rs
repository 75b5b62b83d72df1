//! All workers are stuck: a fresh one takes a place, or none does, as the policy says (C6).

use crate::kit::{StealPool, driver, here, join, no_hang, rounds, sleep, spawn, start_with};
use crate::stuck::{Way, block, in_a_read, in_small_sleeps, on_a_channel, on_a_lock, spinning};
use polyloop_core::yield_now;
use polyloop_pool::{BlockPolicy, Config, Relief, try_block_in_place};
use std::cell::Cell;
use std::io::{Write, stderr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Long enough for relief to have come, were it to come.
const LONG: Duration = Duration::from_millis(120);

fn config(workers: usize, block: BlockPolicy) -> Config {
    Config::new(NonZeroUsize::new(workers).unwrap()).block(block)
}

fn pool(workers: usize, block: BlockPolicy) -> StealPool {
    start_with(config(workers, block), driver())
}

fn quick(max_threads: usize) -> BlockPolicy {
    BlockPolicy::HandOff { after: Duration::from_millis(1), max_threads }
}

/// Waits until `done`, which is the structure that a test asserts; the watchdog is the bound.
fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Whether a fresh task and a 5 ms timer end while the workers are stuck.
fn goes_on(pool: &StealPool) -> bool {
    let (done, wait) = mpsc::channel();
    let driver = pool.driver().clone();
    drop(spawn(pool, async move {
        sleep(&driver, Duration::from_millis(5)).await;
        let _ = done.send(());
    }));
    wait.recv_timeout(Duration::from_secs(20)).is_ok()
}

#[test]
fn with_all_workers_blocked_a_fresh_one_takes_a_place() {
    for way in [on_a_channel as Way, in_a_read, on_a_lock, in_small_sleeps] {
        for workers in [1, 2, 4] {
            no_hang(move || {
                let pool = pool(workers, BlockPolicy::HAND_OFF);
                let stuck = block(&pool, workers, way);
                assert!(goes_on(&pool));
                // Marked and counted by the monitor, after the fresh worker has begun.
                until(|| pool.relief().hand_offs >= 1);
                stuck.release();
                until(|| pool.relief().relieved == 0);
            });
        }
    }
}

#[test]
fn with_all_workers_blocked_and_no_policy_nobody_runs() {
    for workers in [1, 2, 4] {
        no_hang(move || {
            let pool = pool(workers, BlockPolicy::None);
            let stuck = block(&pool, workers, on_a_channel);
            let ran = Arc::new(AtomicBool::new(false));
            let running = ran.clone();
            let ready = spawn(&pool, async move { running.store(true, SeqCst) });
            std::thread::park_timeout(LONG);
            assert!(!ran.load(SeqCst));
            assert_eq!(pool.relief(), Relief::default());
            stuck.release();
            join(ready).unwrap();
        });
    }
}

#[test]
fn what_was_queued_behind_the_blocked_polls_is_run_by_the_fresh_worker() {
    no_hang(|| {
        for _ in 0..rounds(5, 200) {
            let pool = pool(2, quick(8));
            let (space, ran) = (pool.space().clone(), Arc::new(AtomicUsize::new(0)));
            let stuck: Vec<_> = (0..2)
                .map(|_| {
                    let (space, ran) = (space.clone(), ran.clone());
                    let (wait, release) = on_a_channel();
                    let task = spawn(&pool, async move {
                        // The last one is in the slot.
                        for _ in 0..10 {
                            let ran = ran.clone();
                            let run = async move {
                                ran.fetch_add(1, SeqCst);
                            };
                            space.spawn_detached(run, here());
                        }
                        wait();
                    });
                    (task, release)
                })
                .collect();
            until(|| ran.load(SeqCst) == 20);
            for (task, release) in stuck {
                release.0();
                join(task).unwrap();
            }
        }
    });
}

#[test]
fn for_workers_that_compute_there_is_one_more_thread() {
    no_hang(|| {
        let pool = pool(2, quick(8));
        let stuck = block(&pool, 2, spinning);
        assert!(goes_on(&pool));
        // Also the one that came computes now.
        let third = block(&pool, 1, spinning);
        std::thread::park_timeout(LONG);
        let relief = pool.relief();
        assert_eq!((relief.hand_offs, relief.relieved), (1, 1));
        third.release();
        stuck.release();
        until(|| pool.relief().relieved == 0);
    });
}

#[test]
fn nobody_is_replaced_while_a_worker_is_free() {
    no_hang(|| {
        let pool = pool(4, BlockPolicy::HAND_OFF);
        let stuck = block(&pool, 3, on_a_channel);
        // A free worker that the machine does not let run is none: a busy one may have had to replace somebody until then.
        until(|| pool.gauges().staff().asleep > 0);
        let before = pool.relief().hand_offs;
        std::thread::park_timeout(LONG);
        assert_eq!(pool.relief().hand_offs, before);
        assert!(goes_on(&pool));
        stuck.release();
    });
}

#[test]
fn a_worker_that_comes_back_waits_on_standby_and_is_the_next_to_take_a_place() {
    no_hang(|| {
        let pool = pool(1, quick(1));
        for round in 1..=5 {
            let stuck = block(&pool, 1, on_a_channel);
            until(|| pool.relief().relieved == 1);
            assert_eq!(pool.relief(), counts(round, 0, 1, 0));
            stuck.release();
            until(|| pool.relief().standby == 1);
            assert_eq!(pool.relief(), counts(round, 0, 0, 1));
        }
    });
}

fn counts(hand_offs: u64, refused: u64, relieved: usize, standby: usize) -> Relief {
    let mut relief = Relief::default();
    (relief.hand_offs, relief.refused) = (hand_offs, refused);
    (relief.relieved, relief.standby) = (relieved, standby);
    relief
}

#[test]
fn a_thread_on_standby_ends_when_the_pool_has_been_at_rest() {
    no_hang(|| {
        let pool = pool(1, quick(2));
        block_once(&pool);
        assert_eq!(pool.relief().standby, 1);
        // After the monitor's linger of a second without work.
        until(|| pool.relief().standby == 0);
        // And its seat can be taken again.
        block_once(&pool);
        block_once(&pool);
        assert!(goes_on(&pool));
    });
}

/// Blocks the one worker of `pool` until it is relieved and back.
fn block_once(pool: &StealPool) {
    let stuck = block(pool, 1, on_a_channel);
    until(|| pool.relief().relieved == 1);
    stuck.release();
    until(|| pool.relief().relieved == 0);
}

#[test]
fn at_the_cap_the_pool_waits_as_without_a_policy_and_goes_on_afterwards() {
    no_hang(|| {
        let pool = pool(1, quick(2));
        let stuck = block(&pool, 3, on_a_channel);
        until(|| pool.relief().refused > 0);
        let relief = pool.relief();
        assert_eq!((relief.hand_offs, relief.relieved), (2, 2));
        let ran = Arc::new(AtomicBool::new(false));
        let running = ran.clone();
        let ready = spawn(&pool, async move { running.store(true, SeqCst) });
        std::thread::park_timeout(LONG);
        assert!(!ran.load(SeqCst));
        stuck.release();
        join(ready).unwrap();
    });
}

#[test]
fn a_kernel_that_refuses_threads_costs_nothing_but_the_relief_and_is_asked_again() {
    no_hang(|| {
        let refuse = Arc::new(AtomicBool::new(false));
        let refusing = refuse.clone();
        let mut config = config(1, quick(2));
        config.start_thread = Arc::new(move |thread, main| match refusing.load(SeqCst) {
            true => Err(std::io::ErrorKind::WouldBlock.into()),
            false => thread.spawn(main).map(drop),
        });
        let pool = start_with(config, driver());
        refuse.store(true, SeqCst);
        let stuck = block(&pool, 1, on_a_channel);
        until(|| pool.relief().refused > 3);
        assert_eq!(pool.relief().hand_offs, 0);
        assert_eq!(pool.relief().relieved, 0, "nobody is told to go without another one in his place");
        refuse.store(false, SeqCst);
        assert!(goes_on(&pool));
        stuck.release();
    });
}

#[test]
fn the_name_of_a_thread_that_the_kernel_refuses_is_given_back() {
    no_hang(|| {
        let refusals = AtomicUsize::new(0);
        let (back, given_back) = mpsc::channel();
        let mut config = config(1, quick(2));
        config.name_unused = Arc::new(move |index, name| back.send((index, name)).unwrap());
        config.start_thread = Arc::new(move |thread, main| match refusals.fetch_add(1, SeqCst) {
            // The first one is the worker's.
            1 | 2 => Err(std::io::ErrorKind::WouldBlock.into()),
            _ => thread.spawn(main).map(drop),
        });
        let pool = start_with(config, driver());
        let stuck = block(&pool, 1, on_a_channel);
        assert!(goes_on(&pool));
        stuck.release();
        let unused = (1, "poly-worker-1".to_owned());
        assert_eq!(given_back.try_iter().collect::<Vec<_>>(), [unused.clone(), unused]);
    });
}

#[test]
fn a_starter_that_panics_is_a_refusal() {
    no_hang(|| {
        let first = AtomicBool::new(true);
        let mut config = config(1, quick(2));
        config.thread_name = Arc::new(move |index| {
            assert!(index == 0 || !first.swap(false, SeqCst), "no name for the first relief");
            format!("worker-{index}")
        });
        let pool = start_with(config, driver());
        let stuck = block(&pool, 1, on_a_channel);
        assert!(goes_on(&pool));
        assert!(pool.relief().refused >= 1);
        stuck.release();
    });
}

#[test]
fn a_starter_that_panics_with_the_thread_in_its_hands_is_a_refusal() {
    no_hang(|| {
        let starts = AtomicUsize::new(0);
        let mut config = config(1, quick(2));
        config.start_thread = Arc::new(move |thread, main| {
            assert_ne!(starts.fetch_add(1, SeqCst), 1, "no thread for the first relief");
            thread.spawn(main).map(drop)
        });
        let pool = start_with(config, driver());
        let stuck = block(&pool, 1, on_a_channel);
        assert!(goes_on(&pool));
        assert!(pool.relief().refused >= 1);
        stuck.release();
    });
}

#[test]
fn a_panic_in_a_poll_that_was_relieved_ends_only_its_task() {
    no_hang(|| {
        for _ in 0..rounds(10, 300) {
            let pool = pool(1, quick(2));
            let (wait, release) = on_a_channel();
            let task = spawn(&pool, async move {
                wait();
                panic!("after the relief");
            });
            until(|| pool.relief().relieved == 1);
            release.0();
            assert!(join(task).unwrap_err().is_panic());
            until(|| pool.relief().standby == 1);
            assert!(goes_on(&pool));
            assert_eq!(pool.shut_down(Duration::from_secs(30)).stuck, []);
        }
    });
}

#[test]
fn a_shutdown_at_any_moment_of_a_relief_leaves_nobody_behind() {
    no_hang(|| {
        for round in 0..rounds(60, 3_000) {
            let pool = pool(1 + round % 2, quick(4));
            let stuck = block(&pool, 1 + round % 2, on_a_channel);
            let left = spawn(&pool, std::future::pending::<()>());
            // Between "not seen yet" and "on standby again".
            std::thread::park_timeout(Duration::from_micros(round as u64 * 97 % 3_000));
            let releasing = std::thread::spawn(move || {
                std::thread::park_timeout(Duration::from_micros(round as u64 * 31 % 1_000));
                stuck.releases.into_iter().for_each(|release| release.0());
                stuck.tasks
            });
            assert_eq!(pool.shut_down(Duration::from_secs(30)).stuck, []);
            assert!(join(left).unwrap_err().is_cancelled());
            releasing.join().unwrap().into_iter().for_each(|task| drop(join(task)));
            assert_eq!(pool.space().live_tasks(), 0);
        }
    });
}

thread_local! {
    static MINE: Cell<u64> = const { Cell::new(0) };
}

#[test]
fn the_blocked_poll_keeps_its_thread_and_its_thread_locals() {
    no_hang(|| {
        let pool = pool(1, quick(2));
        let (wait, release) = on_a_channel();
        let (other, others) = mpsc::channel();
        let space = pool.space().clone();
        let task = spawn(&pool, async move {
            MINE.set(7);
            let thread = std::thread::current().id();
            let tell = async move { other.send((MINE.replace(8), std::thread::current().id())).unwrap() };
            space.spawn_detached(tell, here());
            wait();
            assert_eq!(MINE.get(), 7);
            assert_eq!(std::thread::current().id(), thread);
            thread
        });
        let (seen, elsewhere) = others.recv().unwrap();
        assert_eq!(seen, 0);
        release.0();
        assert_ne!(join(task).unwrap(), elsewhere);
    });
}

#[test]
fn what_a_relieved_poll_wakes_and_spawns_before_it_ends_is_run() {
    no_hang(|| {
        for _ in 0..rounds(20, 500) {
            let pool = pool(1, quick(2));
            let (wait, release) = on_a_channel();
            let (done, all_done) = mpsc::channel();
            let space = pool.space().clone();
            let task = spawn(&pool, async move {
                wait();
                for _ in 0..5 {
                    let done = done.clone();
                    space.spawn_detached(async move { done.send(()).unwrap() }, here());
                }
                // It is ready again when its poll ends.
                yield_now().await;
            });
            until(|| pool.relief().relieved == 1);
            release.0();
            join(task).unwrap();
            assert_eq!(all_done.iter().count(), 5);
        }
    });
}

/// The hand-over itself, again and again, with relief and the end of the blocked poll at about the same time. Where the monitor is slow,
/// as on busy cores, most polls end unseen, so a pool may see fewer than the four hundred it tries for. One is enough for the short form,
/// and none under a sanitizer; the long one wants a hundred thousand. They fail if ten pools or a thousand are too few.
#[test]
fn relief_races_the_end_of_the_blocked_poll() {
    const EACH: u64 = 400;
    const TRIES: usize = 4_000;
    // Set by `cargo xtask tsan`.
    let is_sanitized = std::env::var_os("TSAN_OPTIONS").is_some();
    let (all, least) = (Arc::new(AtomicUsize::new(0)), rounds(usize::from(!is_sanitized), 100_000));
    for round in 1..=rounds(10, 1_000) {
        let seen = all.load(SeqCst);
        if round % 25 == 0 {
            // The harness keeps what `println!` says until the end.
            _ = writeln!(stderr(), "{seen} hand-offs of {least}, after {} pools", round - 1);
        }
        if round > 1 && seen >= least {
            break;
        }
        let all = all.clone();
        no_hang(move || {
            let after = Duration::from_micros(200);
            let pool = pool(2, BlockPolicy::HandOff { after, max_threads: 6 });
            let driver = pool.driver().clone();
            let ticks = Arc::new(AtomicUsize::new(0));
            let (ticking, stop) = (ticks.clone(), Arc::new(AtomicBool::new(false)));
            let stopped = stop.clone();
            let ticker = spawn(&pool, async move {
                while !stopped.load(SeqCst) {
                    sleep(&driver, Duration::from_micros(300)).await;
                    ticking.fetch_add(1, SeqCst);
                }
            });
            let mut length = 0;
            for _ in 0..TRIES {
                if pool.relief().hand_offs >= EACH {
                    break;
                }
                let tasks: Vec<_> = (0..4)
                    .map(|_| {
                        // About as long as it takes to be noticed.
                        length = (length + 37) % 600;
                        let nap = Duration::from_micros(200 + length);
                        spawn(&pool, async move {
                            yield_now().await;
                            std::thread::park_timeout(nap);
                            yield_now().await;
                        })
                    })
                    .collect();
                tasks.into_iter().for_each(|task| join(task).unwrap());
            }
            stop.store(true, SeqCst);
            join(ticker).unwrap();
            assert!(ticks.load(SeqCst) > 0);
            until(|| pool.relief().relieved == 0);
            all.fetch_add(usize::try_from(pool.relief().hand_offs).unwrap(), SeqCst);
        });
    }
    let all = all.load(SeqCst);
    println!("{all} hand-offs");
    assert!(all >= least, "{all} hand-offs: the polls end unseen");
}

#[test]
fn block_in_place_lets_the_others_go_on_at_once_and_under_every_policy() {
    for policy in [BlockPolicy::None, BlockPolicy::HAND_OFF] {
        no_hang(move || {
            let pool = pool(1, policy);
            for _ in 0..rounds(200, 100_000) {
                let (space, (tell, told)) = (pool.space().clone(), mpsc::channel());
                let answer = spawn(&pool, async move {
                    // What was queued before, and what is spawned within, runs while this thread waits for it.
                    let before = tell.clone();
                    space.spawn_detached(async move { before.send(1).unwrap() }, here());
                    let wait = || {
                        let within = async move { tell.send(10).unwrap() };
                        space.spawn_detached(within, here());
                        told.iter().sum::<u32>()
                    };
                    let sum = try_block_in_place(wait).unwrap();
                    yield_now().await;
                    sum
                });
                assert_eq!(join(answer).unwrap(), 11);
            }
            until(|| pool.relief().relieved == 0);
            assert!(pool.relief().standby >= 1);
        });
    }
}

#[test]
fn block_in_place_gives_the_closure_back_when_no_thread_can_be_had() {
    no_hang(|| {
        let mut config = config(1, BlockPolicy::None);
        config.spare = 0;
        let pool = start_with(config, driver());
        let refused = spawn(&pool, async {
            try_block_in_place(|| 5).map_err(|error| ((error.f)(), error.to_string()))
        });
        let (value, said) = join(refused).unwrap().unwrap_err();
        assert_eq!(value, 5);
        assert!(said.contains("beyond the workers"), "{said}");
    });
}

#[test]
fn block_in_place_that_panics_ends_only_its_task() {
    no_hang(|| {
        let pool = pool(1, BlockPolicy::None);
        let panicking = spawn(&pool, async { try_block_in_place(|| panic!("within")).unwrap_or(()) });
        assert!(join(panicking).unwrap_err().is_panic());
        assert!(goes_on(&pool));
        until(|| pool.relief().relieved == 0);
    });
}

#[test]
fn elsewhere_block_in_place_is_a_call() {
    assert_eq!(try_block_in_place(|| 3).unwrap(), 3);
}
