//! What a pool is told.

use crate::policy::BlockPolicy;
use polyloop_blocking::stall::Stalls;
use polyloop_core::Hooks;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Runs a worker's whole life; see [`Config::around`].
pub type Around = dyn Fn(usize, &mut dyn FnMut()) + Send + Sync;

/// Starts the thread that this describes, which runs this function, or says why not; see [`Config::start_thread`].
pub type StartThread = dyn Fn(std::thread::Builder, Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync;

/// How many workers there are, and what their threads are like.
#[derive(Clone)]
pub struct Config {
    /// How many.
    pub workers: NonZeroUsize,
    /// The name of worker `index`'s thread.
    pub thread_name: Arc<dyn Fn(usize) -> String + Send + Sync>,
    /// Is given the name of worker `index` back if its thread could not be had.
    pub name_unused: Arc<dyn Fn(usize, String) + Send + Sync>,
    /// The size of a worker's stack in bytes; `None` leaves it to the standard library.
    pub stack_size: Option<usize>,
    /// Wraps the life of worker `index`: it must call what it is given once. For what is to be done at the beginning and the
    /// end of a thread, and for what workers should find in their context.
    pub around: Arc<Around>,
    /// Who wants to know what happens.
    pub hooks: Hooks,
    /// What happens to a worker that is stuck in a poll. Nothing, unless said.
    pub block: BlockPolicy,
    /// How many threads there may be beyond the workers, to take the places of stuck ones; 0 unless said.
    pub spare: usize,
    /// What is done about polls that last. Nothing, unless said.
    pub stalls: Stalls,
    /// Starts the workers' threads, those that take a stuck one's place included, which is then called on the monitor's
    /// thread.
    pub start_thread: Arc<StartThread>,
}

impl Config {
    /// So many workers, named `poly-worker-0` and so on: Linux shows 15 bytes of a name.
    pub fn new(workers: NonZeroUsize) -> Self {
        Self {
            workers,
            thread_name: Arc::new(|index| format!("poly-worker-{index}")),
            name_unused: Arc::new(|_, _| ()),
            stack_size: None,
            around: Arc::new(|_, life| life()),
            hooks: Hooks::default(),
            block: BlockPolicy::None,
            spare: 0,
            stalls: Stalls::off(),
            start_thread: Arc::new(|thread, main| thread.spawn(main).map(drop)),
        }
    }

    /// The same with this policy, and with as many more threads as it allows.
    #[must_use]
    pub fn block(mut self, policy: BlockPolicy) -> Self {
        self.block = policy;
        self.spare = policy.max_threads();
        self
    }

    /// How many workers the scheduler must have room for, those included that stand in for others.
    pub fn seats(&self) -> NonZeroUsize {
        self.workers.saturating_add(self.spare)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("workers", &self.workers)
            .field("stack_size", &self.stack_size)
            .field("block", &self.block)
            .field("spare", &self.spare)
            .field("stalls", &self.stalls)
            .finish_non_exhaustive()
    }
}
