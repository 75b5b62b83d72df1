//! Broken executors: a loop of the simplest kind on the calling thread, with one fault.

use crate::mutants::finds;
use polyloop_conformance::executor;
use polyloop_conformance::executor::{Executor, Tasks, TestClock};
use polyloop_core::time::Instant;
use polyloop_core::{Driver, Fairness, Meta, Ran, RunQueue, Runnable, Schedule, TaskSpace, Turn, Wakes, Why};
use polyloop_reactor::Poll;
use polyloop_time::Heap;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::Location;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const SOUND: u8 = 0;
const TURNS_WHEN_IDLE_ALONE: u8 = 1;
const TURNS_RARELY: u8 = 2;
const IGNORES_THE_CLOCK: u8 = 3;
const NEWEST_FIRST: u8 = 4;
const YIELDS_GO_FIRST: u8 = 5;
const TURNS_AND_WAKES_NOBODY: u8 = 6;
const YIELDS_GO_BEFORE_THE_TURN: u8 = 7;
const YIELDS_WAIT_FOR_IDLENESS: u8 = 8;

const DECLARED: Fairness = Fairness {
    max_polls_between_turns: 100,
    polls_after_interval: Some((10, Duration::from_micros(100))),
    ready_bound: Some(|place| place),
    orphan_bound: None,
};

#[derive(Debug, Default)]
struct Queue(Mutex<VecDeque<Runnable>>);

impl Schedule for Queue {
    fn schedule(&self, runnable: Runnable, _: Why) {
        self.0.lock().unwrap().push_back(runnable);
    }

    fn drain(&self) -> RunQueue {
        let mut drained = RunQueue::new();
        drained.extend(self.0.lock().unwrap().drain(..));
        drained
    }
}

struct Loop<const FAULT: u8> {
    queue: Arc<Queue>,
    /// What waits until nothing else is ready.
    aside: Queue,
    space: Arc<TaskSpace>,
    driver: Arc<Driver>,
}

impl<const FAULT: u8> Loop<FAULT> {
    fn new(clock: TestClock) -> Self {
        let queue = Arc::new(Queue::default());
        let reactor = Box::new(Poll::new().unwrap());
        let driver = Driver::new(reactor, Box::new(Heap::new()), Arc::new(clock));
        Self { space: TaskSpace::new(queue.clone()), queue, aside: Queue::default(), driver }
    }

    fn turn(&self, turn: Turn) {
        let mut wakes = Wakes::new();
        self.driver.try_lease().expect("nobody else turns").turn(turn, &mut wakes).expect("a turn");
        if FAULT == TURNS_AND_WAKES_NOBODY && turn == Turn::Poll {
            std::mem::forget(wakes);
        } else {
            wakes.wake_all();
        }
    }

    /// One poll; `None` if nothing is ready.
    fn poll_one(&self) -> Option<Ran> {
        let next = {
            let mut queue = self.queue.0.lock().unwrap();
            if FAULT == NEWEST_FIRST { queue.pop_back() } else { queue.pop_front() }
        };
        let next = next.or_else(|| self.aside.0.lock().unwrap().pop_front());
        Some(next?.run())
    }

    fn put_back(&self, ran: Ran) {
        let (Ran::Yielded(runnable) | Ran::Woken(runnable)) = ran else { return };
        match FAULT {
            YIELDS_GO_FIRST => self.queue.0.lock().unwrap().push_front(runnable),
            YIELDS_WAIT_FOR_IDLENESS => self.aside.schedule(runnable, Why::Yield),
            _ => self.queue.schedule(runnable, Why::Yield),
        }
    }
}

impl<const FAULT: u8> Tasks for Loop<FAULT> {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        self.space.spawn_detached(future, Meta::new(Location::caller()));
    }

    fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (give, given) = mpsc::channel();
        self.spawn(async move { give.send(future.await).unwrap() });
        let (mut polls, mut turned) = (0, Instant::ORIGIN);
        loop {
            if let Ok(output) = given.try_recv() {
                return output;
            }
            let Some(mut ran) = self.poll_one() else {
                self.turn(Turn::Wait);
                polls = 0;
                continue;
            };
            if FAULT == YIELDS_GO_BEFORE_THE_TURN {
                self.put_back(std::mem::replace(&mut ran, Ran::Pending));
            }
            polls += 1;
            let now = self.driver.now();
            let late = FAULT != IGNORES_THE_CLOCK && now - turned > Duration::from_micros(100);
            let due = match FAULT {
                TURNS_WHEN_IDLE_ALONE => false,
                TURNS_RARELY => polls >= 1500,
                _ => polls >= 100 || late,
            };
            if due {
                self.turn(Turn::Poll);
                (polls, turned) = (0, now);
            }
            self.put_back(ran);
        }
    }
}

impl<const FAULT: u8> Executor for Loop<FAULT> {
    fn driver(&self) -> Arc<Driver> {
        self.driver.clone()
    }
}

impl<const FAULT: u8> Drop for Loop<FAULT> {
    fn drop(&mut self) {
        let aside = std::mem::take(&mut *self.aside.0.lock().unwrap());
        self.queue.0.lock().unwrap().extend(aside);
        self.space.close();
        drop(self.space.attend());
        self.space.retire();
    }
}

executor!(sound, super::DECLARED, super::Loop::<{ super::SOUND }>::new);

macro_rules! assert_found {
    ($fault:ident by $property:ident) => {
        let property = || executor::$property(Loop::<$fault>::new, DECLARED);
        assert!(finds(stringify!($property), property), "not found by {}", stringify!($property));
    };
}

#[test]
fn a_driver_that_turns_only_when_nothing_is_ready() {
    assert_found!(TURNS_WHEN_IDLE_ALONE by one_task_that_wakes_itself_lets_the_driver_turn);
    assert_found!(TURNS_WHEN_IDLE_ALONE by a_due_timer_fires_within_the_promise);
    assert_found!(TURNS_WHEN_IDLE_ALONE by a_ready_file_is_seen_within_the_promise);
}

#[test]
fn a_driver_that_turns_too_rarely() {
    assert_found!(TURNS_RARELY by one_task_that_wakes_itself_lets_the_driver_turn);
    assert_found!(TURNS_RARELY by many_tasks_that_wake_themselves_let_the_driver_turn);
}

#[test]
fn an_executor_that_does_not_look_at_the_clock() {
    assert_found!(IGNORES_THE_CLOCK by the_driver_turns_sooner_when_time_passes);
}

#[test]
fn an_executor_that_runs_the_newest_first() {
    assert_found!(NEWEST_FIRST by each_ready_task_has_its_turn);
}

#[test]
fn an_executor_that_puts_those_who_yield_in_front() {
    assert_found!(YIELDS_GO_FIRST by each_ready_task_has_its_turn);
}

#[test]
fn an_executor_that_puts_those_who_yield_back_before_it_turns() {
    assert_found!(YIELDS_GO_BEFORE_THE_TURN by a_timer_due_during_a_long_poll_comes_before_that_polls_own_yield);
    assert_found!(YIELDS_GO_BEFORE_THE_TURN by a_file_ready_during_a_long_poll_comes_before_that_polls_own_yield);
}

#[test]
fn an_executor_that_puts_those_who_yield_back_when_nothing_else_is_ready() {
    assert_found!(YIELDS_WAIT_FOR_IDLENESS by a_task_that_yields_is_not_kept_waiting_by_timers_that_are_always_due);
}

#[test]
fn a_turn_that_wakes_nobody() {
    assert_found!(TURNS_AND_WAKES_NOBODY by a_due_timer_fires_within_the_promise);
    assert_found!(TURNS_AND_WAKES_NOBODY by a_ready_file_is_seen_within_the_promise);
}
