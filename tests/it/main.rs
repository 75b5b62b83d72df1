//! Everything together: the suites on every combination and on the peers, virtual time, and whole-system tests.
//!
//! Invariant: what holds for one combination is asked of all of them, from the one table.

#![forbid(unsafe_code)]

mod environment;
mod executors;
#[cfg(target_os = "linux")]
mod foreign;
mod metrics;
mod runtimes;
#[cfg(target_os = "linux")]
mod seed;
mod shutdown;
mod shutdown_report;
mod subjects;
mod threads;
mod virtual_time;
