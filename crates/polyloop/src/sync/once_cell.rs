//! A value that is made once, by whoever comes first.

use super::stands_for;
use crate::task::budgeted;
use std::future::Future;
use tokio::sync as inner;

/// A value that is made once; see [`tokio::sync::OnceCell`].
#[derive(Clone, PartialEq, Eq)]
pub struct OnceCell<T>(inner::OnceCell<T>);

stands_for!(OnceCell<T> => mut inner::OnceCell<T>);

impl<T> OnceCell<T> {
    /// An empty cell.
    pub fn new() -> Self {
        Self(inner::OnceCell::new())
    }

    /// As [`new`](Self::new), for statics.
    pub const fn const_new() -> Self {
        Self(inner::OnceCell::const_new())
    }

    /// A cell that holds `value`, or is empty.
    pub fn new_with(value: Option<T>) -> Self {
        Self(inner::OnceCell::new_with(value))
    }

    /// A cell that holds `value`, for statics.
    pub const fn const_new_with(value: T) -> Self {
        Self(inner::OnceCell::const_new_with(value))
    }

    /// The value, made by `make` if there is none and nobody else makes it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe if `make` is; somebody else makes the value then.
    pub async fn get_or_init<F, Fut>(&self, make: F) -> &T
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        budgeted(self.0.get_or_init(make)).await
    }

    /// As [`get_or_init`](Self::get_or_init), if `make` can fail. Then the cell stays empty.
    ///
    /// # Errors
    ///
    /// That of `make`.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn get_or_try_init<E, F, Fut>(&self, make: F) -> Result<&T, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        budgeted(self.0.get_or_try_init(make)).await
    }

    /// The value, if there is one.
    pub fn into_inner(self) -> Option<T> {
        self.0.into_inner()
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}
