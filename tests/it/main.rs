//! Everything together: the suites on every combination and on the peers, virtual time, and whole-system tests.
//!
//! Invariant: what holds for one combination is asked of all of them, from the one table.

#![forbid(unsafe_code)]

mod afterlife;
mod any_runtime;
mod attributes;
mod bad_days;
mod block_in_place;
mod budget;
mod bugs;
mod closed;
mod detect;
mod drop_order;
mod dump;
mod environment;
mod examples;
mod executors;
#[cfg(target_os = "linux")]
mod foreign;
mod idle;
mod io;
mod join_set;
mod last_words;
mod lifo;
mod long_polls;
mod macros;
mod metrics;
mod panics;
mod parts;
mod runtimes;
#[cfg(target_os = "linux")]
mod schedulers;
mod seed;
mod shutdown;
mod shutdown_report;
mod subjects;
mod sync;
mod threads;
mod unavailable;
mod virtual_time;
