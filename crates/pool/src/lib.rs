//! The shell that runs any [`Scheduler`] on N threads: parking, calling, the driver's lease, shutdown.
//!
//! Invariants:
//! - A worker that sleeps has announced it and looked again; see `idle/README.md`.
//! - The driver is turned by whoever has the lease: at most one worker waits in it, the others in their own parkers.
//!   No worker polls a task while it has the lease.
//! - Nothing stays reachable only through a worker that is stuck in a poll (C5): the scheduler's queues can be taken
//!   from by everybody, the lease is free, and the monitor calls a sleeper when a worker does not move on.
//! - With [`BlockPolicy::HandOff`], as many workers as the pool has are not stuck, up to a cap (C6): see `relief/`.
//!
//! Declared constants (C2): between two driver turns a worker polls at most
//! [`MAX_POLLS`](polyloop_core::block_on::MAX_POLLS) tasks, and at most
//! [`CHECK_POLLS`](polyloop_core::block_on::CHECK_POLLS) once
//! [`TURN_INTERVAL`](polyloop_core::block_on::TURN_INTERVAL) has passed, unless another worker waits in the driver.

#![forbid(unsafe_code)]

mod block_in_place;
mod config;
mod idle;
mod policy;
mod relief;
mod shared;
mod shutdown;
mod wary;
mod worker;

pub use block_in_place::{NoPlace, try_block_in_place};
pub use config::{Around, Config, StartThread};
pub use policy::BlockPolicy;
pub use relief::Relief;
pub use shutdown::{Report, Stuck};

use polyloop_blocking::monitor;
use polyloop_core::deadlock::RestGauge;
use polyloop_core::{Driver, Gauges, Schedule, Scheduler, TaskSpace};
use relief::Crew;
use shared::{Dials, Shared};
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A scheduler on N threads.
///
/// Dropping it shuts it down with a short [grace](Self::GRACE) for the polls that are under way.
pub struct Pool<S: Scheduler> {
    crew: Arc<Crew<S>>,
}

impl<S: Scheduler> Pool<S> {
    /// How long a drop waits for the polls that are under way. One that takes longer is left alone: its worker
    /// cancels the task and ends when the poll does.
    pub const GRACE: Duration = Duration::from_millis(50);

    /// Starts the workers. `scheduler` must have room for [`Config::seats`] of them.
    ///
    /// # Errors
    ///
    /// The kernel's word, if a thread cannot be started. Those that were are stopped again.
    pub fn start(scheduler: S, driver: Arc<Driver>, config: Config) -> io::Result<Self> {
        let (workers, seats) = (config.workers.get(), config.seats().get());
        let shared = Arc::new(Shared::new(scheduler, driver, workers, seats));
        let space = TaskSpace::with_hooks(Arc::clone(&shared) as Arc<dyn Schedule>, &config.hooks);
        let pool = Self { crew: Crew::new(shared, space, config) };
        for index in 0..workers {
            worker::start(&pool.crew, index)?;
        }
        if seats > 1 || pool.crew.config.stalls.is_on() {
            let watched: Weak<Crew<S>> = Arc::downgrade(&pool.crew);
            monitor::watch(watched)?;
        }
        Ok(pool)
    }

    /// Where its tasks live; spawning is done there.
    pub fn space(&self) -> &Arc<TaskSpace> {
        &self.crew.space
    }

    /// The driver that the workers turn.
    pub fn driver(&self) -> &Arc<Driver> {
        self.crew.shared.driver()
    }

    /// What the pool tells about itself, for as long as somebody wants to know.
    pub fn gauges(&self) -> Arc<dyn Gauges> {
        Arc::new(Dials { shared: Arc::clone(&self.crew.shared), crew: Arc::downgrade(&self.crew) })
    }

    /// Tells whether all workers rest, those that stand in for others included.
    pub fn rest_gauge(&self) -> RestGauge {
        let shared = Arc::downgrade(&self.crew.shared);
        Box::new(move || shared.upgrade()?.at_rest())
    }

    /// How many workers there are, those left out that stand in for others.
    pub fn workers(&self) -> usize {
        self.crew.shared.workers()
    }

    /// What relief has done and is doing.
    pub fn relief(&self) -> Relief {
        self.crew.counts()
    }

    /// How often the monitor had to call a sleeping worker for what a stuck one had left behind: work, or the driver. Once or
    /// twice when polls begin to block; from then on workers expect it of each other.
    pub fn rescues(&self) -> u64 {
        self.crew.shared.wary.rescues.get()
    }

    /// Ends all tasks: waits for the polls that are under way, for `patience` at most, and cancels the rest.
    ///
    /// Called from one of its own workers, it does not wait for that one. Called again, it waits once more for what was
    /// left the last time. The tasks that are left are the space's [unfinished](TaskSpace::unfinished) ones.
    pub fn shut_down(&self, patience: Duration) -> Report {
        shutdown::shut_down(&self.crew.shared, &self.crew.space, patience)
    }
}

impl<S: Scheduler> Drop for Pool<S> {
    fn drop(&mut self) {
        // Whoever has shut it down already has waited as long as he wanted to.
        let patience = if self.crew.shared.is_closed() { Duration::ZERO } else { Self::GRACE };
        let _ = self.shut_down(patience);
    }
}

impl<S: Scheduler> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("crew", &self.crew).finish_non_exhaustive()
    }
}
