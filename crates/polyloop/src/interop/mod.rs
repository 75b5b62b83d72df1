//! The runtime behind other people's traits, so that their crates run on any combination.
//!
//! Invariant: an adapter only translates. It starts no thread, keeps no queue and reads no clock of its own, so that a foreign
//! crate runs by the same scheduler, reactor, timer queue and clock as the rest of the program, a paused clock included.
//!
//! | crate | feature | what is implemented |
//! |---|---|---|
//! | `polyloop-traits` | always there | for [`Handle`](crate::Handle); [`Connection`], [`Listener`], [`Datagrams`], [`WatchedFile`] |
//! | `futures-io` 0.3 | always there | its traits, for [`net`](crate::net)'s streams |
//! | `futures` 0.3 | `futures` | `Spawn` and `LocalSpawn`, for [`Handle`](crate::Handle) |
//! | `hyper` 1 | `hyper` | `rt::{Executor, Timer}` for [`Handle`](crate::Handle), `rt::Sleep`; `hyper::Io` for `rt::{Read, Write}` |
//! | `hyper-util` 0.1 | `hyper-util` | `hyper_util::Connector` for its pooled client |
//! | `quinn` 0.11 | `quinn` | `Runtime` for [`Handle`](crate::Handle) |
//! | `hickory-net` 0.26 | `hickory` | `RuntimeProvider` for [`Handle`](crate::Handle), with [`Datagrams`] and [`Connection`] |
//! | `zbus` 6 | `zbus` | `Runtime` for [`Handle`](crate::Handle) |
//! | `async-rs` 0.8 | `async-rs` | `RuntimeKit` for [`Handle`](crate::Handle), for lapin and others |
//! | `criterion` 0.8 | `criterion` | `AsyncExecutor`, for [`Handle`](crate::Handle) and [`Runtime`](crate::Runtime) |
//!
//! A library that knows no runtime but tokio runs through `polyloop::compat` (feature `compat-tokio`), by a thread of tokio's own.
//!
//! What was run with which version, and what does not run, stands in `docs/guide/ecosystem.md`.

#[cfg(feature = "async-rs")]
pub mod async_rs;
#[cfg(feature = "criterion")]
mod criterion;
#[cfg(feature = "futures")]
mod futures;
#[cfg(feature = "hickory")]
mod hickory;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "hyper-util")]
pub mod hyper_util;
#[cfg(feature = "quinn")]
mod quinn;
mod traits;
#[cfg(feature = "zbus")]
pub mod zbus;

pub use traits::{Connection, Datagrams, Join, Listener, WatchedFile};
