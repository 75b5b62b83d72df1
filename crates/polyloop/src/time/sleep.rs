//! Sleeping on the current runtime.

use super::Instant;
use crate::{Handle, NoRuntime};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits until a point in time; see [`sleep`].
///
/// # Panics
///
/// When it is polled after its runtime has shut down.
///
/// # Cancel safety
///
/// Cancel safe: dropping it takes the timer out of the queue.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep(pub(crate) polyloop_core::Sleep);

/// Waits for `duration` to pass. Never ends early; [`Duration::MAX`] never ends at all.
///
/// # Panics
///
/// Outside of a runtime; see [`try_sleep`].
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::after(&Handle::current(), duration)
}

/// Waits until `deadline`.
///
/// # Panics
///
/// Outside of a runtime.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::until(&Handle::current(), deadline)
}

/// As [`sleep`].
///
/// # Errors
///
/// [`NoRuntime`] outside of a runtime.
pub fn try_sleep(duration: Duration) -> Result<Sleep, NoRuntime> {
    Ok(Sleep::after(&Handle::try_current()?, duration))
}

impl Sleep {
    pub(crate) fn after(handle: &Handle, duration: Duration) -> Self {
        Self::until(handle, Instant(handle.driver().now() + duration))
    }

    pub(crate) fn until(handle: &Handle, deadline: Instant) -> Self {
        Self(polyloop_core::Sleep::until(handle.driver().clone(), deadline.0))
    }

    /// The instant it waits for.
    pub fn deadline(&self) -> Instant {
        Instant(self.0.deadline())
    }

    /// Whether the deadline was found passed.
    pub fn is_elapsed(&self) -> bool {
        self.0.is_elapsed()
    }

    /// Waits for another deadline from now on, also after it had elapsed.
    pub fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.0.reset(deadline.0);
    }

    /// Waits for `duration` from now on, by the clock of its own runtime, also after it had elapsed.
    pub fn reset_after(mut self: Pin<&mut Self>, duration: Duration) {
        let now = self.0.driver().now();
        self.0.reset(now + duration);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
