//! Tasks: spawned futures, one allocation each, and everything that refers to one.
//!
//! | holds | is | keeps the cell by | may |
//! |---|---|---|---|
//! | [`Runnable`] | the right to poll once | a wake count that is not zero | poll, cancel |
//! | [`Waker`](core::task::Waker), [`AbortHandle`] | a reference | the reference count | wake, abort |
//! | [`JoinHandle`] | the right to the output | the bit `HANDLE` | take the output once done |
//! | [`TaskSpace`] | the registry | nothing | claim idle tasks at shutdown |
//!
//! Which transitions there are, and who wins each race: `state.rs`. Where the memory comes from: `slab.rs`. Who ends the tasks of
//! an executor that has closed: `attendance.rs`.

mod attendance;
mod cell;
mod ends;
mod error;
mod id;
mod info;
mod join;
#[cfg(all(test, polyloop_loom))]
mod loom_tests;
mod meta;
#[cfg(doctest)]
mod refusals;
mod runnable;
mod slab;
mod space;
mod state;
#[cfg(all(test, not(polyloop_loom)))]
mod tests;
mod waker;

pub use attendance::Attendant;
pub use error::JoinError;
pub use id::{Id, id, try_id};
pub use info::{Phase, TaskInfo, TaskKind};
pub use join::{AbortHandle, JoinHandle};
pub use meta::{Meta, Wishes};
pub use runnable::{Ran, Runnable};
pub use space::{TaskCounts, TaskSpace};

#[doc(hidden)]
pub use cell::contain;

pub(crate) use cell::{Header, TaskPtr};
pub(crate) use ends::run_waiting;
pub(crate) use slab::Heap;
pub(crate) use space::HeapPtr;
pub(crate) use waker::is_own_waker;

use crate::context;
