//! The helper crate of the Rust Book's chapter on async, on any combination of executor, reactor and timer queue.
//!
//! ```toml
//! [dependencies]
//! trpl = { package = "polyloop-trpl", path = "…/polyloop/crates/trpl" }
//! ```
//!
//! A program of the chapter builds and behaves as with the original, versions 0.2 and 0.3; not a line of it changes. What it runs
//! on is named by the variable `POLYLOOP`, as in `POLYLOOP=fifo+poll+heap cargo run`, and is `steal+mio+wheel` without it: several
//! threads, as in the original.
//!
//! ```
//! use std::time::Duration;
//!
//! let total = trpl::run(async {
//!     let (sender, mut receiver) = trpl::channel();
//!     let sending = async move {
//!         for n in 1..=3 {
//!             sender.send(n).unwrap();
//!             trpl::sleep(Duration::from_millis(1)).await;
//!         }
//!     };
//!     let receiving = async {
//!         let mut total = 0;
//!         while let Some(n) = receiver.recv().await {
//!             total += n;
//!         }
//!         total
//!     };
//!     trpl::join(sending, receiving).await.1
//! });
//! assert_eq!(total, 6);
//! ```
//!
//! [`Builder`] is here, too, where the original leaves one to tokio's: a program that used that changes its `use` line.
//!
//! # Features
//!
//! `get` ([`get`], [`Response`]) and `html` ([`Html`]) bring most of what there is to build; both are on unless
//! `default-features = false`.
//!
//! With `timeline`, which is off, the variable `POLYLOOP_TIMELINE=FILE` has a program write down when its futures were polled and
//! woken: the main one, its tasks, and the arms of joins and races. The file is written when the main future ends, and
//! `cargo xtask book --timeline FILE` draws it. Without the variable nothing is noted. The joins of two, three
//! and many have futures of other types with it, which matters to whoever names these. Where the file cannot be written the program
//! says so on standard error and does all the same; so it does where the variable is set and the feature is off.
//!
//! # What must not compile
//!
//! Futures without a name of their own move only when they are pinned ([`std::pin::Pin`]), as in the original:
//!
//! ```compile_fail,E0277
//! let (one, two) = (async {}, async {});
//! let futures: Vec<Box<dyn Future<Output = ()>>> = vec![Box::new(one), Box::new(two)];
//! trpl::run(async { trpl::join_all(futures).await });
//! ```
//!
//! And `next` wants its trait:
//!
//! ```compile_fail,E0599
//! trpl::run(async {
//!     let mut stream = trpl::stream_from_iter([1, 2, 3]);
//!     while let Some(n) = stream.next().await {
//!         println!("{n}");
//!     }
//! });
//! ```
//!
//! Invariant: names and signatures are those of the original. What goes beyond (`Builder`, `try_get`, `Client`) has names that the
//! original has not.

#![forbid(unsafe_code)]

mod fs;
#[cfg(feature = "get")]
mod get;
mod here;
#[cfg(feature = "html")]
mod html;
#[cfg(feature = "timeline")]
mod lanes;
mod race;
mod runtime;
mod stream;
mod task;
mod time;

pub use fs::read_to_string;
#[cfg(not(feature = "timeline"))]
pub use futures::future::{join, join_all, join3};
/// The function of the same name for any number of futures of different types: `trpl::join!(a, b, c)` is a tuple of what they
/// came to.
#[cfg(not(feature = "timeline"))]
pub use futures::join;
pub use futures::{Stream, future::Either};
#[cfg(feature = "get")]
pub use get::{Client, GetError, GetErrorKind, Response, get, try_get};
#[cfg(feature = "html")]
pub use html::Html;
#[cfg(feature = "timeline")]
pub use lanes::{join, join_all, join3};
pub use polyloop::sync::mpsc::{
    UnboundedReceiver as Receiver, UnboundedSender as Sender, unbounded_channel as channel,
};
pub use polyloop::task::JoinHandle;
pub use race::{race, select};
pub use runtime::{Builder, Runtime, block_on, run};
pub use stream::{IntervalStream, ReceiverStream, StreamExt};
pub use task::{spawn_task, yield_now};
pub use time::{interval, sleep};
pub use tokio_stream::iter as stream_from_iter;

/// For the macro alone.
#[cfg(feature = "timeline")]
#[doc(hidden)]
pub mod __private {
    pub use crate::lanes::Arms;
    pub use futures;
}
