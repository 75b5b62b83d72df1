//! The single-threaded FIFO executor.
//!
//! Invariant: tasks run on one thread at a time, the one that has the *seat*, in the order in which they became ready.
//! The seat belongs to a thread inside [`Fifo::try_block_on`]; a second one waits, running only its own future and
//! local tasks, and takes over when the first one leaves. While nobody has the seat, runnables wait in the inbox.
//!
//! It is not a scheduler in the pool's shell, because it would pay for what it does not need: with one thread there is
//! nobody to announce idleness to, and the queue is plain memory.
//!
//! Declared constants (C2, C3): a ready task is polled in its place in the queue, behind those that were ready before it;
//! between two driver turns there are at most [`MAX_POLLS`](polyloop_core::block_on::MAX_POLLS) polls, and at most
//! [`CHECK_POLLS`](polyloop_core::block_on::CHECK_POLLS) once
//! [`TURN_INTERVAL`](polyloop_core::block_on::TURN_INTERVAL) has passed. A task that yields is requeued at once.

#![forbid(unsafe_code)]

use polyloop_core::block_on::{Host, Nested, try_block_on};
use polyloop_core::park::{Parking, ThreadParker};
use polyloop_core::shim::atomic::{
    AtomicBool,
    Ordering::{Relaxed, Release},
};
use polyloop_core::shim::sync::Mutex;
use polyloop_core::{
    Driver, Entered, JoinHandle, Meta, RunQueue, Runnable, Schedule, TaskSpace, Unpark, Why, push_as_guest,
};
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::thread::Thread;

/// The executor; clones are the same one. Whoever owns it calls [`shut_down`](Self::shut_down) at the end.
#[derive(Clone)]
pub struct Fifo {
    shared: Arc<Shared>,
    space: Arc<TaskSpace>,
    driver: Arc<Driver>,
}

/// What wakers reach.
struct Shared {
    seat: Mutex<Seat>,
    /// Whether the inbox has something; looked at by the seated thread before it takes the lock.
    mail: AtomicBool,
}

struct Seat {
    inbox: RunQueue,
    holder: Option<Arc<Parking>>,
    /// Threads inside `block_on` that wait for the seat.
    waiting: Vec<Arc<Parking>>,
    closed: bool,
}

impl Seat {
    /// Who is to be called because the seat is free: all that wait for it, since any of them may be inside a poll that
    /// blocks. The first to come takes it.
    fn heirs(&self) -> Vec<Arc<Parking>> {
        if self.holder.is_some() { Vec::new() } else { self.waiting.clone() }
    }
}

impl Fifo {
    /// An executor over this driver. It runs nothing until a thread blocks on something.
    pub fn new(driver: Arc<Driver>) -> Self {
        let seat = Seat { inbox: RunQueue::new(), holder: None, waiting: Vec::new(), closed: false };
        let shared = Arc::new(Shared { seat: Mutex::new(seat), mail: AtomicBool::new(false) });
        let space = TaskSpace::new(Arc::clone(&shared) as Arc<dyn Schedule>);
        Self { shared, space, driver }
    }

    /// The driver that the seated thread turns.
    pub fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Where its tasks live.
    pub fn space(&self) -> &Arc<TaskSpace> {
        &self.space
    }

    /// Spawns a task, from any thread. It runs while some thread is inside [`try_block_on`](Self::try_block_on).
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
    pub fn try_block_on<F: Future>(&self, future: F, meta: Meta) -> Result<F::Output, Nested> {
        let host = Guest { fifo: self, seated: Cell::new(false), listed: Cell::new(false) };
        let parker = Box::new(OsThread(std::thread::current()));
        self.space.enter(|| try_block_on(&self.driver, parker, &host, future, meta))
    }

    /// Cancels all tasks and ends the driver. Whatever is spawned or woken afterwards is cancelled at once.
    ///
    /// Does not wait for a thread that is inside `block_on`: what that one has queued, and what it is polling, it cancels
    /// itself before its next poll.
    pub fn shut_down(&self) {
        self.cancel_all();
        self.driver.close();
        self.space.retire();
    }

    /// Takes in nothing from now on, and cancels what is queued or idle.
    ///
    /// The door is shut first: what other threads spawn meanwhile, and what the cancelled futures spawn and wake in their
    /// drops, is cancelled where it arrives.
    fn cancel_all(&self) {
        let (mut queued, holder) = {
            let mut seat = self.shared.seat.lock();
            let was_open = !std::mem::replace(&mut seat.closed, true);
            if was_open {
                // The thread in the seat has the rest; it may go to sleep just now.
                self.shared.mail.store(true, Release);
            }
            (std::mem::take(&mut seat.inbox), seat.holder.clone().filter(|_| was_open))
        };
        if let Some(holder) = holder {
            holder.unpark();
        }
        while let Some(runnable) = queued.pop_front() {
            runnable.cancel();
        }
        self.space.cancel_idle();
    }
}

impl Schedule for Shared {
    fn schedule(&self, runnable: Runnable, _why: Why) {
        let Err(runnable) = push_as_guest(self.address(), runnable) else { return };
        let (holder, heirs) = {
            let mut seat = self.seat.lock();
            if seat.closed {
                drop(seat);
                return runnable.cancel();
            }
            seat.inbox.push_back(runnable);
            // Ordering: Release, so that whoever sees the flag finds the runnable; the lock does so anyway.
            self.mail.store(true, Release);
            (seat.holder.clone(), seat.heirs())
        };
        holder.into_iter().chain(heirs).for_each(|parking| parking.unpark());
    }
}

impl Shared {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// A thread inside `block_on`.
struct Guest<'a> {
    fifo: &'a Fifo,
    seated: Cell<bool>,
    listed: Cell<bool>,
}

impl Guest<'_> {
    fn shared(&self) -> &Shared {
        &self.fifo.shared
    }
}

impl Host for Guest<'_> {
    fn collect(&self, entered: &Entered<'_>, parking: &Arc<Parking>) {
        if self.seated.get() && !self.shared().mail.load(Relaxed) {
            return;
        }
        let mut seat = self.shared().seat.lock();
        if !self.seated.get() {
            if seat.holder.is_some() {
                if !self.listed.replace(true) {
                    seat.waiting.push(Arc::clone(parking));
                }
                return;
            }
            if self.listed.replace(false) {
                seat.waiting.retain(|waiting| !Arc::ptr_eq(waiting, parking));
            }
            seat.holder = Some(Arc::clone(parking));
            self.seated.set(true);
            entered.host(Some(self.shared().address()));
        }
        self.shared().mail.store(false, Relaxed);
        let mut inbox = std::mem::take(&mut seat.inbox);
        let closed = seat.closed;
        drop(seat);
        entered.append(&mut inbox);
        if closed {
            // From here on wakes find the closed seat, not this thread's queue.
            entered.host(None);
            let mut rest = entered.take_rest();
            while let Some(runnable) = rest.pop_front() {
                runnable.cancel();
            }
            self.fifo.cancel_all();
        }
    }

    fn may_drive(&self) -> bool {
        self.seated.get()
    }

    fn leave(&self, entered: &Entered<'_>, parking: &Arc<Parking>) {
        let mut rest = if self.seated.get() { entered.take_rest() } else { RunQueue::new() };
        entered.host(None);
        let (heirs, closed) = {
            let mut seat = self.shared().seat.lock();
            seat.waiting.retain(|waiting| !Arc::ptr_eq(waiting, parking));
            if self.seated.replace(false) {
                // What this thread had taken over is older than what came since.
                rest.append(&mut seat.inbox);
                std::mem::swap(&mut seat.inbox, &mut rest);
                self.shared().mail.store(true, Release);
                seat.holder = None;
            }
            // Also one that never had the seat passes it on: it may have been called to take it just now.
            (seat.heirs(), seat.closed)
        };
        heirs.into_iter().for_each(|parking| parking.unpark());
        if closed {
            self.fifo.cancel_all();
        }
    }
}

/// The calling thread, parked by the standard library.
#[derive(Debug)]
struct OsThread(Thread);

impl ThreadParker for OsThread {
    fn park(&self) {
        std::thread::park();
    }

    fn unpark(&self) {
        self.0.unpark();
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
