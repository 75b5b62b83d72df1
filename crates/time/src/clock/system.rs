//! The kernel's monotonic clock.
//!
//! Invariant: all system clocks of a process count from one origin, so that their instants compare. Whoever reads one moves the
//! [coarse clock](tick) on, by which tasks are stamped.

use polyloop_core::tick;
use polyloop_core::time::{Clock, Instant, Wait};
use std::sync::OnceLock;
use std::time;

/// The kernel's monotonic clock, counted from the first time that any of them was asked.
///
/// All of them are the same clock. Where the kernel stops its clock in a suspended machine, as Linux does, so does this
/// one.
///
/// # Examples
///
/// ```
/// use polyloop_core::time::Clock;
/// use polyloop_time::SystemClock;
///
/// let earlier = SystemClock.now();
/// assert!(SystemClock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemClock;

impl SystemClock {
    /// The standard library's instant for a point on this clock. Points on another clock are taken as if they were on this one,
    /// which keeps their order and their distances.
    ///
    /// [`Instant::FAR_FUTURE`] is as far away there as the standard library can say, which is no less than a hundred years.
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop_core::time::Clock;
    /// use polyloop_time::SystemClock;
    ///
    /// let now = SystemClock.now();
    /// assert_eq!(SystemClock::from_std(SystemClock::to_std(now)), now);
    /// ```
    pub fn to_std(point: Instant) -> time::Instant {
        let since = point - Instant::ORIGIN;
        origin().checked_add(since).unwrap_or_else(|| origin() + HUNDRED_YEARS)
    }

    /// The point on this clock for an instant of the standard library: [`Instant::ORIGIN`] for what lies before it.
    pub fn from_std(instant: time::Instant) -> Instant {
        Instant::ORIGIN + instant.saturating_duration_since(origin())
    }
}

/// What every platform's clock can add.
const HUNDRED_YEARS: time::Duration = time::Duration::from_secs(100 * 365 * 24 * 3600);

fn origin() -> time::Instant {
    static ORIGIN: OnceLock<time::Instant> = OnceLock::new();
    *ORIGIN.get_or_init(kernel_now)
}

fn kernel_now() -> time::Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that reads the kernel's")]
    time::Instant::now()
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let origin = origin();
        let now = Instant::ORIGIN + kernel_now().saturating_duration_since(origin);
        tick::advance(now);
        now
    }

    fn moves_tick(&self) -> bool {
        true
    }

    fn busy(&self, next: Option<Instant>) -> Wait {
        self.idle(next)
    }

    fn idle(&self, next: Option<Instant>) -> Wait {
        match next {
            None | Some(Instant::FAR_FUTURE) => Wait::Forever,
            Some(deadline) => match deadline - self.now() {
                time::Duration::ZERO => Wait::Now,
                left => Wait::For(left),
            },
        }
    }
}
