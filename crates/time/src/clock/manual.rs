//! A clock that stands still until it is moved.
//!
//! Invariant: every move is one atomic maximum or sum, so the clock is monotonic over all threads, and whoever waits is
//! unparked after the move, never before: an unparked driver sees the new time.

use polyloop_core::context::is_polling;
use polyloop_core::reactor::ReactorHandle;
use polyloop_core::shim::atomic::{AtomicU64, Ordering};
use polyloop_core::shim::sync::{Arc, Mutex};
use polyloop_core::time::{Clock, Instant, Wait};
use std::fmt;
use std::sync::Weak;
use std::time::Duration;

/// The last instant that a manual clock reaches.
const END: u64 = u64::MAX - 1;

/// A clock for tests. Clones are handles to the same clock: a test keeps one and a runtime owns another.
///
/// By hand ([`new`](Self::new)) the time changes only by [`advance`](Self::advance) and [`advance_to`](Self::advance_to),
/// and a runtime with nothing to do waits until then, whatever deadlines it has. Automatic
/// ([`automatic`](Self::automatic)) the clock moves to the next deadline whenever nothing else can happen, so that a
/// program of hours runs in no time.
///
/// What a task moves it by in the middle of its poll is how long the poll takes. Every other move is a
/// [leap](Clock::leaps), which nobody has used the processor for.
///
/// # Examples
///
/// ```
/// use polyloop_core::time::{Clock, Instant, Wait};
/// use polyloop_time::ManualClock;
/// use std::time::Duration;
///
/// let deadline = Some(Instant::ORIGIN + Duration::from_secs(3600));
///
/// let by_hand = ManualClock::new();
/// assert_eq!(by_hand.idle(deadline), Wait::Forever);
/// by_hand.clone().advance(Duration::from_secs(3600));
/// assert_eq!(by_hand.idle(deadline), Wait::Now);
///
/// let automatic = ManualClock::automatic();
/// assert_eq!(automatic.idle(deadline), Wait::Now);
/// assert_eq!(Some(automatic.now()), deadline);
/// ```
#[derive(Clone)]
pub struct ManualClock {
    shared: Arc<Shared>,
    automatic: bool,
    step: u64,
}

struct Shared {
    now: AtomicU64,
    /// Odd in the middle of a leap, and two more after it.
    leaps: AtomicU64,
    leaping: Mutex<()>,
    waiting: Mutex<Vec<Weak<dyn ReactorHandle>>>,
}

impl ManualClock {
    /// A clock that is moved by hand. It stands at [`Instant::ORIGIN`].
    pub fn new() -> Self {
        let shared = Shared {
            now: AtomicU64::new(0),
            leaps: AtomicU64::new(0),
            leaping: Mutex::new(()),
            waiting: Mutex::new(Vec::new()),
        };
        Self { shared: Arc::new(shared), automatic: false, step: 0 }
    }

    /// A clock that moves to the next deadline when everything is idle. It stands at [`Instant::ORIGIN`] and can be moved
    /// by hand as well.
    pub fn automatic() -> Self {
        Self { automatic: true, ..Self::new() }
    }

    /// A handle to the same clock through which every [`now`](Clock::now) moves it by `step` after it was read: the time
    /// passes with the number of looks. Other handles keep their own step.
    #[must_use]
    pub fn stepping(self, step: Duration) -> Self {
        Self { step: (Instant::ORIGIN + step).as_nanos(), ..self }
    }

    /// Moves the clock on by `by`, at most to just before [`Instant::FAR_FUTURE`], and unparks all who wait.
    pub fn advance(&self, by: Duration) {
        self.moved(|| self.add((Instant::ORIGIN + by).as_nanos()));
        self.call_waiting(0);
    }

    /// Moves the clock to `to`, at most to just before [`Instant::FAR_FUTURE`], and unparks all who wait. An instant that
    /// has passed changes nothing.
    pub fn advance_to(&self, to: Instant) {
        self.moved(|| self.raise(to));
        self.call_waiting(0);
    }

    /// Moves the clock to `to` if that lies ahead; whether it does. Unparks nobody.
    pub(super) fn raise_to(&self, to: Instant) -> bool {
        self.moved(|| self.raise(to)) < to.as_nanos()
    }

    /// Moves the clock, by the work of the task that does it or by a leap.
    fn moved(&self, by: impl FnOnce() -> u64) -> u64 {
        if is_polling() {
            return by();
        }
        let _leaping = self.shared.leaping.lock();
        // Ordering: the move between the two is a Release, so that whoever sees it sees that the leap has begun.
        self.shared.leaps.fetch_add(1, Ordering::AcqRel);
        let before = by();
        self.shared.leaps.fetch_add(1, Ordering::AcqRel);
        before
    }

    /// Returns the time before.
    fn add(&self, nanos: u64) -> u64 {
        let sum = |now: u64| Some(now.saturating_add(nanos).min(END));
        // The closure never declines, so both arms carry the time before.
        match self.shared.now.fetch_update(Ordering::AcqRel, Ordering::Acquire, sum) {
            Ok(before) | Err(before) => before,
        }
    }

    /// Returns the time before.
    fn raise(&self, to: Instant) -> u64 {
        self.shared.now.fetch_max(to.as_nanos().min(END), Ordering::AcqRel)
    }

    fn present(&self) -> Instant {
        Instant::from_nanos(self.shared.now.load(Ordering::Acquire))
    }

    /// Unparks every attached reactor, if there are more than `but`.
    pub(super) fn call_waiting(&self, but: usize) {
        let handles: Vec<_> = self.shared.waiting.lock().iter().filter_map(Weak::upgrade).collect();
        if handles.len() > but {
            handles.iter().for_each(|handle| handle.unpark());
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        if self.step == 0 { self.present() } else { Instant::from_nanos(self.add(self.step)) }
    }

    fn busy(&self, next: Option<Instant>) -> Wait {
        match next {
            Some(deadline) if deadline <= self.present() => Wait::Now,
            _ => Wait::Forever,
        }
    }

    fn idle(&self, next: Option<Instant>) -> Wait {
        if let Some(deadline) = next.filter(|deadline| self.automatic && *deadline != Instant::FAR_FUTURE)
            && self.raise_to(deadline)
        {
            // Whoever asks does not wait. With one reactor attached that is the asker's own.
            self.call_waiting(1);
        }
        self.busy(next)
    }

    fn leaps(&self) -> Option<u64> {
        Some(self.shared.leaps.load(Ordering::Acquire)).filter(|leaps| leaps.is_multiple_of(2))
    }

    fn distinguishes_idle(&self) -> bool {
        self.automatic
    }

    fn try_advance(&self, by: Duration) -> bool {
        self.advance(by);
        true
    }

    fn set_paused(&self, paused: bool) -> bool {
        paused
    }

    fn attach(&self, handle: Weak<dyn ReactorHandle>) {
        let mut waiting = self.shared.waiting.lock();
        waiting.retain(|handle| handle.strong_count() > 0);
        waiting.push(handle);
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock")
            .field("now", &self.present())
            .field("automatic", &self.automatic)
            .field("step", &Duration::from_nanos(self.step))
            .finish_non_exhaustive()
    }
}
