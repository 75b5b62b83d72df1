//! Channels and locks for tasks, with tokio's names and semantics.
//!
//! They are tokio's own (its feature `sync` holds no runtime), each await wrapped so that it counts in the [budget of its
//! poll](crate::task::coop). They work on every combination, between runtimes, and outside of any.
//!
//! Each type here dereferences to tokio's, through which one reaches whatever never awaits; what is documented there
//! holds here. What differs from tokio:
//!
//! - `blocking_…` panics also where a task of ours is polled, and within a blocking job it lets the pool start another thread.
//! - `mpsc::Sender::send_timeout` takes its time from the clock of the current runtime.
//! - What a guard tells about its lock (`MutexGuard::mutex`, `SemaphorePermit::semaphore` …) is of tokio's type.
//! - Adapters that were made for tokio's types, such as those of `tokio-stream`, do not take these. `poll_recv` makes a stream:
//!   `futures::stream::poll_fn(move |cx| receiver.poll_recv(cx))`.
//! - Inside of a poll of a *tokio* task, tokio's budget counts as well: do not block a tokio worker with our `block_on` there,
//!   except in its `spawn_blocking` or `block_in_place`.
//!
//! [`CancellationToken`] is tokio-util's, wrapped likewise. [`PriorityMutex`] has no counterpart in tokio.
//!
//! Invariant: a call of one of these types that awaits goes through [`budgeted`](crate::task::budgeted).

mod barrier;
pub mod broadcast;
mod cancellation_token;
pub mod mpsc;
mod mutex;
mod notify;
mod once_cell;
pub mod oneshot;
mod priority_mutex;
mod rwlock;
mod semaphore;
mod set_once;
pub mod watch;

pub use barrier::Barrier;
pub use cancellation_token::{
    CancellationToken, DropGuard, DropGuardRef, WaitForCancellationFuture, WaitForCancellationFutureOwned,
};
pub use mutex::Mutex;
pub use notify::Notify;
pub use once_cell::OnceCell;
pub use priority_mutex::{PriorityMutex, PriorityMutexGuard};
pub use rwlock::RwLock;
pub use semaphore::Semaphore;
pub use set_once::SetOnce;
pub use tokio::sync::{
    AcquireError, BarrierWaitResult, MappedMutexGuard, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard,
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit,
    RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard, SemaphorePermit, SetError, SetOnceError,
    TryAcquireError, TryLockError,
};

/// Futures that have a name.
pub mod futures {
    pub use super::notify::{Notified, OwnedNotified};
}

/// Runs `wait`, which blocks this thread until somebody else has done something.
///
/// # Panics
///
/// In a poll: what it waits for might need this very thread.
#[track_caller]
fn blocking<R>(wait: impl FnOnce() -> R) -> R {
    assert!(
        !polyloop_core::context::is_polling(),
        "a thread that polls a task cannot block: await instead, or call this within `task::spawn_blocking`"
    );
    // In a blocking job, the pool counts this thread as waiting, so that what it waits for finds another one.
    polyloop_blocking::while_waiting(wait)
}

/// Makes `$outer` stand for `$inner`: whatever never awaits is reached through `Deref`.
macro_rules! stands_for {
    ($outer:ident<$T:ident $(: ?$Sized:ident)?> => $inner:ty) => {
        impl<$T $(: ?$Sized)?> std::ops::Deref for $outer<$T> {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl<$T $(: ?$Sized)?> std::fmt::Debug for $outer<$T>
        where
            $inner: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
    ($outer:ident<$T:ident $(: ?$Sized:ident)?> => mut $inner:ty) => {
        stands_for!($outer<$T $(: ?$Sized)?> => $inner);

        impl<$T $(: ?$Sized)?> std::ops::DerefMut for $outer<$T> {
            fn deref_mut(&mut self) -> &mut $inner {
                &mut self.0
            }
        }
    };
    ($outer:ident => $inner:ty) => {
        impl std::ops::Deref for $outer {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl std::fmt::Debug for $outer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
use stands_for;
