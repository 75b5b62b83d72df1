//! A turn by a foreign event loop: the seat for a moment, without `block_on`.
//!
//! Invariant: *nothing that becomes ready is missed between two turns*. What comes in while tasks are polled is in the
//! inbox when the seat is given up, and what yielded beside it, under one lock with the look whether there is more. From
//! then on it rings the reactor's doorbell, whose file the loop watches; so does a deadline nearer than the one that the loop
//! was told.

use crate::{Call, Fifo, Shared};
use polyloop_blocking::stall::Post;
use polyloop_core::block_on::{CHECK_POLLS, Nested, Watch, refuse_nested};
use polyloop_core::time::Instant;
use polyloop_core::{Attendant, Turn, Wakes, context};
use std::cell::Cell;
use std::time::Duration;

/// What a thread in a turn does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is none.
    None,
    /// It may wait in the driver.
    Waiting,
    /// It polls tasks.
    Running,
}

/// What a turn has done, and what is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turned {
    /// How many tasks were polled.
    pub polled: usize,
    /// Whether tasks are ready still: the next turn is due at once.
    pub more: bool,
    /// The nearest deadline, when the next turn is due at the latest.
    pub next: Option<Instant>,
}

/// That this thread has the seat of the executor of this address, although it hosts no tasks of it.
struct Inside(usize);

/// Runs `f`, in which whoever shuts down does not wait for this thread.
pub(crate) fn inside<R>(shared: &Shared, f: impl FnOnce() -> R) -> R {
    context::enter_scope(&Inside(shared.address()), f)
}

/// Whether the calling thread is [`inside`].
pub(crate) fn is_inside(shared: &Shared) -> bool {
    context::with_scope(|inside: Option<&Inside>| inside.is_some_and(|inside| inside.0 == shared.address()))
}

/// Gives the seat up, also when the turn unwinds, and notes whether there is more to do.
struct Leave<'a> {
    shared: &'a Shared,
    more: &'a Cell<bool>,
    attends: Option<Attendant<'a>>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let Self { shared, more, attends } = self;
        inside(shared, || drop(attends.take()));
        let call = {
            let mut seat = shared.seat.lock();
            seat.attended = false;
            seat.turn = Phase::None;
            seat.thread = None;
            more.set(seat.is_ready());
            // The caller knows what is in the inbox; a thread that waits for the seat does not.
            if seat.waiting.is_empty() { Call::Nobody } else { seat.whom_to_call() }
        };
        shared.settled.notify_all();
        shared.call(call);
    }
}

impl Fifo {
    /// Waits in the driver, `most` at most and not at all if tasks are ready, and polls the tasks that are ready then, each
    /// once and 61 at most. Does nothing if another thread has the seat, or after the end.
    ///
    /// # Errors
    ///
    /// [`Nested`], when this thread is inside a `block_on` or polls a task.
    ///
    /// # Panics
    ///
    /// If the kernel refuses the driver's wait.
    pub fn turn(&self, most: Duration) -> Result<Turned, Nested> {
        refuse_nested()?;
        let ready = {
            let mut seat = self.shared.seat.lock();
            if seat.closed || seat.holder.is_some() || seat.turn != Phase::None {
                return Ok(Turned::default());
            }
            seat.turned = true;
            seat.attended = true;
            let ready = seat.is_ready();
            seat.thread = Some(std::thread::current().id());
            seat.turn = if ready || most.is_zero() { Phase::Running } else { Phase::Waiting };
            ready
        };
        let more = Cell::new(false);
        let leave = Leave { shared: &self.shared, more: &more, attends: Some(self.space.attend()) };
        let turned = self.space.enter(|| inside(&self.shared, || self.take_turn(most, ready)));
        drop(leave);
        Ok(Turned { more: more.get(), ..turned })
    }

    /// From now on a foreign event loop watches the reactor's file: whatever becomes ready while nobody has the seat rings
    /// there.
    pub fn watch_from_outside(&self) {
        let waiting = {
            let mut seat = self.shared.seat.lock();
            seat.watched = true;
            seat.is_ready()
        };
        if waiting {
            self.shared.driver.unpark();
        }
    }

    fn take_turn(&self, most: Duration, ready: bool) -> Turned {
        let Self { shared, driver, hooks, .. } = self;
        let mut busy = Some(driver.hold());
        let most = if ready { Duration::ZERO } else { most };
        if !most.is_zero() {
            hooks.parks();
            shared.counts.parked();
        }
        let since = driver.now();
        // With tasks ready the thread is at work, and no clock moves by itself.
        let lease = if ready { driver.try_lease() } else { driver.rest(&mut busy) };
        if let Some(mut lease) = lease {
            let mut wakes = Wakes::new();
            let is_called = || {
                let seat = shared.seat.lock();
                seat.closed || seat.is_ready()
            };
            let turned = lease.turn_unless(Turn::For(most), &mut wakes, is_called);
            // At work before the lease is free, as everywhere. And no call of itself: the bell would ring in the loop.
            busy.get_or_insert_with(|| driver.hold());
            shared.seat.lock().turn = Phase::Running;
            drop(lease);
            wakes.wake_all();
            if let Err(error) = turned {
                panic!("the reactor `{}` cannot wait: {error}", driver.reactor().name());
            }
        }
        let since = if most.is_zero() { since } else { driver.now() };
        if !most.is_zero() {
            hooks.unparks();
        }
        let post = Post::new(&self.stalls, &self.space);
        let polled = self.poll_ready(&post);
        drop(post);
        let time = driver.now() - since;
        shared.counts.polled(u32::try_from(polled).unwrap_or(u32::MAX), time);
        let next = driver.rest(&mut busy).and_then(|mut lease| lease.leave_wait());
        Turned { polled, more: false, next }
    }

    /// Polls what is ready, each once. How many that were.
    fn poll_ready(&self, post: &Post) -> usize {
        let most = {
            let mut seat = self.shared.seat.lock();
            seat.bring_back();
            seat.inbox.len().min(CHECK_POLLS as usize)
        };
        let desk = post.desk();
        if most > 0 && desk.rise() {
            post.rise();
        }
        for polled in 0..most {
            let runnable = {
                let mut seat = self.shared.seat.lock();
                if seat.closed { None } else { seat.inbox.pop_front() }
            };
            let Some(runnable) = runnable else { return polled };
            if let Some(runnable) = runnable.run().again() {
                self.shared.seat.lock().again.push_back(runnable);
            }
            // The turn is short, and the loop that called it looks at its own clock afterwards.
            let _ = desk.goes_on();
        }
        most
    }
}
