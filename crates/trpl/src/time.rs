//! Waiting.

use crate::here;
use polyloop::time::{Interval, Sleep};
use std::time::Duration;

/// Waits for `duration` to pass, and lets others go meanwhile. It never ends early.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancel safety
///
/// Cancel safe.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let _here = here::handle();
    polyloop::time::sleep(duration)
}

/// Ticks at once, and then every `period`.
///
/// # Panics
///
/// If `period` is zero, and outside of a runtime.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    let _here = here::handle();
    polyloop::time::interval(period)
}
