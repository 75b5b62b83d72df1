//! C2 where one poll runs others: the driver turns as often as if the executor had polled each of them.

use polyloop_core::block_on::{CHECK_POLLS, MAX_POLLS};
use polyloop_core::time::{Clock, Instant, Wait};
use polyloop_core::{Driver, LocalSet, Meta, yield_now};
use polyloop_fifo::Fifo;
use std::cell::Cell;
use std::future::poll_fn;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

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

fn here() -> Meta {
    Meta::new(Location::caller())
}

/// The longest row of polls of a set's tasks between two turns, with a clock of such steps. `nested` tasks of the set run sets of
/// their own.
fn longest_row(step: u64, nested: bool) -> u32 {
    let reactor = polyloop_reactor::Poll::new().expect("the kernel has poll(2)");
    let driver = Driver::new(
        Box::new(reactor),
        Box::new(polyloop_time::Heap::new()),
        Arc::new(Stepping(AtomicU64::new(0), step)),
    );
    let fifo = Fifo::new(Arc::clone(&driver));
    // The last turn that was seen, the polls since, and the longest row.
    let row = Rc::new(Cell::new((driver.turns(), 0, 0)));
    let hog = {
        let row = Rc::clone(&row);
        move || {
            let (row, driver) = (Rc::clone(&row), Arc::clone(&driver));
            async move {
                for _ in 0..5_000 {
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
