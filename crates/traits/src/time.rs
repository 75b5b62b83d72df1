//! Time as a runtime sees it, which in a test need not be the wall's.
//!
//! Invariant: `now` and `sleep` follow the same clock, so `now` after `sleep(d)` is never less than `d` later.

use crate::Interval;
use std::fmt::Debug;
use std::future::Future;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Knows the time and waits for it.
pub trait Time {
    /// A point on this runtime's clock.
    type Instant: Copy
        + Debug
        + Ord
        + Send
        + Sync
        + 'static
        + Add<Duration, Output = Self::Instant>
        + Sub<Output = Duration>;

    /// The future of a deadline.
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the deadline; nothing else happens.
    type Sleep: Future<Output = ()> + Send + 'static;

    /// The present.
    fn now(&self) -> Self::Instant;

    /// Completes `duration` from now, never earlier. May be called and awaited on any thread, as long as the runtime runs.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// Completes at `deadline`, never earlier.
    fn sleep_until(&self, deadline: Self::Instant) -> Self::Sleep;

    /// Ticks at once, and then every `period`.
    ///
    /// # Panics
    ///
    /// If `period` is zero.
    fn interval(&self, period: Duration) -> Interval<Self>
    where
        Self: Clone,
    {
        Interval::new(self.clone(), period)
    }
}
