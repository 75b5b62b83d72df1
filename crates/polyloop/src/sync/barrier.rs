//! A meeting point.

use super::{BarrierWaitResult, stands_for};
use crate::task::budgeted;
use tokio::sync as inner;

/// Lets so many tasks go on together; see [`tokio::sync::Barrier`].
pub struct Barrier(inner::Barrier);

stands_for!(Barrier => inner::Barrier);

impl Barrier {
    /// A barrier for `n` tasks; for none it is as for one.
    pub fn new(n: usize) -> Self {
        Self(inner::Barrier::new(n))
    }

    /// Waits until so many tasks wait. One of them is told to be the leader.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: whoever has come counts, even if it does not wait any more.
    pub async fn wait(&self) -> BarrierWaitResult {
        budgeted(self.0.wait()).await
    }
}
