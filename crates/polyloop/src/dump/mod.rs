//! What a runtime and its tasks are doing at this moment: by call, by signal, and line by line while a program runs.
//!
//! Invariant: looking stops nobody and blocks no worker. Each row is right for some moment between the call and its return, not
//! all for the same one; at rest the numbers agree.
//!
//! Tasks are stamped by a coarse clock, so that a poll reads none; see [`RESOLUTION`].

mod scheduler;
#[cfg(unix)]
mod signal;
mod task;
mod trace;

pub use polyloop_core::Why;
pub use scheduler::{SchedulerDump, WorkerDump};
#[cfg(unix)]
pub use signal::on_signal;
pub use task::{LastWake, TaskDump, TaskKind, TaskState};
pub(crate) use trace::Tracer;

use crate::Handle;
use crate::handle::WeakHandle;
use polyloop_core::time::Clock;
use polyloop_time::SystemClock;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How far an age in a dump may be off: one tick of the coarse clock, and one of the monitor that moves it while polls are long.
///
/// A task that is woken from within a poll that lasts longer, on a thread that nobody watches (one inside `block_on` whose
/// executor has workers, or, on `fifo`, any), may seem to have been woken at that poll's beginning.
pub const RESOLUTION: Duration =
    polyloop_core::tick::RESOLUTION.saturating_add(polyloop_blocking::monitor::TICK);

/// What a runtime and its tasks are doing; see [`Handle::dump`](crate::Handle::dump).
///
/// Displayed, it is a table.
#[derive(Clone, Debug)]
pub struct Dump {
    scheduler: SchedulerDump,
    tasks: Vec<TaskDump>,
    aged: bool,
}

impl Dump {
    pub(crate) fn of(handle: &Handle) -> Self {
        // Also moves the coarse clock on.
        let now = SystemClock.now();
        let aged = handle.driver().clock().moves_tick();
        let gauges = handle.gauges();
        let of_task = |info| TaskDump::of_task(info, aged, |thread| gauges.worker_of(thread));
        let mut tasks: Vec<_> = handle.space().tasks(now).into_iter().map(of_task).collect();
        let jobs = handle.blocking().space().tasks(now);
        tasks.extend(jobs.into_iter().map(|info| TaskDump::of_job(info, aged)));
        Self { scheduler: SchedulerDump::of(handle), tasks, aged }
    }

    /// What the runtime's workers are doing.
    pub fn scheduler(&self) -> &SchedulerDump {
        &self.scheduler
    }

    /// A row for every task that has not ended, and for every one whose output has not been asked for: spawned ones, the futures of
    /// threads inside `block_on`, these threads' local tasks, those of each [`LocalSet`](crate::task::LocalSet) that was polled here
    /// last, and blocking jobs.
    pub fn tasks(&self) -> &[TaskDump] {
        &self.tasks
    }

    /// How far ages may be off: [`RESOLUTION`]. `None` if they are not tracked: the runtime has another clock than the
    /// system's, by which nobody stamps.
    pub fn resolution(&self) -> Option<Duration> {
        self.aged.then_some(RESOLUTION)
    }

    /// How many rows have a state for which `is` holds.
    fn count(&self, is: impl Fn(&TaskState) -> bool) -> usize {
        self.tasks.iter().filter(|task| is(task.state())).count()
    }

    fn polled_by(&self, worker: usize) -> impl Iterator<Item = &TaskDump> {
        let is_it = move |task: &&TaskDump| matches!(task.state(), TaskState::Running { worker: Some(it), .. } if *it == worker);
        self.tasks.iter().filter(is_it)
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.scheduler)?;
        for worker in self.scheduler.workers() {
            write!(f, "  {worker}")?;
            for task in self.polled_by(worker.index()) {
                write!(f, ", polls {}", task.title())?;
            }
            writeln!(f)?;
        }
        write!(
            f,
            "{}: {} running, {} queued, {} waiting, {} ended and not joined; ages ",
            match self.tasks.len() {
                1 => "1 task".to_owned(),
                count => format!("{count} tasks"),
            },
            self.count(|state| matches!(state, TaskState::Running { .. })),
            self.count(|state| *state == TaskState::Queued),
            self.count(|state| *state == TaskState::Waiting),
            self.count(|state| *state == TaskState::Ended),
        )?;
        match self.resolution() {
            Some(resolution) => write!(f, "± {} ms", resolution.as_millis())?,
            None => f.write_str("are not tracked: this is not the system's clock")?,
        }
        if !self.tasks.is_empty() {
            write!(f, "\n  {:<22} {:>9} {:>9} {:<6} {:>6}  task", "state", "polled", "woken", "by", "id")?;
        }
        for task in &self.tasks {
            write!(f, "\n  {task}")?;
        }
        Ok(())
    }
}

/// All runtimes of the process that have a handle. Those that have gone are left out when the next one comes.
static RUNTIMES: Mutex<Vec<WeakHandle>> = Mutex::new(Vec::new());

fn runtimes() -> MutexGuard<'static, Vec<WeakHandle>> {
    RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lists a runtime, for [`all`].
pub(crate) fn enlist(handle: &Handle) {
    let mut runtimes = runtimes();
    runtimes.retain(|other| other.is_there());
    runtimes.push(handle.downgrade());
}

/// A dump of every runtime of the process that has not shut down.
///
/// # Examples
///
/// ```
/// let runtime = polyloop::Runtime::from_name("fifo+poll+heap")?;
/// runtime.block_on(async {
///     let dumps = polyloop::dump::all();
///     assert!(dumps.iter().any(|dump| dump.tasks().len() == 1), "the future of `block_on` is a task, too");
/// });
/// # Ok::<(), polyloop::BuildError>(())
/// ```
pub fn all() -> Vec<Dump> {
    // Upgraded before any is dropped, which takes the lock of nobody.
    let handles: Vec<Handle> = runtimes().iter().filter_map(WeakHandle::upgrade).collect();
    handles.iter().filter(|handle| !handle.is_shut_down()).map(Handle::dump).collect()
}

/// Writes to stderr at once, and takes no offence if that is closed.
fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
