//! Threads for work that blocks, apart from the threads that poll; and the one monitor of the process, which names the polls that
//! block all the same.
//!
//! Invariant: a blocking job never runs on a worker's thread, and no job is ever forgotten: it runs, is cancelled, or
//! fails with the reason why no thread could be had.

#![forbid(unsafe_code)]

pub mod census;
pub mod judge;
pub mod monitor;
mod pool;
pub mod probe;
mod remains;
pub mod stall;
mod thread;

pub use pool::{BlockingPool, Closed, Limits, Metrics, Report, Saturated, StartThread, while_waiting};
pub use thread::{OsThread, thread};
