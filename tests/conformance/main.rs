//! The suites of `polyloop-conformance`, each mounted by one line: on every part, on every combination, on
//! reactors that have bad days, and on the peers.

#![forbid(unsafe_code)]

mod any_runtime;
mod bad_days;
mod capabilities;
mod executors;
mod parts;
mod runtimes;
