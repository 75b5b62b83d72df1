//! A value that is set once, and waited for.

use super::stands_for;
use crate::task::budgeted;
use tokio::sync as inner;

/// A value that is set once; see [`tokio::sync::SetOnce`].
#[derive(Clone, PartialEq, Eq)]
pub struct SetOnce<T>(inner::SetOnce<T>);

stands_for!(SetOnce<T> => inner::SetOnce<T>);

impl<T> SetOnce<T> {
    /// An empty cell.
    pub fn new() -> Self {
        Self(inner::SetOnce::new())
    }

    /// As [`new`](Self::new), for statics.
    pub const fn const_new() -> Self {
        Self(inner::SetOnce::const_new())
    }

    /// A cell that holds `value`, or is empty.
    pub fn new_with(value: Option<T>) -> Self {
        Self(inner::SetOnce::new_with(value))
    }

    /// A cell that holds `value`, for statics.
    pub const fn const_new_with(value: T) -> Self {
        Self(inner::SetOnce::const_new_with(value))
    }

    /// Waits for the value.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait(&self) -> &T {
        budgeted(self.0.wait()).await
    }

    /// The value, if there is one.
    pub fn into_inner(self) -> Option<T> {
        self.0.into_inner()
    }
}

impl<T> Default for SetOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for SetOnce<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}
