//! Models of waiting in the driver: a deadline that comes while somebody begins to wait, the last one to run dry while
//! somebody else has the lease, what he has sent before, and a sleep that fires while it is polled.

use super::*;
use crate::loom_parts::{Wire, driver, driver_over, driver_with};
use crate::sleep::Sleep;
use crate::source::Registration;
use core::future::Future;
use core::pin::Pin;
use core::task::Context;
use core::time::Duration;
use loom::thread;

#[test]
fn loom_a_nearer_deadline_calls_the_waiter_out() {
    loom::model(|| {
        let driver = driver();
        let arming = {
            let driver = driver.clone();
            thread::spawn(move || {
                driver.arm(Instant::ORIGIN + Duration::from_secs(1), Waker::noop().clone()).unwrap();
            })
        };
        let mut lease = driver.try_lease().expect("nobody else takes it");
        // Returns at once if it sees the deadline; loom reports a deadlock if it waits and nobody calls.
        lease.turn(Turn::Wait, &mut Wakes::new()).unwrap();
        drop(lease);
        arming.join().unwrap();
    });
}

/// A clock that moves as soon as all are idle, and not before.
#[derive(Debug)]
struct Moves(loom::sync::atomic::AtomicBool);

impl Clock for Moves {
    fn now(&self) -> Instant {
        Instant::ORIGIN
    }

    fn busy(&self, _: Option<Instant>) -> Wait {
        Wait::Forever
    }

    fn idle(&self, _: Option<Instant>) -> Wait {
        self.0.store(true, Relaxed);
        Wait::Now
    }

    fn distinguishes_idle(&self) -> bool {
        true
    }
}

/// As a worker does it that runs dry: with the lease it waits until the clock has moved, without it somewhere else.
fn run_dry(driver: &Arc<Driver>, clock: &Moves, mut busy: Option<Busy>) {
    while let Some(mut lease) = driver.rest(&mut busy) {
        lease.turn(Turn::Wait, &mut Wakes::new()).unwrap();
        busy.replace(driver.hold());
        drop(lease);
        if clock.0.load(Relaxed) {
            break;
        }
    }
}

#[test]
fn loom_the_last_to_run_dry_lets_the_clock_move_under_another_ones_lease() {
    loom::model(|| {
        let clock = Arc::new(Moves(false.into()));
        let driver = driver_with(clock.clone());
        // Both are at work at first.
        let (mine, others) = (driver.hold(), driver.hold());
        let other = {
            let (driver, clock) = (driver.clone(), clock.clone());
            thread::spawn(move || run_dry(&driver, &clock, Some(others)))
        };
        run_dry(&driver, &clock, Some(mine));
        // loom reports a deadlock if the one with the lease waits for a clock that nobody lets move.
        other.join().unwrap();
        assert!(clock.0.load(Relaxed), "both idle, and the clock stands still");
    });
}

/// A clock that must not move while something is on the wire that nobody has seen.
#[derive(Debug)]
struct Heeds(Arc<Wire>, loom::sync::atomic::AtomicBool);

impl Clock for Heeds {
    fn now(&self) -> Instant {
        Instant::ORIGIN
    }

    fn busy(&self, _: Option<Instant>) -> Wait {
        Wait::Forever
    }

    fn idle(&self, _: Option<Instant>) -> Wait {
        assert!(!self.0.has_news(), "the clock overtakes what was sent");
        self.1.store(true, Relaxed);
        Wait::Now
    }

    fn distinguishes_idle(&self) -> bool {
        true
    }
}

#[test]
fn loom_the_clock_does_not_overtake_what_the_last_one_to_run_dry_has_sent() {
    loom::model(|| {
        let wire = Arc::new(Wire::default());
        let clock = Arc::new(Heeds(wire.clone(), false.into()));
        let driver = driver_over(wire.clone(), clock.clone());
        // Without one the kernel is not asked.
        let file = Registration::new(&driver, Arc::new(io::stdin()), true).unwrap();
        let others = driver.hold();
        let mut lease = driver.try_lease().expect("nobody else takes it");
        let other = {
            let driver = driver.clone();
            thread::spawn(move || {
                wire.send();
                assert!(driver.rest(&mut Some(others)).is_none(), "somebody waits in the driver");
            })
        };
        while !clock.1.load(Relaxed) {
            lease.turn(Turn::Wait, &mut Wakes::new()).unwrap();
        }
        other.join().unwrap();
        drop(file);
    });
}

/// Passes the deadline when it is told to.
#[derive(Debug)]
struct Passes(loom::sync::atomic::AtomicBool);

impl Clock for Passes {
    fn now(&self) -> Instant {
        let seconds = if self.0.load(Relaxed) { 2 } else { 0 };
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn busy(&self, _: Option<Instant>) -> Wait {
        Wait::Now
    }

    fn idle(&self, _: Option<Instant>) -> Wait {
        Wait::Now
    }
}

#[test]
fn loom_a_sleep_that_changes_its_waker_while_it_fires_is_woken() {
    loom::model(|| {
        let clock = Arc::new(Passes(false.into()));
        let driver = driver_with(clock.clone());
        let mut sleep = Sleep::until(driver.clone(), Instant::ORIGIN + Duration::from_secs(1));
        assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let turning = {
            let driver = driver.clone();
            thread::spawn(move || {
                clock.0.store(true, Relaxed);
                let mut wakes = Wakes::new();
                let mut lease = driver.try_lease().expect("nobody else takes it");
                lease.turn(Turn::Poll, &mut wakes).unwrap();
                drop(lease);
                wakes.wake_all();
            })
        };
        // loom reports a deadlock if the one turn there is wakes the first waker, and the sleep waits for its second.
        loom::future::block_on(sleep);
        turning.join().unwrap();
        assert_eq!(driver.armed_timers(), 0);
    });
}
