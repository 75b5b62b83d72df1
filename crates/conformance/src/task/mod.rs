//! The suite for task cells and their wakers (C1, C8, C9).
//!
//! Invariant: the test takes the place of the executor: nothing is polled unless it says so, and what is queued is counted.
//! So "one poll" is one, exactly.

mod ends;
mod joins;
mod wakers;

pub use ends::*;
pub use joins::*;
pub use wakers::*;

use crate::{LIMIT, watched};
use polyloop_traits::Join;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A kind of task, with a queue of those that are ready.
pub trait Tasks: Sync + Sized + 'static {
    /// The handle of a task.
    type Join<T: Send + 'static>: Join<T> + Send + 'static;

    /// Makes a task, which is queued.
    fn spawn<F>(&self, future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Takes the task that has been queued longest and polls it once; `false` if none is queued. Called by several threads
    /// at a time.
    fn run_one(&self) -> bool;

    /// How many are queued.
    fn queued(&self) -> usize;

    /// Ends all tasks: their futures are dropped, and whatever is spawned or woken later is cancelled.
    fn shut_down(&self);
}

/// Makes an empty queue.
pub type New<T> = fn() -> T;

/// A property of a kind of task: returns if it holds, panics if not.
pub type Property<T> = fn(New<T>);

/// Runs one property under the watchdog.
///
/// # Panics
///
/// If the property does not hold.
pub fn check<T: Tasks>(subject: &str, test: &str, new: New<T>, property: Property<T>) {
    watched(&format!("{subject}::{test}"), 3 * LIMIT, move || property(new));
}

/// Mounts the suite: `task!(name, constructor)` makes a module `name` with one test for each property. The constructor is a
/// function without arguments that returns a [`Tasks`](crate::task::Tasks).
#[macro_export]
macro_rules! task {
    ($name:ident, $new:expr) => {
        mod $name {
            use super::*;
            $crate::__task_properties! { [$crate::__mount_task] { $name, $new } }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __mount_task {
    ({ $name:ident, $new:expr } $($property:ident)*) => {
        $(
            #[test]
            fn $property() {
                let property = $crate::task::$property;
                $crate::task::check(stringify!($name), stringify!($property), $new, property);
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __task_properties {
    ([$($callback:tt)*] $arguments:tt) => {
        $($callback)*! { $arguments
            a_new_task_is_queued_once_and_polled_once
            many_wakes_before_a_poll_make_one
            wakes_during_a_poll_make_one_more
            a_wake_by_another_thread_during_a_poll_is_not_lost
            clones_of_a_waker_wake_the_same_task
            a_waker_that_is_dropped_wakes_nobody
            a_wake_after_the_end_is_nothing
            a_wake_in_the_last_poll_is_nothing
            wakes_from_many_threads_are_not_lost
            a_task_is_polled_by_one_thread_at_a_time
            wakers_that_are_kept_keep_no_future
            wakers_outlive_all_tasks
            a_value_that_is_joined_after_the_end
            a_value_that_is_joined_before_the_end
            a_joiner_that_polls_again_is_the_one_to_be_woken
            a_handle_that_is_dropped_does_what_it_says
            an_abort_before_the_first_poll
            an_abort_of_a_task_that_waits
            an_abort_by_the_task_itself
            an_abort_after_the_end_keeps_the_value
            aborts_and_wakes_by_other_threads_end_a_task_once
            a_future_is_dropped_at_its_end_and_the_value_with_its_owner
            a_panic_in_a_poll_reaches_the_joiner
            a_panic_in_the_drop_of_a_future_reaches_the_joiner
            a_panic_in_the_drop_of_a_cancelled_future_is_contained
            a_panic_in_the_drop_of_a_value_that_nobody_takes_is_contained
            a_panic_in_the_waker_of_the_joiner_is_contained
            the_end_of_all_drops_each_future_once
            futures_that_wake_and_spawn_while_they_are_dropped
            a_task_that_comes_after_the_end_is_cancelled
            two_tasks_that_await_each_other_are_dropped
        }
    };
}

/// All properties by name.
pub fn properties<T: Tasks>() -> Vec<(&'static str, Property<T>)> {
    macro_rules! listed {
        ({} $($property:ident)*) => {
            vec![$((stringify!($property), $property as Property<T>)),*]
        };
    }
    crate::__task_properties! { [listed] {} }
}

/// Runs until nothing is queued; how many polls that took.
fn run_all(tasks: &impl Tasks) -> usize {
    let mut polls = 0;
    while tasks.run_one() {
        polls += 1;
    }
    polls
}

/// The result of a task that has ended.
fn joined<T, J: Join<T>>(mut join: J) -> Result<T, polyloop_traits::JoinFailed> {
    match Pin::new(&mut join).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the task has not ended"),
    }
}
