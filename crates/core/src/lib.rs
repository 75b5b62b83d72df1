//! The vocabulary of polyloop: tasks, wakers, readiness, and the traits that executors, reactors, timer queues and clocks
//! implement. Contracts (C1-C15) and words: `docs/contracts.md`.
//!
//! Invariant: this crate makes no system call, starts no thread and reads no clock.

pub mod block_on;
pub mod budget;
#[expect(unsafe_code, reason = "thread-locals that point to the stack")]
pub mod context;
pub mod deadlock;
mod desk;
#[cfg_attr(all(test, not(polyloop_loom)), expect(unsafe_code, reason = "a waker of a test"))]
mod driver;
mod fairness;
mod hooks;
pub mod inheritance;
mod local;
mod local_set;
#[cfg(all(test, polyloop_loom))]
mod loom_parts;
pub mod park;
mod probe;
#[expect(unsafe_code, reason = "intrusive links")]
mod queue;
pub mod reactor;
mod schedule;
#[doc(hidden)]
pub mod shim;
mod sleep;
mod source;
#[expect(unsafe_code, reason = "the task cell and its slab")]
pub mod task;
pub mod tick;
pub mod time;
mod wake_batch;
mod yield_now;

pub use desk::{Desk, Polled, polls_task_of};
pub use driver::{Busy, Driver, Gone, Lease, Turn, Wakes};
pub use fairness::{Fairness, ReadyBound};
pub use hooks::{Hooks, TaskHook, ThreadHook};
pub use local::{Entered, LocalQueue, Unpark, is_host_of, push_as_guest, spawn_local, take_as_guest};
pub use local_set::LocalSet;
pub use probe::{Count, Gauges, Staff, WorkerCounts, WorkerMetrics, contained_panics};
pub use queue::{RunQueue, RunSlot};
pub use schedule::{Honours, Notify, Schedule, Scheduler, Why};
pub use sleep::Sleep;
pub use source::{Direction, ReadyEvent, Registration};
pub use task::{
    AbortHandle, Attendant, JoinError, JoinHandle, Meta, Phase, Ran, Runnable, TaskCounts, TaskInfo,
    TaskKind, TaskSpace, Wishes,
};
pub use wake_batch::WakeBatch;
pub use yield_now::{YieldNow, yield_now};
