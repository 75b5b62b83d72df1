//! A poll that runs others, those of a set of tasks: the driver turns as often as if the executor had polled each of them (C2), and
//! the executor is reached from within as from any poll of its own.

mod deaf;

use deaf::Deaf;
use polyloop_core::block_on::{CHECK_POLLS, MAX_POLLS};
use polyloop_core::time::{Clock, Instant, Wait};
use polyloop_core::{Driver, LocalSet, Meta, yield_now};
use polyloop_fifo::Fifo;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Moves by so many nanoseconds with every look.
#[derive(Debug)]
struct Stepping(AtomicU64, u64);

impl Clock for Stepping {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.fetch_add(self.1, SeqCst))
    }

    fn busy(&self, _: Option<Instant>) -> Wait {
        Wait::Forever
    }

    fn idle(&self, _: Option<Instant>) -> Wait {
        Wait::Forever
    }
}

fn fifo(clock: Stepping) -> Fifo {
    Fifo::new(Driver::new(Box::new(Deaf::default()), Box::new(polyloop_time::Heap::new()), Arc::new(clock)))
}

/// How often each task yields.
const ROUNDS: u32 = if cfg!(miri) { 40 } else { 5_000 };

fn here() -> Meta {
    Meta::new(Location::caller())
}

/// The longest row of polls of a set's tasks between two turns, with a clock of such steps. `nested` tasks of the set run sets of
/// their own.
fn longest_row(step: u64, nested: bool) -> u32 {
    let fifo = fifo(Stepping(AtomicU64::new(0), step));
    let driver = fifo.driver().clone();
    // The last turn that was seen, the polls since, and the longest row.
    let row = Rc::new(Cell::new((driver.turns(), 0, 0)));
    let hog = {
        let row = Rc::clone(&row);
        move || {
            let (row, driver) = (Rc::clone(&row), Arc::clone(&driver));
            async move {
                for _ in 0..ROUNDS {
                    let ((before, polls, longest), turns) = (row.get(), driver.turns());
                    let polls = if turns == before { polls + 1 } else { 1 };
                    row.set((turns, polls, longest.max(polls)));
                    yield_now().await;
                }
            }
        }
    };
    let set = LocalSet::new();
    for _ in 0..3 {
        if nested {
            let (inner, own) = (LocalSet::new(), hog());
            drop(inner.spawn(own, here()));
            drop(inner.spawn(hog(), here()));
            drop(set.spawn(async move { poll_fn(|cx| inner.poll_tasks(cx)).await }, here()));
        } else {
            drop(set.spawn(hog(), here()));
        }
    }
    fifo.try_block_on(poll_fn(|cx| set.poll_tasks(cx)), here()).unwrap();
    fifo.shut_down(Duration::ZERO);
    let (_, _, longest) = row.get();
    longest
}

#[test]
fn the_tasks_of_a_local_set_let_the_driver_turn() {
    for nested in [false, true] {
        let longest = longest_row(0, nested);
        assert!((CHECK_POLLS..=MAX_POLLS).contains(&longest), "{longest} polls between two turns");
    }
}

#[test]
fn the_tasks_of_a_local_set_let_the_driver_turn_sooner_when_time_passes() {
    for nested in [false, true] {
        let longest = longest_row(150_000, nested);
        assert!((1..=CHECK_POLLS).contains(&longest), "{longest} polls between two turns");
    }
}

/// Runs `future` within a set of tasks.
fn within_a_set<F: Future>(fifo: &Fifo, future: F) -> F::Output {
    let set = LocalSet::new();
    let seat = set.seat();
    let mut future = Box::pin(future);
    fifo.try_block_on(poll_fn(|cx| set.poll_until(&seat, future.as_mut(), cx)), here()).unwrap()
}

#[test]
fn a_set_of_tasks_whose_executor_is_ended_within_does_not_wait_for_its_own_thread() {
    let fifo = fifo(Stepping(AtomicU64::new(0), 0));
    let (ends, start) = (fifo.clone(), polyloop_time::SystemClock.now());
    assert!(within_a_set(&fifo, async move { ends.shut_down(Duration::from_secs(60)) }));
    assert!(
        polyloop_time::SystemClock.now() - start < Duration::from_secs(30),
        "it waited until it was told that the time is over"
    );
}

#[test]
fn what_is_spawned_from_within_a_set_comes_before_the_next_poll_of_the_set() {
    let fifo = fifo(Stepping(AtomicU64::new(0), 0));
    let (log, told) = (Arc::new(Mutex::new(Vec::new())), fifo.clone());
    let says = |what: &'static str| {
        let log = Arc::clone(&log);
        move || log.lock().unwrap().push(what)
    };
    let (spawned, yielded) = (says("spawned"), says("the set"));
    within_a_set(&fifo, async move {
        told.space().spawn_detached(async move { spawned() }, here());
        yield_now().await;
        yielded();
    });
    assert_eq!(*log.lock().unwrap(), ["spawned", "the set"]);
    fifo.shut_down(Duration::ZERO);
}
