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

fn kernel_now() -> time::Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that reads the kernel's")]
    time::Instant::now()
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        static ORIGIN: OnceLock<time::Instant> = OnceLock::new();
        let origin = *ORIGIN.get_or_init(kernel_now);
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
