//! The suite for whole runtimes.
//!
//! Invariant: a property starts from a constructor alone and builds whatever runtimes it needs, so that properties do not
//! know each other.

pub mod blocking;
#[cfg(unix)]
pub mod files;
pub mod local;
pub mod net;
pub mod one_worker;
pub mod tasks;
pub mod time;
pub mod wakers;

use crate::{Difference, LIMIT, watched};
use std::any::Any;
use std::io::{Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Makes a handle of a new runtime, and what keeps that runtime alive (`()` where the handle does so itself).
pub type New<R, K> = fn() -> (R, K);

/// A property of a runtime: returns if it holds, panics if not.
pub type Property<R, K> = fn(New<R, K>);

/// Forgets the type of what keeps a runtime alive, so that the suite is compiled once for all runtimes with the same handle.
pub fn kept<R, K: 'static>((runtime, alive): (R, K)) -> (R, Box<dyn Any>) {
    (runtime, Box::new(alive))
}

/// Runs one property under the watchdog, unless the subject is known to differ.
///
/// # Panics
///
/// If the property does not hold.
pub fn check<R: 'static, K: 'static>(subject: &str, test: &str, new: New<R, K>, property: Property<R, K>) {
    match Difference::find(subject, test) {
        // Not by a macro of std: those are captured, and a skip must be seen.
        Some(difference) => drop(writeln!(stderr(), "skipped: {difference}")),
        None => watched(&format!("{subject}::{test}"), LIMIT, move || property(new)),
    }
}

/// Mounts the suite: `runtime!(name, constructor)` or `runtime!(name, one worker, constructor)` makes a module `name` with
/// one test for each property. The constructor is an expression of type `(R, K)`, see [`New`](crate::runtime::New); with
/// one worker there are the properties of [`runtime::one_worker`](mod@crate::runtime::one_worker) besides.
#[macro_export]
macro_rules! runtime {
    ($name:ident, one worker, $new:expr) => {
        mod $name {
            use super::*;
            $crate::__runtime_properties! { [$crate::__mount_runtime] { $name, $new } }
            $crate::__one_worker_properties! { [$crate::__mount_runtime] { $name, $new } }
        }
    };
    ($name:ident, $new:expr) => {
        mod $name {
            use super::*;
            $crate::__runtime_properties! { [$crate::__mount_runtime] { $name, $new } }
        }
    };
}

/// Mounts what is asked of a runtime that has local tasks, [`runtime::local`](mod@crate::runtime::local), as
/// [`runtime!`](macro@crate::runtime) does:
/// `local_tasks!(name, constructor)`.
#[macro_export]
macro_rules! local_tasks {
    ($name:ident, $new:expr) => {
        mod $name {
            use super::*;
            $crate::__mount_runtime! { { $name, $new }
                local::local_tasks_run_and_are_dropped_with_block_on
                local::a_local_task_spawned_from_a_local_task_runs
                local::a_local_task_is_refused_elsewhere
                local::a_local_task_is_refused_inside_another_runtime
                local::a_local_task_that_is_dropped_makes_timers_and_sockets
            }
        }
    };
}

/// Mounts what is asked of a runtime that watches files, [`runtime::files`](mod@crate::runtime::files), as
/// [`runtime!`](macro@crate::runtime) does:
/// `files!(name, constructor)`.
#[cfg(unix)]
#[macro_export]
macro_rules! files {
    ($name:ident, $new:expr) => {
        mod $name {
            use super::*;
            $crate::__mount_runtime! { { $name, $new }
                files::a_read_waits_for_what_is_written
                files::who_waits_for_a_file_does_not_try_in_a_loop
                files::a_full_pipe_wakes_its_writer
                files::both_directions_of_a_file_are_waited_for_at_once
                files::a_dropped_wait_loses_nothing
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __mount_runtime {
    ({ $subject:ident, $new:expr } $($module:ident::$property:ident)*) => {
        $(
            #[test]
            fn $property() {
                let property = $crate::runtime::$module::$property;
                let new = || $crate::runtime::kept($new);
                $crate::runtime::check(stringify!($subject), stringify!($property), new, property);
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __runtime_properties {
    ([$($callback:tt)*] $arguments:tt) => {
        $($callback)*! { $arguments
            tasks::a_task_gives_its_value
            tasks::a_task_joins_another
            tasks::a_detached_task_runs_on
            tasks::dropping_a_handle_does_what_it_says
            tasks::an_aborted_task_is_dropped_before_its_handle_resolves
            tasks::abort_after_the_end_keeps_the_value
            tasks::abort_after_a_panic_keeps_the_panic
            tasks::abort_of_a_task_that_never_ran_drops_its_future
            tasks::a_task_of_a_runtime_that_is_gone_was_cancelled
            tasks::a_panic_reaches_the_joiner_and_the_others_go_on
            tasks::a_panic_of_the_main_future_reaches_the_caller
            tasks::an_output_is_dropped_once
            tasks::an_output_nobody_wants_is_dropped_once
            tasks::block_on_borrows_and_is_not_send
            tasks::block_on_again_and_again
            tasks::ten_thousand_tasks
            tasks::a_deep_chain_of_spawns
            tasks::yield_lets_others_run
            tasks::ping_pong_over_channels
            tasks::two_runtimes_side_by_side
            wakers::wakes_during_a_poll_make_one_more
            wakers::a_wake_after_the_end_is_nothing
            wakers::a_foreign_thread_wakes_the_main_future
            wakers::a_foreign_thread_wakes_a_task
            wakers::wakes_from_many_threads_are_not_lost
            wakers::wakers_outlive_the_runtime
            wakers::a_task_that_wakes_itself_keeps_no_timer_waiting
            wakers::a_task_that_wakes_itself_keeps_no_io_waiting
            time::a_sleep_is_never_early
            time::a_sleep_of_no_time_ends
            time::a_deadline_in_the_past_ends
            time::a_far_timer_hides_no_near_one
            time::tasks_with_one_deadline_all_wake
            time::a_sleep_polled_often_wakes_once
            time::a_sleep_wakes_who_polled_last
            time::a_timer_that_wakes_nobody_ends_nothing
            time::a_dropped_sleep_wakes_nobody
            time::a_timeout_ends_what_never_ends
            time::a_thousand_sleeps_take_the_time_of_one
            blocking::a_blocking_job_gives_its_value
            blocking::a_panic_of_a_blocking_job_reaches_the_joiner
            blocking::blocking_jobs_awaited_in_turn_run_in_order
            blocking::many_blocking_jobs
            blocking::a_blocking_job_keeps_no_task_waiting
            net::bytes_come_back
            net::bytes_that_come_in_parts_are_all_read
            net::a_half_closed_connection_still_answers
            net::a_mebibyte_through_small_buffers
            net::many_connections
            net::reader_and_writer_on_one_connection
            net::a_refused_connection_is_an_error
            net::a_dropped_accept_loses_no_connection
            net::a_dropped_read_loses_no_byte
            net::a_read_wakes_who_polled_last
            net::an_fd_number_used_again_gets_its_events
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __one_worker_properties {
    ([$($callback:tt)*] $arguments:tt) => {
        $($callback)*! { $arguments
            one_worker::equal_deadlines_fire_in_order
            one_worker::timers_fire_in_order
            one_worker::tasks_that_yield_alternate
            one_worker::wakes_before_a_poll_make_one
        }
    };
}

/// All properties by name, the ones for one worker last.
pub fn properties<R: polyloop_traits::Runtime, K: 'static>() -> Vec<(&'static str, Property<R, K>)> {
    macro_rules! listed {
        ({} $($module:ident::$property:ident)*) => {
            vec![$((stringify!($property), $module::$property as Property<R, K>)),*]
        };
    }
    let mut all = crate::__runtime_properties! { [listed] {} };
    all.extend(crate::__one_worker_properties! { [listed] {} });
    all
}

/// Counts, and is the same counter when cloned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// Returns the count before.
    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, SeqCst)
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(SeqCst)
    }

    /// Something whose drop counts.
    pub(crate) fn dropped(&self) -> CountsDrop {
        CountsDrop(self.clone())
    }
}

/// Counts its drop.
#[derive(Debug)]
pub(crate) struct CountsDrop(Counter);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

impl std::task::Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.add();
    }
}
