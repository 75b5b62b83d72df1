//! What workers, wakers and the monitor share.

use crate::idle::Idle;
use crate::relief::{Crew, Mark};
use crate::wary::Wary;
use crate::worker::Here;
use parking_lot::{Condvar, Mutex};
use polyloop_blocking::probe::{Probe, Sample};
use polyloop_blocking::stall::Witness;
use polyloop_core::context;
use polyloop_core::deadlock::AtRest;
use polyloop_core::park::{Parking, ThreadParker};
use polyloop_core::{
    Desk, Driver, Fairness, Gauges, Notify, RunQueue, Runnable, Schedule, Scheduler, Staff, TaskSpace,
    Unpark, Why, WorkerCounts, WorkerMetrics,
};
use std::fmt;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Weak};
use std::thread::{Thread, ThreadId};

/// See the module.
pub(crate) struct Shared<S: Scheduler> {
    pub(crate) scheduler: S,
    pub(crate) idle: Idle,
    driver: Arc<Driver>,
    /// How many of the seats are on duty.
    workers: usize,
    /// One for each worker, then those for whoever takes a stuck one's place.
    seats: Box<[Seat<S::Local>]>,
    /// Whether the workers are to end.
    closed: AtomicBool,
    pub(crate) wary: Wary,
    /// The workers that have not ended yet, by index, and a bell for whoever waits for that.
    pub(crate) alive: Mutex<Vec<usize>>,
    pub(crate) ended: Condvar,
}

/// One worker, as others see it. On lines of its own, because it is written at every poll.
#[repr(align(128))]
pub(crate) struct Seat<L> {
    /// What the worker does at this moment. Its epoch is odd while the worker runs code of others, which may block: a poll, or
    /// wakers.
    pub(crate) desk: Desk,
    pub(crate) counts: WorkerCounts,
    /// Somebody else is on duty for it: it is to go on standby.
    pub(crate) mark: Mark,
    pub(crate) parking: Arc<Parking>,
    thread: Arc<Mutex<Option<Occupant>>>,
    /// The scheduler's local part, while no thread has the seat.
    pub(crate) left: Mutex<Option<L>>,
}

/// The thread that has a seat.
#[derive(Debug)]
struct Occupant {
    thread: Thread,
    probe: Arc<Probe>,
}

impl<S: Scheduler> Shared<S> {
    pub(crate) fn new(scheduler: S, driver: Arc<Driver>, workers: usize, seats: usize) -> Self {
        let seats: Box<[_]> = (0..seats).map(|_| Seat::new(&driver)).collect();
        for seat in &seats[workers..] {
            seat.parking.leave();
        }
        Self {
            scheduler,
            idle: Idle::new(seats.len()),
            workers,
            seats,
            driver,
            closed: AtomicBool::new(false),
            wary: Wary::new(),
            alive: Mutex::new(Vec::new()),
            ended: Condvar::new(),
        }
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    pub(crate) fn seats(&self) -> &[Seat<S::Local>] {
        &self.seats
    }

    pub(crate) fn seat(&self, index: usize) -> &Seat<S::Local> {
        &self.seats[index]
    }

    /// Whether the workers are to end.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Acquire)
    }

    /// All workers, if they rest. The moves of empty seats are counted as well, so that a seat that empties or fills is one.
    pub(crate) fn at_rest(&self) -> Option<AtRest> {
        let alive = self.alive.lock();
        let all_rest = alive.iter().all(|index| self.seats[*index].parking.at_rest().is_some());
        (all_rest && !self.is_closed()).then(|| {
            let moves = self.seats.iter().map(|seat| seat.parking.moves()).fold(0, u64::wrapping_add);
            AtRest { threads: alive.len(), moves }
        })
    }

    /// Tells the workers to end, who look up after the poll that they are in. From now on, whoever of them goes ends the tasks
    /// that are left; who closes the pool for good [attends](TaskSpace::attend), too, in case that none is left.
    pub(crate) fn close(&self, space: &TaskSpace) {
        // Ordering: before the space, so that a worker that comes to a closed one does not poll.
        self.closed.store(true, Release);
        space.close();
        for seat in &self.seats {
            seat.desk.hail();
            seat.parking.unpark();
        }
    }

    /// Calls a sleeper, unless somebody searches anyway.
    pub(crate) fn call_one(&self) {
        if let Some(index) = self.idle.call_one() {
            self.seats[index].parking.unpark();
        }
    }

    /// Calls whom a push by a worker asks for.
    pub(crate) fn notify(&self, notify: Notify) {
        match notify {
            Notify::None => {}
            Notify::One if !self.idle.anybody_sleeps() => {}
            Notify::One => self.call_one(),
            Notify::Worker(index) => self.call_worker(index),
        }
    }

    /// Calls this worker if it sleeps. What it is called for was pushed before, under a lock that its second look takes.
    fn call_worker(&self, index: usize) {
        if self.idle.call(index) {
            self.seats[index].parking.unpark();
        }
    }

    /// Calls a sleeper, whoever searches; whether there was one.
    pub(crate) fn call_any(&self) -> bool {
        let picked = self.idle.pick();
        if let Some(index) = picked {
            self.seats[index].parking.unpark();
        }
        picked.is_some()
    }

    /// Whether somebody should be in the driver and nobody is: a worker is about to poll, and polls have blocked lately.
    pub(crate) fn is_driver_deserted(&self) -> bool {
        self.wary.is_on() && !self.driver.is_leased()
    }

    /// A worker that searches, or counts as searching, leaves for good: somebody else must look for what it was relied upon
    /// to find, and wait in the driver.
    pub(crate) fn hand_on(&self) {
        self.idle.leave();
        if self.scheduler.has_work() || !self.driver.is_leased() {
            self.call_any();
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
            return self.notify(notify);
        }
        let Some(runnable) = runnable.and_then(|runnable| runnable.unless_late(why)) else { return };
        match self.scheduler.push(None, runnable, why) {
            Notify::Worker(index) => self.call_worker(index),
            Notify::None | Notify::One => self.call_one(),
        }
    }

    fn drain(&self) -> RunQueue {
        let mut queued = RunQueue::new();
        queued.extend(self.scheduler.drain());
        queued
    }

    fn tell_time(&self) {
        self.driver.tell_time();
    }
}

/// What the pool tells about itself. It does not keep the crew, whose threads' surroundings may keep whoever asks.
pub(crate) struct Dials<S: Scheduler> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) crew: Weak<Crew<S>>,
}

impl<S: Scheduler> Gauges for Dials<S> {
    fn workers(&self) -> Vec<WorkerMetrics> {
        let shared = &self.shared;
        let read = |(index, seat): (usize, &Seat<S::Local>)| {
            let mut metrics = seat.counts.read();
            metrics.queued = shared.scheduler.queued_at(index);
            metrics.steals = shared.scheduler.stolen(index);
            metrics
        };
        let begun = |(index, seat): &(usize, &Seat<S::Local>)| *index < shared.workers || seat.has_begun();
        shared.seats.iter().enumerate().filter(begun).map(read).collect()
    }

    fn queued(&self) -> usize {
        self.shared.scheduler.queued()
    }

    fn fairness(&self) -> Fairness {
        Fairness::paced(self.shared.scheduler.ready_bound())
            .with_orphans(self.shared.scheduler.orphan_bound())
    }

    fn worker_of(&self, thread: ThreadId) -> Option<usize> {
        let has_it = |seat: &Seat<S::Local>| {
            seat.thread.lock().as_ref().is_some_and(|occupant| occupant.thread.id() == thread)
        };
        self.shared.seats.iter().position(has_it)
    }

    fn staff(&self) -> Staff {
        let relief = self.crew.upgrade().map(|crew| crew.counts()).unwrap_or_default();
        let mut staff = Staff::default();
        staff.threads = self.shared.alive.lock().len();
        staff.asleep = self.shared.idle.sleepers();
        staff.searching = self.shared.idle.searching();
        staff.relieved = relief.relieved;
        staff.standby = relief.standby;
        (staff.hand_offs, staff.refused) = (relief.hand_offs, relief.refused);
        staff
    }
}

impl<L> Seat<L> {
    fn new(driver: &Arc<Driver>) -> Self {
        let thread = Arc::default();
        let parker = Box::new(WorkerThread(Arc::clone(&thread)));
        Self {
            desk: Desk::new(),
            mark: Mark::new(),
            parking: Arc::new(Parking::new(Arc::clone(driver), parker)),
            thread,
            left: Mutex::new(None),
            counts: WorkerCounts::default(),
        }
    }

    /// The calling thread has the seat from now on.
    pub(crate) fn sit_down(&self) {
        let thread = std::thread::current();
        *self.thread.lock() = Some(Occupant { thread, probe: Arc::new(Probe::here()) });
    }

    /// The calling thread gives the seat up.
    pub(crate) fn stand_up(&self) {
        *self.thread.lock() = None;
    }

    /// Whether a thread ever had the seat.
    fn has_begun(&self) -> bool {
        self.thread.lock().is_some() || self.left.lock().is_some()
    }

    /// What the seat's thread is doing at this moment.
    pub(crate) fn sample(&self) -> Sample {
        // Not under the lock: looking takes a while, and somebody may want to unpark.
        let probe = self.thread.lock().as_ref().map(|occupant| Arc::clone(&occupant.probe));
        probe.map_or(Sample::UNKNOWN, |probe| probe.sample())
    }

    /// What can be asked about the seat's thread, whose tasks live in `space`.
    pub(crate) fn witness(&self, space: Arc<TaskSpace>) -> Option<Witness> {
        let occupant = self.thread.lock();
        let Occupant { thread, probe } = occupant.as_ref()?;
        Some(Witness { probe: Arc::clone(probe), thread: thread.clone(), spaces: vec![space], own: None })
    }
}

/// A worker's thread, parked by the standard library; known only once it runs.
#[derive(Debug)]
struct WorkerThread(Arc<Mutex<Option<Occupant>>>);

impl ThreadParker for WorkerThread {
    fn park(&self) {
        std::thread::park();
    }

    fn unpark(&self) {
        // A thread that has not started yet will find its notification before it parks.
        if let Some(occupant) = &*self.0.lock() {
            occupant.thread.unpark();
        }
    }
}

impl<S: Scheduler> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("scheduler", &self.scheduler)
            .field("workers", &self.workers)
            .field("asleep", &self.idle.sleepers())
            .finish_non_exhaustive()
    }
}
