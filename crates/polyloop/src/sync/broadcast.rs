//! Many senders, many receivers, each of which sees every value. See [`tokio::sync::broadcast`].

use crate::sync::{blocking, stands_for};
use crate::task::budgeted;
use tokio::sync::broadcast as inner;

pub use tokio::sync::broadcast::error;

/// A channel that keeps the last `capacity` values for those that are behind; see
/// [`tokio::sync::broadcast::channel`].
///
/// # Panics
///
/// If `capacity` is zero or above `usize::MAX / 2`.
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = inner::channel(capacity);
    (Sender(sender), Receiver(receiver))
}

/// Sends, at once; see [`tokio::sync::broadcast::Sender`].
pub struct Sender<T>(inner::Sender<T>);

stands_for!(Sender<T> => inner::Sender<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// A sender without a receiver.
    ///
    /// # Panics
    ///
    /// As [`channel`].
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self(inner::Sender::new(capacity))
    }

    /// A receiver of what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver(self.0.subscribe())
    }

    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.0.downgrade())
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn closed(&self) {
        budgeted(self.0.closed()).await;
    }
}

/// A sender that does not keep the channel open; see [`tokio::sync::broadcast::WeakSender`].
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

/// Receives; see [`tokio::sync::broadcast::Receiver`].
pub struct Receiver<T>(inner::Receiver<T>);

stands_for!(Receiver<T> => mut inner::Receiver<T>);

impl<T: Clone> Receiver<T> {
    /// The next value.
    ///
    /// # Errors
    ///
    /// That no sender is left, or how many values were dropped because this receiver was behind.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn recv(&mut self) -> Result<T, error::RecvError> {
        budgeted(self.0.recv()).await
    }

    /// As [`recv`](Self::recv), blocking the thread.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Result<T, error::RecvError> {
        blocking(|| self.0.blocking_recv())
    }

    /// A receiver of what is sent from now on, whatever this one has not seen yet.
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        Self(self.0.resubscribe())
    }
}
