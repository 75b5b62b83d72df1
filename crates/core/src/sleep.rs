//! A deadline as a future.
//!
//! Invariant: a sleep has at most one entry in its driver's queue, however often it is polled; dropping it takes the
//! entry out.

use crate::budget::poll_proceed;
use crate::driver::{Driver, Gone};
use crate::time::{Instant, TimerKey};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

/// Waits until an instant of one driver's clock. Never ends early.
///
/// It belongs to its driver, and may be polled on any thread and any runtime as long as that one is driven.
///
/// # Panics
///
/// When it is polled after its driver has shut down and before its deadline; [`poll_elapsed`](Self::poll_elapsed) returns that as an error.
///
/// # Cancel safety
///
/// Cancel safe: dropping it disarms it.
pub struct Sleep {
    driver: Arc<Driver>,
    deadline: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    Armed(TimerKey),
    Elapsed,
}

impl Sleep {
    /// A sleep until `deadline`, which is armed when it is first polled.
    pub fn until(driver: Arc<Driver>, deadline: Instant) -> Self {
        Self { driver, deadline, state: State::New }
    }

    /// The driver it belongs to.
    pub fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// The instant it waits for.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether a poll has found the deadline passed.
    pub fn is_elapsed(&self) -> bool {
        matches!(self.state, State::Elapsed)
    }

    /// Waits for another deadline from now on, also after it had elapsed.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        match self.state {
            State::Armed(key) if self.driver.rearm(key, deadline) => {}
            _ => self.state = State::New,
        }
    }

    /// Polls for the deadline. Takes one operation of the poll's [budget](crate::budget) once it has passed.
    ///
    /// # Errors
    ///
    /// [`Gone`] if the driver has shut down before the deadline.
    pub fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        let operation = ready!(poll_proceed(cx));
        ready!(self.poll_armed(cx))?;
        operation.made_progress();
        Poll::Ready(Ok(()))
    }

    fn poll_armed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        match self.state {
            State::Elapsed => Poll::Ready(Ok(())),
            State::New => {
                if self.driver.now() >= self.deadline {
                    self.state = State::Elapsed;
                    return Poll::Ready(Ok(()));
                }
                self.state = State::Armed(self.driver.arm(self.deadline, cx.waker().clone())?);
                Poll::Pending
            }
            State::Armed(key) => {
                match self.driver.watch(key, cx.waker()) {
                    Ok(true) => return Poll::Pending,
                    // The end took the entry out, fired or not.
                    Err(Gone) if self.driver.now() < self.deadline => return Poll::Ready(Err(Gone)),
                    Ok(false) | Err(Gone) => {}
                }
                self.state = State::Elapsed;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(self.poll_elapsed(cx)) {
            Ok(()) => Poll::Ready(()),
            Err(gone) => panic!("{gone}"),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let State::Armed(key) = self.state {
            self.driver.disarm(key);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
