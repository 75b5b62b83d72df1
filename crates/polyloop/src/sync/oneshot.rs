//! One value from one task to another. See [`tokio::sync::oneshot`].

use crate::sync::{blocking, stands_for};
use crate::task::budgeted;
use crate::task::coop::poll_proceed;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot as inner;

pub use tokio::sync::oneshot::error;

/// A channel for one value; see [`tokio::sync::oneshot::channel`].
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = inner::channel();
    (Sender(sender), Receiver(receiver))
}

/// Sends, once and at once; see [`tokio::sync::oneshot::Sender`].
pub struct Sender<T>(inner::Sender<T>);

stands_for!(Sender<T> => mut inner::Sender<T>);

impl<T> Sender<T> {
    /// Sends.
    ///
    /// # Errors
    ///
    /// The value, if the receiver is gone or has closed the channel.
    pub fn send(self, value: T) -> Result<(), T> {
        self.0.send(value)
    }

    /// Waits until the receiver is gone or has closed the channel.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn closed(&mut self) {
        budgeted(self.0.closed()).await;
    }

    /// Polls for [`closed`](Self::closed).
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let operation = ready!(poll_proceed(cx));
        ready!(self.0.poll_closed(cx));
        operation.made_progress();
        Poll::Ready(())
    }
}

/// Receives, by being awaited; see [`tokio::sync::oneshot::Receiver`].
///
/// # Cancel safety
///
/// `&mut receiver` may be awaited again after another branch of a `select!` won.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Receiver<T>(inner::Receiver<T>);

stands_for!(Receiver<T> => mut inner::Receiver<T>);

impl<T> Receiver<T> {
    /// Receives, blocking the thread.
    ///
    /// # Errors
    ///
    /// That the sender is gone.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, error::RecvError> {
        blocking(|| self.0.blocking_recv())
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let operation = ready!(poll_proceed(cx));
        let received = ready!(Pin::new(&mut self.0).poll(cx));
        operation.made_progress();
        Poll::Ready(received)
    }
}
