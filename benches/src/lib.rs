//! Criterion micro-benches of single parts: `cargo xtask bench micro [FILTER]`.
//!
//! They are for looking at one part while changing it. Runtimes are compared by the lab, which gives each cell a fresh process and
//! interleaves its rounds.

#![forbid(unsafe_code)]
