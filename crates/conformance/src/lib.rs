//! What every runtime, executor, reactor and timer queue must do, written once.
//!
//! Invariant: a property counts polls, events and order. Time bounds what a sleep must reach at least; that something ends
//! at all is the watchdog's business, so that a hang is a failure with a name.
//!
//! | mount | for | through |
//! |---|---|---|
//! | [`runtime!`] | a whole runtime | the traits of `polyloop-traits` |
//! | [`local_tasks!`] | a whole runtime that has local tasks | `SpawnLocal` of `polyloop-traits` |
//! | [`files!`] | a whole runtime that watches files | `Io` of `polyloop-traits` |
//! | [`fairness!`] | a whole runtime with one worker, by the constants it declares | the traits of `polyloop-traits` |
//! | [`executor!`] | an executor over a driver whose clock the test owns | [`executor::Executor`] |
//! | [`reactor!`] | a reactor, turned by hand | `Reactor` and `ReactorHandle` of `polyloop-core` |
//! | [`timers!`] | a queue of deadlines | `Timers` of `polyloop-core` |
//! | [`task!`](crate::task!) | a task cell and its wakers, run by hand | [`task::Tasks`] |
//!
//! That each suite can fail is a test, too: broken implementations of every part stand in this crate's `tests/`.
//!
//! Where a public runtime differs for good, that is data: [`DIFFERENCES`]. The mount skips those properties and says so.
//! [`seed_loop`] is the reverse: an event loop with known defects, which these suites must find.

#![forbid(unsafe_code)]

mod differences;
pub mod executor;
pub mod fairness;
pub mod reactor;
pub mod runtime;
#[cfg(target_os = "linux")]
pub mod seed_loop;
mod sentinels;
mod skip;
mod stress;
pub mod task;

pub mod timers;
mod watch;

pub use differences::{DIFFERENCES, Difference};
pub use sentinels::{Moment, Sentinels, TICKS_IN_20_MS, Ticks};
pub use skip::{skip, unable};
pub use stress::is_long;
pub use watch::{LIMIT, block_thread, watched};
