//! The suite for executors: C1, C2 and C3, counted in polls.
//!
//! Invariant: one worker polls the tasks and nobody else turns its driver, so that "how many polls until" has one answer.
//! What is counted are polls of the suite's own tasks, which are all there are.

use crate::{LIMIT, watched};
use polyloop_core::time::{Clock, Instant, Wait};
use polyloop_core::{Direction, Driver, Fairness, Registration};
use std::future::{Future, poll_fn};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Something of one worker that runs tasks.
pub trait Tasks: Send + Sync + 'static {
    /// Starts a task.
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F);

    /// Runs `future` as a task of the worker, while the calling thread does nothing for the executor that the worker
    /// could do.
    fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
}

/// An executor of one worker.
pub trait Executor: Tasks {
    /// Its driver.
    fn driver(&self) -> Arc<Driver>;
}

/// A clock that stands still unless the test moves it, or that moves with every look. It calls nobody: it is moved in polls,
/// by the worker itself.
#[derive(Clone, Debug, Default)]
pub struct TestClock {
    nanos: Arc<AtomicU64>,
    step: u64,
}

impl TestClock {
    fn per_look(step: Duration) -> Self {
        Self { step: (Instant::ORIGIN + step).as_nanos(), ..Self::default() }
    }

    fn advance(&self, by: Duration) {
        self.nanos.fetch_add((Instant::ORIGIN + by).as_nanos(), SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.nanos.fetch_add(self.step, SeqCst))
    }

    fn busy(&self, next: Option<Instant>) -> Wait {
        match next {
            Some(deadline) if deadline.as_nanos() <= self.nanos.load(SeqCst) => Wait::Now,
            _ => Wait::Forever,
        }
    }

    fn idle(&self, next: Option<Instant>) -> Wait {
        self.busy(next)
    }
}

/// Makes an executor over this clock.
pub type New<E> = fn(TestClock) -> E;

/// A property of an executor.
pub type Property<E> = fn(New<E>, Fairness);

/// Runs one property under the watchdog.
///
/// # Panics
///
/// If the property does not hold.
pub fn check<E: Executor>(subject: &str, test: &str, new: New<E>, declared: Fairness, property: Property<E>) {
    watched(&format!("{subject}::{test}"), LIMIT, move || property(new, declared));
}

/// Mounts the suite: `executor!(name, declared, constructor)`. The constructor is a function, see [`New`](crate::executor::New).
#[macro_export]
macro_rules! executor {
    ($name:ident, $declared:expr, $new:expr) => {
        $crate::executor! { @ $name, $declared, $new,
            wakes_before_a_poll_make_one
            a_wake_from_another_thread_before_a_poll_is_one
            one_task_that_wakes_itself_lets_the_driver_turn
            many_tasks_that_wake_themselves_let_the_driver_turn
            the_driver_turns_sooner_when_time_passes
            a_due_timer_fires_within_the_promise
            a_ready_file_is_seen_within_the_promise
            a_timer_due_during_a_long_poll_comes_before_that_polls_own_yield
            a_file_ready_during_a_long_poll_comes_before_that_polls_own_yield
            a_task_woken_from_outside_during_a_long_poll_comes_before_that_polls_own_yield
            timers_due_again_and_again_during_long_polls_wait_for_one_of_them_each_time
            a_task_that_yields_is_not_kept_waiting_by_timers_that_are_always_due
            each_ready_task_has_its_turn
            each_ready_task_has_its_turn_beside_two_that_wake_each_other
            each_ready_task_has_its_turn_beside_a_chain_from_outside
        }
    };
    (@ $name:ident, $declared:expr, $new:expr, $($property:ident)*) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $property() {
                    let property = $crate::executor::$property;
                    $crate::executor::check(stringify!($name), stringify!($property), $new, $declared, property);
                }
            )*
        }
    };
}

/// The bound that is declared for the ready task in this place.
pub(crate) fn bound(declared: Fairness, place: u64) -> u64 {
    declared.ready_bound.expect("a bound is declared")(place)
}

/// Counts the polls of all of a test's tasks.
#[derive(Clone, Default)]
pub(crate) struct Polls(Arc<AtomicU64>);

impl Polls {
    /// Returns the count with this one.
    pub(crate) fn add(&self) -> u64 {
        self.0.fetch_add(1, SeqCst) + 1
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// Wakes itself `times` times, and calls `look` at each poll.
pub(crate) fn hog(
    times: u64,
    mut look: impl FnMut() + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let mut left = times;
    poll_fn(move |cx: &mut Context<'_>| {
        look();
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// A task that counts its polls and never ends by itself, and its waker once it was polled.
fn sleeper<E: Executor>(executor: &E) -> (Polls, Waker) {
    let polls = Polls::default();
    let (give, given) = mpsc::channel();
    let count = polls.clone();
    executor.spawn(poll_fn(move |cx| {
        count.add();
        let _ = give.send(cx.waker().clone());
        Poll::Pending
    }));
    let polled = polls.clone();
    executor.run(poll_fn(move |cx| {
        if polled.get() > 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    (polls, given.recv().expect("the task has been polled"))
}

/// C1: a thousand wakes by a task lead to one poll of another.
pub fn wakes_before_a_poll_make_one<E: Executor>(new: New<E>, _: Fairness) {
    let executor = new(TestClock::default());
    let (polls, waker) = sleeper(&executor);
    executor.run(async move { (0..1000).for_each(|_| waker.wake_by_ref()) });
    executor.run(hog(10, || ()));
    assert_eq!(polls.get(), 2);
}

/// C1: and so do a thousand by a thread, while the worker is busy.
pub fn a_wake_from_another_thread_before_a_poll_is_one<E: Executor>(new: New<E>, _: Fairness) {
    let executor = new(TestClock::default());
    let (polls, waker) = sleeper(&executor);
    // The only worker waits for the thread, in a poll.
    executor.run(async move {
        let thread = std::thread::spawn(move || (0..1000).for_each(|_| waker.wake_by_ref()));
        thread.join().expect("wakes do not panic");
    });
    executor.run(hog(200, || ()));
    assert_eq!(polls.get(), 2);
}

/// The longest row of polls between two driver turns, of `tasks` tasks that wake themselves, and the polls altogether.
fn longest_row<E: Executor>(executor: &E, tasks: u64) -> (u64, u64) {
    const POLLS: u64 = 20_000;
    let polls = Polls::default();
    // The last turn that was seen, the polls since, and the longest row so far.
    let row = Arc::new(Mutex::new((executor.driver().turns(), 0, 0)));
    let look = || {
        let (driver, row, polls) = (executor.driver(), row.clone(), polls.clone());
        move || {
            polls.add();
            let mut row = row.lock().expect("unpoisoned");
            let turns = driver.turns();
            row.1 = if turns == row.0 { row.1 + 1 } else { 1 };
            row.0 = turns;
            row.2 = row.2.max(row.1);
        }
    };
    for _ in 1..tasks {
        executor.spawn(hog(POLLS / tasks, look()));
    }
    executor.run(hog(POLLS / tasks, look()));
    let longest = row.lock().expect("unpoisoned").2;
    (longest, polls.get())
}

/// C2, with a clock that stands still.
pub fn one_task_that_wakes_itself_lets_the_driver_turn<E: Executor>(new: New<E>, declared: Fairness) {
    let (longest, polls) = longest_row(&new(TestClock::default()), 1);
    assert!(polls > 10 * declared.max_polls_between_turns, "{polls} polls tell nothing");
    assert!(
        longest <= declared.max_polls_between_turns && declared.max_polls_between_turns <= 1024,
        "{longest} polls between two turns"
    );
}

/// C2, with a clock that stands still.
pub fn many_tasks_that_wake_themselves_let_the_driver_turn<E: Executor>(new: New<E>, declared: Fairness) {
    let (longest, polls) = longest_row(&new(TestClock::default()), 10);
    assert!(polls > 10 * declared.max_polls_between_turns, "{polls} polls tell nothing");
    assert!(longest <= declared.max_polls_between_turns, "{longest} polls between two turns");
}

/// C2, with a clock of which every look costs 150 µs.
pub fn the_driver_turns_sooner_when_time_passes<E: Executor>(new: New<E>, declared: Fairness) {
    let (late, interval) = declared.polls_after_interval.expect("it looks at the clock");
    assert!(interval < Duration::from_micros(150), "one look is more than the interval");
    let (longest, polls) = longest_row(&new(TestClock::per_look(Duration::from_micros(150))), 3);
    assert!(polls > 10 * late, "{polls} polls tell nothing");
    assert!(longest <= late && late <= 61, "{longest} between two turns");
}

/// How many polls of others come between `happen`, which a hog calls in one of its polls, and the first poll after it of
/// a task that waits for what happens.
fn polls_until<E, F>(executor: &E, waiting: F, mut happen: impl FnMut() + Send + 'static) -> u64
where
    E: Executor,
    F: Future<Output = ()> + Send + 'static,
{
    let polls = Polls::default();
    let (happened, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (count, noticed) = (polls.clone(), seen.clone());
    executor.spawn(async move {
        waiting.await;
        noticed.store(count.get(), SeqCst);
    });
    let (count, at) = (polls, happened.clone());
    executor.run(hog(6000, move || {
        // Not in step with the turns, and not before the other task waits.
        if count.add() == 2500 {
            happen();
            at.store(2500, SeqCst);
        }
    }));
    assert!(seen.load(SeqCst) > 0, "it has not been noticed in 3,500 polls");
    seen.load(SeqCst) - happened.load(SeqCst)
}

/// Waits for a byte, and where to write it.
fn one_byte<E: Executor>(executor: &E) -> (impl Future<Output = ()> + Send + 'static, UnixStream) {
    let (near, far) = UnixStream::pair().expect("a pair of sockets");
    near.set_nonblocking(true).expect("a socket that does not block");
    let file = Arc::new(near);
    let source = Registration::new(&executor.driver(), file.clone(), true).expect("a registration");
    let waiting = async move {
        let read = || std::io::Read::read(&mut &*file, &mut [0]);
        source.io(Direction::Read, read).await.expect("a byte");
    };
    (waiting, far)
}

/// C2: a timer that is due fires although a task is always ready.
pub fn a_due_timer_fires_within_the_promise<E: Executor>(new: New<E>, declared: Fairness) {
    let clock = TestClock::default();
    let executor = new(clock.clone());
    let driver = executor.driver();
    let sleep = polyloop_core::Sleep::until(driver.clone(), driver.now() + Duration::from_micros(50));
    let polls = polls_until(&executor, sleep, move || clock.advance(Duration::from_micros(50)));
    assert!(polls <= declared.max_polls_between_turns + bound(declared, 2), "{polls} polls");
}

/// C2: a file that is ready is seen although a task is always ready.
pub fn a_ready_file_is_seen_within_the_promise<E: Executor>(new: New<E>, declared: Fairness) {
    let executor = new(TestClock::default());
    let (waiting, mut far) = one_byte(&executor);
    let polls = polls_until(&executor, waiting, move || far.write_all(&[1]).expect("room for a byte"));
    assert!(polls <= declared.max_polls_between_turns + bound(declared, 2), "{polls} polls");
}

/// More than the interval after which any driver is due.
const LONG: Duration = Duration::from_millis(1);

/// By whom a task is made ready again in its own poll.
#[derive(Clone, Copy, Debug)]
enum WokenBy {
    Itself,
    Another,
}

/// How many polls of a task, all of them long, come between the one in which `happen` is called and the end of `waiting`. It is
/// ready again whenever its poll ends.
fn long_polls_until<E, F>(
    executor: &E,
    clock: &TestClock,
    woken: WokenBy,
    waiting: F,
    mut happen: impl FnMut() + Send + 'static,
) -> u64
where
    E: Executor,
    F: Future<Output = ()> + Send + 'static,
{
    /// So many polls before it happens, so that whoever adapts to long polls has done so, and at most afterwards.
    const BEFORE: u64 = 20;
    const AFTER: u64 = 1_000;
    let polls = Polls::default();
    let seen = Arc::new(AtomicU64::new(0));
    let (count, noticed) = (polls.clone(), seen.clone());
    executor.spawn(async move {
        waiting.await;
        noticed.store(count.get(), SeqCst);
    });
    let (clock, noticed) = (clock.clone(), seen.clone());
    executor.run(poll_fn(move |cx| {
        let poll = polls.add();
        clock.advance(LONG);
        if poll == BEFORE {
            happen();
        }
        if noticed.load(SeqCst) > 0 || poll == BEFORE + AFTER {
            return Poll::Ready(());
        }
        match woken {
            WokenBy::Itself => cx.waker().wake_by_ref(),
            WokenBy::Another => {
                let waker = cx.waker().clone();
                std::thread::spawn(|| waker.wake()).join().expect("wakes do not panic");
            }
        }
        Poll::Pending
    }));
    let seen = seen.load(SeqCst);
    assert!(seen > 0, "it has not been noticed in {AFTER} polls");
    seen.checked_sub(BEFORE).expect("it does not happen by itself")
}

/// A driver is due after a long poll: whom its turn wakes comes before the next poll of the task that took so long.
pub fn a_timer_due_during_a_long_poll_comes_before_that_polls_own_yield<E: Executor>(
    new: New<E>,
    _: Fairness,
) {
    for woken in [WokenBy::Itself, WokenBy::Another] {
        let clock = TestClock::default();
        let executor = new(clock.clone());
        let driver = executor.driver();
        let sleep = polyloop_core::Sleep::until(driver.clone(), driver.now() + 100 * LONG);
        let passing = clock.clone();
        let polls = long_polls_until(&executor, &clock, woken, sleep, move || passing.advance(100 * LONG));
        assert_eq!(polls, 0, "polls of one that was woken by {woken:?}");
    }
}

/// The same with a file.
pub fn a_file_ready_during_a_long_poll_comes_before_that_polls_own_yield<E: Executor>(
    new: New<E>,
    _: Fairness,
) {
    for woken in [WokenBy::Itself, WokenBy::Another] {
        let clock = TestClock::default();
        let executor = new(clock.clone());
        let (waiting, mut far) = one_byte(&executor);
        let write = move || far.write_all(&[1]).expect("room for a byte");
        let polls = long_polls_until(&executor, &clock, woken, waiting, write);
        assert_eq!(polls, 0, "polls of one that was woken by {woken:?}");
    }
}

/// The same with another thread's wake.
pub fn a_task_woken_from_outside_during_a_long_poll_comes_before_that_polls_own_yield<E: Executor>(
    new: New<E>,
    _: Fairness,
) {
    for woken in [WokenBy::Itself, WokenBy::Another] {
        let clock = TestClock::default();
        let executor = new(clock.clone());
        let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
        let kept = waker.clone();
        let waiting = poll_fn(move |cx| match kept.lock().expect("unpoisoned").replace(cx.waker().clone()) {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        });
        let wake = move || {
            let waker = waker.lock().expect("unpoisoned").clone().expect("it waits");
            std::thread::spawn(|| waker.wake()).join().expect("wakes do not panic");
        };
        let polls = long_polls_until(&executor, &clock, woken, waiting, wake);
        assert_eq!(polls, 0, "polls of one that was woken by {woken:?}");
    }
}

/// The same again and again, with short polls between the long ones: however many there are, the next long one is followed by a
/// turn as well.
pub fn timers_due_again_and_again_during_long_polls_wait_for_one_of_them_each_time<E: Executor>(
    new: New<E>,
    _: Fairness,
) {
    const SLEEPERS: u64 = 40;
    const ROUNDS: u64 = 100;
    let clock = TestClock::default();
    let executor = new(clock.clone());
    let over = Arc::new(AtomicBool::new(false));
    let (sleeps, late) = (Polls::default(), Polls::default());
    for _ in 0..SLEEPERS {
        let (driver, over, sleeps, late) = (executor.driver(), over.clone(), sleeps.clone(), late.clone());
        executor.spawn(async move {
            while !over.load(SeqCst) {
                // Time passes in the long poll alone.
                let due = driver.now() + LONG;
                polyloop_core::Sleep::until(driver.clone(), due).await;
                sleeps.add();
                if driver.now() > due {
                    late.add();
                }
            }
        });
    }
    executor.run(hog(ROUNDS, move || clock.advance(LONG)));
    over.store(true, SeqCst);
    let (sleeps, late) = (sleeps.get(), late.get());
    assert!(sleeps > SLEEPERS * ROUNDS / 2, "{sleeps} sleeps tell nothing");
    // The first ones, before it is known that there are long polls; and what a busy machine shuffles.
    assert!(late <= sleeps / 4, "{late} of {sleeps} sleeps ended later than after one poll");
}

/// C3: whoever yields comes behind those whom one turn has woken, not behind those of the next one as well.
pub fn a_task_that_yields_is_not_kept_waiting_by_timers_that_are_always_due<E: Executor>(
    new: New<E>,
    declared: Fairness,
) {
    const TICKERS: u64 = 20;
    const TURNS: u64 = 200;
    let clock = TestClock::default();
    let executor = new(clock.clone());
    let polls = Polls::default();
    let over = Arc::new(AtomicBool::new(false));
    for _ in 0..TICKERS {
        let (driver, clock, polls, over) = (executor.driver(), clock.clone(), polls.clone(), over.clone());
        executor.spawn(async move {
            while !over.load(SeqCst) && polls.get() < 10 * TURNS * TICKERS {
                polyloop_core::Sleep::until(driver.clone(), driver.now() + LONG).await;
                polls.add();
                // Every other one is due by now.
                clock.advance(LONG);
            }
        });
    }
    let most = bound(declared, TICKERS + 1);
    let (mut last, mut longest, mut left) = (0, 0, TURNS);
    let longest = executor.run(poll_fn(move |cx| {
        let now = polls.add();
        longest = longest.max(now - std::mem::replace(&mut last, now));
        left -= 1;
        if left == 0 || longest > most {
            over.store(true, SeqCst);
            return Poll::Ready(longest);
        }
        clock.advance(LONG);
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    assert!(longest <= most, "{longest} polls between two of its own, {most} at most");
}

/// Makes fifty tasks ready in one poll, beside `others` that are always ready, and holds each to the bound.
pub(crate) fn each_in_time<E: Tasks>(executor: &E, others: u64, declared: Fairness, polls: &Polls) {
    const TASKS: usize = 50;
    let waiting: Arc<Mutex<Vec<(usize, Waker)>>> = Arc::default();
    let open = Arc::new(AtomicBool::new(false));
    let reached: Arc<Mutex<Vec<(usize, u64)>>> = Arc::default();
    for task in 0..TASKS {
        let (waiting, open, reached, polls) = (waiting.clone(), open.clone(), reached.clone(), polls.clone());
        executor.spawn(poll_fn(move |cx| {
            let at = polls.add();
            if open.load(SeqCst) {
                reached.lock().expect("unpoisoned").push((task, at));
                return Poll::Ready(());
            }
            waiting.lock().expect("unpoisoned").push((task, cx.waker().clone()));
            Poll::Pending
        }));
    }
    let count = polls.clone();
    let (order, start) = executor.run(async move {
        while waiting.lock().expect("unpoisoned").len() < TASKS {
            count.add();
            polyloop_core::yield_now().await;
        }
        open.store(true, SeqCst);
        let start = count.get();
        let ready = std::mem::take(&mut *waiting.lock().expect("unpoisoned"));
        let order: Vec<usize> = ready.iter().map(|(task, _)| *task).collect();
        ready.into_iter().for_each(|(_, waker)| waker.wake());
        (order, start)
    });
    let count = polls.clone();
    executor.run(hog(2 * bound(declared, TASKS as u64 + others + 1), move || _ = count.add()));
    let reached = reached.lock().expect("unpoisoned");
    assert_eq!(reached.len(), TASKS, "some have not been polled at all");
    for (task, at) in &*reached {
        let place = order.iter().position(|other| other == task).expect("all have waited") as u64 + 1;
        let (took, bound) = (at - start, bound(declared, place + others + 1));
        assert!(took <= bound, "the one in place {place} was reached after {took} polls, {bound} at most");
    }
}

/// C3: beside tasks that wake themselves.
pub fn each_ready_task_has_its_turn<E: Executor>(new: New<E>, declared: Fairness) {
    beside_tasks_that_wake_themselves(&new(TestClock::default()), declared);
}

pub(crate) fn beside_tasks_that_wake_themselves<E: Tasks>(executor: &E, declared: Fairness) {
    let polls = Polls::default();
    for _ in 0..3 {
        let count = polls.clone();
        executor.spawn(hog(u64::MAX, move || _ = count.add()));
    }
    each_in_time(executor, 3, declared, &polls);
}

/// C3: beside a chain of tasks, each spawned by the one before it through another thread, with a clock of which every
/// look costs more than the driver's interval: the driver turns after every few polls.
pub fn each_ready_task_has_its_turn_beside_a_chain_from_outside<E: Executor>(
    new: New<E>,
    declared: Fairness,
) {
    let executor = Arc::new(new(TestClock::per_look(Duration::from_micros(150))));
    let polls = Polls::default();
    let stop = Arc::new(AtomicBool::new(false));
    let (ask, asked) = mpsc::channel();
    let (spawner, count, stopped) = (executor.clone(), polls.clone(), stop.clone());
    let link = move || {
        let (count, ask, stopped) = (count.clone(), ask.clone(), stopped.clone());
        async move {
            count.add();
            let (done, is_done) = mpsc::channel::<()>();
            // In this poll: whoever waits is a worker, and what comes next comes from outside.
            let _ = ask.send((!stopped.load(SeqCst)).then_some(done));
            let _ = is_done.recv();
        }
    };
    executor.spawn(link());
    let outside = std::thread::spawn(move || {
        while let Ok(Some(done)) = asked.recv() {
            spawner.spawn(link());
            drop(done);
        }
    });
    each_in_time(&*executor, 1, declared, &polls);
    stop.store(true, SeqCst);
    let waits = async move {
        while !outside.is_finished() {
            polyloop_core::yield_now().await;
        }
    };
    executor.run(waits);
}

/// C3: beside two that hand each other the turn.
pub fn each_ready_task_has_its_turn_beside_two_that_wake_each_other<E: Executor>(
    new: New<E>,
    declared: Fairness,
) {
    beside_two_that_wake_each_other(&new(TestClock::default()), declared);
}

pub(crate) fn beside_two_that_wake_each_other<E: Tasks>(executor: &E, declared: Fairness) {
    let polls = Polls::default();
    let seats: Arc<[Mutex<Option<Waker>>; 2]> = Arc::default();
    for me in 0..2 {
        let (seats, polls) = (seats.clone(), polls.clone());
        executor.spawn(poll_fn(move |cx| {
            polls.add();
            *seats[me].lock().expect("unpoisoned") = Some(cx.waker().clone());
            let other = seats[1 - me].lock().expect("unpoisoned").take();
            other.into_iter().for_each(Waker::wake);
            Poll::Pending
        }));
    }
    each_in_time(executor, 2, declared, &polls);
}
