//! Foreign code and the driver's locks, and what is left of a timer after the end.

use super::*;
use crate::park::{Parking, ThreadParker};
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

/// A reactor during whose first look somebody sends something that this look does not find.
#[derive(Default)]
struct Overtaken {
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    sent: AtomicBool,
    found: AtomicBool,
}

#[derive(Debug)]
struct Late(Arc<Overtaken>);

impl Reactor for Late {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        Arc::new(Idle)
    }

    fn turn(&mut self, _: Wait, _: &mut Events) -> io::Result<()> {
        self.0.found.store(self.0.sent.load(Relaxed), Relaxed);
        let meanwhile = self.0.meanwhile.lock().take();
        if let Some(meanwhile) = meanwhile {
            self.0.sent.store(true, Relaxed);
            meanwhile();
        }
        Ok(())
    }
}

impl fmt::Debug for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overtaken").finish_non_exhaustive()
    }
}

/// A clock that moves when all are idle, and remembers what was found by then.
#[derive(Debug)]
struct Leaps(Arc<Overtaken>, Mutex<Option<bool>>);

impl Clock for Leaps {
    fn now(&self) -> Instant {
        Instant::ORIGIN
    }

    fn busy(&self, _: Option<Instant>) -> Wait {
        Wait::Forever
    }

    fn idle(&self, _: Option<Instant>) -> Wait {
        self.1.lock().get_or_insert(self.0.found.load(Relaxed));
        Wait::Now
    }

    fn distinguishes_idle(&self) -> bool {
        true
    }
}

/// A thread waits in the driver until the clock has moved, and `meanwhile` is done, with what is held before, while it looks for the
/// first time. Whether what was sent in that moment was found before the clock moved.
fn is_found_in_time(held: bool, meanwhile: impl FnOnce(&Arc<Driver>, Option<Busy>) + Send + 'static) -> bool {
    let kernel = Arc::new(Overtaken::default());
    let clock = Arc::new(Leaps(kernel.clone(), Mutex::new(None)));
    let driver = Driver::new(Box::new(Late(kernel.clone())), Box::<List>::default(), clock.clone());
    // Without a file the kernel is not asked.
    let _file = crate::Registration::new(&driver, Arc::new(io::stdin()), true).unwrap();
    let busy = held.then(|| driver.hold());
    let there = driver.clone();
    *kernel.meanwhile.lock() = Some(Box::new(move || meanwhile(&there, busy)));
    let parking = Parking::new(driver.clone(), Box::new(Nowhere));
    loop {
        let mut lease = driver.try_lease().unwrap();
        parking.wait_in_driver(&mut lease, Turn::Wait, &mut Wakes::new()).unwrap();
        if let Some(found) = *clock.1.lock() {
            return found;
        }
    }
}

#[derive(Debug)]
struct Nowhere;

impl ThreadParker for Nowhere {
    fn park(&self) {}

    fn unpark(&self) {}
}

#[test]
fn what_somebody_sends_before_he_rests_is_found_before_the_clock_moves() {
    assert!(is_found_in_time(true, |_, busy| drop(busy)));
}

#[test]
fn what_somebody_sends_who_comes_and_goes_during_the_look_is_found_before_the_clock_moves() {
    assert!(is_found_in_time(false, |driver, _| drop(driver.hold())));
}

type Log = Arc<Mutex<Vec<&'static str>>>;

/// An executor that writes down what is woken.
#[derive(Debug)]
struct Executor {
    log: Log,
    queued: Mutex<Vec<Runnable>>,
}

impl Schedule for Executor {
    fn schedule(&self, runnable: Runnable, why: Why) {
        if why != Why::Spawn {
            self.log.lock().push("task");
        }
        self.queued.lock().push(runnable);
    }
}

impl Executor {
    /// One with a task that waits for `sleep` and has been polled.
    fn with_sleeper(log: &Log, sleep: Sleep) -> (Arc<Self>, Arc<TaskSpace>) {
        let executor = Arc::new(Self { log: log.clone(), queued: Mutex::new(Vec::new()) });
        let space = TaskSpace::new(executor.clone());
        let sleeps = async move {
            let _ = sleep.await;
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
    let (executor, space) = Executor::with_sleeper(&log, sleep());
    clock.0.store(2_000_000_000, Relaxed);
    let mut wakes = Wakes::new();
    driver.try_lease().unwrap().turn(Turn::Poll, &mut wakes).unwrap();
    wakes.wake_all_and(|| log.lock().push("put back"));
    assert_eq!(*log.lock(), ["task", "put back", "waker"]);
    wakes.wake_all_and(|| log.lock().push("alone"));
    assert_eq!(log.lock().pop(), Some("alone"));
    executor.queued.lock().drain(..).for_each(Runnable::cancel);
    space.retire();
}
