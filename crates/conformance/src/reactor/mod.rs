//! The suite for reactors: readiness, waits, registrations, and the ends of connections (C12).
//!
//! Invariant: a property turns the reactor by hand and knows it by its traits and its capabilities alone. Times are never
//! asserted from above but for hangs.
//!
//! # Examples
//!
//! ```
//! # mod tests {
//! polyloop_conformance::reactor!(poll, polyloop_reactor::Poll::new);
//! polyloop_conformance::reactor!(bad_days, rough, || {
//!     use polyloop_reactor::{Chaos, ChaosPlan, Poll};
//!     Ok(Chaos::new(Poll::new()?, 4, ChaosPlan::ROUGH))
//! });
//! # }
//! ```

mod closing;
mod readiness;
mod registration;
mod rig;
mod waiting;

pub use closing::*;
pub use readiness::*;
pub use registration::*;
pub use rig::{Rig, Subject, pair, token};
pub use waiting::*;

use crate::watched;
use polyloop_core::reactor::Reactor;
use std::io;
use std::time::Duration;

/// Makes a reactor, on the thread that will turn it.
pub type New = fn() -> io::Result<Box<dyn Reactor>>;

/// A property of a reactor: returns if it holds, panics if not.
pub type Property = fn(Subject);

/// How long a property may take before it counts as hung. It is long because some wait in earnest, thousands of times.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs one property under the watchdog.
///
/// # Panics
///
/// If the property does not hold.
pub fn check(name: &str, test: &str, subject: Subject, property: Property) {
    watched(&format!("{name}::{test}"), PATIENCE, move || property(subject));
}

/// Mounts the suite: `reactor!(name, constructor)` makes a module `name` with one test for each property. The constructor
/// is a function without arguments that returns `io::Result` of a [`Reactor`](polyloop_core::reactor::Reactor).
///
/// `reactor!(name, rough, constructor)` is for one whose events may be late, doubled or invented, such as a wrapper that
/// injects faults: it is held to what is done in the end.
#[macro_export]
macro_rules! reactor {
    ($name:ident, rough, $new:expr) => {
        $crate::reactor! { @ $name, true, $new }
    };
    ($name:ident, $new:expr) => {
        $crate::reactor! { @ $name, false, $new }
    };
    (@ $name:ident, $rough:literal, $new:expr) => {
        mod $name {
            use super::*;
            fn subject() -> $crate::reactor::Subject {
                $crate::reactor::Subject { new: || $crate::reactor::boxed($new), rough: $rough }
            }
            $crate::__reactor_properties! { [$crate::__mount_reactor] { $name } }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __mount_reactor {
    ({ $name:ident } $($property:ident)*) => {
        $(
            #[test]
            fn $property() {
                $crate::reactor::check(
                    stringify!($name), stringify!($property), subject(), $crate::reactor::$property,
                );
            }
        )*
    };
}

#[doc(hidden)]
pub fn boxed<R: Reactor + 'static>(new: impl FnOnce() -> io::Result<R>) -> io::Result<Box<dyn Reactor>> {
    Ok(Box::new(new()?))
}

#[doc(hidden)]
#[macro_export]
macro_rules! __reactor_properties {
    ([$($callback:tt)*] $arguments:tt) => {
        $($callback)*! { $arguments
            a_file_reports_what_it_was_asked_for
            a_reported_direction_is_silent_until_rearmed_or_reports_the_next_edge
            one_byte_at_a_time_loses_nothing
            a_full_pipe_empties_through_partial_writes
            attached_silently_then_rearmed
            an_unpark_before_the_wait_ends_it
            many_unparks_before_a_wait_are_one
            a_look_keeps_the_token
            no_unpark_of_a_wait_is_lost
            a_wait_is_never_early_and_does_not_spin
            far_timeouts_do_not_overflow
            attach_while_another_thread_waits
            rearm_while_another_thread_waits
            detach_while_another_thread_waits_closes_the_file
            a_reused_fd_or_slot_is_not_taken_for_its_predecessor
            a_duplicate_does_not_outlive_the_registration
            a_failed_attach_leaves_nothing_behind
            an_unknown_token_is_not_found
            half_close_is_no_hangup_and_no_spin
            a_reset_connection_wakes_both_directions
            a_hangup_is_told_once
            one_turn_per_event
            a_thousand_sources
            threads_attach_and_detach_while_it_turns
            a_handle_outlives_its_reactor
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
    crate::__reactor_properties! { [listed] {} }
}
