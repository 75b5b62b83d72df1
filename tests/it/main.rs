//! Everything together: virtual time and whole-system tests. The suites are mounted in `conformance`.
//!
//! Invariant: what holds for one combination is asked of all of them, from the one table.

#![forbid(unsafe_code)]

mod afterlife;
mod attributes;
mod block_in_place;
mod budget;
mod bugs;
mod closed;
mod detect;
mod drop_order;
mod dump;
mod environment;
mod examples;
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
#[cfg(target_os = "linux")]
mod schedulers;
mod seed;
mod shutdown;
mod shutdown_report;
mod storm;
mod subjects;
mod sync;
mod threads;
mod unavailable;
mod virtual_time;
