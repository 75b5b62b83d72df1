//! A clock that runs with the kernel's until it is paused.
//!
//! Invariant: it never goes back, and it never jumps: it stands where it was when it was paused, and goes on from where it stood.
//! How it goes is read and changed under one lock, so that nobody sees the time of one pace by the other.

use super::{ManualClock, SystemClock};
use polyloop_core::reactor::ReactorHandle;
use polyloop_core::shim::sync::{Arc, Mutex};
use polyloop_core::time::{Clock, Instant, Wait};
use std::fmt;
use std::sync::Weak;
use std::time::Duration;

/// A clock for tests that are to begin, or to end, in real time. Clones are handles to the same clock.
///
/// While it runs it is the [`SystemClock`]. While it is paused it is an [automatic](ManualClock::automatic) [`ManualClock`]: it moves
/// to the next deadline whenever nothing else can happen, and can be moved by hand.
///
/// The price of that is paid also while it runs, whenever a thread goes to rest or is called: it must be known at any moment who is
/// at work, and the kernel is asked once more before a wait. So it is no clock for measuring.
///
/// # Examples
///
/// ```
/// use polyloop_core::time::{Clock, Wait};
/// use polyloop_time::PausableClock;
/// use std::time::Duration;
///
/// let clock = PausableClock::running();
/// let deadline = clock.now() + Duration::from_secs(3600);
/// assert!(matches!(clock.idle(Some(deadline)), Wait::For(_)));
/// assert!(clock.set_paused(true));
/// assert_eq!(clock.idle(Some(deadline)), Wait::Now);
/// assert_eq!(clock.now(), deadline);
/// ```
#[derive(Clone)]
pub struct PausableClock {
    shared: Arc<Shared>,
}

struct Shared {
    pace: Mutex<Pace>,
    /// Where it stands while it is paused.
    stopped: ManualClock,
}

/// How the clock goes.
#[derive(Clone, Copy)]
enum Pace {
    /// With the system's, which stood at `since` when this one stood at `from`.
    Running {
        since: Instant,
        from: Instant,
    },
    Paused,
}

impl Pace {
    fn is_paused(self) -> bool {
        matches!(self, Self::Paused)
    }
}

impl PausableClock {
    /// A clock that runs, and shows what the [`SystemClock`] does until it is paused.
    pub fn running() -> Self {
        Self::with(Pace::Running { since: Instant::ORIGIN, from: Instant::ORIGIN })
    }

    /// A clock that is paused, and stands at [`Instant::ORIGIN`].
    pub fn paused() -> Self {
        Self::with(Pace::Paused)
    }

    fn with(pace: Pace) -> Self {
        let shared = Shared { pace: Mutex::new(pace), stopped: ManualClock::automatic() };
        Self { shared: Arc::new(shared) }
    }

    /// Whether it is paused at this moment.
    pub fn is_paused(&self) -> bool {
        self.shared.pace.lock().is_paused()
    }

    fn read(&self, pace: Pace) -> Instant {
        match pace {
            Pace::Running { since, from } => from + (SystemClock.now() - since),
            Pace::Paused => self.shared.stopped.now(),
        }
    }

    /// The present, and whether the clock stands still there.
    fn present(&self) -> (Instant, bool) {
        let pace = self.shared.pace.lock();
        (self.read(*pace), pace.is_paused())
    }
}

impl Clock for PausableClock {
    fn now(&self) -> Instant {
        self.present().0
    }

    fn busy(&self, next: Option<Instant>) -> Wait {
        let Some(deadline) = next.filter(|deadline| *deadline != Instant::FAR_FUTURE) else {
            return Wait::Forever;
        };
        match self.present() {
            (now, _) if deadline <= now => Wait::Now,
            (_, true) => Wait::Forever,
            (now, false) => Wait::For(deadline - now),
        }
    }

    fn idle(&self, next: Option<Instant>) -> Wait {
        let Shared { pace, stopped } = &*self.shared;
        let deadline = next.filter(|deadline| *deadline != Instant::FAR_FUTURE);
        let has_moved = {
            let pace = pace.lock();
            // Under the lock: a clock that was told to run meanwhile must not leap.
            pace.is_paused() && deadline.is_some_and(|deadline| stopped.raise_to(deadline))
        };
        if has_moved {
            stopped.call_waiting(1);
        }
        self.busy(next)
    }

    fn distinguishes_idle(&self) -> bool {
        true
    }

    fn leaps(&self) -> Option<u64> {
        self.shared.stopped.leaps()
    }

    fn moves_tick(&self) -> bool {
        !self.is_paused()
    }

    fn try_advance(&self, by: Duration) -> bool {
        let Shared { pace, stopped } = &*self.shared;
        {
            let pace = pace.lock();
            if !pace.is_paused() {
                return false;
            }
            stopped.raise_to(stopped.now() + by);
        }
        stopped.call_waiting(0);
        true
    }

    fn set_paused(&self, paused: bool) -> bool {
        let Shared { pace, stopped } = &*self.shared;
        {
            let mut pace = pace.lock();
            if pace.is_paused() == paused {
                return true;
            }
            let now = self.read(*pace);
            if paused {
                stopped.raise_to(now);
            }
            *pace = if paused { Pace::Paused } else { Pace::Running { since: SystemClock.now(), from: now } };
        }
        // Whoever waits does so as long as the other pace has it.
        stopped.call_waiting(0);
        true
    }

    fn attach(&self, handle: Weak<dyn ReactorHandle>) {
        self.shared.stopped.attach(handle);
    }
}

impl fmt::Debug for PausableClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, paused) = self.present();
        f.debug_struct("PausableClock").field("now", &now).field("paused", &paused).finish_non_exhaustive()
    }
}
