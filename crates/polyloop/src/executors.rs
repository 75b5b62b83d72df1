//! The table of executors.
//!
//! Invariant: this is the one place that knows which are built in. A scheduler is added by its line in the table at the end of this
//! file: its type for [`Runtime<E, R, T>`](crate::Runtime), its name, and how it is made. Those from outside are in the
//! [registry](crate::registry).
//!
//! What is erased here is what is called a few times in the life of a runtime: its end, and its gauges. A spawn goes through
//! the task space and a wake through `Schedule`, as if there were one executor only.

use crate::builder::{BuildError, start_workers};
use crate::handle::{Ambient, Entry};
use crate::kinds::ExecutorKind;
use crate::registry::{self, Places};
use crate::threads::Threads;
use polyloop_core::deadlock::RestGauge;
use polyloop_core::{Driver, Honours, Scheduler};
use polyloop_fifo::Fifo as FifoExecutor;
use polyloop_pool::{Config, Pool};
use polyloop_steal::Lifo;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// What must be shut down.
pub(crate) trait Owned: Send + Sync {
    /// Ends its tasks, and waits for polls that are under way. How many of its threads are left.
    fn shut_down(&self, patience: Duration) -> usize;

    /// How long a drop waits for polls that are under way.
    fn grace(&self) -> Duration;
}

impl Owned for FifoExecutor {
    fn shut_down(&self, patience: Duration) -> usize {
        usize::from(!Self::shut_down(self, patience))
    }

    fn grace(&self) -> Duration {
        Duration::ZERO
    }
}

impl<S: Scheduler> Owned for Pool<S> {
    fn shut_down(&self, patience: Duration) -> usize {
        Self::shut_down(self, patience).stuck.len()
    }

    fn grace(&self) -> Duration {
        Self::GRACE
    }
}

/// What an executor is made of.
pub(crate) struct Start<'a> {
    pub(crate) driver: Arc<Driver>,
    /// Of the workers, if it has any.
    pub(crate) config: Config,
    /// Of `steal`.
    pub(crate) lifo: Lifo,
    pub(crate) threads: &'a Threads,
}

/// An executor that has begun.
pub(crate) struct Started {
    pub(crate) entry: Entry,
    pub(crate) owned: Box<dyn Owned>,
    /// Whether its threads are at rest, for one who looks for a deadlock.
    pub(crate) rests: RestGauge,
    /// Where its workers find the handle, once there is one.
    pub(crate) ambient: Option<Ambient>,
}

impl Start<'_> {
    /// How many workers there may be, those included that stand in for others.
    fn seats(&self) -> NonZeroUsize {
        self.config.seats()
    }

    fn places(&self) -> Places {
        Places { workers: self.config.workers, seats: self.seats() }
    }

    /// Tasks run on the threads inside `block_on`.
    fn here(self) -> Result<Started, BuildError> {
        let fifo = FifoExecutor::with_hooks(self.driver, self.threads.hooks.clone());
        let fifo = fifo.with_stalls(self.config.stalls);
        let rests = fifo.rest_gauge();
        Ok(Started { entry: Entry::Here(fifo.clone()), owned: Box::new(fifo), rests, ambient: None })
    }

    /// Tasks run on workers.
    fn pool<S: Scheduler>(self, scheduler: S) -> Result<Started, BuildError> {
        let (pool, ambient) = start_workers(scheduler, self.driver, self.config, self.threads)?;
        let entry = Entry::Pool {
            space: Arc::clone(pool.space()),
            driver: Arc::clone(pool.driver()),
            gauges: pool.gauges(),
        };
        let rests = pool.rest_gauge();
        Ok(Started { entry, owned: Box::new(pool), rests, ambient: Some(ambient) })
    }
}

/// A row of the table.
pub(crate) struct Executor {
    pub(crate) name: &'static str,
    pub(crate) honours: Honours,
    start: &'static (dyn Fn(Start<'_>) -> Result<Started, BuildError> + Send + Sync),
    workers: bool,
}

impl Executor {
    const fn here(name: &'static str) -> Self {
        Self { name, honours: Honours::NOTHING, start: &|start| start.here(), workers: false }
    }

    /// A row of the registry. Leaks what makes its scheduler.
    pub(crate) fn from_outside<S: Scheduler>(
        name: &'static str,
        make: impl Fn(Places) -> S + Send + Sync + 'static,
    ) -> Self {
        let start = move |start: Start<'_>| {
            let scheduler = make(start.places());
            start.pool(scheduler)
        };
        Self { name, honours: S::HONOURS, start: Box::leak(Box::new(start)), workers: true }
    }

    /// Starts it.
    pub(crate) fn start(&self, start: Start<'_>) -> Result<Started, BuildError> {
        (self.start)(start)
    }

    /// Whether all of its tasks run on one thread, where they need not be `Send`.
    pub(crate) fn has_one_thread(&self) -> bool {
        !self.workers
    }
}

/// The executor of this name, built in or registered.
pub(crate) fn find(name: &str) -> Option<&'static Executor> {
    TABLE.iter().find(|row| row.name == name).or_else(|| registry::find(name))
}

/// The same for the name of a combination, which is one that was found.
pub(crate) fn known(name: &str) -> &'static Executor {
    find(name).unwrap_or_else(|| unreachable!("a combination names an executor that exists, not `{name}`"))
}

/// Makes the types, the names and the table.
macro_rules! executors {
    (
        $(#[$fifo_doc:meta])* $fifo:ident = $fifo_name:literal;
        $($(#[$doc:meta])* $kind:ident = $name:literal, $scheduler:ty, |$start:ident| $make:expr;)*
    ) => {
        $(#[$fifo_doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $fifo {}

        impl ExecutorKind for $fifo {
            const NAME: Option<&'static str> = Some($fifo_name);
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub enum $kind {}

            impl ExecutorKind for $kind {
                const NAME: Option<&'static str> = Some($name);
            }
        )*

        /// The names of the executors that are built in.
        pub(crate) const EXECUTORS: &[&str] = &[$fifo_name, $($name),*];

        static TABLE: &[Executor] = &[Executor::here($fifo_name), $(Executor {
            name: $name,
            honours: <$scheduler as Scheduler>::HONOURS,
            start: &|$start| {
                let scheduler = $make;
                debug_assert_eq!(<$scheduler as Scheduler>::name(&scheduler), $name);
                $start.pool::<$scheduler>(scheduler)
            },
            workers: true,
        }),*];
    };
}

executors! {
    /// The single-threaded FIFO executor.
    Fifo = "fifo";

    /// The work-stealing executor.
    Steal = "steal", polyloop_steal::Steal, |start| polyloop_steal::Steal::with_lifo(start.seats(), start.lifo);
    /// One queue for all workers.
    Global = "global", polyloop_schedulers::Global, |start| polyloop_schedulers::Global::default();
    /// A queue for each worker, and tasks that stay with theirs.
    PerCore = "percore", polyloop_schedulers::PerCore, |start| polyloop_schedulers::PerCore::new(start.config.workers, start.seats());
    /// Shares of the processor by weight, measured in run time.
    Fair = "fair", polyloop_schedulers::Fair, |start| polyloop_schedulers::Fair::default();
    /// Earliest deadline first.
    Edf = "edf", polyloop_schedulers::Edf, |start| polyloop_schedulers::Edf::default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheduler_calls_itself_by_the_name_of_its_row() {
        for row in TABLE {
            // It is asserted when a pool starts.
            let runtime = crate::Runtime::from_name(row.name).unwrap();
            assert_eq!(runtime.combination().executor(), row.name);
        }
    }
}
