//! The lock with many readers.

use super::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLockReadGuard, RwLockWriteGuard, TryLockError, blocking,
    stands_for,
};
use crate::task::budgeted;
use bytemuck::TransparentWrapper;
use bytemuck::allocation::TransparentWrapperAlloc;
use std::sync::Arc;
use tokio::sync as inner;

/// Many readers or one writer, in the order in which they came; see [`tokio::sync::RwLock`].
#[derive(TransparentWrapper)]
#[repr(transparent)]
pub struct RwLock<T: ?Sized>(inner::RwLock<T>);

stands_for!(RwLock<T: ?Sized> => mut inner::RwLock<T>);

impl<T> RwLock<T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self(inner::RwLock::new(value))
    }

    /// A lock that at most `readers` can hold at a time.
    ///
    /// # Panics
    ///
    /// If `readers` is above `u32::MAX >> 3`.
    #[track_caller]
    pub fn with_max_readers(value: T, readers: u32) -> Self {
        Self(inner::RwLock::with_max_readers(value, readers))
    }

    /// As [`new`](Self::new), for statics.
    pub const fn const_new(value: T) -> Self {
        Self(inner::RwLock::const_new(value))
    }

    /// As [`with_max_readers`](Self::with_max_readers), for statics.
    pub const fn const_with_max_readers(value: T, readers: u32) -> Self {
        Self(inner::RwLock::const_with_max_readers(value, readers))
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost.
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        budgeted(self.0.read()).await
    }

    /// Waits until nobody else has the lock.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost.
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        budgeted(self.0.write()).await
    }

    /// As [`read`](Self::read), with a guard that keeps the lock.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        budgeted(Self::peel_arc(self).read_owned()).await
    }

    /// As [`write`](Self::write), with a guard that keeps the lock.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        budgeted(Self::peel_arc(self).write_owned()).await
    }

    /// As [`read_owned`](Self::read_owned), at once.
    ///
    /// # Errors
    ///
    /// That somebody writes.
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        Self::peel_arc(self).try_read_owned()
    }

    /// As [`write_owned`](Self::write_owned), at once.
    ///
    /// # Errors
    ///
    /// That somebody has the lock.
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        Self::peel_arc(self).try_write_owned()
    }

    /// As [`read`](Self::read), blocking the thread.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        blocking(|| self.0.blocking_read())
    }

    /// As [`write`](Self::write), blocking the thread.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        blocking(|| self.0.blocking_write())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
