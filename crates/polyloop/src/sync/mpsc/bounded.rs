//! The channel with a bound.

use super::error::{SendError, SendTimeoutError, TrySendError};
use super::{Permit, PermitIterator};
use crate::sync::{blocking, stands_for};
use crate::task::budgeted;
use crate::task::coop::poll_proceed;
use crate::time::timeout;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::mpsc as inner;

/// A channel with room for `buffer` values; see [`tokio::sync::mpsc::channel`].
///
/// # Panics
///
/// If `buffer` is zero or above [`Semaphore::MAX_PERMITS`](crate::sync::Semaphore::MAX_PERMITS).
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::sync::mpsc;
///
/// let (sender, mut receiver) = mpsc::channel(2);
/// polyloop::spawn(async move {
///     for n in 0..10 {
///         sender.send(n).await.unwrap();
///     }
/// });
/// let mut sum = 0;
/// while let Some(n) = receiver.recv().await {
///     sum += n;
/// }
/// assert_eq!(sum, 45);
/// # });
/// ```
#[track_caller]
pub fn channel<T>(buffer: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = inner::channel(buffer);
    (Sender(sender), Receiver(receiver))
}

/// Receives; see [`tokio::sync::mpsc::Receiver`].
pub struct Receiver<T>(inner::Receiver<T>);

stands_for!(Receiver<T> => mut inner::Receiver<T>);

impl<T> Receiver<T> {
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

/// Sends; see [`tokio::sync::mpsc::Sender`].
pub struct Sender<T>(inner::Sender<T>);

stands_for!(Sender<T> => inner::Sender<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// Sends as soon as there is room.
    ///
    /// # Errors
    ///
    /// The value, if the receiver is gone or has closed the channel.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, nothing was sent, the value is lost, and so is the place in the line.
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        budgeted(self.0.send(value)).await
    }

    /// Sends as soon as there is room, if that is within `duration` of the current runtime's clock.
    ///
    /// # Errors
    ///
    /// The value, if there was no room in time or the channel is closed.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_timeout(&self, value: T, duration: Duration) -> Result<(), SendTimeoutError<T>> {
        match timeout(duration, self.reserve()).await {
            Ok(Ok(permit)) => {
                permit.send(value);
                Ok(())
            }
            Ok(Err(_)) => Err(SendTimeoutError::Closed(value)),
            Err(_) => Err(SendTimeoutError::Timeout(value)),
        }
    }

    /// Waits for room for one value.
    ///
    /// # Errors
    ///
    /// That the channel is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        budgeted(self.0.reserve()).await
    }

    /// Waits for room for `n` values.
    ///
    /// # Errors
    ///
    /// That the channel is closed, or never has so much room.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost.
    pub async fn reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, SendError<()>> {
        budgeted(self.0.reserve_many(n)).await
    }

    /// As [`reserve`](Self::reserve), by a sender that goes into the permit.
    ///
    /// # Errors
    ///
    /// That the channel is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but for the sender, which is dropped.
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        budgeted(self.0.reserve_owned()).await.map(OwnedPermit)
    }

    /// As [`reserve_owned`](Self::reserve_owned), at once.
    ///
    /// # Errors
    ///
    /// The sender, if there is no room or the channel is closed.
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        match self.0.try_reserve_owned() {
            Ok(permit) => Ok(OwnedPermit(permit)),
            Err(TrySendError::Full(sender)) => Err(TrySendError::Full(Self(sender))),
            Err(TrySendError::Closed(sender)) => Err(TrySendError::Closed(Self(sender))),
        }
    }

    /// Waits until the receiver is gone or has closed the channel.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn closed(&self) {
        budgeted(self.0.closed()).await;
    }

    /// As [`send`](Self::send), blocking the thread.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        blocking(|| self.0.blocking_send(value))
    }

    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.0.downgrade())
    }
}

/// A sender that does not keep the channel open; see [`tokio::sync::mpsc::WeakSender`].
pub struct WeakSender<T>(inner::WeakSender<T>);

stands_for!(WeakSender<T> => inner::WeakSender<T>);

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> WeakSender<T> {
    /// A sender, if there is still one.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.0.upgrade().map(Sender)
    }
}

/// Room for one value, and the sender; see [`tokio::sync::mpsc::OwnedPermit`].
pub struct OwnedPermit<T>(inner::OwnedPermit<T>);

stands_for!(OwnedPermit<T> => inner::OwnedPermit<T>);

impl<T> OwnedPermit<T> {
    /// Sends.
    pub fn send(self, value: T) -> Sender<T> {
        Sender(self.0.send(value))
    }

    /// Gives the room back.
    pub fn release(self) -> Sender<T> {
        Sender(self.0.release())
    }
}
