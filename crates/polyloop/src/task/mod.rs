//! Tasks: spawning, joining, yielding.

pub mod coop;
mod spawn;

pub use coop::{Budgeted, Unconstrained, budgeted, consume_budget, unconstrained};
pub use polyloop_core::{AbortHandle, JoinError, JoinHandle, YieldNow, yield_now};
pub use spawn::{Builder, NotLocal, spawn, spawn_blocking, spawn_local, try_spawn_local};
