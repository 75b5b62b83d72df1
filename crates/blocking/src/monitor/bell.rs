//! How the monitor sleeps, and is woken: announce and recheck.
//!
//! Invariant: *whoever goes to work is seen by the monitor's last look, or finds it asleep and wakes it*. The monitor says
//! that it will sleep and then looks once more; whoever goes to work shows that and then looks whether the monitor sleeps. A
//! `SeqCst` fence stands between the two steps on both sides, so that one of them at least sees what the other did first.
//!
//! A ring that is late, because whoever rings was slow, ends a pause or the next sleep early, and the monitor looks once too often.

use polyloop_core::shim::atomic::{
    AtomicBool,
    Ordering::{Relaxed, SeqCst},
    fence,
};
use polyloop_core::shim::sync::{Condvar, Mutex};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Bell {
    asleep: AtomicBool,
    /// Whether somebody rang, and the monitor has not heard it yet.
    rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    pub(super) fn new() -> Self {
        Self { asleep: AtomicBool::new(false), rung: Mutex::new(false), rings: Condvar::new() }
    }

    /// Wakes the monitor if it sleeps. The caller has shown before that it is at work.
    pub(super) fn kick(&self) {
        // Pairs with the one in `sleep_unless`.
        #[cfg(not(polyloop_mutant = "kick_without_fence"))]
        fence(SeqCst);
        if self.asleep.load(Relaxed) {
            self.ring();
        }
    }

    pub(super) fn ring(&self) {
        *self.rung.lock() = true;
        self.rings.notify_one();
    }

    /// Has the monitor `sleep`, unless `is_busy`, its last look, sees somebody at work.
    pub(super) fn sleep_unless(&self, is_busy: impl FnOnce() -> bool, sleep: impl FnOnce()) {
        self.asleep.store(true, Relaxed);
        // Pairs with the one in `kick`.
        #[cfg(not(polyloop_mutant = "sleep_without_fence"))]
        fence(SeqCst);
        if !is_busy() {
            sleep();
        }
        self.asleep.store(false, Relaxed);
    }

    /// Until it is rung. A ring that has come before counts.
    pub(super) fn wait(&self) {
        let mut rung = self.rung.lock();
        #[cfg(polyloop_mutant = "ring_before_the_wait_forgotten")]
        {
            *rung = false;
        }
        self.rings.wait_while(&mut rung, |rung| !*rung);
        *rung = false;
    }

    /// For `pause`, or until it is rung, or less.
    pub(super) fn pause(&self, pause: Duration) {
        let mut rung = self.rung.lock();
        self.rings.wait_for(&mut rung, pause);
        *rung = false;
    }

    /// Whether it is rung within `pause`, or was before. The ring stays to be heard.
    pub(super) fn is_rung_within(&self, pause: Duration) -> bool {
        let mut rung = self.rung.lock();
        !self.rings.wait_while_for(&mut rung, |rung| !*rung, pause).timed_out()
    }
}

#[cfg(all(test, polyloop_loom))]
mod loom_tests {
    use super::Bell;
    use loom::sync::Arc;
    use loom::thread;
    use polyloop_core::Desk;

    #[test]
    fn loom_who_goes_to_work_is_seen_by_the_monitor_or_wakes_it() {
        loom::model(|| {
            let (bell, desk) = (Arc::new(Bell::new()), Arc::new(Desk::new()));
            let worker = {
                let (bell, desk) = (bell.clone(), desk.clone());
                thread::spawn(move || {
                    desk.rise();
                    bell.kick();
                })
            };
            // Where it is neither seen nor woken, it sleeps for ever.
            bell.sleep_unless(|| !desk.epoch().is_multiple_of(2), || bell.wait());
            worker.join().unwrap();
        });
    }

    #[test]
    fn loom_two_who_go_to_work_one_after_the_other_are_both_seen() {
        loom::model(|| {
            let (bell, desks) = (Arc::new(Bell::new()), Arc::new([Desk::new(), Desk::new()]));
            let workers = [0, 1].map(|index| {
                let (bell, desks) = (bell.clone(), desks.clone());
                thread::spawn(move || {
                    desks[index].rise();
                    bell.kick();
                })
            });
            let at_work = || desks.iter().filter(|desk| !desk.epoch().is_multiple_of(2)).count();
            // It looks after each sleep, and sleeps again until it has seen both: a ring that one of them has heard for it, or a sleep
            // that the first has ended, must not hide the second.
            let mut seen = at_work();
            while seen < 2 {
                bell.sleep_unless(|| at_work() > seen, || bell.wait());
                seen = at_work();
            }
            workers.into_iter().for_each(|worker| worker.join().unwrap());
        });
    }
}
