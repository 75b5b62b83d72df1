//! Everything together: the suites on every combination and on the peers, virtual time, and whole-system tests.
//!
//! Invariant: what holds for one combination is asked of all of them, from the one table.

#![forbid(unsafe_code)]

mod budget;
mod environment;
mod executors;
mod join_set;
mod macros;
mod metrics;
mod runtimes;
#[cfg(target_os = "linux")]
mod seed;
mod shutdown;
mod shutdown_report;
mod subjects;
mod sync;
mod threads;
mod virtual_time;
