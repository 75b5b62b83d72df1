//! Why a task has no output.

use core::any::Any;
use core::fmt;
use std::sync::Mutex;

/// Why a joined task has no output.
///
/// One pointer wide, so that the result of a task that returns nothing is, too.
pub struct JoinError(Box<Reason>);

enum Reason {
    Cancelled,
    // The mutex makes the payload `Sync`; nobody ever waits for it.
    Panicked(Mutex<Box<dyn Any + Send>>),
    NoThread(std::io::Error),
}

impl JoinError {
    /// The task was aborted, or its executor shut down before it ended.
    pub fn cancelled() -> Self {
        Self(Box::new(Reason::Cancelled))
    }

    /// The task panicked with this payload.
    pub fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self(Box::new(Reason::Panicked(Mutex::new(payload))))
    }

    /// A blocking job found no thread to run on, for this reason.
    pub fn no_thread(reason: std::io::Error) -> Self {
        Self(Box::new(Reason::NoThread(reason)))
    }

    /// Whether the task was aborted, or its executor shut down before it ended.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.0, Reason::Cancelled)
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(*self.0, Reason::Panicked(_))
    }

    /// Whether a blocking job found no thread to run on: the pool was full and no thread could be started.
    pub fn is_no_thread(&self) -> bool {
        matches!(*self.0, Reason::NoThread(_))
    }

    /// The payload with which the task panicked.
    ///
    /// # Errors
    ///
    /// The error itself if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match *self.0 {
            Reason::Panicked(payload) => {
                Ok(payload.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
            }
            other => Err(Self(Box::new(other))),
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
        match &*self.0 {
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
