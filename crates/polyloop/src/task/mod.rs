//! Tasks: spawning, joining, yielding, and letting others go.

mod blocking;
pub mod coop;
pub mod join_set;
mod local_set;
mod spawn;
mod task_local;
mod tracker;

pub use blocking::{CannotBlock, block_in_place, try_block_in_place};
pub use coop::{Budgeted, BudgetedFor, Unconstrained, budgeted, budgeted_for, consume_budget, unconstrained};
pub use join_set::JoinSet;
pub(crate) use local_set::spawn_here;
pub use local_set::{LocalEnterGuard, LocalSet};
pub use polyloop_core::task::{Id, id, try_id};
pub use polyloop_core::{AbortHandle, JoinError, JoinHandle, Meta, YieldNow, yield_now};
pub use spawn::{Builder, NotLocal, spawn, spawn_blocking, spawn_local, try_spawn_local};
pub use task_local::{AccessError, LocalKey, TaskLocalFuture};
pub use tracker::{TaskTracker, TaskTrackerToken, TaskTrackerWaitFuture, TrackedFuture};

/// Futures that have a name, by the path that they have in tokio.
pub mod futures {
    pub use super::task_local::TaskLocalFuture;
}
