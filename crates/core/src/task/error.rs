//! Why a task has no output.

use super::Id;
use core::any::Any;
use core::fmt;
use std::sync::{Mutex, OnceLock};

/// Why a joined task has no output.
///
/// One pointer wide, so that the result of a task that returns nothing is, too.
pub struct JoinError(Box<Inner>);

struct Inner {
    reason: Reason,
    /// Set when the error is joined.
    id: OnceLock<Id>,
}

enum Reason {
    Cancelled,
    // The mutex makes the payload `Sync`; nobody ever waits for it.
    Panicked(Mutex<Box<dyn Any + Send>>),
    NoThread(std::io::Error),
}

impl JoinError {
    fn new(reason: Reason) -> Self {
        Self(Box::new(Inner { reason, id: OnceLock::new() }))
    }

    pub(super) fn set_id(&self, id: Id) {
        self.0.id.get_or_init(|| id);
    }

    /// The id of the task that was joined. (An error that never came out of a join handle has an id of its own.)
    pub fn id(&self) -> Id {
        *self.0.id.get_or_init(Id::fresh)
    }

    /// The task was aborted, or its executor shut down before it ended.
    pub fn cancelled() -> Self {
        Self::new(Reason::Cancelled)
    }

    /// The task panicked with this payload.
    pub fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self::new(Reason::Panicked(Mutex::new(payload)))
    }

    /// A blocking job found no thread to run on, for this reason.
    pub fn no_thread(reason: std::io::Error) -> Self {
        Self::new(Reason::NoThread(reason))
    }

    /// Whether the task was aborted, or its executor shut down before it ended.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.reason, Reason::Cancelled)
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.reason, Reason::Panicked(_))
    }

    /// Whether a blocking job found no thread to run on: the pool was full and no thread could be started.
    pub fn is_no_thread(&self) -> bool {
        matches!(self.0.reason, Reason::NoThread(_))
    }

    /// The payload with which the task panicked.
    ///
    /// # Errors
    ///
    /// The error itself if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        let Inner { reason, id } = *self.0;
        match reason {
            Reason::Panicked(payload) => {
                Ok(payload.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
            }
            reason => Err(Self(Box::new(Inner { reason, id }))),
        }
    }

    /// Why there was no thread for a blocking job.
    ///
    /// # Errors
    ///
    /// The error itself if that is not what happened.
    pub fn try_into_no_thread(self) -> Result<std::io::Error, Self> {
        let Inner { reason, id } = *self.0;
        match reason {
            Reason::NoThread(reason) => Ok(reason),
            reason => Err(Self(Box::new(Inner { reason, id }))),
        }
    }

    /// The payload with which the task panicked.
    ///
    /// # Panics
    ///
    /// If the task did not panic.
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("`into_panic` on a task that did not panic: {error}"),
        }
    }
}

/// The text of a panic, if it has one.
fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.reason {
            Reason::Cancelled => f.write_str("the task was cancelled"),
            Reason::Panicked(payload) => {
                let payload = payload.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                match message(&**payload) {
                    Some(text) => write!(f, "the task panicked: {text}"),
                    None => f.write_str("the task panicked"),
                }
            }
            Reason::NoThread(reason) => write!(f, "no thread could be had for the blocking job: {reason}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        Self::other(error)
    }
}
