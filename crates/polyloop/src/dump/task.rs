//! One task in a dump.

use polyloop_core::{Meta, Phase, TaskInfo, Why, task::Id};
use std::fmt;
use std::panic::Location;
use std::thread::ThreadId;
use std::time::Duration;

/// One task, or one blocking job.
///
/// Displayed, it is a row of a [`Dump`](super::Dump)'s table, on one line whatever its name is.
#[derive(Clone, Debug)]
pub struct TaskDump {
    info: TaskInfo,
    kind: TaskKind,
    state: TaskState,
    aged: bool,
}

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskKind {
    /// A task that was spawned into the runtime.
    Task,
    /// A local task of a thread inside `block_on`, or of a [`LocalSet`](crate::task::LocalSet).
    Local,
    /// The future of a `block_on`.
    BlockOn,
    /// A blocking job.
    Job,
}

/// What a task is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It is polled, or its future is dropped. A job runs.
    Running {
        /// By which worker. `None` for a job, and on a thread inside `block_on` of an executor that has workers.
        worker: Option<usize>,
        /// The name of the thread, if it has one and is known.
        thread: Option<Box<str>>,
        /// It has left its poll for code that may block (`block_in_place`).
        blocking: bool,
    },
    /// It is ready and waits for its turn.
    Queued,
    /// It waits for a wake.
    Waiting,
    /// It has ended, and its handle has not been asked for the output.
    Ended,
}

/// What has made a task ready last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastWake {
    /// Why.
    pub why: Why,
    /// How long ago; `None` if ages are not tracked.
    pub ago: Option<Duration>,
}

impl TaskDump {
    pub(super) fn of_task(info: TaskInfo, aged: bool, worker_of: impl Fn(ThreadId) -> Option<usize>) -> Self {
        let kind = match info.kind {
            polyloop_core::TaskKind::Local => TaskKind::Local,
            polyloop_core::TaskKind::BlockOn => TaskKind::BlockOn,
            _ => TaskKind::Task,
        };
        let state = match &info.phase {
            Phase::Polled { thread, outside } => TaskState::Running {
                worker: worker_of(thread.id()),
                thread: thread.name().map(Into::into),
                blocking: *outside,
            },
            Phase::Queued => TaskState::Queued,
            Phase::Ended => TaskState::Ended,
            _ => TaskState::Waiting,
        };
        Self { info, kind, state, aged }
    }

    /// A job's only poll is its run, on a thread that polls nothing else.
    pub(super) fn of_job(info: TaskInfo, aged: bool) -> Self {
        let state = match info.phase {
            Phase::Ended => TaskState::Ended,
            _ if info.polled.is_some() => TaskState::Running { worker: None, thread: None, blocking: true },
            _ => TaskState::Queued,
        };
        Self { info, kind: TaskKind::Job, state, aged }
    }

    /// What it is.
    pub fn kind(&self) -> TaskKind {
        self.kind
    }

    /// Its id, which a task has from the first time on that somebody asks for it; one with a name has it from its spawn.
    pub fn id(&self) -> Option<Id> {
        self.info.id
    }

    /// The name given at the spawn.
    pub fn name(&self) -> Option<&str> {
        self.info.meta.name.as_deref()
    }

    /// Where it was spawned; of a [`BlockOn`](TaskKind::BlockOn), where `block_on` was called.
    pub fn location(&self) -> &'static Location<'static> {
        self.info.meta.location
    }

    /// What it is doing.
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// Whether somebody has asked for its end, which it has not come to.
    pub fn is_aborted(&self) -> bool {
        self.info.aborted
    }

    /// How long ago its last poll began: of a running task how long it has been running, of a waiting one how long nothing has
    /// happened to it. `None` if it never was polled, or if ages are not tracked.
    pub fn since_poll(&self) -> Option<Duration> {
        self.info.polled.filter(|_| self.aged)
    }

    /// What has made it ready last, which led to its last poll, or to the one that it is queued for. Wakes of a task that is
    /// ready anyway are not told.
    pub fn last_wake(&self) -> LastWake {
        LastWake { why: self.info.why, ago: self.aged.then_some(self.info.woken) }
    }

    /// What it is called and where it was spawned.
    pub(super) fn title(&self) -> Title<'_> {
        Title(&self.info.meta, self.kind)
    }
}

/// A task's name and place on one line.
pub(super) struct Title<'a>(&'a Meta, TaskKind);

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(meta, kind) = self;
        if let Some(name) = &meta.name {
            write!(f, "`{}` ", name.escape_debug())?;
        }
        let what = match kind {
            TaskKind::Task => "spawned",
            TaskKind::Local => "local, spawned",
            TaskKind::BlockOn => "block_on",
            TaskKind::Job => "blocking job, spawned",
        };
        write!(f, "{what} at {}", meta.location)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Running { worker, blocking, thread } => {
                let what = if *blocking { "blocking" } else { "running" };
                match (worker, thread) {
                    (Some(worker), _) => format!("{what} on worker {worker}"),
                    (None, Some(thread)) => format!("{what} on {}", thread.escape_debug()),
                    (None, None) => what.to_owned(),
                }
            }
            Self::Queued => "queued".to_owned(),
            Self::Waiting => "waiting".to_owned(),
            Self::Ended => "ended".to_owned(),
        };
        f.pad(&text)
    }
}

/// An age as people say it, `-` if there is none.
struct Age(Option<Duration>);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(age) = self.0 else { return f.pad("-") };
        let seconds = age.as_secs();
        f.pad(&match seconds {
            0 => format!("{} ms", age.as_millis()),
            1..60 => format!("{:.2} s", age.as_secs_f64()),
            60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
            _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        })
    }
}

impl fmt::Display for TaskDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LastWake { why, ago } = self.last_wake();
        let why = match why {
            Why::Spawn => "spawn",
            Why::Wake => "wake",
            Why::Yield => "yield",
            Why::Io => "io",
            Why::Timer => "timer",
        };
        let id = self.id().map_or("-".to_owned(), |id| id.to_string());
        let aborted = if self.is_aborted() { ", aborted" } else { "" };
        let (polled, woken) = (Age(self.since_poll()), Age(ago));
        write!(f, "{:<22} {polled:>9} {woken:>9} {why:<6} {id:>6}  {}{aborted}", self.state, self.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_as_people_say_them() {
        let told = [0, 8, 999, 1000, 59_990, 61_000, 3_600_000, 90_000_000]
            .map(|millis| Age(Some(Duration::from_millis(millis))).to_string());
        let expected = ["0 ms", "8 ms", "999 ms", "1.00 s", "59.99 s", "1m01s", "1h00m", "25h00m"];
        assert_eq!(told, expected);
        assert_eq!(format!("{:>4}", Age(None)), "   -");
    }

    #[test]
    fn a_title_is_one_line_whatever_the_name_is() {
        let mut meta = Meta::new(Location::caller());
        meta.name = Some("a\nb`".into());
        let title = Title(&meta, TaskKind::Local).to_string();
        assert!(title.starts_with("`a\\nb`` local, spawned at "), "{title}");
    }
}
