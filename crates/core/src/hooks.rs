//! What a program wants to be told of, by its own functions.
//!
//! Invariant: a hook that is not set costs nothing per poll and a branch where the event is. A hook runs with no lock held
//! and outside of any poll, so that it may spawn and wake.

use crate::Meta;
use crate::budget::PollTime;
use core::fmt;
use std::sync::Arc;

/// A function to be called when a thread does something.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;

/// A function to be called when something happens to a task.
pub type TaskHook = Arc<dyn Fn(&Meta) + Send + Sync>;

/// What an executor calls, if it is set.
#[derive(Clone, Default)]
pub struct Hooks {
    /// A worker has nothing to do and is about to wait. It looks for work once more afterwards.
    pub park: Option<ThreadHook>,
    /// The worker does not wait any more. Comes after every `park`.
    pub unpark: Option<ThreadHook>,
    /// A task is about to be spawned, by this thread. A panic goes to whoever spawns it.
    pub task_spawn: Option<TaskHook>,
    /// A task has ended, on this thread: its future is gone, and its joiner does not know yet. A panic is contained.
    pub task_terminate: Option<TaskHook>,
    /// How long a poll of a task goes on, if its budget is one of time.
    pub poll_time: Option<PollTime>,
}

impl Hooks {
    /// Whether somebody wants to know of waits.
    pub fn watches_waits(&self) -> bool {
        self.park.is_some() || self.unpark.is_some()
    }

    /// Says that the thread is about to wait.
    pub fn parks(&self) {
        if let Some(park) = &self.park {
            park();
        }
    }

    /// Says that the thread does not wait any more.
    pub fn unparks(&self) {
        if let Some(unpark) = &self.unpark {
            unpark();
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("park", &self.park.is_some())
            .field("unpark", &self.unpark.is_some())
            .field("task_spawn", &self.task_spawn.is_some())
            .field("task_terminate", &self.task_terminate.is_some())
            .field("poll_time", &self.poll_time)
            .finish()
    }
}
