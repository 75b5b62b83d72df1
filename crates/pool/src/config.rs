//! What a pool is told.

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
    /// Wraps the life of worker `index`: it must call what it is given once. For hooks, and for what workers should find in
    /// their context.
    pub around: Arc<Around>,
}

impl Config {
    /// So many workers, named `polyloop-worker-0` and so on.
    pub fn new(workers: NonZeroUsize) -> Self {
        Self {
            workers,
            thread_name: Arc::new(|index| format!("polyloop-worker-{index}")),
            stack_size: None,
            around: Arc::new(|_, life| life()),
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
