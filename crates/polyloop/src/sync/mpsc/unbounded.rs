//! The channel without a bound.

use crate::sync::{blocking, stands_for};
use crate::task::budgeted;
use crate::task::coop::poll_proceed;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc as inner;

/// A channel that always has room; see [`tokio::sync::mpsc::unbounded_channel`].
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let (sender, receiver) = inner::unbounded_channel();
    (UnboundedSender(sender), UnboundedReceiver(receiver))
}

/// Receives; see [`tokio::sync::mpsc::UnboundedReceiver`].
pub struct UnboundedReceiver<T>(inner::UnboundedReceiver<T>);

stands_for!(UnboundedReceiver<T> => mut inner::UnboundedReceiver<T>);

impl<T> UnboundedReceiver<T> {
    /// The next value; `None` once the channel is closed and empty.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<T> {
        budgeted(self.0.recv()).await
    }

    /// Adds up to `limit` values to `buffer`, at least one; 0 once the channel is closed and empty, or if `limit` is 0.
    /// One operation of the budget, however many they are.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        budgeted(self.0.recv_many(buffer, limit)).await
    }

    /// Polls for [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let operation = ready!(poll_proceed(cx));
        let value = ready!(self.0.poll_recv(cx));
        operation.made_progress();
        Poll::Ready(value)
    }

    /// Polls for [`recv_many`](Self::recv_many).
    pub fn poll_recv_many(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<T>, limit: usize) -> Poll<usize> {
        let operation = ready!(poll_proceed(cx));
        let received = ready!(self.0.poll_recv_many(cx, buffer, limit));
        operation.made_progress();
        Poll::Ready(received)
    }

    /// As [`recv`](Self::recv), blocking the thread.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        blocking(|| self.0.blocking_recv())
    }

    /// As [`recv_many`](Self::recv_many), blocking the thread.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        blocking(|| self.0.blocking_recv_many(buffer, limit))
    }
}

/// Sends, at once; see [`tokio::sync::mpsc::UnboundedSender`].
pub struct UnboundedSender<T>(inner::UnboundedSender<T>);

stands_for!(UnboundedSender<T> => inner::UnboundedSender<T>);

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> UnboundedSender<T> {
    /// Waits until the receiver is gone or has closed the channel.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn closed(&self) {
        budgeted(self.0.closed()).await;
    }

    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender(self.0.downgrade())
    }
}

/// A sender that does not keep the channel open; see [`tokio::sync::mpsc::WeakUnboundedSender`].
pub struct WeakUnboundedSender<T>(inner::WeakUnboundedSender<T>);

stands_for!(WeakUnboundedSender<T> => inner::WeakUnboundedSender<T>);

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> WeakUnboundedSender<T> {
    /// A sender, if there is still one.
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        self.0.upgrade().map(UnboundedSender)
    }
}
