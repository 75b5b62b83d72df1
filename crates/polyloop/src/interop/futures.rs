//! `futures::task::{Spawn, LocalSpawn}` for [`Handle`] (feature `futures`).
//!
//! [`Handle::spawn`] has the name of `SpawnExt::spawn` and is found first, so a caller that wants the trait's says
//! `SpawnExt::spawn(&handle, …)`, or takes a `&dyn Spawn`.
//!
//! The traits do not hand over the place of a spawn. Stalls and dumps name a task that was spawned through them by a line of
//! this file.

use crate::Handle;
use futures_task::{FutureObj, LocalFutureObj, LocalSpawn, Spawn, SpawnError};
use polyloop_core::Meta;
use std::panic::Location;

impl Spawn for Handle {
    /// Spawns a task and detaches it.
    ///
    /// # Errors
    ///
    /// The runtime has shut down.
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.try_spawn(future).map(drop).map_err(|_| SpawnError::shutdown())
    }

    fn status(&self) -> Result<(), SpawnError> {
        if self.is_shut_down() { Err(SpawnError::shutdown()) } else { Ok(()) }
    }
}

impl LocalSpawn for Handle {
    /// Spawns a task that stays on the calling thread, and detaches it.
    ///
    /// # Errors
    ///
    /// The thread is not inside `block_on` of this runtime, so it has no local tasks for it. The trait knows no other word for
    /// it than "shut down".
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        let spawned = self.spawn_on_this_thread(future, Meta::new(Location::caller()));
        spawned.map(drop).map_err(|_| SpawnError::shutdown())
    }

    /// As [`spawn_local_obj`](LocalSpawn::spawn_local_obj).
    fn status_local(&self) -> Result<(), SpawnError> {
        if self.has_this_thread() { Ok(()) } else { Err(SpawnError::shutdown()) }
    }
}
