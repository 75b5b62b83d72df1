//! The suite for timer queues (C4).
//!
//! Invariant: no clock is read. The test owns the time, so that thirteen days pass in a moment and order is exact.
//!
//! # Examples
//!
//! ```
//! # mod tests {
//! polyloop_conformance::timers!(heap, polyloop_time::Heap::new);
//! # }
//! ```

mod bugs;
mod contract;
mod log;
mod model;

pub use bugs::*;
pub use contract::*;
pub use log::{Log, at};
pub use model::*;

use crate::{LIMIT, watched};
use polyloop_core::time::Timers;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const DAY: u64 = 86_400 * SECOND;
/// A width that buckets are likely to have.
const TICK: u64 = 1 << 16;

/// Makes an empty queue.
pub type New = fn() -> Box<dyn Timers>;

/// A property of a queue: returns if it holds, panics if not.
pub type Property = fn(New);

/// Runs one property under the watchdog.
///
/// # Panics
///
/// If the property does not hold.
pub fn check(name: &str, test: &str, new: New, property: Property) {
    watched(&format!("{name}::{test}"), 6 * LIMIT, move || property(new));
}

/// Mounts the suite: `timers!(name, constructor)` makes a module `name` with one test for each property. The constructor is
/// a function without arguments that returns an empty [`Timers`](polyloop_core::time::Timers).
#[macro_export]
macro_rules! timers {
    ($name:ident, $new:expr) => {
        mod $name {
            use super::*;
            $crate::__timers_properties! { [$crate::__mount_timers] { $name, $new } }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __mount_timers {
    ({ $name:ident, $new:expr } $($property:ident)*) => {
        $(
            #[test]
            fn $property() {
                $crate::timers::check(
                    stringify!($name), stringify!($property), || Box::new($new()), $crate::timers::$property,
                );
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __timers_properties {
    ([$($callback:tt)*] $arguments:tt) => {
        $($callback)*! { $arguments
            an_empty_queue_has_nothing_to_wait_for
            equal_deadlines_fire_in_insertion_order
            an_update_counts_as_a_new_insertion
            a_jump_over_days_fires_in_order_of_deadline
            next_is_exact_after_every_kind_of_change
            next_stays_exact_while_a_thousand_timeouts_are_cancelled_in_the_order_they_were_armed
            a_key_that_outlived_its_timer_does_nothing
            bug_30_no_duration_panics_or_fires_early
            bug_31_a_far_timer_hides_no_interval_from_day_11_to_13
            bug_32_a_timeout_beyond_24_days_is_told_in_full
            bug_33_drop_and_reset_around_the_moment_of_firing
            bug_34_the_past_fires_at_once_and_nothing_fires_early
            bug_35_only_the_last_waker_is_woken
            no_waker_is_woken_or_dropped_inside
            dropping_a_queue_drops_its_wakers
            an_instant_before_the_last_is_survived
            random_programs_do_what_the_model_does
            thirteen_virtual_days_with_far_timers_always_there
            a_jump_to_either_side_of_every_power_of_two
        }
    };
}

/// All properties by name.
pub fn properties() -> Vec<(&'static str, Property)> {
    macro_rules! listed {
        ({} $($property:ident)*) => {
            vec![$((stringify!($property), $property as Property)),*]
        };
    }
    crate::__timers_properties! { [listed] {} }
}
