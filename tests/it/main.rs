//! Everything together: the suites on every combination and on the peers, virtual time, and whole-system tests.
//!
//! Invariant: what holds for one combination is asked of all of them, from the one table.

#![forbid(unsafe_code)]

mod block_in_place;
mod environment;
mod executors;
mod runtimes;
#[cfg(target_os = "linux")]
mod seed;
mod shutdown;
mod subjects;
mod virtual_time;
