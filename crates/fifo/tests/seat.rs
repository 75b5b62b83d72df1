//! Who has the seat, when threads come and go.

mod deaf;

use deaf::Deaf;
use polyloop_core::block_on::Nested;
use polyloop_core::time::Clock;
use polyloop_core::{Driver, Meta, Sleep, yield_now};
use polyloop_fifo::Fifo;
use polyloop_time::{Heap, ManualClock, SystemClock};
use std::future::poll_fn;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

fn fifo(clock: Arc<dyn Clock>) -> Fifo {
    Fifo::new(Driver::new(Box::new(Deaf::default()), Box::new(Heap::new()), clock))
}

fn here() -> Meta {
    Meta::new(Location::caller())
}

/// Fails when `test` takes longer than a minute: it hangs.
fn no_hang(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let running = std::thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(60)) {
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => running.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)),
    }
}

/// A future that blocks its thread at its second poll until told, and then is ready.
fn blocks_when_woken(
    waker: Arc<Mutex<Option<Waker>>>,
    inside: mpsc::Sender<()>,
    go: mpsc::Receiver<()>,
) -> impl Future<Output = ()> {
    poll_fn(move |cx| {
        if waker.lock().unwrap().replace(cx.waker().clone()).is_none() {
            let _ = inside.send(());
            return Poll::Pending;
        }
        let _ = inside.send(());
        let _ = go.recv();
        Poll::Ready(())
    })
}

struct Waiting {
    thread: std::thread::JoinHandle<Result<(), Nested>>,
    waker: Arc<Mutex<Option<Waker>>>,
    inside: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

impl Waiting {
    /// A thread inside `block_on`; returns once it was polled for the first time.
    fn enter(fifo: &Fifo) -> Self {
        let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
        let ((tell, inside), (go, wait)) = (mpsc::channel(), mpsc::channel());
        let (fifo, its_waker) = (fifo.clone(), waker.clone());
        let thread =
            std::thread::spawn(move || fifo.block_on(blocks_when_woken(its_waker, tell, wait), here()));
        inside.recv().unwrap();
        Self { thread, waker, inside, go }
    }

    /// Has it begin its last poll, which it stays in.
    fn begin_to_leave(&self) {
        let waker = self.waker.lock().unwrap().clone().unwrap();
        waker.wake();
        self.inside.recv().unwrap();
    }

    fn leave(self) {
        self.go.send(()).unwrap();
        self.thread.join().unwrap().unwrap();
    }
}

#[test]
fn a_thread_that_is_called_to_the_seat_while_it_leaves_passes_it_on() {
    no_hang(|| {
        let fifo = fifo(Arc::new(SystemClock));
        let first = Waiting::enter(&fifo);
        let second = Waiting::enter(&fifo);
        // The third waits for a task of the executor, which somebody must run.
        let task = fifo.spawn(async { 7 }, here());
        let ran = Arc::new(AtomicBool::new(false));
        let third = {
            let (fifo, ran) = (fifo.clone(), ran.clone());
            first.begin_to_leave();
            std::thread::spawn(move || {
                let late = fifo.spawn(async move { ran.store(true, SeqCst) }, here());
                fifo.block_on(async { (task.await.unwrap(), late.await.unwrap()) }, here()).unwrap()
            })
        };
        second.begin_to_leave();
        // Gives the third the time to take its place in the line, after the second. If it does not make it, the test
        // still holds, but tests less.
        std::thread::park_timeout(Duration::from_millis(50));
        first.leave();
        second.leave();
        assert_eq!(third.join().unwrap(), (7, ()));
        assert!(ran.load(SeqCst));
        fifo.shut_down(Duration::ZERO);
    });
}

struct CountsDrop(Arc<AtomicUsize>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn what_a_thread_had_queued_is_dropped_when_it_leaves_after_the_end() {
    no_hang(|| {
        let fifo = fifo(Arc::new(SystemClock));
        let drops = Arc::new(AtomicUsize::new(0));
        let inner = fifo.clone();
        let handles = fifo
            .block_on(
                async {
                    // Queued behind this poll, which is the last one.
                    let handles: Vec<_> = (0..5)
                        .map(|_| {
                            let counted = CountsDrop(drops.clone());
                            inner.spawn(async move { drop(counted) }, here())
                        })
                        .collect();
                    let ending = inner.clone();
                    std::thread::spawn(move || ending.shut_down(Duration::ZERO)).join().unwrap();
                    handles
                },
                here(),
            )
            .unwrap();
        assert_eq!(drops.load(SeqCst), 5);
        assert!(handles.iter().all(polyloop_core::JoinHandle::is_finished));
        assert_eq!(fifo.space().live_tasks(), 0);
    });
}

#[test]
fn a_thread_with_nothing_to_do_does_not_call_itself() {
    no_hang(|| {
        let fifo = fifo(Arc::new(ManualClock::automatic()));
        let driver = fifo.driver().clone();
        let waiting = Waiting::enter(&fifo);
        // Settles within a few turns; one that called itself would turn a hundred thousand times.
        std::thread::park_timeout(Duration::from_millis(50));
        let before = driver.turns();
        std::thread::park_timeout(Duration::from_millis(200));
        let turns = driver.turns() - before;
        waiting.begin_to_leave();
        waiting.leave();
        assert!(turns <= 4, "{turns} turns");
    });
}

#[test]
fn a_shutdown_ends_although_other_threads_spawn_all_the_time() {
    no_hang(|| {
        let fifo = fifo(Arc::new(SystemClock));
        let stop = Arc::new(AtomicBool::new(false));
        let spawners: Vec<_> = (0..3)
            .map(|_| {
                let (fifo, stop) = (fifo.clone(), stop.clone());
                std::thread::spawn(move || {
                    while !stop.load(SeqCst) {
                        fifo.space().spawn_detached(async {}, here());
                    }
                })
            })
            .collect();
        std::thread::park_timeout(Duration::from_millis(20));
        fifo.shut_down(Duration::ZERO);
        stop.store(true, SeqCst);
        spawners.into_iter().for_each(|spawner| spawner.join().unwrap());
        assert_eq!(fifo.space().live_tasks(), 0);
    });
}

#[test]
fn a_free_seat_is_taken_although_the_first_in_the_line_is_inside_a_poll_that_blocks() {
    no_hang(|| {
        let fifo = fifo(Arc::new(SystemClock));
        let (first, second) = (Waiting::enter(&fifo), Waiting::enter(&fifo));
        let asleep = Arc::new(AtomicBool::new(false));
        let third = {
            let (fifo, driver, asleep) = (fifo.clone(), fifo.driver().clone(), asleep.clone());
            std::thread::spawn(move || {
                let mut sleep = Sleep::until(driver.clone(), driver.now() + Duration::from_millis(100));
                let sleeps = poll_fn(move |cx| {
                    let polled = sleep.poll_elapsed(cx);
                    asleep.store(true, SeqCst);
                    polled
                });
                fifo.block_on(sleeps, here()).unwrap().unwrap();
            })
        };
        while !asleep.load(SeqCst) {
            std::thread::yield_now();
        }
        second.begin_to_leave();
        first.begin_to_leave();
        first.leave();
        // Nobody but the third can turn the driver.
        third.join().unwrap();
        second.leave();
    });
}

/// A task that takes a second at each poll, yields `times` times, and writes down when it is polled.
async fn hog(clock: ManualClock, log: Log, times: usize, dropped: CountsDrop) {
    for _ in 0..times {
        log.lock().unwrap().push("long");
        clock.advance(Duration::from_secs(1));
        yield_now().await;
    }
    drop(dropped);
}

type Log = Arc<Mutex<Vec<&'static str>>>;

/// An executor, its clock, which is moved by hand, and a log; a task that sleeps for a second and a half, one that yields
/// after seconds, and how often that one was dropped.
fn beside_a_hog(times: usize) -> (Fifo, Log, Arc<AtomicUsize>) {
    let (clock, log) = (ManualClock::new(), Log::default());
    let fifo = fifo(Arc::new(clock.clone()));
    let driver = fifo.driver().clone();
    let sleep = Sleep::until(driver.clone(), driver.now() + Duration::from_millis(1_500));
    let fired = log.clone();
    let sleeps = async move {
        sleep.await;
        fired.lock().unwrap().push("timer");
    };
    fifo.space().spawn_detached(sleeps, here());
    let drops = Arc::new(AtomicUsize::new(0));
    fifo.space().spawn_detached(hog(clock, log.clone(), times, CountsDrop(drops.clone())), here());
    (fifo, log, drops)
}

#[test]
fn a_timer_due_during_a_long_poll_in_a_turn_comes_before_that_polls_own_yield() {
    let (fifo, log, drops) = beside_a_hog(4);
    while fifo.turn(Duration::ZERO).unwrap().more {}
    assert_eq!(*log.lock().unwrap(), ["long", "long", "timer", "long", "long"]);
    assert_eq!(drops.load(SeqCst), 1);
    fifo.shut_down(Duration::ZERO);
}

#[test]
fn what_yielded_in_a_turn_goes_on_in_a_block_on_or_ends_with_the_executor() {
    let (fifo, log, drops) = beside_a_hog(4);
    assert!(fifo.turn(Duration::ZERO).unwrap().more);
    assert_eq!(fifo.gauges().queued(), 1);
    fifo.block_on(yield_now(), here()).unwrap();
    assert_eq!(*log.lock().unwrap(), ["long", "long"]);
    assert!(fifo.turn(Duration::ZERO).unwrap().more);
    assert!(fifo.shut_down(Duration::ZERO));
    let polls = log.lock().unwrap().iter().filter(|polled| **polled == "long").count();
    assert_eq!((drops.load(SeqCst), polls), (1, 3));
}

/// A waker of another executor that ends this one, from its own thread or from the one that wakes it, and then wakes `next`.
struct Ends {
    fifo: Fifo,
    elsewhere: bool,
    next: Arc<Mutex<Option<Waker>>>,
}

impl Wake for Ends {
    fn wake(self: Arc<Self>) {
        let fifo = self.fifo.clone();
        let end = move || _ = fifo.shut_down(Duration::ZERO);
        if self.elsewhere {
            std::thread::spawn(end).join().unwrap()
        } else {
            end()
        }
        self.next.lock().unwrap().take().unwrap().wake();
    }
}

#[test]
fn a_task_that_yielded_before_a_turn_in_which_the_executor_ends_is_dropped_and_not_polled() {
    for elsewhere in [false, true] {
        let (fifo, log, drops) = beside_a_hog(100);
        let driver = fifo.driver().clone();
        let mut sleep = Sleep::until(driver.clone(), driver.now() + Duration::from_millis(2_500));
        let next: Arc<Mutex<Option<Waker>>> = Arc::default();
        let waker = Waker::from(Arc::new(Ends { fifo: fifo.clone(), elsewhere, next: next.clone() }));
        assert!(sleep.poll_elapsed(&mut Context::from_waker(&waker)).is_pending());
        let mut is_woken = false;
        let waits = poll_fn(move |cx| {
            *next.lock().unwrap() = Some(cx.waker().clone());
            if std::mem::replace(&mut is_woken, true) { Poll::Ready(()) } else { Poll::Pending }
        });
        fifo.block_on(waits, here()).unwrap();
        // After a long poll the clock is looked at after each one: the end comes in the turn after the third.
        assert_eq!(*log.lock().unwrap(), ["long", "long", "timer", "long"], "elsewhere: {elsewhere}");
        assert_eq!(drops.load(SeqCst), 1, "elsewhere: {elsewhere}");
    }
}
