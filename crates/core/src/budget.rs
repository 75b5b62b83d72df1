//! A cooperative budget: how much one poll of a task may do before it lets others go.
//!
//! Invariant: *a poll begins with [`OPERATIONS`], every operation of ours that made progress takes one, and with none left
//! each of them wakes its task and says "pending"*. So a task whose channel is always full and whose socket is
//! always ready ends its poll all the same, and nobody has to write `yield_now` for that.
//!
//! The budget belongs to the poll, not to the future: [`Polling`](crate::context) puts it where the thread notes anyway which task
//! it polls. Outside of a task there is none, and everything may go on.
//!
//! A budget of time ([`timed`]) is one of [`SLICE`] operations that is filled up as long as there is time. So only the branch
//! for a poll that has none left knows of it, and nobody else pays. A whole space may have one ([`PollTime`]); its tasks are
//! marked as such that something is to be done for, so that the others' polls do not ask.
//!
//! A poll that is refused again and again and does not end is not a selfish one but an executor of somebody else's inside
//! of the task (`block_on` of another crate, say), which waits for a wake that it has had. After [`PATIENCE`] refusals it gets
//! a budget again, so that it is slow instead of stuck.

use crate::context;
use crate::driver::Driver;
use crate::time::Instant;
use core::cell::Cell;
use core::marker::PhantomData;
use core::task::{Context, Poll};
use core::time::Duration;
use std::fmt;
use std::sync::{Arc, Weak};

/// How many operations a poll may do. Tokio's number.
pub const OPERATIONS: u32 = 128;

/// After how many operations a poll with a budget of time looks at the clock.
pub const SLICE: u32 = 16;

/// How many refusals end in a new budget within the same poll. Far more than a poll with many branches needs. (Miri takes a
/// millisecond for each, and sees nothing new in them.)
pub const PATIENCE: u32 = if cfg!(miri) { 1 << 8 } else { 1 << 16 };

/// What is left: so many operations; below one, how many were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget(i32);

const FULL: i32 = OPERATIONS as i32;
const SPENT_FOR_LONG: i32 = -(PATIENCE as i32);

impl Budget {
    /// What a poll begins with.
    pub(crate) const FULL: Self = Self(FULL);
    /// What there is where nothing is counted: more than can be had.
    pub(crate) const UNLIMITED: Self = Self(i32::MAX);

    pub(crate) const fn to_bits(self) -> u32 {
        self.0.cast_unsigned()
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits.cast_signed())
    }

    fn is_limited(self) -> bool {
        self.0 <= FULL
    }
}

/// Admits one operation, or wakes the task and says "pending" if this poll has had its share.
///
/// To be asked before the operation is tried. Whoever then finds that the operation is pending drops the [`Operation`];
/// whoever got somewhere says so by [`made_progress`](Operation::made_progress).
///
/// # Examples
///
/// ```
/// use polyloop_core::budget::poll_proceed;
/// use std::task::{Context, Poll, ready};
///
/// fn poll_pop(queue: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<u8> {
///     let operation = ready!(poll_proceed(cx));
///     match queue.pop() {
///         Some(byte) => {
///             operation.made_progress();
///             Poll::Ready(byte)
///         }
///         // (And keeps the waker for whoever pushes.)
///         None => Poll::Pending,
///     }
/// }
/// ```
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<Operation> {
    let Budget(left) = context::budget();
    if left <= 0 {
        return fill_up_or_refuse(left, cx);
    }
    take(left)
}

#[inline]
fn take(left: i32) -> Poll<Operation> {
    let counted = Budget(left).is_limited();
    if counted {
        context::set_budget(Budget(left - 1));
    }
    Poll::Ready(Operation { give_back: Cell::new(counted), here: PhantomData })
}

/// Looks at the clock if the budget is one of time and not known to be over; otherwise, or if it is over now, refuses.
#[cold]
fn fill_up_or_refuse(left: i32, cx: &Context<'_>) -> Poll<Operation> {
    if left == 0
        && context::is_timed()
        && context::with_scope(|time: Option<&Time>| time.is_some_and(Time::is_left))
    {
        return take(SLICE.cast_signed());
    }
    refuse(left, cx);
    Poll::Pending
}

fn refuse(left: i32, cx: &Context<'_>) {
    context::set_budget(if left <= SPENT_FOR_LONG { Budget::FULL } else { Budget(left - 1) });
    cx.waker().wake_by_ref();
}

/// Whether [`poll_proceed`] would admit an operation now.
#[inline]
pub fn has_remaining() -> bool {
    context::budget().0 > 0
}

/// Runs `f`, in which every operation is admitted and none is counted.
pub fn unlimited<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(Budget);
    impl Drop for Restore {
        fn drop(&mut self) {
            context::set_budget(self.0);
        }
    }
    let _restore = Restore(context::budget());
    context::set_budget(Budget::UNLIMITED);
    f()
}

/// The time that a poll may last.
struct Time {
    driver: Arc<Driver>,
    end: Instant,
    /// Whether a slice was filled up: then one was used up.
    filled: Cell<bool>,
}

impl Time {
    /// Whether another slice may be had, which is as good as taken then.
    fn is_left(&self) -> bool {
        let is_left = self.driver.now() <= self.end;
        self.filled.set(self.filled.get() || is_left);
        is_left
    }
}

/// Runs `f`, in which operations are admitted until `limit` has passed on the driver's clock, which is looked at now and after
/// each [`SLICE`] of them. A poll that has no budget left gets none, one that has no limit keeps none, and a limit within
/// another one does not lengthen it.
///
/// However many operations `f` did, they count as one of the poll around; if the time is over, that has none left either.
pub fn timed<R>(driver: &Arc<Driver>, limit: Duration, f: impl FnOnce() -> R) -> R {
    struct Restore<'a> {
        outer: Budget,
        was_timed: bool,
        time: &'a Time,
    }
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            let Budget(left) = context::budget();
            let outer = match left {
                ..0 => Budget(0),
                _ if left == SLICE.cast_signed() && !self.time.filled.get() => self.outer,
                _ => Budget(self.outer.0 - 1),
            };
            context::set_budget(outer);
            context::set_timed(self.was_timed);
        }
    }
    let outer = context::budget();
    if outer.0 <= 0 || !outer.is_limited() {
        return f();
    }
    let was_timed = context::is_timed();
    let around = context::with_scope(|time: Option<&Time>| time.filter(|_| was_timed).map(|time| time.end));
    let end = driver.now() + limit;
    let end = around.map_or(end, |around| end.min(around));
    let time = Time { driver: driver.clone(), end, filled: Cell::new(false) };
    let _restore = Restore { outer, was_timed, time: &time };
    context::set_budget(Budget(SLICE.cast_signed()));
    context::set_timed(true);
    context::enter_scope(&time, f)
}

/// The budget of time that each poll of a space's tasks begins with.
#[derive(Clone)]
pub struct PollTime {
    /// Memory of tasks may outlive their runtime, whose driver must not.
    driver: Weak<Driver>,
    limit: Duration,
}

impl PollTime {
    /// So long by the clock of this driver.
    pub fn new(driver: &Arc<Driver>, limit: Duration) -> Self {
        Self { driver: Arc::downgrade(driver), limit }
    }

    /// Runs `f` as [`timed`] does; without a limit once the driver is gone.
    pub(crate) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        match self.driver.upgrade() {
            Some(driver) => timed(&driver, self.limit, f),
            None => f(),
        }
    }
}

impl fmt::Debug for PollTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limit.fmt(f)
    }
}

/// One operation that was admitted. Dropping it gives it back, unless it [made progress](Self::made_progress).
#[derive(Debug)]
#[must_use = "an operation that is dropped at once is not counted"]
pub struct Operation {
    give_back: Cell<bool>,
    /// It belongs to the poll that is going on, and so to its thread.
    here: PhantomData<*const ()>,
}

impl Operation {
    /// The operation did something: it counts.
    #[inline]
    pub fn made_progress(&self) {
        self.give_back.set(false);
    }
}

impl Drop for Operation {
    #[inline]
    fn drop(&mut self) {
        let Budget(left) = context::budget();
        if self.give_back.get() && left < FULL {
            context::set_budget(Budget(left + 1));
        }
    }
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests;
