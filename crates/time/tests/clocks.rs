//! What clocks say and whom they unpark.

use polyloop_core::reactor::{Caps, File, Interest, ReactorHandle, Token};
use polyloop_core::time::{Clock, Instant, Wait};
use polyloop_time::{ManualClock, PausableClock, SystemClock};
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Counts its unparks and remembers what the clock said at the last.
#[derive(Debug)]
struct Parked {
    clock: ManualClock,
    unparks: AtomicUsize,
    seen: AtomicU64,
}

impl Parked {
    fn on(clock: &ManualClock) -> Arc<Self> {
        let parked =
            Arc::new(Self { clock: clock.clone(), unparks: AtomicUsize::new(0), seen: AtomicU64::new(0) });
        let handle: Arc<dyn ReactorHandle> = parked.clone();
        clock.attach(Arc::downgrade(&handle));
        parked
    }

    fn unparks(&self) -> usize {
        self.unparks.load(Ordering::Relaxed)
    }
}

impl ReactorHandle for Parked {
    fn name(&self) -> &'static str {
        "parked"
    }

    fn caps(&self) -> Caps {
        Caps::READINESS
    }

    fn attach(&self, _: Arc<dyn File>, _: Token, _: Interest) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rearm(&self, _: Token, _: Interest) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn detach(&self, _: Token) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn unpark(&self) {
        self.seen.store(self.clock.now().as_nanos(), Ordering::Relaxed);
        self.unparks.fetch_add(1, Ordering::Relaxed);
    }

    fn syscalls(&self) -> u64 {
        0
    }
}

fn after(duration: Duration) -> Option<Instant> {
    Some(Instant::ORIGIN + duration)
}

#[test]
fn system_clocks_agree_over_threads_and_never_go_back() {
    let looks = if cfg!(miri) { 20 } else { 20_000 };
    let latest = AtomicU64::new(SystemClock.now().as_nanos());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..looks {
                    // What another thread has published before this look cannot be later than it.
                    let published = latest.load(Ordering::Acquire);
                    let now = SystemClock.now().as_nanos();
                    assert!(now >= published, "{now} after {published}");
                    latest.fetch_max(now, Ordering::AcqRel);
                }
            });
        }
    });
    assert_ne!(SystemClock.now(), Instant::ORIGIN, "it moves");
}

#[test]
fn the_system_clock_waits_for_a_deadline_and_never_for_the_far_future() {
    let clock = SystemClock;
    assert!(!clock.distinguishes_idle());
    for wait in [Clock::busy, Clock::idle] {
        assert_eq!(wait(&clock, None), Wait::Forever);
        assert_eq!(wait(&clock, Some(Instant::FAR_FUTURE)), Wait::Forever);
        assert_eq!(wait(&clock, Some(Instant::ORIGIN)), Wait::Now);
        let before = clock.now();
        let deadline = before + 3600 * SECOND;
        let Wait::For(left) = wait(&clock, Some(deadline)) else { panic!("an hour is not over") };
        assert!(left <= deadline - before && left >= deadline - clock.now(), "{left:?}");
    }
}

#[test]
fn a_frozen_clock_stands_still_whatever_waits() {
    let clock = ManualClock::new();
    assert!(!clock.distinguishes_idle());
    for _ in 0..3 {
        assert_eq!(clock.now(), Instant::ORIGIN);
        assert_eq!(clock.idle(after(SECOND)), Wait::Forever);
        assert_eq!(clock.busy(after(SECOND)), Wait::Forever);
        assert_eq!(clock.idle(None), Wait::Forever);
        assert_eq!(clock.busy(after(Duration::ZERO)), Wait::Now);
    }
}

#[test]
fn moving_the_clock_unparks_who_waits_and_they_see_the_new_time() {
    let clock = ManualClock::new();
    let parked = [Parked::on(&clock), Parked::on(&clock)];
    clock.advance(SECOND);
    for parked in &parked {
        assert_eq!((parked.unparks(), parked.seen.load(Ordering::Relaxed)), (1, 1_000_000_000));
    }
    clock.advance_to(Instant::ORIGIN + 5 * SECOND);
    clock.advance_to(Instant::ORIGIN);
    assert_eq!(clock.now(), Instant::ORIGIN + 5 * SECOND, "not back");
    assert_eq!(clock.busy(after(5 * SECOND)), Wait::Now);
    assert_eq!(clock.busy(after(5 * SECOND + Duration::from_nanos(1))), Wait::Forever);
}

#[test]
fn a_clock_forgets_reactors_that_are_gone() {
    let clock = ManualClock::new();
    let gone: Arc<dyn ReactorHandle> = Parked::on(&clock);
    let watch: Weak<dyn ReactorHandle> = Arc::downgrade(&gone);
    drop(gone);
    assert_eq!(watch.strong_count(), 0, "the clock keeps no reactor alive");
    let parked = Parked::on(&clock);
    clock.advance(SECOND);
    assert_eq!(parked.unparks(), 1);
}

#[test]
fn an_automatic_clock_moves_when_idle_and_only_then() {
    let clock = ManualClock::automatic();
    assert!(clock.distinguishes_idle());
    assert_eq!(clock.busy(after(SECOND)), Wait::Forever);
    assert_eq!(clock.now(), Instant::ORIGIN);
    assert_eq!(clock.idle(after(SECOND)), Wait::Now);
    assert_eq!(clock.now(), Instant::ORIGIN + SECOND);
    assert_eq!(clock.idle(after(Duration::ZERO)), Wait::Now, "the past is due");
    assert_eq!(clock.now(), Instant::ORIGIN + SECOND, "and does not turn the clock back");
    assert_eq!(clock.idle(None), Wait::Forever);
    assert_eq!(clock.idle(Some(Instant::FAR_FUTURE)), Wait::Forever);
    assert_eq!(clock.now(), Instant::ORIGIN + SECOND);
}

#[test]
fn an_automatic_clock_unparks_others_but_not_a_lone_asker() {
    let clock = ManualClock::automatic();
    let asker = Parked::on(&clock);
    clock.idle(after(SECOND));
    assert_eq!(asker.unparks(), 0);
    let other = Parked::on(&clock);
    clock.idle(after(2 * SECOND));
    assert_eq!(other.unparks(), 1);
    clock.idle(after(2 * SECOND));
    assert_eq!(other.unparks(), 1, "nothing moved");
}

#[test]
fn a_stepping_clock_moves_with_every_look() {
    let clock = ManualClock::new();
    let stepping = clock.clone().stepping(Duration::from_micros(1));
    for look in 0..100 {
        assert_eq!(stepping.now(), Instant::ORIGIN + Duration::from_micros(look));
    }
    assert_eq!(clock.now(), Instant::ORIGIN + Duration::from_micros(100));
    assert_eq!(clock.now(), Instant::ORIGIN + Duration::from_micros(100), "this handle has no step");
    assert_eq!(stepping.busy(after(Duration::from_micros(100))), Wait::Now);
}

#[test]
fn no_clock_reaches_the_far_future() {
    let almost = Instant::from_nanos(u64::MAX - 1);
    let clock = ManualClock::automatic().stepping(Duration::MAX);
    clock.advance(Duration::MAX);
    clock.advance_to(Instant::FAR_FUTURE);
    assert_eq!((clock.now(), clock.now()), (almost, almost));
    assert_eq!(clock.idle(Some(Instant::FAR_FUTURE)), Wait::Forever);
}

#[test]
fn a_stepping_clock_is_monotonic_over_threads() {
    let looks = if cfg!(miri) { 20 } else { 5_000 };
    let clock = ManualClock::new().stepping(Duration::from_nanos(3));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let clock = clock.clone();
            scope.spawn(move || {
                let mut last = None;
                for _ in 0..looks {
                    let now = clock.now();
                    assert!(Some(now) > last, "every look is another instant");
                    last = Some(now);
                }
            });
        }
    });
    assert_eq!(clock.now(), Instant::from_nanos(3 * 3 * looks));
}

#[test]
fn a_pausable_clock_is_the_systems_until_it_is_paused_and_goes_on_from_where_it_stood() {
    let clock = PausableClock::running();
    assert!(clock.distinguishes_idle(), "who is at work is known when it is paused");
    assert!(clock.moves_tick() && !clock.try_advance(SECOND));
    let (before, now, after) = (SystemClock.now(), clock.now(), SystemClock.now());
    assert!(before <= now && now <= after);
    assert!(matches!(clock.idle(Some(now + 3600 * SECOND)), Wait::For(_)));
    assert_eq!((clock.idle(None), clock.idle(Some(Instant::FAR_FUTURE))), (Wait::Forever, Wait::Forever));
    assert!(clock.set_paused(false), "it runs");

    assert!(clock.set_paused(true) && clock.set_paused(true));
    let stands = clock.now();
    assert!(stands >= now && clock.now() == stands && !clock.moves_tick());
    let deadline = Some(stands + 3600 * SECOND);
    assert_eq!((clock.busy(deadline), clock.now()), (Wait::Forever, stands));
    assert_eq!((clock.idle(deadline), Some(clock.now())), (Wait::Now, deadline));
    assert!(clock.try_advance(SECOND));
    let stands = stands + 3601 * SECOND;
    assert_eq!(clock.now(), stands);

    assert!(clock.set_paused(false));
    let ran = clock.now() - stands;
    assert!(ran < 3600 * SECOND, "it did not jump to the system's time, nor by it: {ran:?}");
    while clock.now() == stands {}
    assert!(matches!(clock.busy(Some(stands + 3600 * SECOND)), Wait::For(_)));
}

#[test]
fn whoever_waits_is_called_when_the_pace_of_the_clock_changes() {
    let clock = PausableClock::paused();
    assert_eq!(clock.now(), Instant::ORIGIN);
    let parked = Parked::on(&ManualClock::new());
    let handle: Arc<dyn ReactorHandle> = parked.clone();
    clock.attach(Arc::downgrade(&handle));
    for (unparks, paused) in [(1, false), (2, true), (2, true), (3, false)] {
        clock.set_paused(paused);
        assert_eq!(parked.unparks(), unparks);
    }
    clock.set_paused(true);
    clock.try_advance(SECOND);
    assert_eq!(parked.unparks(), 5);
}

#[test]
fn a_clock_that_is_paused_and_resumed_all_the_time_never_goes_back() {
    let looks = if cfg!(miri) { 20 } else { 5_000 };
    let clock = PausableClock::running();
    let latest = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..looks {
                    let published = latest.load(Ordering::Acquire);
                    let now = clock.now().as_nanos();
                    assert!(now >= published, "{now} after {published}");
                    latest.fetch_max(now, Ordering::AcqRel);
                }
            });
        }
        scope.spawn(|| (0..looks).for_each(|look| assert!(clock.set_paused(look % 2 == 0))));
    });
}
