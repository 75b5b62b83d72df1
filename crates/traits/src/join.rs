//! What a spawn gives back: a typed future of the task's result.
//!
//! Invariant: a handle resolves exactly when its task is over, and a panic is always visible to whoever holds the handle.
//! What happens to the task when the handle is dropped differs between runtimes, so it is a constant that can be read.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};

/// What dropping a join handle does to its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDrop {
    /// The task goes on by itself (tokio, polyloop).
    Detach,
    /// The task is cancelled (smol).
    Abort,
}

/// The future of a task's result.
///
/// # Cancel safety
///
/// Polling by reference is cancel safe: the result stays in the handle until it is taken. Dropping the handle itself
/// does what [`ON_DROP`](Self::ON_DROP) says; call [`detach`](Self::detach) to be independent of it.
pub trait Join<T>: Future<Output = Result<T, JoinFailed>> + Unpin {
    /// What dropping this handle does to its task.
    const ON_DROP: OnDrop;

    /// Asks the task to end at its next await point. The handle then resolves to a [cancelled](JoinFailed::is_cancelled)
    /// error once the future was dropped, or to the value if the task was faster.
    fn abort(&mut self);

    /// Lets the task go on by itself, whatever [`ON_DROP`](Self::ON_DROP) is.
    fn detach(self);
}

/// Why a task has no value to give.
pub struct JoinFailed(Why);

enum Why {
    Cancelled,
    NoThread(io::Error),
    /// With this payload. The mutex only makes it `Sync`.
    Panicked(Mutex<Box<dyn Any + Send>>),
}

impl JoinFailed {
    /// The task was aborted, or its runtime is gone.
    pub const fn cancelled() -> Self {
        Self(Why::Cancelled)
    }

    /// A closure that blocks found no thread to run on, for this reason.
    pub const fn no_thread(reason: io::Error) -> Self {
        Self(Why::NoThread(reason))
    }

    /// The task panicked with this payload.
    pub fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self(Why::Panicked(Mutex::new(payload)))
    }

    /// Whether the task was aborted or its runtime is gone.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Why::Cancelled)
    }

    /// Whether a closure that blocks found no thread to run on. It has not begun, and may be tried again. Only of runtimes that
    /// can tell: tokio panics in the caller, smol waits for ever.
    pub fn is_no_thread(&self) -> bool {
        matches!(self.0, Why::NoThread(_))
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Why::Panicked(_))
    }

    /// The panic's payload, for [`std::panic::resume_unwind`]; `None` if the task did not panic.
    pub fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        match self.0 {
            Why::Panicked(payload) => Some(payload.into_inner().unwrap_or_else(PoisonError::into_inner)),
            _ => None,
        }
    }
}

/// A panic's message, if it has one that is text.
fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

impl fmt::Display for JoinFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Cancelled => f.write_str("the task was cancelled"),
            Why::NoThread(reason) => write!(f, "no thread could be had for the blocking closure: {reason}"),
            Why::Panicked(payload) => {
                match message(&**payload.lock().unwrap_or_else(PoisonError::into_inner)) {
                    Some(message) => write!(f, "the task panicked: {message}"),
                    None => f.write_str("the task panicked"),
                }
            }
        }
    }
}

impl fmt::Debug for JoinFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinFailed({self})")
    }
}

impl std::error::Error for JoinFailed {}
