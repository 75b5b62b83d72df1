//! Deadlocks of a whole runtime: who is looked at, and who is told.
//!
//! Invariant: whoever may run code for a runtime has a gauge here, or counts as a stranger, who may do anything.

use crate::{Builder, Deadlock};
use polyloop_blocking::{BlockingPool, census, monitor};
use polyloop_core::deadlock::{AtRest, DeadlockHook, Lookout, RestGauge};
use polyloop_core::{Driver, TaskSpace};
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// How long a thread inside `block_on` waits in vain before it looks, unless said.
const PATIENCE: Duration = Duration::from_millis(20);

/// What the builder was told about deadlocks.
#[derive(Clone, Default)]
pub(crate) struct Deadlocks {
    off: bool,
    patience: Option<Duration>,
    hook: Option<DeadlockHook>,
}

impl Deadlocks {
    /// Has the threads inside `block_on` look from now on. `executor` tells of its workers; `ends_are_seen` says that the
    /// program wants to run code of its own when a thread ends.
    pub(crate) fn watch(
        self,
        driver: &Driver,
        space: &Arc<TaskSpace>,
        executor: RestGauge,
        blocking: &BlockingPool,
        ends_are_seen: bool,
    ) {
        if self.off {
            return;
        }
        let jobs = blocking.rest_gauge();
        // A thread without work ends after a while; what the program does then may be to wake somebody.
        let jobs = move || jobs().filter(|idle: &AtRest| idle.threads == 0 || !ends_are_seen);
        let staff: Vec<RestGauge> = vec![executor, Box::new(jobs), Box::new(monitor::at_rest)];
        driver.deadlocks().begin(Lookout {
            space: Arc::downgrade(space),
            staff,
            patience: self.patience.unwrap_or(PATIENCE),
            threads: Box::new(census::threads),
            report: self
                .hook
                .clone()
                // Which may be closed.
                .unwrap_or_else(|| {
                    Arc::new(|deadlock| _ = writeln!(std::io::stderr(), "polyloop: {deadlock}"))
                }),
            returned: self.hook,
        });
    }
}

impl fmt::Debug for Deadlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlocks").field("off", &self.off).field("hook", &self.hook.is_some()).finish()
    }
}

/// Deadlocks.
impl Builder {
    /// Called with each [`Deadlock`] that is found: in place of the line on stderr if it is found by
    /// [`block_on`](crate::Runtime::block_on), and also if it becomes the error of
    /// [`try_block_on`](crate::Runtime::try_block_on). Runs on the thread inside `block_on`, between two polls, and may spawn
    /// and wake. A panic is contained, and counted in the [metrics](crate::RuntimeMetrics::contained_panics_count).
    #[must_use]
    pub fn on_deadlock(mut self, hook: impl Fn(&Deadlock) + Send + Sync + 'static) -> Self {
        self.deadlocks.hook = Some(Arc::new(hook));
        self
    }

    /// How long a thread inside `block_on` waits in vain before it looks for a deadlock; 20 ms unless said. It looks five
    /// times, each time after twice as long a wait, and then again whenever others come to rest.
    #[must_use]
    pub fn deadlock_patience(mut self, patience: Duration) -> Self {
        self.deadlocks.patience = Some(patience);
        self
    }

    /// Whether threads inside `block_on` look for deadlocks; they do unless said. Without that, their waits have no time
    /// limit from the beginning.
    ///
    /// One thing is taken for granted: a thread for blocking jobs, which ends when it
    /// [has had nothing to do](Self::thread_keep_alive) for a while, wakes nobody by the destructor of a thread-local. A program that
    /// relies on one sets [`on_thread_stop`](Self::on_thread_stop), because of which no deadlock is told while such a thread is there,
    /// or switches this off.
    #[must_use]
    pub fn detect_deadlocks(mut self, detect: bool) -> Self {
        self.deadlocks.off = !detect;
        self
    }
}
