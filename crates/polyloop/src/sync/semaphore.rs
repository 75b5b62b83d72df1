//! Permits that are counted.

use super::{AcquireError, OwnedSemaphorePermit, SemaphorePermit, TryAcquireError, blocking, stands_for};
use crate::task::budgeted;
use bytemuck::TransparentWrapper;
use bytemuck::allocation::TransparentWrapperAlloc;
use std::sync::Arc;
use tokio::sync as inner;

/// So many permits, given out in the order in which they were asked for; see [`tokio::sync::Semaphore`].
#[derive(TransparentWrapper)]
#[repr(transparent)]
pub struct Semaphore(inner::Semaphore);

stands_for!(Semaphore => inner::Semaphore);

impl Semaphore {
    /// The most permits there can be.
    pub const MAX_PERMITS: usize = inner::Semaphore::MAX_PERMITS;

    /// A semaphore with so many permits.
    ///
    /// # Panics
    ///
    /// Above [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn new(permits: usize) -> Self {
        Self(inner::Semaphore::new(permits))
    }

    /// As [`new`](Self::new), for statics.
    pub const fn const_new(permits: usize) -> Self {
        Self(inner::Semaphore::const_new(permits))
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// That the semaphore is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost.
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        budgeted(self.0.acquire()).await
    }

    /// Waits for `n` permits.
    ///
    /// # Errors
    ///
    /// That the semaphore is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost.
    pub async fn acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        budgeted(self.0.acquire_many(n)).await
    }

    /// As [`acquire`](Self::acquire), with a permit that keeps the semaphore.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        budgeted(Self::peel_arc(self).acquire_owned()).await
    }

    /// As [`acquire_many`](Self::acquire_many), with permits that keep the semaphore.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn acquire_many_owned(self: Arc<Self>, n: u32) -> Result<OwnedSemaphorePermit, AcquireError> {
        budgeted(Self::peel_arc(self).acquire_many_owned(n)).await
    }

    /// As [`acquire_owned`](Self::acquire_owned), at once.
    ///
    /// # Errors
    ///
    /// That there is no permit, or the semaphore is closed.
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Self::peel_arc(self).try_acquire_owned()
    }

    /// As [`acquire_many_owned`](Self::acquire_many_owned), at once.
    ///
    /// # Errors
    ///
    /// That there are not so many permits, or the semaphore is closed.
    pub fn try_acquire_many_owned(self: Arc<Self>, n: u32) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Self::peel_arc(self).try_acquire_many_owned(n)
    }

    /// As [`acquire`](Self::acquire), blocking the thread.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        blocking(|| self.0.blocking_acquire())
    }

    /// As [`acquire_many`](Self::acquire_many), blocking the thread.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        blocking(|| self.0.blocking_acquire_many(n))
    }

    /// As [`acquire_owned`](Self::acquire_owned), blocking the thread.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        blocking(|| Self::peel_arc(self).blocking_acquire_owned())
    }

    /// As [`acquire_many_owned`](Self::acquire_many_owned), blocking the thread.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// In a poll.
    #[track_caller]
    pub fn blocking_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        blocking(|| Self::peel_arc(self).blocking_acquire_many_owned(n))
    }
}
