//! One program, any executor, any reactor, any timer queue.
//!
//! ```
//! use polyloop::{Runtime, time};
//! use std::time::Duration;
//!
//! let runtime = Runtime::from_name("fifo+poll+heap")?;
//! let sum = runtime.block_on(async {
//!     let nap = polyloop::spawn(async {
//!         time::sleep(Duration::from_millis(1)).await;
//!         20
//!     });
//!     nap.await.unwrap() + 22
//! });
//! assert_eq!(sum, 42);
//! # Ok::<(), polyloop::BuildError>(())
//! ```
//!
//! A runtime is chosen by type (`Runtime::<Steal, Mio, Wheel>::typed()`), by name ([`Runtime::from_name`]), or by the
//! environment variable `POLYLOOP` ([`Runtime::from_env`]). What the program says wins, then the variable, then the default
//! `steal+mio+wheel` (without the feature `mio`, another reactor). Whatever is chosen, the program is the same; names follow tokio
//! where the concept is the same.
//!
//! # Features
//!
//! On unless `default-features = false` says otherwise:
//!
//! - `mio`, `polling`, `poll`: a reactor each, and what has its name in a combination. At least one is needed; the default combination
//!   has the first of these that there is.
//! - `macros`: `#[polyloop::main]`, `#[polyloop::test]` and `for_each_combination!`.
//!
//! Off unless named:
//!
//! - `tracing`: a stalled poll is also an event of `tracing`.
//! - `futures`, `hyper`, `hyper-util`, `quinn`, `hickory`, `async-rs`, `zbus`, `criterion`: the runtime behind the traits of that crate, in
//!   [`interop`].
//! - `compat-tokio`: a hidden thread of tokio's, for libraries that know no other runtime.
//!
//! Invariant: this is the only crate that names both an executor and a reactor.

#![forbid(unsafe_code)]

#[cfg(not(any(feature = "mio", feature = "poll", feature = "polling")))]
compile_error!("polyloop needs a reactor: switch on one of its features `mio`, `poll` and `polling`");

mod blocking_io;
mod builder;
mod combination;
#[cfg(feature = "compat-tokio")]
pub mod compat;
mod deadlock;
pub mod dump;
mod executors;
mod foreign;
pub mod fs;
mod handle;
mod id;
pub mod interop;
pub mod io;
mod kinds;
#[cfg(feature = "macros")]
mod macros;
mod metrics;
pub mod net;
#[cfg(unix)]
pub mod process;
mod registry;
pub mod runtime;
mod select;
mod shutdown;
#[cfg(unix)]
pub mod signal;
pub mod stall;
pub mod sync;
pub mod task;
mod threads;
pub mod time;

pub use builder::{BuildError, Builder};
pub use combination::{Combination, CombinationError};
pub use executors::{Edf, Fair, Fifo, Global, PerCore, Steal};
pub use foreign::{NotPollable, Turned};
pub use handle::{EnterGuard, Handle, NoRuntime, ShutDown};
pub use kinds::{Any, ExecutorKind, ReactorKind, TimersKind};
#[cfg(feature = "macros")]
#[doc(hidden)]
pub use macros::{__macros, __reactors};
pub use metrics::RuntimeMetrics;
pub use polyloop_blocking::Limits as BlockingLimits;
pub use polyloop_core::block_on::{BlockOnError, Nested};
pub use polyloop_core::deadlock::Deadlock;
pub use polyloop_core::{Fairness, Honours};
#[cfg(feature = "macros")]
pub use polyloop_macros::{main, test};
pub use polyloop_pool::BlockPolicy;
#[cfg(feature = "mio")]
pub use polyloop_reactor::Mio;
#[cfg(feature = "poll")]
pub use polyloop_reactor::Poll;
#[cfg(feature = "polling")]
pub use polyloop_reactor::Polling;
pub use polyloop_steal::Lifo;
pub use polyloop_time::{Heap, ManualClock, PausableClock, SystemClock, Wheel};
pub use registry::{NameError, Places, register_scheduler};
#[doc(inline)]
pub use runtime::Runtime;
pub use shutdown::{Ended, Report};
pub use task::spawn;
#[doc(hidden)]
pub use tokio::select as __select;
pub use tokio::{join, pin, try_join};
