//! The shell that runs any [`Scheduler`] on N threads: parking, calling, the driver's lease, shutdown.
//!
//! Invariants:
//! - A worker that sleeps has announced it and looked again; see `idle/README.md`.
//! - The driver is turned by whoever has the lease: at most one worker waits in it, the others in their own parkers.
//!   No worker polls a task while it has the lease.
//! - Nothing stays reachable only through a worker that is stuck in a poll (C5): the scheduler's queues can be taken
//!   from by everybody, the lease is free, and the monitor calls a sleeper when a worker does not move on.
//!
//! Declared constants (C2): between two driver turns a worker polls at most
//! [`MAX_POLLS`](polyloop_core::block_on::MAX_POLLS) tasks, and at most
//! [`CHECK_POLLS`](polyloop_core::block_on::CHECK_POLLS) once
//! [`TURN_INTERVAL`](polyloop_core::block_on::TURN_INTERVAL) has passed, unless another worker waits in the driver.

#![forbid(unsafe_code)]

mod config;
mod gate;
mod idle;
mod shared;
mod shutdown;
mod worker;

pub use config::{Around, Config};
pub use shutdown::{Report, Stuck};

use polyloop_blocking::monitor;
use polyloop_core::{Driver, Gauges, Schedule, Scheduler, TaskSpace};
use shared::Shared;
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A scheduler on N threads.
///
/// Dropping it shuts it down with a short [grace](Self::GRACE) for the polls that are under way.
pub struct Pool<S: Scheduler> {
    shared: Arc<Shared<S>>,
    space: Arc<TaskSpace>,
}

impl<S: Scheduler> Pool<S> {
    /// How long a drop waits for the polls that are under way. One that takes longer is left alone: its worker
    /// cancels the task and ends when the poll does.
    pub const GRACE: Duration = Duration::from_millis(50);

    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// The kernel's word, if a thread cannot be started. Those that were are stopped again.
    pub fn start(scheduler: S, driver: Arc<Driver>, config: Config) -> io::Result<Self> {
        let workers = config.workers.get();
        let shared = Arc::new(Shared::new(scheduler, driver, workers));
        let space = TaskSpace::with_hooks(Arc::clone(&shared) as Arc<dyn Schedule>, &config.hooks);
        let pool = Self { shared, space };
        for index in 0..workers {
            worker::start(&pool.shared, &pool.space, index, &config)?;
        }
        if workers > 1 {
            let watched: Weak<Shared<S>> = Arc::downgrade(&pool.shared);
            monitor::watch(watched)?;
        }
        Ok(pool)
    }

    /// Where its tasks live; spawning is done there.
    pub fn space(&self) -> &Arc<TaskSpace> {
        &self.space
    }

    /// The driver that the workers turn.
    pub fn driver(&self) -> &Arc<Driver> {
        self.shared.driver()
    }

    /// What the pool tells about itself, for as long as somebody wants to know.
    pub fn gauges(&self) -> Arc<dyn Gauges> {
        Arc::clone(&self.shared) as Arc<dyn Gauges>
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.shared.workers()
    }

    /// Ends all tasks: waits for the polls that are under way, for `patience` at most, and cancels the rest.
    ///
    /// Called from one of its own workers, it does not wait for that one. Called again, it waits once more for what was
    /// left the last time. The tasks that are left are the space's [unfinished](TaskSpace::unfinished) ones.
    pub fn shut_down(&self, patience: Duration) -> Report {
        shutdown::shut_down(&self.shared, &self.space, patience)
    }
}

impl<S: Scheduler> Drop for Pool<S> {
    fn drop(&mut self) {
        // Whoever has shut it down already has waited as long as he wanted to.
        let patience = if self.shared.is_closed() { Duration::ZERO } else { Self::GRACE };
        let _ = self.shut_down(patience);
    }
}

impl<S: Scheduler> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("shared", &self.shared).finish_non_exhaustive()
    }
}
