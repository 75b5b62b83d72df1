//! `futures::task::{Spawn, LocalSpawn}` for [`Handle`] (feature `futures`).
//!
//! [`Handle::spawn`] has the name of `SpawnExt::spawn` and is found first, so a caller that wants the trait's says
//! `SpawnExt::spawn(&handle, …)`, or takes a `&dyn Spawn`.

use crate::{Handle, task};
use futures_task::{FutureObj, LocalFutureObj, LocalSpawn, Spawn, SpawnError};

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
    /// The thread is not inside `block_on`, so it has no local tasks. The trait knows no other word for it than "shut down".
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        task::try_spawn_local(future).map(drop).map_err(|_| SpawnError::shutdown())
    }
}
