//! Schedulers that are small, each a policy in one file, run by the pool.
//!
//! Invariant: every queue here is behind a lock that is held for a few instructions and in which no foreign code runs, and what
//! lies in it can be taken by any worker, at once or when its own is stuck (C5).

#![forbid(unsafe_code)]

pub mod edf;
pub mod fair;
mod global;
pub mod percore;
#[cfg(all(test, not(polyloop_loom)))]
mod tests;

pub use edf::Edf;
pub use fair::Fair;
pub use global::Global;
pub use percore::PerCore;
