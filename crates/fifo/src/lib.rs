//! The single-threaded FIFO executor.
//!
//! Invariant: tasks run on one thread at a time, the one that has the *seat*, in the order in which they became ready.
//! The seat belongs to a thread inside [`Fifo::block_on`]; a second one waits, running only its own future and
//! local tasks, and takes over when the first one leaves. While nobody has the seat, runnables wait in the inbox. A
//! foreign event loop has it for the length of a [`turn`](Fifo::turn).
//!
//! What the seated thread polls is shown to the monitor ([`Post`]), so that a stalled poll is named. It cannot be relieved: local tasks
//! stay with their thread.
//!
//! It is not a scheduler in the pool's shell, because it would pay for what it does not need: with one thread there is
//! nobody to announce idleness to, and the queue is plain memory.
//!
//! Declared constants (C2, C3), [`Fifo::FAIRNESS`]: a ready task is polled in its place in the queue, behind those that were
//! ready before it;
//! between two driver turns there are at most [`MAX_POLLS`](polyloop_core::block_on::MAX_POLLS) polls, and at most
//! [`CHECK_POLLS`](polyloop_core::block_on::CHECK_POLLS) once
//! [`TURN_INTERVAL`](polyloop_core::block_on::TURN_INTERVAL) has passed. A task that yields is requeued at once.

#![forbid(unsafe_code)]

mod turn;

pub use turn::Turned;

use polyloop_blocking::OsThread;
use polyloop_blocking::stall::{Post, Stalls};
use polyloop_core::block_on::{BlockOnError, Host, Nested, Watch, block_on, try_block_on};
use polyloop_core::deadlock::{AtRest, RestGauge};
use polyloop_core::park::{Parking, ThreadParker};
use polyloop_core::shim::atomic::{
    AtomicBool,
    Ordering::{Relaxed, Release},
};
use polyloop_core::shim::sync::{Condvar, Mutex};
use polyloop_core::{
    Attendant, Driver, Entered, Fairness, Gauges, Hooks, JoinHandle, Meta, RunQueue, Runnable, Schedule,
    Staff, TaskSpace, Unpark, Why, WorkerCounts, WorkerMetrics, is_host_of, push_as_guest, take_as_guest,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;
use turn::Phase;

/// The executor; clones are the same one. Whoever owns it calls [`shut_down`](Self::shut_down) at the end.
#[derive(Clone)]
pub struct Fifo {
    shared: Arc<Shared>,
    space: Arc<TaskSpace>,
    driver: Arc<Driver>,
    hooks: Arc<Hooks>,
    stalls: Stalls,
}

/// What wakers reach.
struct Shared {
    seat: Mutex<Seat>,
    /// After the end: the thread in the seat attends no more.
    settled: Condvar,
    /// Whether the inbox has something; looked at by the seated thread before it takes the lock.
    mail: AtomicBool,
    /// Counted by the thread in the seat.
    counts: WorkerCounts,
    driver: Arc<Driver>,
}

struct Seat {
    inbox: RunQueue,
    holder: Option<Arc<Parking>>,
    /// The thread that has it, for reports.
    thread: Option<ThreadId>,
    /// What a foreign event loop's thread does that has the seat.
    turn: Phase,
    /// Whether a foreign event loop watches the reactor's file while nobody has the seat.
    watched: bool,
    /// Whether a foreign event loop has ever taken a turn: it may do anything at any time.
    turned: bool,
    /// Threads inside `block_on` that wait for the seat.
    waiting: Vec<Arc<Parking>>,
    /// Whether the thread in the seat [attends](TaskSpace::attend): it may poll or drop the executor's tasks. One that stays
    /// there after the end does not.
    attended: bool,
    closed: bool,
}

/// Who is told that there is something to do.
enum Call {
    Nobody,
    /// The thread inside `block_on` that has the seat.
    Holder(Arc<Parking>),
    /// All that wait for a free seat, since any of them may be inside a poll that blocks. The first to come takes it.
    Heirs(Vec<Arc<Parking>>),
    /// Whoever waits in the driver, or watches its file.
    Driver,
}

impl Seat {
    fn whom_to_call(&self) -> Call {
        match self.turn {
            // It looks once more when it gives the seat up.
            Phase::Running => Call::Nobody,
            Phase::Waiting => Call::Driver,
            Phase::None => match &self.holder {
                Some(parking) => Call::Holder(Arc::clone(parking)),
                None if !self.waiting.is_empty() => Call::Heirs(self.waiting.clone()),
                None if self.watched => Call::Driver,
                None => Call::Nobody,
            },
        }
    }
}

impl Fifo {
    /// An executor over this driver. It runs nothing until a thread blocks on something.
    pub fn new(driver: Arc<Driver>) -> Self {
        Self::with_hooks(driver, Hooks::default())
    }

    /// As [`new`](Self::new), with somebody who wants to know what happens.
    pub fn with_hooks(driver: Arc<Driver>, hooks: Hooks) -> Self {
        let seat = Seat {
            inbox: RunQueue::new(),
            holder: None,
            thread: None,
            turn: Phase::None,
            watched: false,
            turned: false,
            waiting: Vec::new(),
            attended: false,
            closed: false,
        };
        let shared = Arc::new(Shared {
            seat: Mutex::new(seat),
            settled: Condvar::new(),
            mail: AtomicBool::new(false),
            counts: WorkerCounts::default(),
            driver: Arc::clone(&driver),
        });
        let space = TaskSpace::with_hooks(Arc::clone(&shared) as Arc<dyn Schedule>, &hooks);
        Self { shared, space, driver, hooks: Arc::new(hooks), stalls: Stalls::off() }
    }

    /// The same, with polls that last reported as `stalls` says: those of its tasks, of local tasks, and of the futures of
    /// `block_on`. Nothing is reported unless this was called.
    #[must_use]
    pub fn with_stalls(mut self, stalls: Stalls) -> Self {
        self.stalls = stalls;
        self
    }

    /// The driver that the seated thread turns.
    pub fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Where its tasks live.
    pub fn space(&self) -> &Arc<TaskSpace> {
        &self.space
    }

    /// The declared constants: strict order.
    pub const FAIRNESS: Fairness = Fairness::paced(Some(|place| place));

    /// What the executor tells about itself. Its one worker is the thread in the seat; the queue that belongs to no worker
    /// is the inbox.
    pub fn gauges(&self) -> Arc<dyn Gauges> {
        Arc::clone(&self.shared) as Arc<dyn Gauges>
    }

    /// Spawns a task, from any thread. It runs while some thread is inside [`block_on`](Self::block_on).
    pub fn spawn<F>(&self, future: F, meta: Meta) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.space.spawn(future, meta)
    }

    /// Runs `future` to its end on this thread, and the executor's tasks beside it if no other thread does.
    ///
    /// # Errors
    ///
    /// [`Nested`], when this thread is inside a `block_on` or polls a task.
    ///
    /// # Panics
    ///
    /// With the panic of the future.
    pub fn block_on<F: Future>(&self, future: F, meta: Meta) -> Result<F::Output, Nested> {
        let (host, parker) = self.guest();
        self.space.enter(|| block_on(&self.driver, parker, &host, future, meta))
    }

    /// As [`block_on`](Self::block_on), but ends with a deadlock.
    ///
    /// # Errors
    ///
    /// [`BlockOnError::Nested`], when this thread is inside a `block_on` or polls a task; [`BlockOnError::Deadlock`], when
    /// nothing is left that could wake the future, if somebody [looks](polyloop_core::deadlock::Watch) for that.
    ///
    /// # Panics
    ///
    /// With the panic of the future.
    pub fn try_block_on<F: Future>(&self, future: F, meta: Meta) -> Result<F::Output, BlockOnError> {
        let (host, parker) = self.guest();
        self.space.enter(|| try_block_on(&self.driver, parker, &host, future, meta))
    }

    fn guest(&self) -> (Guest<'_>, Box<dyn ThreadParker>) {
        let post = Post::new(&self.stalls, &self.space);
        let host = Guest {
            fifo: self,
            post,
            seated: Cell::new(false),
            listed: Cell::new(false),
            attends: RefCell::default(),
        };
        (host, Box::new(OsThread::current()))
    }

    /// Tells that nobody works for this executor but the threads inside `block_on`; nothing, if a foreign event loop does.
    pub fn rest_gauge(&self) -> RestGauge {
        let shared = Arc::downgrade(&self.shared);
        Box::new(move || {
            let shared = shared.upgrade()?;
            let seat = shared.seat.lock();
            (!seat.turned && !seat.watched && !seat.closed).then(AtRest::default)
        })
    }

    /// Cancels all tasks and ends the driver. Whatever is spawned afterwards is cancelled at once.
    ///
    /// What another thread inside `block_on` has queued, and what it is polling, that one cancels itself before its next
    /// poll; this waits for it, `patience` at most. Called by the task that is being polled, it leaves that task alone.
    /// Returns whether everything has ended but for such tasks; those that are left are the space's
    /// [unfinished](TaskSpace::unfinished) ones.
    pub fn shut_down(&self, patience: Duration) -> bool {
        self.close();
        drop(self.space.attend());
        let settled = is_host_of(self.shared.address()) || turn::is_inside(&self.shared) || {
            let mut seat = self.shared.seat.lock();
            if !patience.is_zero() {
                self.shared.settled.wait_while_for(&mut seat, |seat| seat.attended, patience);
            }
            !seat.attended
        };
        self.driver.close();
        self.space.retire();
        settled
    }

    /// Nothing is polled from now on but what is being polled.
    fn close(&self) {
        let call = {
            let mut seat = self.shared.seat.lock();
            if std::mem::replace(&mut seat.closed, true) {
                return;
            }
            self.space.close();
            // The thread in the seat has the rest; it may go to sleep just now.
            self.shared.mail.store(true, Release);
            seat.whom_to_call()
        };
        self.shared.call(call);
    }
}

impl Schedule for Shared {
    fn schedule(&self, runnable: Runnable, why: Why) {
        let Err(runnable) = push_as_guest(self.address(), runnable) else { return };
        let Some(runnable) = runnable.unless_late(why) else { return };
        let call = {
            let mut seat = self.seat.lock();
            seat.inbox.push_back(runnable);
            // Ordering: Release, so that whoever sees the flag finds the runnable; the lock does so anyway.
            self.mail.store(true, Release);
            seat.whom_to_call()
        };
        self.call(call);
    }

    fn drain(&self) -> RunQueue {
        // In its own task this thread has a queue of its own.
        let mut queued = take_as_guest(self.address());
        queued.append(&mut self.seat.lock().inbox);
        queued
    }

    fn tell_time(&self) {
        self.driver.tell_time();
    }
}

impl Gauges for Shared {
    fn fairness(&self) -> Fairness {
        Fifo::FAIRNESS
    }

    fn workers(&self) -> Vec<WorkerMetrics> {
        vec![self.counts.read()]
    }

    fn queued(&self) -> usize {
        self.seat.lock().inbox.len()
    }

    /// The thread in the seat is the one worker.
    fn worker_of(&self, thread: ThreadId) -> Option<usize> {
        (self.seat.lock().thread == Some(thread)).then_some(0)
    }

    fn staff(&self) -> Staff {
        let seat = self.seat.lock();
        let seated = seat.holder.is_some() || seat.turn != Phase::None;
        let mut staff = Staff::default();
        staff.threads = usize::from(seated);
        // The seated thread alone has the lease, and keeps it for long only while it waits.
        staff.asleep = usize::from(seated && self.driver.is_leased());
        staff
    }
}

impl Shared {
    fn call(&self, call: Call) {
        match call {
            Call::Nobody => {}
            Call::Holder(parking) => parking.unpark(),
            Call::Heirs(waiting) => waiting.iter().for_each(|parking| parking.unpark()),
            Call::Driver => self.driver.unpark(),
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// A thread inside `block_on`.
struct Guest<'a> {
    fifo: &'a Fifo,
    post: Post,
    seated: Cell<bool>,
    listed: Cell<bool>,
    attends: RefCell<Option<Attendant<'a>>>,
}

impl Guest<'_> {
    fn shared(&self) -> &Shared {
        &self.fifo.shared
    }

    /// This thread polls no more of the executor's tasks: those it has queued are anybody's. After the end it cancels what is
    /// left of them.
    fn retire(&self, entered: &Entered<'_>) {
        // From here on wakes find the inbox, not this thread's queue.
        entered.host(None);
        let mut rest = entered.take_rest();
        {
            let mut seat = self.shared().seat.lock();
            // What this thread had taken over is older than what came since.
            rest.append(&mut seat.inbox);
            std::mem::swap(&mut seat.inbox, &mut rest);
            self.shared().mail.store(true, Release);
        }
        turn::inside(self.shared(), || drop(self.attends.take()));
        self.shared().seat.lock().attended = false;
        self.shared().settled.notify_all();
    }
}

impl Host for Guest<'_> {
    fn watch(&self) -> &impl Watch {
        &self.post
    }

    fn space(&self) -> Option<&Arc<TaskSpace>> {
        Some(&self.fifo.space)
    }

    fn collect(&self, entered: &Entered<'_>, parking: &Arc<Parking>) {
        if self.seated.get() && !self.shared().mail.load(Relaxed) {
            return;
        }
        let mut seat = self.shared().seat.lock();
        if !self.seated.get() {
            if seat.holder.is_some() || seat.turn != Phase::None {
                if !self.listed.replace(true) {
                    seat.waiting.push(Arc::clone(parking));
                }
                return;
            }
            if self.listed.replace(false) {
                seat.waiting.retain(|waiting| !Arc::ptr_eq(waiting, parking));
            }
            seat.holder = Some(Arc::clone(parking));
            seat.thread = Some(std::thread::current().id());
            self.seated.set(true);
            if !seat.closed {
                seat.attended = true;
                *self.attends.borrow_mut() = Some(self.fifo.space.attend());
                entered.host(Some(self.shared().address()));
            }
        }
        self.shared().mail.store(false, Relaxed);
        if !seat.closed {
            let mut inbox = std::mem::take(&mut seat.inbox);
            drop(seat);
            entered.append(&mut inbox);
        } else if seat.attended {
            drop(seat);
            self.retire(entered);
        }
    }

    fn may_drive(&self) -> bool {
        self.seated.get()
    }

    fn hooks(&self) -> Option<&Hooks> {
        self.seated.get().then_some(&*self.fifo.hooks)
    }

    fn counts(&self) -> Option<&WorkerCounts> {
        self.seated.get().then(|| &self.shared().counts)
    }

    fn leave(&self, entered: &Entered<'_>, parking: &Arc<Parking>) {
        if self.seated.get() {
            self.retire(entered);
        }
        let call = {
            let mut seat = self.shared().seat.lock();
            seat.waiting.retain(|waiting| !Arc::ptr_eq(waiting, parking));
            if self.seated.replace(false) {
                seat.holder = None;
                seat.thread = None;
            }
            // Also one that never had the seat passes it on: it may have been called to take it just now.
            if seat.holder.is_none() { seat.whom_to_call() } else { Call::Nobody }
        };
        self.shared().call(call);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seat = self.seat.lock();
        f.debug_struct("Fifo")
            .field("inbox", &seat.inbox.len())
            .field("seated", &seat.holder.is_some())
            .finish()
    }
}

impl fmt::Debug for Fifo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fifo").field("driver", &self.driver).finish_non_exhaustive()
    }
}
