//! Ticks at a fixed period, on any runtime's clock.
//!
//! Invariant: the deadline of the next tick moves only when a tick is given out, so a tick that nobody took is not lost.

use crate::Time;
use std::time::Duration;

/// So much later than it was due a tick may be taken and still count as in time.
const GRACE: Duration = Duration::from_millis(5);

/// What an [`Interval`] does when its ticks were not taken in time, which is more than 5 ms late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// Ticks as fast as possible until it has caught up.
    #[default]
    Burst,
    /// Goes on with full periods from the late tick.
    Delay,
    /// Leaves out what was missed, and goes on in the old rhythm.
    Skip,
}

/// Ticks at once, and then every period; see [`Time::interval`].
#[derive(Debug)]
pub struct Interval<R: Time> {
    runtime: R,
    due: R::Instant,
    period: Duration,
    missed: Missed,
}

impl<R: Time> Interval<R> {
    /// Ticks of `runtime`'s clock.
    ///
    /// # Panics
    ///
    /// If `period` is zero.
    pub fn new(runtime: R, period: Duration) -> Self {
        assert!(!period.is_zero(), "the period of an interval must not be zero");
        let due = runtime.now();
        Self { runtime, due, period, missed: Missed::default() }
    }

    /// Chooses what happens when ticks are not taken in time.
    #[must_use]
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Waits for the next tick, and returns when it was due.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a tick that was not returned comes with the next call.
    pub async fn tick(&mut self) -> R::Instant {
        self.runtime.sleep_until(self.due).await;
        let due = self.due;
        self.due = self.after(due, self.runtime.now());
        due
    }

    /// When the tick after the one of `due` comes, which was taken at `now`.
    fn after(&self, due: R::Instant, now: R::Instant) -> R::Instant {
        if now <= due + GRACE {
            return due + self.period;
        }
        match self.missed {
            Missed::Burst => due + self.period,
            Missed::Delay => now + self.period,
            Missed::Skip => {
                let into = (now - due).as_nanos() % self.period.as_nanos();
                // Less than the period, which is a `Duration`; one of more than five centuries has ended in no process.
                now + (self.period - Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX)))
            }
        }
    }
}
