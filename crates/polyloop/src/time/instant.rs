//! A point in time, as the current runtime's clock has it.

use crate::Handle;
use polyloop_core::time::{Clock, Instant as Point};
use polyloop_time::SystemClock;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

/// A point on the clock of a runtime. Outside of a runtime, [`now`](Self::now) reads the system clock.
///
/// Adding saturates at a point that is never reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub(crate) Point);

impl Instant {
    /// The present.
    pub fn now() -> Self {
        match Handle::try_current() {
            Ok(handle) => Self(handle.driver().now()),
            Err(_) => Self(SystemClock.now()),
        }
    }

    /// The time since this instant; zero if it lies ahead.
    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    /// The time since `earlier`; zero if that is the later one.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// As [`duration_since`](Self::duration_since), by the name that says it.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }

    /// The time since `earlier`, or `None` if that is the later one.
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// The standard library's instant for this one, for foreign code that speaks in those. On a paused clock, too, order and
    /// distances stay the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::time::Instant;
    /// use std::time::Duration;
    ///
    /// let now = Instant::now();
    /// let deadline = now.into_std() + Duration::from_secs(1);
    /// assert_eq!(Instant::from_std(deadline) - now, Duration::from_secs(1));
    /// ```
    pub fn into_std(self) -> std::time::Instant {
        SystemClock::to_std(self.0)
    }

    /// The reverse of [`into_std`](Self::into_std). What lies before the clock's origin is there.
    pub fn from_std(instant: std::time::Instant) -> Self {
        Self(SystemClock::from_std(instant))
    }

    /// `self + duration`, or `None` if that is out of range.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    /// `self - duration`, or `None` if that lies before the clock's origin.
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.as_nanos().checked_sub(nanos).map(Point::from_nanos).map(Self)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Point> for Instant {
    fn from(point: Point) -> Self {
        Self(point)
    }
}

impl From<Instant> for Point {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// The earlier instant, or the clock's origin if that would lie before it.
    fn sub(self, duration: Duration) -> Self {
        self.checked_sub(duration).unwrap_or(Self(Point::ORIGIN))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}
