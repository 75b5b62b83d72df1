//! Time as the parts see it: instants, the clock they come from, and the queue of deadlines.
//!
//! Invariant: nothing but a [`Clock`] reads the time. An [`Instant`] is a count of nanoseconds on one clock; instants of
//! different clocks do not compare meaningfully.

use crate::WakeBatch;
use crate::reactor::ReactorHandle;
use core::fmt;
use core::ops::{Add, Sub};
use core::task::Waker;
use core::time::Duration;
use std::sync::Weak;

/// A point on a runtime's [`Clock`], in nanoseconds since that clock's origin.
///
/// 584 years fit. Arithmetic saturates: what lies beyond the end is [`Instant::FAR_FUTURE`], which no clock reaches, so
/// that `now + Duration::MAX` is "never" and not a panic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin.
    pub const ORIGIN: Self = Self(0);

    /// A deadline that never comes.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The instant `nanos` after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is the later one.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `earlier` to `self`, or `None` if `earlier` is the later one.
    pub const fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        match self.0.checked_sub(earlier.0) {
            Some(nanos) => Some(Duration::from_nanos(nanos)),
            None => None,
        }
    }

    /// `self + duration`, or [`Instant::FAR_FUTURE`] if that is out of range.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        if nanos > u64::MAX as u128 { Self::FAR_FUTURE } else { Self(self.0.saturating_add(nanos as u64)) }
    }

    /// `self + duration`, or `None` if that is out of range.
    pub const fn checked_add(self, duration: Duration) -> Option<Self> {
        let sum = self.0 as u128 + duration.as_nanos();
        if sum > u64::MAX as u128 { None } else { Some(Self(sum as u64)) }
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FAR_FUTURE => f.write_str("Instant(never)"),
            Self(nanos) => write!(f, "Instant({:?})", Duration::from_nanos(nanos)),
        }
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// How long a driver turn may wait for the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: look and come back.
    Now,
    /// At most this long, rounded *up* to the reactor's resolution: a turn that comes back early would spin.
    For(Duration),
    /// Until an event or an unpark.
    Forever,
}

/// Where "now" comes from.
///
/// `now` is monotonic over all threads. What a clock may do beyond telling the time is decide what idleness means:
/// the system clock waits for the next deadline, a manual one moves to it.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Instant;

    /// How long to wait for `next`, the nearest deadline, while some worker still polls tasks.
    fn busy(&self, next: Option<Instant>) -> Wait;

    /// How long to wait for `next` when nothing else can happen: every worker is idle, no blocking job runs and no
    /// operation is in flight. A manual clock that advances by itself moves to `next` here and answers [`Wait::Now`].
    fn idle(&self, next: Option<Instant>) -> Wait;

    /// Whether [`idle`](Self::idle) differs from [`busy`](Self::busy), so that the last worker to become idle must
    /// call the driver's holder out of its wait.
    fn distinguishes_idle(&self) -> bool {
        false
    }

    /// How often it has leapt so far, by no time that passed for whoever runs: whatever took from before a leap to after it did not
    /// take that long. `None` in the middle of one.
    fn leaps(&self) -> Option<u64> {
        Some(0)
    }

    /// Whether whoever reads this clock moves the [coarse one](crate::tick) on, which counts from the same origin.
    fn moves_tick(&self) -> bool {
        false
    }

    /// Moves the clock on by hand; whether it is one that can be moved so.
    fn try_advance(&self, by: Duration) -> bool {
        let _ = by;
        false
    }

    /// Stops the clock where it is, or lets it run on from there; whether it now is as it was told to be. Whoever waits is
    /// unparked if that changes for how long.
    fn set_paused(&self, paused: bool) -> bool {
        !paused
    }

    /// Tells the clock whom to unpark when it is moved by hand. The system clock has no use for it.
    fn attach(&self, handle: Weak<dyn ReactorHandle>) {
        let _ = handle;
    }
}

/// Names one entry of a [`Timers`] queue. The generation makes a key that outlived its entry harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

impl TimerKey {
    /// A key for the entry in slot `index`, the `generation`-th to live there.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The slot.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Which of the slot's tenants is meant.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

/// A queue of deadlines: a plain structure behind `&mut`, whose sharing is the driver's business.
///
/// Contract (C4):
/// - Deadlines are exact nanoseconds; buckets may group them, never round them. Nothing fires before its deadline.
/// - What is due at `fire(now)` is `deadline <= now`, in order of deadline, and in insertion order where deadlines are
///   equal. An [`update`](Self::update) counts as a new insertion.
/// - A far deadline, up to and including [`Instant::FAR_FUTURE`], never hides a near one.
/// - `fire` may be handed any later instant, days ahead; it is never handed an earlier one than before.
/// - No waker is woken or dropped inside: `fire` moves them to the batch, `remove` hands its waker back.
pub trait Timers: fmt::Debug + Send {
    /// Adds an entry. A deadline that has passed already fires with the next [`fire`](Self::fire).
    fn insert(&mut self, deadline: Instant, waker: Waker) -> TimerKey;

    /// Moves a live entry to another deadline and keeps its waker; `false` if the entry fired or was removed.
    fn update(&mut self, key: TimerKey, deadline: Instant) -> bool;

    /// The waker of a live entry, to be replaced when another task polls the timer; `None` if the entry fired or was
    /// removed.
    fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker>;

    /// Removes a live entry and hands its waker back, to be dropped outside of any lock.
    fn remove(&mut self, key: TimerKey) -> Option<Waker>;

    /// The nearest deadline, exactly. Takes `&mut self` so that it may be found lazily.
    fn next(&mut self) -> Option<Instant>;

    /// Moves the wakers of all entries due at `now` to `batch`, in the order of the contract.
    fn fire(&mut self, now: Instant, batch: &mut WakeBatch);

    /// How many entries are live.
    fn len(&self) -> usize;

    /// Whether no entry is live.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_beyond_the_end_is_the_far_future() {
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!(late + Duration::from_nanos(5), Instant::FAR_FUTURE);
        assert_eq!(Instant::ORIGIN + Duration::MAX, Instant::FAR_FUTURE);
        assert_eq!(Instant::ORIGIN - late, Duration::ZERO);
        assert_eq!(late.checked_add(Duration::MAX), None);
    }
}
