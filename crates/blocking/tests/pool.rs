//! The blocking pool: nothing is forgotten, whatever goes wrong.
//!
//! The jobs here meet over channels and barriers, so that nothing depends on how fast they are. Whoever waits for what must not
//! happen for ever has [`PATIENCE`], which only a failure uses up.

#![forbid(unsafe_code)]

use polyloop_blocking::{BlockingPool, Closed, Limits, Report, while_waiting};
use polyloop_core::time::Instant;
use polyloop_core::{Driver, JoinError, JoinHandle, Meta, Sleep};
use polyloop_fifo::Fifo;
use polyloop_time::{Heap, ManualClock, SystemClock};
use std::future::{Future, poll_fn};
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

fn driver() -> Arc<Driver> {
    Driver::new(polyloop_reactor::ALL[0].1().unwrap(), Box::new(Heap::new()), Arc::new(SystemClock))
}

fn pool(threads: usize) -> BlockingPool {
    BlockingPool::new(driver(), Limits { threads, ..Limits::default() })
}

#[track_caller]
fn block_on<F: Future>(future: F) -> F::Output {
    Fifo::new(driver()).try_block_on(future, Meta::new(Location::caller())).unwrap()
}

fn join<T>(handle: JoinHandle<T>) -> Result<T, JoinError> {
    block_on(handle)
}

/// Waits until `is` holds, which it does in the end.
fn eventually(is: impl Fn() -> bool) {
    for _ in 0..PATIENCE.as_millis() {
        if is() {
            return;
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    panic!("it never came about");
}

/// A job that says when it has begun and goes on when it is told to.
struct Held {
    handle: JoinHandle<()>,
    release: Sender<()>,
}

fn hold(pool: &BlockingPool) -> Held {
    let (begun, has_begun) = channel();
    let (release, released) = channel();
    let handle = pool.spawn(move || {
        begun.send(()).unwrap();
        let _ = released.recv();
    });
    has_begun.recv_timeout(PATIENCE).unwrap();
    Held { handle, release }
}

fn recv<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(PATIENCE).expect("it comes soon")
}

#[test]
fn a_job_returns_its_value_to_the_joiner() {
    assert_eq!(join(pool(1).spawn(|| 6 * 7)).unwrap(), 42);
}

#[test]
fn jobs_of_one_thread_run_in_the_order_of_their_spawns() {
    let pool = pool(1);
    let first = hold(&pool);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handles: Vec<_> = (0..100)
        .map(|number| {
            let seen = Arc::clone(&seen);
            pool.spawn(move || seen.lock().unwrap().push(number))
        })
        .collect();
    assert_eq!(pool.metrics().queued, 100);
    first.release.send(()).unwrap();
    for handle in handles {
        join(handle).unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn as_many_jobs_as_the_limit_run_side_by_side() {
    let pool = pool(8);
    let all = Arc::new(Barrier::new(8));
    // The first time the threads have to be started, later they rest, and are called one after the other.
    for _ in 0..100 {
        let handles: Vec<_> = (0..8)
            .map(|_| {
                let all = Arc::clone(&all);
                pool.spawn(move || all.wait())
            })
            .collect();
        for handle in handles {
            join(handle).unwrap();
        }
        assert_eq!(pool.metrics().threads, 8);
        eventually(|| pool.metrics().idle == 8);
    }
}

#[test]
fn a_thousand_jobs_share_two_threads() {
    let pool = pool(2);
    let at_once = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..1000)
        .map(|number| {
            let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
            pool.spawn(move || {
                most.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::yield_now();
                at_once.fetch_sub(1, SeqCst);
                number
            })
        })
        .collect();
    let sum: usize = block_on(async {
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 999 * 1000 / 2);
    assert!(most.load(SeqCst) <= 2 && pool.metrics().threads <= 2);
}

#[test]
fn a_panic_reaches_the_joiner_and_the_thread_lives_on() {
    let pool = pool(1);
    let name = join(pool.spawn(|| thread::current().name().map(String::from))).unwrap();
    let error = join(pool.spawn(|| panic!("on purpose"))).map(|(): ()| ()).unwrap_err();
    assert_eq!(error.into_panic().downcast_ref(), Some(&"on purpose"));
    let after = join(pool.spawn(|| thread::current().name().map(String::from))).unwrap();
    assert_eq!((name.as_deref(), after.as_deref()), (Some("poly-block-1"), Some("poly-block-1")));
}

#[test]
fn a_job_aborted_before_it_begins_never_runs() {
    let pool = pool(1);
    let first = hold(&pool);
    let ran = Arc::new(AtomicBool::new(false));
    let second = pool.spawn({
        let ran = Arc::clone(&ran);
        move || ran.store(true, SeqCst)
    });
    second.abort();
    first.handle.abort();
    first.release.send(()).unwrap();
    join(first.handle).expect("a job that has begun runs to its end");
    assert!(join(second).unwrap_err().is_cancelled());
    assert!(!ran.load(SeqCst));
}

#[test]
fn a_dropped_handle_detaches_the_job() {
    let pool = pool(1);
    let (done, is_done) = channel();
    drop(pool.spawn(move || done.send(()).unwrap()));
    recv(&is_done);
}

#[test]
fn a_job_knows_where_it_was_spawned() {
    let here = Location::caller();
    let pool = pool(1);
    let held = hold(&pool);
    let meta = pool.spawn(|| {}).meta().unwrap();
    assert_eq!(meta.location.file(), here.file());
    assert_eq!(meta.location.line(), here.line() + 3);
    held.release.send(()).unwrap();
}

/// A pool whose `nth` thread and all after it are refused with `code`.
fn refusing(nth: usize, code: i32) -> BlockingPool {
    let started = AtomicUsize::new(0);
    let limits = Limits { threads: 4, ..Limits::default() };
    BlockingPool::with_threads_from(
        driver(),
        limits,
        Box::new(move |name, main| {
            if started.fetch_add(1, SeqCst) >= nth {
                return Err(io::Error::from_raw_os_error(code));
            }
            thread::Builder::new().name(name).spawn(main).map(drop)
        }),
    )
}

/// `EAGAIN`, what `RLIMIT_NPROC` says.
const EAGAIN: i32 = 11;

#[test]
fn bug_27_a_refused_first_thread_fails_the_job_with_the_reason() {
    let pool = refusing(0, EAGAIN);
    for _ in 0..3 {
        let error = join(pool.spawn(|| ())).unwrap_err();
        assert!(error.is_no_thread(), "{error}");
        let reason = io::Error::from_raw_os_error(EAGAIN).to_string();
        assert!(error.to_string().contains(&reason), "{error}");
    }
    assert_eq!(pool.metrics().threads, 0);
    assert_eq!(pool.metrics().queued, 0);
}

#[test]
fn bug_27_the_systems_own_refusal_is_the_reason() {
    let limits = Limits::default();
    let start = |name, main: Box<dyn FnOnce() + Send>| {
        // No address space is as large.
        thread::Builder::new().name(name).stack_size(1 << 50).spawn(main).map(drop)
    };
    let pool = BlockingPool::with_threads_from(driver(), limits, Box::new(start));
    assert!(join(pool.spawn(|| ())).unwrap_err().is_no_thread());
}

/// A pool whose `nth` thread goes wrong in this way; the others come.
fn with_bad_thread(
    nth: usize,
    bad: impl Fn(Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync + 'static,
) -> BlockingPool {
    let started = AtomicUsize::new(0);
    let start = move |name, main| match started.fetch_add(1, SeqCst) {
        number if number == nth => bad(main),
        _ => thread::Builder::new().name(name).spawn(main).map(drop),
    };
    let limits = Limits { threads: 4, ..Limits::default() };
    BlockingPool::with_threads_from(driver(), limits, Box::new(start))
}

/// On a thread that ends before it has come to the pool: a hook of its start has panicked.
fn dies(main: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    let dying = move || {
        let _main = main;
        panic!("as the test wants it");
    };
    thread::Builder::new().spawn(dying).map(drop)
}

fn panics(_: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    panic!("as the test wants it");
}

fn forgets(_: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    Ok(())
}

/// The ways in which a thread does not come, although nobody has refused it.
const BAD: [Start; 3] = [dies, panics, forgets];
type Start = fn(Box<dyn FnOnce() + Send>) -> io::Result<()>;

#[test]
fn a_job_whose_thread_ends_before_it_begins_is_told_that_there_is_none() {
    for bad in BAD {
        let pool = with_bad_thread(0, bad);
        let job = pool.spawn(|| ());
        eventually(|| job.is_finished());
        let error = join(job).unwrap_err();
        assert!(error.is_no_thread(), "{error}");
        assert_eq!((pool.metrics().threads, pool.metrics().idle), (0, 0));
        assert_eq!(join(pool.spawn(|| 7)).unwrap(), 7, "the next one comes");
        assert_eq!(pool.shutdown(PATIENCE).running, 0);
        assert_eq!(pool.metrics().threads, 0);
    }
}

#[test]
fn beside_another_thread_one_that_ends_before_it_begins_only_costs_time() {
    for bad in BAD {
        let pool = with_bad_thread(1, bad);
        let first = hold(&pool);
        let second = pool.spawn(|| 2);
        eventually(|| pool.metrics().threads == 1);
        first.release.send(()).unwrap();
        assert_eq!(join(second).unwrap(), 2);
    }
}

#[test]
fn bug_27_with_one_thread_a_refused_second_one_only_costs_time() {
    let pool = refusing(1, EAGAIN);
    let first = hold(&pool);
    let second = pool.spawn(|| 2);
    assert_eq!(pool.metrics().threads, 1);
    assert!(!second.is_finished());
    first.release.send(()).unwrap();
    assert_eq!(join(second).unwrap(), 2);
}

#[test]
fn bug_27_in_a_pool_of_one_a_job_may_wait_for_another() {
    let pool = Arc::new(pool(1));
    let nested = {
        let pool = Arc::clone(&pool);
        move || {
            // Three deep: each of them waits for the next.
            while_waiting(|| {
                let inner = Arc::clone(&pool);
                join(pool.spawn(move || while_waiting(|| join(inner.spawn(|| 3)).unwrap() + 2))).unwrap() + 1
            })
        }
    };
    let (done, result) = channel();
    drop(pool.spawn(move || done.send(nested()).unwrap()));
    assert_eq!(recv(&result), 6);
    eventually(|| pool.metrics().threads <= 1);
}

#[test]
fn bug_27_where_all_wait_and_no_thread_is_to_be_had_the_waiting_end_with_an_error() {
    let pool = Arc::new(refusing(1, EAGAIN));
    let (done, result) = channel();
    let outer = {
        let pool = Arc::clone(&pool);
        move || {
            // The job is queued, for this thread to do later, until it says that it waits for it.
            let inner = pool.spawn(|| ());
            done.send(while_waiting(|| join(inner))).unwrap();
        }
    };
    drop(pool.spawn(outer));
    assert!(recv(&result).unwrap_err().is_no_thread());
}

#[test]
fn a_job_may_block_on_a_future() {
    assert_eq!(join(pool(1).spawn(|| block_on(async { 5 }))).unwrap(), 5);
}

#[test]
fn try_spawn_says_saturated_and_gives_the_closure_back() {
    let pool = pool(2);
    let held = [hold(&pool), hold(&pool)];
    let refused = pool.try_spawn(|| 7).unwrap_err();
    assert_eq!(refused.to_string(), "every thread of the blocking pool is at work");
    for held in held {
        held.release.send(()).unwrap();
        join(held.handle).unwrap();
    }
    eventually(|| pool.metrics().idle == 2);
    assert_eq!(join(pool.try_spawn(refused.0).unwrap()).unwrap(), 7);
}

#[test]
fn try_spawn_gives_each_place_away_once() {
    let pool = Arc::new(pool(4));
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let taken: usize = thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|_| {
                let (pool, released) = (Arc::clone(&pool), Arc::clone(&released));
                scope.spawn(move || {
                    let job = move || {
                        let _ = released.lock().unwrap().recv();
                    };
                    (0..50).filter(|_| pool.try_spawn(job.clone()).is_ok()).count()
                })
            })
            .collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).sum()
    });
    assert_eq!(taken, 4);
    // The threads of the last ones may just be starting.
    eventually(|| pool.metrics().queued == 0);
    drop(release);
}

#[test]
fn an_idle_thread_goes_after_its_keep_alive_and_another_comes() {
    let limits = Limits { threads: 4, keep_alive: Duration::from_millis(5) };
    let pool = BlockingPool::new(driver(), limits);
    let name = || thread::current().name().map(String::from);
    assert_eq!(join(pool.spawn(name)).unwrap().as_deref(), Some("poly-block-1"));
    eventually(|| pool.metrics().threads == 0);
    assert_eq!(join(pool.spawn(name)).unwrap().as_deref(), Some("poly-block-2"));
}

#[test]
fn bug_28_no_job_is_lost_between_a_thread_that_goes_and_one_that_comes() {
    // Without a keep-alive every job meets a thread on its way out; nobody else comes by who could find the job later.
    let limits = Limits { threads: 2, keep_alive: Duration::ZERO };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let pool = BlockingPool::new(driver(), limits);
                for number in 0..5000 {
                    let (done, is_done) = channel();
                    drop(pool.spawn(move || done.send(number).unwrap()));
                    assert_eq!(recv(&is_done), number);
                }
                eventually(|| pool.metrics().threads == 0);
            });
        }
    });
}

#[test]
fn shutdown_waits_for_what_runs_and_cancels_what_waits() {
    let pool = pool(1);
    let first = hold(&pool);
    let dropped = Arc::new(());
    let second = pool.spawn({
        let dropped = Arc::clone(&dropped);
        move || drop(dropped)
    });
    let report = thread::scope(|scope| {
        let shutdown = scope.spawn(|| pool.shutdown(PATIENCE));
        assert!(join(second).unwrap_err().is_cancelled());
        assert_eq!(Arc::strong_count(&dropped), 1);
        first.release.send(()).unwrap();
        shutdown.join().unwrap()
    });
    assert_eq!(report, Report { cancelled: 1, finished: 1, running: 0 });
    assert_eq!(pool.metrics().threads, 0);
    join(first.handle).unwrap();
}

#[test]
fn shutdown_leaves_a_stuck_job_behind() {
    let pool = pool(2);
    let stuck = hold(&pool);
    let report = pool.shutdown(Duration::from_millis(5));
    assert_eq!(report, Report { cancelled: 0, finished: 0, running: 1 });
    assert!(join(pool.spawn(|| ())).unwrap_err().is_cancelled());
    // Its outcome still reaches whoever waits for it.
    stuck.release.send(()).unwrap();
    join(stuck.handle).unwrap();
}

#[test]
fn a_job_that_must_run_outlives_the_shutdown_and_one_that_comes_later_is_refused() {
    let pool = pool(1);
    let held = hold(&pool);
    let meta = || Meta::new(Location::caller());
    let (must, may) = (pool.spawn_mandatory(|| 7, meta()).unwrap(), pool.spawn(|| 8));
    assert_eq!(pool.finish(Duration::ZERO), 1);
    assert_eq!(pool.shutdown(Duration::ZERO), Report { cancelled: 1, finished: 0, running: 2 });
    assert!(join(may).unwrap_err().is_cancelled());
    assert_eq!(pool.spawn_mandatory(|| 9, meta()).unwrap_err(), Closed);
    assert_eq!(pool.finish(Duration::from_millis(1)), 1);
    held.release.send(()).unwrap();
    assert_eq!(pool.finish(PATIENCE), 0);
    assert_eq!(join(must).unwrap(), 7);
    assert_eq!(pool.shutdown(PATIENCE).running, 0);
}

#[test]
fn jobs_that_must_run_keep_their_place_in_the_order() {
    let pool = pool(1);
    let held = hold(&pool);
    let (seen, order) = channel();
    for number in 0..20 {
        let seen = seen.clone();
        let job = move || seen.send(number).unwrap();
        if number % 3 == 0 {
            drop(pool.spawn_mandatory(job, Meta::new(Location::caller())).unwrap());
        } else {
            drop(pool.spawn(job));
        }
    }
    drop(seen);
    held.release.send(()).unwrap();
    assert_eq!(order.iter().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_job_that_must_run_and_has_no_thread_fails_and_nobody_waits_for_it() {
    let pool = refusing(0, EAGAIN);
    let job = pool.spawn_mandatory(|| (), Meta::new(Location::caller())).unwrap();
    assert!(join(job).unwrap_err().is_no_thread());
    assert_eq!(pool.finish(PATIENCE), 0);
}

#[test]
fn a_job_that_waits_for_those_that_must_run_gives_them_its_place() {
    let pool = Arc::new(pool(1));
    let own = Arc::clone(&pool);
    let (done, left) = channel();
    drop(pool.spawn(move || {
        drop(own.spawn_mandatory(|| (), Meta::new(Location::caller())).unwrap());
        done.send(own.finish(PATIENCE)).unwrap();
    }));
    assert_eq!(recv(&left), 0);
}

#[test]
fn a_dropped_pool_does_not_wait() {
    let pool = pool(1);
    let stuck = hold(&pool);
    drop(pool);
    assert!(!stuck.handle.is_finished());
}

#[test]
fn a_job_that_shuts_its_own_pool_down_does_not_wait_for_itself() {
    let pool = Arc::new(pool(1));
    let own = Arc::clone(&pool);
    let (done, report) = channel();
    drop(pool.spawn(move || done.send(own.shutdown(PATIENCE * 100)).unwrap()));
    assert_eq!(recv(&report), Report { cancelled: 0, finished: 0, running: 1 });
}

#[test]
fn bug_28_many_pools_come_and_go() {
    for round in 0..1000 {
        let pool = pool(3);
        let handles: Vec<_> = (0..4).map(|number| pool.spawn(move || number)).collect();
        if round % 2 == 0 {
            let _ = pool.shutdown(PATIENCE);
        }
        drop(pool);
        for (number, handle) in handles.into_iter().enumerate() {
            match join(handle) {
                Ok(answer) => assert_eq!(answer, number),
                Err(error) => assert!(error.is_cancelled()),
            }
        }
    }
}

#[test]
fn while_a_job_runs_a_manual_clock_stands_still() {
    let clock = Arc::new(ManualClock::automatic());
    let driver = Driver::new(polyloop_reactor::ALL[0].1().unwrap(), Box::new(Heap::new()), clock);
    let executor = Fifo::new(Arc::clone(&driver));
    let pool = BlockingPool::new(Arc::clone(&driver), Limits::default());
    let hour = Instant::ORIGIN + Duration::from_secs(3600);
    let seen = executor
        .try_block_on(
            async {
                let mut sleep = pin!(Sleep::until(Arc::clone(&driver), hour));
                // Armed before the job begins.
                poll_fn(|cx| {
                    let _: () = assert!(sleep.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                let looking = Arc::clone(&driver);
                let job = pool.spawn(move || {
                    // The executor has nothing else to do, and would be in its wait by then.
                    thread::park_timeout(Duration::from_millis(50));
                    looking.now()
                });
                let seen = job.await.unwrap();
                sleep.await;
                seen
            },
            Meta::new(Location::caller()),
        )
        .unwrap();
    assert_eq!(seen, Instant::ORIGIN);
    assert_eq!(driver.now(), hour);
}
