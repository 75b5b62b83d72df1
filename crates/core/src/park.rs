//! Where a thread that runs tasks waits: in the driver while it has the lease, else in a parker of its own.
//!
//! Invariant: *a notification that comes before the wait ends the wait*. The thread announces where it will wait and
//! then looks for a notification; the notifier leaves the notification and then looks where the thread waits. With a
//! `SeqCst` fence between the two steps on both sides, one of them sees the other.
//!
//! Beside that, a thread that waits shows that it [rests](Parking::at_rest), to those who look for deadlocks.

#[cfg(all(test, polyloop_loom))]
mod loom_tests;

use crate::context;
use crate::driver::{Busy, Driver, Lease, Turn, Wakes};
use crate::local::Unpark;
use crate::shim::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    fence,
};
use crate::shim::sync::Mutex;
use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::Arc;

/// A thread's own parker, with a sticky token, as in [`std::thread::park`].
pub trait ThreadParker: fmt::Debug + Send + Sync + 'static {
    /// Waits for [`unpark`](Self::unpark). Only the owner calls this. It may return without reason.
    fn park(&self);

    /// As [`park`](Self::park), for so long at most. A parker that cannot do that waits until it is called; its owner then
    /// does not look for deadlocks.
    fn park_for(&self, most: Duration) {
        let _ = most;
        self.park();
    }

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
    /// Odd while the thread rests; moves whenever it begins or ends to. Written by the owner alone.
    rest: AtomicU64,
    /// The thread wants to be called when others rest, because it found some at work. Cleared by whoever calls.
    wish: AtomicBool,
    /// Whether the thread has made that wish for its present wait. Written by the owner alone, as the next one.
    wished: AtomicBool,
    /// The thread has done nothing since it told the last time that it rests.
    is_mute: AtomicBool,
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
            rest: AtomicU64::new(0),
            wish: AtomicBool::new(false),
            wished: AtomicBool::new(false),
            is_mute: AtomicBool::new(false),
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
        if turn == Turn::Poll {
            fence(SeqCst);
            let turned = lease.turn_unless(turn, wakes, || self.is_notified() || self.is_called());
            self.in_driver.store(false, Release);
            return turned;
        }
        self.begin_rest();
        #[cfg(not(polyloop_mutant = "wait_without_fence"))]
        fence(SeqCst);
        self.tell_watch();
        let turned = lease.turn_unless(turn, wakes, || self.is_notified() || self.is_called());
        self.end_rest();
        self.in_driver.store(false, Release);
        turned
    }

    /// Waits for a notification; returns at once if there was one since [`heed`](Self::heed).
    pub fn wait_in_thread(&self) {
        self.wait_in_thread_for(None);
    }

    /// As [`wait_in_thread`](Self::wait_in_thread), for so long at most if that is said; then it may return without reason.
    pub(crate) fn wait_in_thread_for(&self, most: Option<Duration>) {
        context::resting(|| {
            self.begin_rest();
            fence(SeqCst);
            self.tell_watch();
            match most {
                Some(most) if !self.is_notified() => self.thread.park_for(most),
                Some(_) => {}
                None => {
                    while !self.is_notified() && !self.is_called() {
                        self.thread.park();
                    }
                }
            }
            self.end_rest();
        });
    }

    /// Whether somebody has notified the owner since it last [took note](Self::heed).
    pub(crate) fn is_notified(&self) -> bool {
        self.notified.load(Acquire)
    }

    /// Runs `f`, in which the owner, which has nothing to do, only looks what others do: it rests meanwhile.
    pub(crate) fn looking<R>(&self, f: impl FnOnce() -> R) -> R {
        self.begin_rest();
        let result = f();
        self.end_rest();
        result
    }

    /// A number that stays the same while the owner rests without a break; `None` while it is at work, or has been called.
    ///
    /// A thread that comes out of the kernel with events is at work before it does anything with them.
    pub fn at_rest(&self) -> Option<u64> {
        // Ordering: Acquire, and the number last. Whoever finds the notification taken note of, or the driver left, finds the
        // end of the rest, which came before. What the owner did to others since, by locks and read-modify-writes, is
        // found together with that end, too.
        if self.is_notified() || (self.in_driver.load(Acquire) && !self.driver.is_in_kernel()) {
            return None;
        }
        let rest = self.rest.load(Acquire);
        (!rest.is_multiple_of(2)).then_some(rest)
    }

    /// As [`wait_in_thread`](Self::wait_in_thread), for a model in which nobody calls this thread any more.
    #[cfg(all(test, polyloop_loom))]
    pub(crate) fn rest_for_ever(&self) {
        self.begin_rest();
        fence(SeqCst);
        self.tell_watch();
    }

    /// How often the owner has begun or ended to rest. Two looks at [`at_rest`](Self::at_rest) with the same number between
    /// them are one rest.
    pub fn moves(&self) -> u64 {
        self.rest.load(Acquire)
    }

    /// Ordering: Release, so that whoever sees the rest sees where. The fence that follows orders it before the look whether
    /// somebody wants to know of it.
    fn begin_rest(&self) {
        self.rest.store(self.rest.load(Relaxed).wrapping_add(1), Release);
    }

    fn end_rest(&self) {
        self.rest.store(self.rest.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Calls those who wait for others to rest. After the fence: either this sees that they want to be called, or they, who
    /// look once more after they said so, see this thread rest.
    fn tell_watch(&self) {
        if !self.is_mute.load(Relaxed) {
            self.driver.deadlocks().somebody_rests();
        }
    }

    /// What the owner, who has done nothing since, does not tell again: two threads would call each other for ever.
    pub(crate) fn mute(&self, is_mute: bool) {
        self.is_mute.store(is_mute, Relaxed);
    }

    /// The owner's present wait is to end, without a notification, when others begin to rest; or not any more.
    pub(crate) fn wish(&self, wish: bool) {
        self.wished.store(wish, Relaxed);
        self.wish.store(wish, Relaxed);
    }

    /// Whether the owner's wait is to end because others rest.
    pub(crate) fn is_called(&self) -> bool {
        self.wished.load(Relaxed) && !self.wish.load(Acquire)
    }

    /// Calls the owner, if it wished for that.
    pub(crate) fn call(&self) {
        if !self.wish.swap(false, AcqRel) {
            return;
        }
        // As for a notification: either the owner is seen where it waits, or it sees before its wait that it is called.
        fence(SeqCst);
        if self.in_driver.load(Acquire) {
            self.driver.unpark();
        } else {
            self.thread.unpark();
        }
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
        self.driver.tell_time();
    }
}
