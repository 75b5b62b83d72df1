//! What a runtime tells about itself.
//!
//! Invariant: looking stops nobody, and being looked at costs nothing: what is counted often is counted by one thread,
//! without a read-modify-write, on lines of its own; the rest is counted where it is rare, or only when somebody asks.

use crate::Handle;
use polyloop_blocking::stall::StallCounts;
use polyloop_core::{Staff, WorkerMetrics, contained_panics};
use std::time::Duration;

/// A snapshot of a runtime's numbers; see [`Handle::metrics`]. Where the concept is the same, the names are tokio's.
///
/// Each number is right for some moment between the call and its return, not all for the same one. Numbers of a worker
/// that does not exist are a panic, as with a slice.
#[derive(Clone, Debug)]
pub struct RuntimeMetrics {
    workers: Vec<WorkerMetrics>,
    alive_tasks: usize,
    spawned_tasks: u64,
    cancelled_tasks: u64,
    global_queue: usize,
    blocking: polyloop_blocking::Metrics,
    driver_turns: u64,
    io_ready: u64,
    registered_files: usize,
    pending_timers: usize,
    staff: Staff,
    contained_panics: u64,
    stalls: StallCounts,
}

impl RuntimeMetrics {
    pub(crate) fn of(handle: &Handle) -> Self {
        let (gauges, space, driver) = (handle.gauges(), handle.space(), handle.driver());
        let counts = space.counts();
        Self {
            workers: gauges.workers(),
            alive_tasks: space.live_tasks(),
            spawned_tasks: counts.spawned,
            cancelled_tasks: counts.cancelled,
            global_queue: gauges.queued(),
            blocking: handle.blocking().metrics(),
            driver_turns: driver.turns(),
            io_ready: driver.ready_events(),
            registered_files: driver.registered_sources(),
            pending_timers: driver.armed_timers(),
            staff: gauges.staff(),
            contained_panics: contained_panics(),
            stalls: handle.stalls().counts(),
        }
    }

    /// How many workers there are. On `fifo` that is one: whichever thread inside `block_on` runs the tasks.
    pub fn num_workers(&self) -> usize {
        self.workers.len()
    }

    /// How many tasks have not ended. Local tasks are not among them: they belong to their `block_on`.
    pub fn num_alive_tasks(&self) -> usize {
        self.alive_tasks
    }

    /// How many tasks were ever spawned.
    pub fn spawned_tasks_count(&self) -> u64 {
        self.spawned_tasks
    }

    /// How many tasks were dropped before their end, because they were aborted or the runtime shut down.
    pub fn cancelled_tasks_count(&self) -> u64 {
        self.cancelled_tasks
    }

    /// How many tasks that are ready wait where no worker keeps them: they came from outside of the workers.
    pub fn global_queue_depth(&self) -> usize {
        self.global_queue
    }

    /// How many tasks that are ready wait in the worker's own queue; on `fifo` as of its last driver turn.
    ///
    /// # Panics
    ///
    /// If there is no such worker, as all that ask for one.
    pub fn worker_local_queue_depth(&self, worker: usize) -> usize {
        self.workers[worker].queued
    }

    /// How many polls the worker has made, as of its last driver turn or wait.
    pub fn worker_poll_count(&self, worker: usize) -> u64 {
        self.workers[worker].polls
    }

    /// How long the worker has been at work, as of its last driver turn or wait, on the runtime's clock.
    pub fn worker_total_busy_duration(&self, worker: usize) -> Duration {
        self.workers[worker].busy
    }

    /// How often the worker has begun to wait: in the driver, or to be called.
    pub fn worker_park_count(&self, worker: usize) -> u64 {
        self.workers[worker].parks
    }

    /// How many tasks the worker has taken from other workers' queues.
    pub fn worker_steal_count(&self, worker: usize) -> u64 {
        self.workers[worker].steals
    }

    /// How many threads for blocking jobs exist or are being started.
    pub fn num_blocking_threads(&self) -> usize {
        self.blocking.threads
    }

    /// How many of these have no job.
    pub fn num_idle_blocking_threads(&self) -> usize {
        self.blocking.idle
    }

    /// How many blocking jobs wait for a thread.
    pub fn blocking_queue_depth(&self) -> usize {
        self.blocking.queued
    }

    /// How many workers stand in for others that are blocked.
    pub fn num_relief_threads(&self) -> usize {
        self.staff.relieved
    }

    /// How often a thread has taken the place of a blocked worker, `block_in_place` included.
    pub fn hand_offs_count(&self) -> u64 {
        self.staff.hand_offs
    }

    /// How often one was to, and could not be had: as many as are allowed were there, or the system refused. While that is so,
    /// tasks wait for the blocked ones.
    pub fn refused_hand_offs_count(&self) -> u64 {
        self.staff.refused
    }

    /// How many times the driver was turned.
    pub fn driver_turns_count(&self) -> u64 {
        self.driver_turns
    }

    /// How many events of files the driver has brought.
    pub fn io_driver_ready_count(&self) -> u64 {
        self.io_ready
    }

    /// How many files are registered with the driver.
    pub fn num_registered_files(&self) -> usize {
        self.registered_files
    }

    /// How many timers are armed.
    pub fn num_pending_timers(&self) -> usize {
        self.pending_timers
    }

    /// How many polls were reported as stalled; see [`Builder::stall_threshold`](crate::Builder::stall_threshold).
    pub fn stalls_count(&self) -> u64 {
        self.stalls.stalls
    }

    /// How many polls were blocked for 10 ms: their thread waited in the kernel. Counted under
    /// [`BlockPolicy::Detect`](crate::BlockPolicy::Detect) alone, otherwise 0.
    pub fn blocked_polls_count(&self) -> u64 {
        self.stalls.blocked
    }

    /// How many polls used the processor for 10 ms. Counted under [`BlockPolicy::Detect`](crate::BlockPolicy::Detect) alone,
    /// otherwise 0.
    pub fn computing_polls_count(&self) -> u64 {
        self.stalls.computing
    }

    /// How many panics in wakers, in hooks and in drops of outputs were contained, in the whole process. While any runtime is at
    /// work, a line on stderr says so as well, at once and then once a minute at most.
    pub fn contained_panics_count(&self) -> u64 {
        self.contained_panics
    }
}
