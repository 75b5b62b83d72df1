//! Where a thread that runs tasks waits: in the driver while it has the lease, else in a parker of its own.
//!
//! Invariant: *a notification that comes before the wait ends the wait*. The thread announces where it will wait and
//! then looks for a notification; the notifier leaves the notification and then looks where the thread waits. With a
//! `SeqCst` fence between the two steps on both sides, one of them sees the other.

#[cfg(all(test, polyloop_loom))]
mod loom_tests;

use crate::context;
use crate::driver::{Busy, Driver, Lease, Turn, Wakes};
use crate::local::Unpark;
use crate::shim::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    fence,
};
use crate::shim::sync::Mutex;
use core::fmt;
use std::io;
use std::sync::Arc;

/// A thread's own parker, with a sticky token, as in [`std::thread::park`].
pub trait ThreadParker: fmt::Debug + Send + Sync + 'static {
    /// Waits for [`unpark`](Self::unpark). Only the owner calls this. It may return without reason.
    fn park(&self);

    /// Ends the owner's wait, or the next one.
    fn unpark(&self);
}

/// The parking place of one thread.
#[derive(Debug)]
pub struct Parking {
    /// Somebody wants the thread's attention.
    notified: AtomicBool,
    /// The thread waits, or is about to wait, in the driver.
    in_driver: AtomicBool,
    driver: Arc<Driver>,
    thread: Box<dyn ThreadParker>,
    /// With a clock that moves when all are idle: a thread that was called counts as busy from the call on, not only once it
    /// is awake. `None` once the thread has left.
    lent: Mutex<Option<Option<Busy>>>,
}

impl Parking {
    /// The parking place of the thread to which `thread` belongs.
    pub fn new(driver: Arc<Driver>, thread: Box<dyn ThreadParker>) -> Self {
        Self {
            notified: AtomicBool::new(false),
            in_driver: AtomicBool::new(false),
            driver,
            thread,
            lent: Mutex::new(Some(None)),
        }
    }

    /// Takes note of all notifications so far. The owner calls this before it looks for work, itself being busy.
    pub fn heed(&self) {
        if self.notified.load(Relaxed) {
            // Ordering: Acquire, so that what was done before the notification is seen.
            #[cfg(not(polyloop_mutant = "heed_relaxed"))]
            self.notified.swap(false, AcqRel);
            #[cfg(polyloop_mutant = "heed_relaxed")]
            self.notified.store(false, Relaxed);
            if self.driver.clock().distinguishes_idle() {
                let lent = self.lent.lock().as_mut().and_then(Option::take);
                drop(lent);
            }
        }
    }

    /// The owner leaves, for good or until somebody [comes back](Self::come_back): whoever calls from now on calls nobody.
    pub fn leave(&self) {
        let lent = self.lent.lock().take();
        drop(lent);
    }

    /// There is an owner again, itself being busy.
    pub fn come_back(&self) {
        self.lent.lock().get_or_insert(None);
    }

    /// Waits in the driver, or returns soon if there was a notification since [`heed`](Self::heed).
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn wait_in_driver(&self, lease: &mut Lease<'_>, turn: Turn, wakes: &mut Wakes) -> io::Result<()> {
        if turn == Turn::Poll {
            return self.stay_in_driver(lease, turn, wakes);
        }
        context::resting(|| self.stay_in_driver(lease, turn, wakes))
    }

    fn stay_in_driver(&self, lease: &mut Lease<'_>, turn: Turn, wakes: &mut Wakes) -> io::Result<()> {
        self.in_driver.store(true, Relaxed);
        #[cfg(not(polyloop_mutant = "wait_without_fence"))]
        fence(SeqCst);
        let turned = self.turn_driver(lease, turn, wakes);
        self.in_driver.store(false, Release);
        turned
    }

    fn turn_driver(&self, lease: &mut Lease<'_>, turn: Turn, wakes: &mut Wakes) -> io::Result<()> {
        if turn == Turn::Wait && self.driver.clock().distinguishes_idle() {
            // A clock that moves when all are idle must not overtake what the kernel has ready. An unpark that is used up by
            // this look was a notification, seen below, or concerned the clock or a deadline, which are asked again.
            lease.turn(Turn::Poll, wakes)?;
            if !wakes.is_empty() {
                return Ok(());
            }
        }
        let turn = if self.notified.load(Acquire) { Turn::Poll } else { turn };
        lease.turn(turn, wakes)
    }

    /// Waits for a notification; returns at once if there was one since [`heed`](Self::heed).
    pub fn wait_in_thread(&self) {
        context::resting(|| {
            fence(SeqCst);
            while !self.notified.load(Acquire) {
                self.thread.park();
            }
        });
    }
}

impl Unpark for Parking {
    fn unpark(&self) {
        // Ordering: AcqRel publishes what the notifier did before.
        if self.driver.clock().distinguishes_idle()
            && let Some(lent) = &mut *self.lent.lock()
        {
            lent.get_or_insert_with(|| self.driver.hold());
        }
        if self.notified.swap(true, AcqRel) {
            return;
        }
        #[cfg(not(polyloop_mutant = "notify_without_fence"))]
        fence(SeqCst);
        if self.in_driver.load(Acquire) {
            self.driver.unpark();
        } else {
            self.thread.unpark();
        }
    }

    fn tell_time(&self) {
        self.driver.now();
    }
}
