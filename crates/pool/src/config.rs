//! What a pool is told.

use polyloop_core::Hooks;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Runs a worker's whole life; see [`Config::around`].
pub type Around = dyn Fn(usize, &mut dyn FnMut()) + Send + Sync;

/// How many workers there are, and what their threads are like.
#[derive(Clone)]
pub struct Config {
    /// How many.
    pub workers: NonZeroUsize,
    /// The name of worker `index`'s thread.
    pub thread_name: Arc<dyn Fn(usize) -> String + Send + Sync>,
    /// The size of a worker's stack in bytes; `None` leaves it to the standard library.
    pub stack_size: Option<usize>,
    /// Wraps the life of worker `index`: it must call what it is given once. For what is to be done at the beginning and the
    /// end of a thread, and for what workers should find in their context.
    pub around: Arc<Around>,
    /// Who wants to know what happens.
    pub hooks: Hooks,
}

impl Config {
    /// So many workers, named `poly-worker-0` and so on: Linux shows 15 bytes of a name.
    pub fn new(workers: NonZeroUsize) -> Self {
        Self {
            workers,
            thread_name: Arc::new(|index| format!("poly-worker-{index}")),
            stack_size: None,
            around: Arc::new(|_, life| life()),
            hooks: Hooks::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("workers", &self.workers)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
