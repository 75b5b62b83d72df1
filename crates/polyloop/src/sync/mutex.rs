//! The lock that is held across awaits.

use super::{MutexGuard, OwnedMutexGuard, TryLockError, blocking, stands_for};
use crate::task::budgeted;
use bytemuck::TransparentWrapper;
use bytemuck::allocation::TransparentWrapperAlloc;
use std::sync::Arc;
use tokio::sync as inner;

/// One at a time, in the order in which they came; see [`tokio::sync::Mutex`].
#[derive(TransparentWrapper)]
#[repr(transparent)]
pub struct Mutex<T: ?Sized>(inner::Mutex<T>);

stands_for!(Mutex<T: ?Sized> => mut inner::Mutex<T>);

impl<T> Mutex<T> {
    /// A mutex that nobody holds.
    pub fn new(value: T) -> Self {
        Self(inner::Mutex::new(value))
    }

    /// As [`new`](Self::new), for statics.
    pub const fn const_new(value: T) -> Self {
        Self(inner::Mutex::const_new(value))
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until nobody else has the lock.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost.
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        budgeted(self.0.lock()).await
    }

    /// As [`lock`](Self::lock), with a guard that keeps the mutex.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        budgeted(Self::peel_arc(self).lock_owned()).await
    }

    /// As [`lock_owned`](Self::lock_owned), at once.
    ///
    /// # Errors
    ///
    /// That somebody has the lock.
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        Self::peel_arc(self).try_lock_owned()
    }

    /// As [`lock`](Self::lock), blocking the thread.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        blocking(|| self.0.blocking_lock())
    }

    /// As [`lock_owned`](Self::lock_owned), blocking the thread.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        blocking(|| Self::peel_arc(self).blocking_lock_owned())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
