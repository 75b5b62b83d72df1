//! A word that tells many tasks to stop.

use super::stands_for;
use crate::task::coop::poll_proceed;
use pin_project_lite::pin_project;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio_util::sync as inner;

pub use inner::{DropGuard, DropGuardRef};

/// Tells all who have a clone of it that they are to stop, once and for good; see [`tokio_util::sync::CancellationToken`].
///
/// Nothing is dropped or aborted by it: who is told decides what to do. A guard's token is of tokio-util's type, from which
/// [`From`] makes one of these.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("steal:2+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::sync::CancellationToken;
///
/// let token = CancellationToken::new();
/// let workers: Vec<_> = (0..3)
///     .map(|_| {
///         let token = token.child_token();
///         polyloop::spawn(async move {
///             polyloop::select! {
///                 () = token.cancelled() => "told to stop",
///                 () = std::future::pending() => "done",
///             }
///         })
///     })
///     .collect();
/// token.cancel();
/// for worker in workers {
///     assert_eq!(worker.await.unwrap(), "told to stop");
/// }
/// # });
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct CancellationToken(inner::CancellationToken);

stands_for!(CancellationToken => inner::CancellationToken);

impl CancellationToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that is cancelled with this one, but whose own cancellation does not touch this one.
    #[must_use]
    pub fn child_token(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Waits until the token is cancelled. Ready at once if it is.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        WaitForCancellationFuture { inner: self.0.cancelled() }
    }

    /// As [`cancelled`](Self::cancelled), with a future that keeps the token.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn cancelled_owned(self) -> WaitForCancellationFutureOwned {
        WaitForCancellationFutureOwned { inner: self.0.cancelled_owned() }
    }

    /// Cancels the token when the guard is dropped.
    pub fn drop_guard(self) -> DropGuard {
        self.0.drop_guard()
    }

    /// Waits for `future`, or until the token is cancelled: then the future is dropped, and this is `None`. If both happen in
    /// one poll, the future counts; but with a token that is cancelled already it is not polled.
    ///
    /// # Cancel safety
    ///
    /// As `future`.
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        if self.is_cancelled() {
            return None;
        }
        let (mut future, mut cancelled) = (pin!(future), pin!(self.0.cancelled()));
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            // Outside of the budget, so that it holds also for a future that uses all of it in every poll.
            cancelled.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    /// As [`run_until_cancelled`](Self::run_until_cancelled), with a future that keeps the token.
    ///
    /// # Cancel safety
    ///
    /// As `future`.
    pub async fn run_until_cancelled_owned<F: Future>(self, future: F) -> Option<F::Output> {
        self.run_until_cancelled(future).await
    }
}

impl From<inner::CancellationToken> for CancellationToken {
    fn from(token: inner::CancellationToken) -> Self {
        Self(token)
    }
}

pin_project! {
    /// The future of [`CancellationToken::cancelled`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct WaitForCancellationFuture<'a> {
        #[pin]
        inner: inner::WaitForCancellationFuture<'a>,
    }
}

pin_project! {
    /// The future of [`CancellationToken::cancelled_owned`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct WaitForCancellationFutureOwned {
        #[pin]
        inner: inner::WaitForCancellationFutureOwned,
    }
}

impl Future for WaitForCancellationFuture<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let operation = ready!(poll_proceed(cx));
        ready!(self.project().inner.poll(cx));
        operation.made_progress();
        Poll::Ready(())
    }
}

impl Future for WaitForCancellationFutureOwned {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let operation = ready!(poll_proceed(cx));
        ready!(self.project().inner.poll(cx));
        operation.made_progress();
        Poll::Ready(())
    }
}
