//! Tasks: spawning, joining, yielding.

mod spawn;

pub use polyloop_core::{AbortHandle, JoinError, JoinHandle, Meta, YieldNow, yield_now};
pub use spawn::{Builder, NotLocal, spawn, spawn_blocking, spawn_local, try_spawn_local};
