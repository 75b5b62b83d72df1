//! Tasks: spawning, joining, yielding.

mod blocking;
mod spawn;

pub use blocking::{CannotBlock, block_in_place, try_block_in_place};
pub use polyloop_core::{AbortHandle, JoinError, JoinHandle, YieldNow, yield_now};
pub use spawn::{Builder, NotLocal, spawn, spawn_blocking, spawn_local, try_spawn_local};
