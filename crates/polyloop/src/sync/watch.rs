//! The newest value, for many to look at and to wait for. See [`tokio::sync::watch`].

use crate::sync::stands_for;
use crate::task::budgeted;
use tokio::sync::watch as inner;

pub use tokio::sync::watch::{Ref, error};

/// A channel that begins with `initial`; see [`tokio::sync::watch::channel`].
pub fn channel<T>(initial: T) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = inner::channel(initial);
    (Sender(sender), Receiver(receiver))
}

/// Sends, at once; see [`tokio::sync::watch::Sender`].
pub struct Sender<T>(inner::Sender<T>);

stands_for!(Sender<T> => inner::Sender<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Sender<T> {
    /// A sender without a receiver.
    pub fn new(initial: T) -> Self {
        Self(inner::Sender::new(initial))
    }

    /// A receiver that has seen the present value.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver(self.0.subscribe())
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

/// Looks at the value and waits for changes; see [`tokio::sync::watch::Receiver`].
pub struct Receiver<T>(inner::Receiver<T>);

stands_for!(Receiver<T> => mut inner::Receiver<T>);

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Receiver<T> {
    /// Waits for a value that was not seen, and marks it as seen.
    ///
    /// # Errors
    ///
    /// That no sender is left.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn changed(&mut self) -> Result<(), error::RecvError> {
        budgeted(self.0.changed()).await
    }

    /// Waits for a value of which `is_right` is true, and marks it as seen.
    ///
    /// # Errors
    ///
    /// That no sender is left.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait_for(
        &mut self,
        is_right: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, error::RecvError> {
        budgeted(self.0.wait_for(is_right)).await
    }
}
