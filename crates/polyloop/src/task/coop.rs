//! The cooperative budget, for futures of all kinds.
//!
//! One poll of a task may do [`OPERATIONS`] operations. Each channel, lock, timer and socket of ours takes one when it
//! made progress; with none left it wakes its task and says "pending", so that others have their turn. So a loop that
//! receives from a channel that is always full needs no [`yield_now`](super::yield_now).
//!
//! What is not ours counts nothing: wrap it in [`budgeted`], or call [`consume_budget`] in the loop. Outside of a polyloop
//! task there is no budget, and nothing is ever held up. Jobs of [`spawn_blocking`](super::spawn_blocking) are outside.
//!
//! [`budgeted_for`] gives a future a budget of time instead of one of operations, and
//! [`Builder::poll_budget`](crate::Builder::poll_budget) all tasks of a runtime.
//!
//! Names are tokio's; [`cooperative`] is tokio's name for [`budgeted`], and [`Coop`] for its type.
//!
//! Invariant: the wrappers here add nothing to what a future does but when it may do it.

use crate::Handle;
use pin_project_lite::pin_project;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pub use self::{Budgeted as Coop, budgeted as cooperative};
pub use polyloop_core::budget::{
    OPERATIONS, Operation as RestoreOnPending, has_remaining as has_budget_remaining, poll_proceed,
};

/// Lets `future` take part in the budget: it is not polled when the poll of its task has none left, and takes one operation
/// when it is ready.
///
/// # Cancel safety
///
/// As `future`: what it is ready with is passed on at once.
///
/// # Examples
///
/// A channel of another crate, which is always ready, would keep its task's thread for as long as there is something to
/// receive; wrapped it lets others go in between:
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::task::budgeted;
///
/// let other = polyloop::spawn(async { "had its turn" });
/// for _ in 0..1000 {
///     budgeted(std::future::ready(())).await;
/// }
/// assert!(other.is_finished());
/// # });
/// ```
pub fn budgeted<F: Future>(future: F) -> Budgeted<F> {
    Budgeted { future }
}

pin_project! {
    /// The future of [`budgeted`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Budgeted<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Budgeted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let operation = ready!(poll_proceed(cx));
        let output = ready!(self.project().future.poll(cx));
        operation.made_progress();
        Poll::Ready(output)
    }
}

/// Gives `future` a budget of time: a poll of it does as many operations as it likes until it has lasted for `limit`, by the
/// clock of the runtime, which is looked at when the poll begins and before every 17th operation. From then on operations of
/// ours, and futures in [`budgeted`], wake their task and say "pending".
///
/// It takes the place of the budget of [`OPERATIONS`]: within `limit` there may be more of them, and one poll of this counts
/// as one in the poll of its task. Within another `budgeted_for` the earlier end holds; within [`unconstrained`], around
/// it or in it, none does. What does not ask the budget is not interrupted: a poll can last longer by 16 operations and
/// by whatever the future does between two of them. For all tasks of a runtime there is
/// [`Builder::poll_budget`](crate::Builder::poll_budget).
///
/// # Cancel safety
///
/// As `future`.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::task::{budgeted_for, consume_budget};
/// use std::time::Duration;
///
/// let other = polyloop::spawn(async { "had its turn" });
/// let hog = budgeted_for(Duration::from_micros(50), async move {
///     while !other.is_finished() {
///         consume_budget().await;
///     }
/// });
/// polyloop::spawn(hog).await.unwrap();
/// # });
/// ```
pub fn budgeted_for<F: Future>(limit: Duration, future: F) -> BudgetedFor<F> {
    BudgetedFor { limit, future }
}

pin_project! {
    /// The future of [`budgeted_for`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct BudgetedFor<F> {
        limit: Duration,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for BudgetedFor<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Without a runtime there is no budget.
        match Handle::try_current() {
            Ok(handle) => polyloop_core::budget::timed(handle.driver(), *this.limit, || this.future.poll(cx)),
            Err(_) => this.future.poll(cx),
        }
    }
}

/// Takes one operation of the budget, and lets others go first if there is none left.
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn consume_budget() {
    poll_fn(|cx| poll_proceed(cx).map(|operation| operation.made_progress())).await;
}

/// Takes `future` out of the budget: whatever it does is admitted, and nothing is counted. It can keep its thread for as
/// long as it likes.
///
/// # Cancel safety
///
/// As `future`.
pub fn unconstrained<F: Future>(future: F) -> Unconstrained<F> {
    Unconstrained { future }
}

pin_project! {
    /// The future of [`unconstrained`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Unconstrained<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        polyloop_core::budget::unlimited(|| self.project().future.poll(cx))
    }
}
