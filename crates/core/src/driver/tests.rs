//! Foreign code and the driver's locks, and what is left of a timer after the end.

use super::*;
use crate::reactor::{Caps, File, Interest, Token};
use crate::shim::atomic::AtomicU64;
use crate::task::{Meta, Ran, Runnable, TaskSpace};
use crate::{Schedule, Sleep};
use core::cell::RefCell;
use core::panic::Location;
use core::task::{Context, Poll, RawWaker, RawWakerVTable};
use core::time::Duration;
use std::task::Wake;

/// A reactor that never waits.
#[derive(Debug)]
struct Idle;

impl Reactor for Idle {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        Arc::new(Self)
    }

    fn turn(&mut self, _: Wait, _: &mut Events) -> io::Result<()> {
        Ok(())
    }
}

impl ReactorHandle for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn caps(&self) -> Caps {
        Caps::READINESS
    }

    fn attach(&self, _: Arc<dyn File>, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn rearm(&self, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn detach(&self, _: Token) -> io::Result<()> {
        Ok(())
    }

    fn unpark(&self) {}

    fn syscalls(&self) -> u64 {
        0
    }
}

/// A clock that runs foreign code when it is read, and shows what it is told.
#[derive(Debug, Default)]
pub(crate) struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Instant {
        run_foreign();
        Instant::from_nanos(self.0.load(Relaxed))
    }

    fn busy(&self, _: Option<Instant>) -> Wait {
        Wait::Now
    }

    fn idle(&self, _: Option<Instant>) -> Wait {
        Wait::Now
    }
}

/// Each entry has a slot of its own, for ever.
#[derive(Debug, Default)]
struct List(Vec<Option<(Instant, Waker)>>);

impl Timers for List {
    fn insert(&mut self, deadline: Instant, waker: Waker) -> TimerKey {
        self.0.push(Some((deadline, waker)));
        TimerKey::new(self.0.len() as u32 - 1, 0)
    }

    fn update(&mut self, key: TimerKey, deadline: Instant) -> bool {
        self.0[key.index() as usize].as_mut().map(|entry| entry.0 = deadline).is_some()
    }

    fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        self.0[key.index() as usize].as_mut().map(|(_, waker)| waker)
    }

    fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        self.0[key.index() as usize].take().map(|(_, waker)| waker)
    }

    fn next(&mut self) -> Option<Instant> {
        self.0.iter().flatten().map(|(deadline, _)| *deadline).min()
    }

    fn fire(&mut self, now: Instant, batch: &mut WakeBatch) {
        for entry in &mut self.0 {
            batch.extend(entry.take_if(|(deadline, _)| *deadline <= now).map(|(_, waker)| waker));
        }
    }

    fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

pub(crate) fn driver() -> (Arc<Driver>, Arc<Hand>) {
    let clock = Arc::new(Hand::default());
    (Driver::new(Box::new(Idle), Box::<List>::default(), clock.clone()), clock)
}

thread_local! {
    static FOREIGN: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

fn run_foreign() {
    FOREIGN.with_borrow(|foreign| foreign.iter().for_each(|foreign| foreign()));
}

/// Has `ask` called on this thread by whatever clones a [`foreign_waker`] or reads a [`Hand`]. Says how often it was, once
/// `f` is through.
pub(crate) fn asking(ask: impl Fn() + 'static, f: impl FnOnce()) -> usize {
    let calls = std::rc::Rc::new(core::cell::Cell::new(0));
    let count = calls.clone();
    FOREIGN.set(Some(Box::new(move || {
        count.set(count.get() + 1);
        ask();
    })));
    f();
    FOREIGN.set(None);
    calls.get()
}

/// A waker that runs foreign code when it is cloned.
pub(crate) fn foreign_waker() -> Waker {
    fn clone(data: *const ()) -> RawWaker {
        run_foreign();
        RawWaker::new(data, &VTABLE)
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| {}, |_| {}, |_| {});
    // SAFETY: nothing looks at the data pointer.
    unsafe { Waker::from_raw(RawWaker::new(core::ptr::null(), &VTABLE)) }
}

#[test]
fn a_waker_whose_clone_asks_the_driver_may_wait_for_a_timer() {
    let (driver, _) = driver();
    let mut sleep = Sleep::until(driver.clone(), Instant::ORIGIN + Duration::from_secs(1));
    let asked = driver.clone();
    let waker = foreign_waker();
    let free = move || assert!(asked.timers.try_lock().is_some(), "called under the timers' lock");
    let calls = asking(free, || {
        assert!(sleep.poll_elapsed(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(sleep.poll_elapsed(&mut Context::from_waker(&waker)).is_pending());
        assert!(sleep.poll_elapsed(&mut Context::from_waker(&waker)).is_pending());
    });
    assert_eq!(calls, 2, "the clock is read once, and the waker cloned once");
    driver.timers.lock().queue.next().expect("one entry");
}

#[test]
fn a_clock_that_asks_the_driver_may_be_read_by_a_turn() {
    let (driver, _) = driver();
    driver.arm(Instant::ORIGIN, Waker::noop().clone()).unwrap();
    let asked = driver.clone();
    let mut wakes = Wakes::new();
    let free = move || assert!(asked.timers.try_lock().is_some(), "read under the timers' lock");
    let calls = asking(free, || driver.try_lease().unwrap().turn(Turn::Poll, &mut wakes).unwrap());
    assert_eq!((calls, wakes.len()), (1, 1));
}

#[test]
fn a_sleep_that_ended_before_its_driver_has_ended_also_when_it_is_looked_at_later() {
    let (driver, clock) = driver();
    let cx = &mut Context::from_waker(Waker::noop());
    let [mut early, mut late] =
        [1, 3].map(|second| Sleep::until(driver.clone(), Instant::ORIGIN + Duration::from_secs(second)));
    assert!(early.poll_elapsed(cx).is_pending() && late.poll_elapsed(cx).is_pending());
    clock.0.store(2_000_000_000, Relaxed);
    let mut wakes = Wakes::new();
    driver.try_lease().unwrap().turn(Turn::Poll, &mut wakes).unwrap();
    assert_eq!(wakes.len(), 1);
    driver.close();
    assert_eq!(early.poll_elapsed(cx), Poll::Ready(Ok(())));
    assert_eq!(late.poll_elapsed(cx), Poll::Ready(Err(Gone)));
}

type Log = Arc<Mutex<Vec<&'static str>>>;

/// An executor that writes down what is woken, or has closed.
#[derive(Debug)]
struct Executor {
    log: Log,
    queued: Mutex<Vec<Runnable>>,
    closed: AtomicBool,
}

impl Schedule for Executor {
    fn schedule(&self, runnable: Runnable, why: Why) {
        if self.closed.load(Relaxed) {
            return runnable.cancel_woken();
        }
        if why != Why::Spawn {
            self.log.lock().push("task");
        }
        self.queued.lock().push(runnable);
    }
}

impl Executor {
    /// One with a task that waits for `sleep` and has been polled.
    fn with_sleeper(log: &Log, sleep: Sleep) -> (Arc<Self>, Arc<TaskSpace>) {
        struct Says(Log);
        impl Drop for Says {
            fn drop(&mut self) {
                self.0.lock().push("drop");
            }
        }
        let new = Self { log: log.clone(), queued: Mutex::new(Vec::new()), closed: AtomicBool::new(false) };
        let executor = Arc::new(new);
        let space = TaskSpace::new(executor.clone());
        let says = Says(log.clone());
        let sleeps = async move {
            sleep.await;
            drop(says);
        };
        space.spawn_detached(sleeps, Meta::new(Location::caller()));
        let runnable = executor.queued.lock().pop().expect("a spawn schedules at once");
        assert!(matches!(runnable.run(), Ran::Pending));
        (executor, space)
    }
}

struct Foreign(Log);

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        self.0.lock().push("waker");
    }
}

#[test]
fn what_is_put_back_after_a_turn_comes_behind_its_tasks_and_before_code_of_others() {
    let (driver, clock) = driver();
    let log = Log::default();
    let sleep = || Sleep::until(driver.clone(), Instant::ORIGIN + Duration::from_secs(1));
    driver.arm(Instant::ORIGIN, Waker::from(Arc::new(Foreign(log.clone())))).unwrap();
    let (closed, of_closed) = Executor::with_sleeper(&log, sleep());
    let (open, of_open) = Executor::with_sleeper(&log, sleep());
    closed.closed.store(true, Relaxed);
    clock.0.store(2_000_000_000, Relaxed);
    let mut wakes = Wakes::new();
    driver.try_lease().unwrap().turn(Turn::Poll, &mut wakes).unwrap();
    wakes.wake_all_and(|| log.lock().push("put back"));
    assert_eq!(*log.lock(), ["task", "put back", "drop", "waker"]);
    wakes.wake_all_and(|| log.lock().push("alone"));
    assert_eq!(log.lock().pop(), Some("alone"));
    open.queued.lock().drain(..).for_each(Runnable::cancel);
    of_closed.retire();
    of_open.retire();
}
