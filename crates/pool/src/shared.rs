//! What workers, wakers and the monitor share.

use crate::gate::Gate;
use crate::idle::Idle;
use crate::worker::Here;
use parking_lot::{Condvar, Mutex};
use polyloop_blocking::monitor::Watched;
use polyloop_core::context;
use polyloop_core::park::{Parking, ThreadParker};
use polyloop_core::shim::atomic::{AtomicU64, Ordering::Relaxed};
use polyloop_core::{Driver, Notify, Runnable, Schedule, Scheduler, TaskSpace, Unpark, Why};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

/// See the module.
pub(crate) struct Shared<S: Scheduler> {
    pub(crate) scheduler: S,
    pub(crate) idle: Idle,
    driver: Arc<Driver>,
    workers: Box<[Seat]>,
    gate: Gate,
    /// The workers that have not ended yet, by index, and a bell for whoever waits for that.
    pub(crate) alive: Mutex<Vec<usize>>,
    pub(crate) ended: Condvar,
}

/// One worker, as others see it.
pub(crate) struct Seat {
    pub(crate) parking: Arc<Parking>,
    thread: Arc<OnceLock<Thread>>,
    /// Odd while the worker runs code of others, which may block: a poll, or wakers. Moves with each of them. Written by
    /// the worker alone, without a read-modify-write.
    epoch: AtomicU64,
    /// What the monitor saw last.
    seen: AtomicU64,
}

impl<S: Scheduler> Shared<S> {
    pub(crate) fn new(scheduler: S, driver: Arc<Driver>, workers: usize) -> Self {
        Self {
            scheduler,
            idle: Idle::new(workers),
            workers: (0..workers).map(|_| Seat::new(&driver)).collect(),
            driver,
            gate: Gate::open(),
            alive: Mutex::new(Vec::new()),
            ended: Condvar::new(),
        }
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn seat(&self, index: usize) -> &Seat {
        &self.workers[index]
    }

    /// Whether the workers are to end.
    pub(crate) fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// Tells the workers to end. From now on, whoever pushes also cancels.
    pub(crate) fn close(&self) {
        self.gate.close();
        for seat in &self.workers {
            seat.parking.unpark();
        }
    }

    /// Cancels everything that is queued or idle, and what that brings forth.
    pub(crate) fn cancel_all(&self, space: &TaskSpace) {
        self.cancel_queued();
        space.cancel_idle();
        self.cancel_queued();
    }

    /// Cancels everything that is queued, and what that brings forth.
    fn cancel_queued(&self) {
        loop {
            let queued = self.scheduler.drain();
            if queued.is_empty() {
                return;
            }
            for runnable in queued {
                runnable.cancel();
            }
        }
    }

    /// Calls a sleeper, unless somebody searches anyway.
    pub(crate) fn call_one(&self) {
        if let Some(index) = self.idle.call_one() {
            self.workers[index].parking.unpark();
        }
    }
}

impl<S: Scheduler> Schedule for Shared<S> {
    fn schedule(&self, runnable: Runnable, why: Why) {
        let mut runnable = Some(runnable);
        let notify = context::with_scope(|here: Option<&Here<S>>| {
            let here = here.filter(|here| here.is_in(self))?;
            runnable.take().map(|runnable| here.push(&self.scheduler, runnable, why))
        });
        if let Some(notify) = notify {
            if notify == Notify::One && self.idle.anybody_sleeps() {
                self.call_one();
            }
            return;
        }
        let Some(runnable) = runnable else { return };
        let _ = self.scheduler.push(None, runnable, why);
        self.call_one();
        if self.gate.has_closed_on_push() {
            self.cancel_queued();
        }
    }
}

impl<S: Scheduler> Watched for Shared<S> {
    fn inspect(&self) -> bool {
        let mut at_work = false;
        let mut stuck = false;
        for (index, seat) in self.workers.iter().enumerate() {
            let epoch = seat.epoch.load(Relaxed);
            let moved = seat.seen.swap(epoch, Relaxed) != epoch;
            let is_away = !epoch.is_multiple_of(2);
            let is_stuck = is_away && !moved;
            at_work |= moved || is_away;
            stuck |= is_stuck;
            self.scheduler.observe_stuck(index, is_stuck);
        }
        // A worker that does not move on may hide work, or have left the driver to nobody.
        if stuck
            && (self.scheduler.has_work() || !self.driver.is_leased())
            && let Some(index) = self.idle.pick()
        {
            self.workers[index].parking.unpark();
        }
        at_work
    }

    /// The scheduler has panicked: as when it does so on a worker, the pool ends, and every joiner hears of it (C10).
    fn give_up(&self) {
        self.close();
    }
}

impl Seat {
    fn new(driver: &Arc<Driver>) -> Self {
        let thread = Arc::new(OnceLock::new());
        let parker = Box::new(WorkerThread(Arc::clone(&thread)));
        Self {
            parking: Arc::new(Parking::new(Arc::clone(driver), parker)),
            thread,
            epoch: AtomicU64::new(0),
            seen: AtomicU64::new(0),
        }
    }

    /// The worker's thread has started.
    pub(crate) fn sit_down(&self) {
        let _ = self.thread.set(std::thread::current());
    }

    /// The worker begins or ends to run code of others.
    #[inline]
    pub(crate) fn step(&self) {
        // Ordering: Relaxed; nobody decides by it but the monitor, which looks twice.
        self.epoch.store(self.epoch.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// A worker's thread, parked by the standard library; known only once it runs.
#[derive(Debug)]
struct WorkerThread(Arc<OnceLock<Thread>>);

impl ThreadParker for WorkerThread {
    fn park(&self) {
        std::thread::park();
    }

    fn unpark(&self) {
        // A thread that has not started yet will find its notification before it parks.
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

impl<S: Scheduler> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("scheduler", &self.scheduler)
            .field("workers", &self.workers.len())
            .field("asleep", &self.idle.sleepers())
            .finish_non_exhaustive()
    }
}
