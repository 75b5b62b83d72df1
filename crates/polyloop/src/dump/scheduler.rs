//! What the workers are doing.

use crate::{Handle, RuntimeMetrics};
use polyloop_core::Staff;
use polyloop_core::time::Clock;
use polyloop_time::SystemClock;
use std::fmt;
use std::time::Duration;

/// What a runtime's workers, queues and driver are doing; see [`Handle::scheduler_dump`](crate::Handle::scheduler_dump).
///
/// Displayed, it is one line as `POLYLOOP_SCHEDTRACE` writes it; `docs/schedtrace.md` says what stands there.
#[derive(Clone, Debug)]
pub struct SchedulerDump {
    at: Duration,
    combination: String,
    staff: Staff,
    metrics: RuntimeMetrics,
    running_jobs: usize,
}

/// One worker in a [`SchedulerDump`].
#[derive(Clone, Copy, Debug)]
pub struct WorkerDump<'a> {
    index: usize,
    metrics: &'a RuntimeMetrics,
}

impl SchedulerDump {
    pub(crate) fn of(handle: &Handle) -> Self {
        Self {
            at: SystemClock.now() - polyloop_core::time::Instant::ORIGIN,
            combination: handle.combination().to_string(),
            staff: handle.gauges().staff(),
            metrics: handle.metrics(),
            running_jobs: handle.blocking().metrics().running,
        }
    }

    /// When this was, on the system's clock since the process first read it.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// The name of the runtime's combination.
    pub fn combination(&self) -> &str {
        &self.combination
    }

    /// The workers in order, those included that stand in for others.
    pub fn workers(&self) -> impl Iterator<Item = WorkerDump<'_>> {
        let metrics = &self.metrics;
        (0..metrics.num_workers()).map(move |index| WorkerDump { index, metrics })
    }

    /// How many workers sleep, in the driver or in their own parkers.
    pub fn idle_workers(&self) -> usize {
        self.staff.asleep
    }

    /// How many workers look for work.
    pub fn searching_workers(&self) -> usize {
        self.staff.searching
    }

    /// How many threads run tasks, or would.
    pub fn threads(&self) -> usize {
        self.staff.threads
    }

    /// How many threads are still in the poll from which another one has relieved them.
    pub fn relieved(&self) -> usize {
        self.staff.relieved
    }

    /// How many threads wait to take a blocked worker's place.
    pub fn standby(&self) -> usize {
        self.staff.standby
    }

    /// How many blocking jobs run.
    pub fn running_jobs(&self) -> usize {
        self.running_jobs
    }

    /// All the other numbers, of nearly the same moment.
    pub fn metrics(&self) -> &RuntimeMetrics {
        &self.metrics
    }
}

impl WorkerDump<'_> {
    /// Its number.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many ready tasks wait in its own queue.
    pub fn queued(&self) -> usize {
        self.metrics.worker_local_queue_depth(self.index)
    }

    /// How many polls it has made, as of its last driver turn or wait.
    pub fn polls(&self) -> u64 {
        self.metrics.worker_poll_count(self.index)
    }

    /// How many tasks it has taken from others.
    pub fn steals(&self) -> u64 {
        self.metrics.worker_steal_count(self.index)
    }

    /// How often it has begun to wait.
    pub fn waits(&self) -> u64 {
        self.metrics.worker_park_count(self.index)
    }
}

impl fmt::Display for WorkerDump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (queued, polls, steals, waits) = (self.queued(), self.polls(), self.steals(), self.waits());
        write!(f, "worker {}: {queued} queued, {polls} polls, {steals} stolen, {waits} waits", self.index)
    }
}

impl fmt::Display for SchedulerDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, combination, staff, metrics, running_jobs } = self;
        let Staff { threads, asleep, searching, relieved, standby, .. } = staff;
        let polls: u64 = self.workers().map(|worker| worker.polls()).sum();
        let steals: u64 = self.workers().map(|worker| worker.steals()).sum();
        write!(
            f,
            "SCHED {}ms: {combination} workers={} idleworkers={asleep} threads={threads} searching={searching} \
             relieved={relieved} standby={standby} tasks={} jobs={running_jobs} queuedjobs={} jobthreads={} \
             timers={} files={} turns={} polls={polls} steals={steals} runqueue={} [",
            at.as_millis(),
            metrics.num_workers(),
            metrics.num_alive_tasks(),
            metrics.blocking_queue_depth(),
            metrics.num_blocking_threads(),
            metrics.num_pending_timers(),
            metrics.num_registered_files(),
            metrics.driver_turns_count(),
            metrics.global_queue_depth(),
        )?;
        for worker in self.workers() {
            let gap = if worker.index == 0 { "" } else { " " };
            write!(f, "{gap}{}", worker.queued())?;
        }
        f.write_str("]")
    }
}
