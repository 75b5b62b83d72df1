//! Everything together: the suites on every combination and on the peers, virtual time, and whole-system tests.
//!
//! Invariant: what holds for one combination is asked of all of them, from the one table.

#![forbid(unsafe_code)]

mod afterlife;
mod bad_days;
mod drop_order;
mod environment;
mod executors;
mod idle;
mod last_words;
mod panics;
mod parts;
mod runtimes;
#[cfg(target_os = "linux")]
mod seed;
mod shutdown;
mod subjects;
mod unavailable;
mod virtual_time;
