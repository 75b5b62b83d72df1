//! What any async runtime can do, as small traits that a library bounds on exactly as far as it uses them.
//!
//! Invariant: everything starts from a handle that is passed by value or reference. No call needs a thread-local to be
//! set, so two runtimes live side by side in one process, and a test can bring its own clock.
//!
//! | capability | trait |
//! |---|---|
//! | run a future to its end on this thread | [`BlockOn`] |
//! | start a task | [`Spawn`], [`SpawnLocal`] for `!Send` futures, [`SpawnBlocking`] for closures that block |
//! | let others run | [`Yield`] |
//! | know the time, wait for it, tick | [`Time`] |
//! | TCP | [`Net`] |
//! | UDP | [`Udp`] |
//! | any other file, on Unix | [`Io`] |
//!
//! [`Runtime`] is all of them but `SpawnLocal`, `Udp` and `Io`, for programs that compare whole runtimes. The adapters `Tokio` and
//! `Smol` stand behind the features `tokio` and `smol`. The traits are static: futures and handles have unnamed or
//! associated types and nothing is boxed. [`AnyRuntime`] is their object-safe twin, for code that keeps a runtime in a field.
//!
//! # Examples
//!
//! A retry that works on every runtime, and says in its bounds that it only needs the time:
//!
//! ```
//! use polyloop_traits::Time;
//! use std::time::Duration;
//!
//! async fn retry<T, E>(rt: &impl Time, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> Result<T, E> {
//!     for pause in [1, 10, 100] {
//!         if let Ok(value) = attempt().await {
//!             return Ok(value);
//!         }
//!         rt.sleep(Duration::from_millis(pause)).await;
//!     }
//!     attempt().await
//! }
//! # #[cfg(feature = "smol")]
//! # {
//! # use polyloop_traits::{BlockOn, Smol};
//! # let rt = Smol::one_thread();
//! # let mut failures = 2;
//! # let found = rt.block_on(retry(&rt, async || {
//! #     if failures == 0 { Ok("found") } else { failures -= 1; Err(()) }
//! # }));
//! # assert_eq!(found, Ok("found"));
//! # }
//! ```

#![forbid(unsafe_code)]

mod erased;
mod interval;
#[cfg(unix)]
mod io;
mod join;
#[cfg(any(feature = "smol", feature = "tokio"))]
mod local;
mod net;
#[cfg(feature = "smol")]
mod smol;
mod task;
mod time;
#[cfg(feature = "tokio")]
mod tokio;

#[cfg(all(feature = "smol", unix))]
pub use crate::smol::SmolWatched;
#[cfg(feature = "smol")]
#[doc(hidden)]
pub use crate::smol::{LocalCancel, SendCancel};
#[cfg(feature = "smol")]
pub use crate::smol::{
    Smol, SmolJoin, SmolListener, SmolLocalJoin, SmolSleep, SmolStream, SmolUdpSocket, SmolYield,
};
#[cfg(all(feature = "tokio", unix))]
pub use crate::tokio::TokioWatched;
#[cfg(feature = "tokio")]
pub use crate::tokio::{Tokio, TokioJoin, TokioListener, TokioStream, TokioUdpSocket, TokioYield};
#[cfg(unix)]
pub use erased::{AnyFile, AnyWatch, AnyWatched};
pub use erased::{
    AnyJoin, AnyListener, AnyRuntime, AnyStream, AnyUdpSocket, BoxFuture, DynRuntime, DynTask, Erasable,
    Moment,
};
pub use interval::{Interval, Missed};
#[cfg(unix)]
pub use io::{Direction, Io, Watched};
pub use join::{Join, JoinFailed, OnDrop};
pub use net::{Net, TcpListener, TcpStream, Udp, UdpSocket};
pub use task::{BlockOn, NotLocal, Spawn, SpawnBlocking, SpawnLocal, Yield};
pub use time::Time;

/// A whole runtime: every capability that a program with Send tasks, timers and connections uses. [`Udp`], `Io` and [`SpawnLocal`]
/// are asked for by those who need them.
///
/// Implemented for whatever has the parts; never implemented by hand.
pub trait Runtime:
    BlockOn + Spawn + SpawnBlocking + Yield + Time + Net + Clone + Send + Sync + 'static
{
}

impl<R> Runtime for R where
    R: BlockOn + Spawn + SpawnBlocking + Yield + Time + Net + Clone + Send + Sync + 'static
{
}
