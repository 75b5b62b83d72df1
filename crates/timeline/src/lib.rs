//! Timelines: what labelled futures did when, recorded on any runtime, kept as JSON, and told in the terminal.
//!
//! A [`Log`] labels futures and notes their polls and wakes; [`Log::timeline`] is what it saw. [`draw`] shows timelines on one scale,
//! [`why`] makes a sentence of one, and a [`Recording`] is a program's own in a file.
//!
//! ```
//! use polyloop_timeline::{Log, why};
//!
//! let log = Log::new(true);
//! futures::executor::block_on(log.task("a", async { "any runtime" }));
//! let timeline = log.timeline(why).unwrap();
//! assert_eq!((timeline.lanes[0].label.as_str(), timeline.lanes[0].polls.len()), ("a", 1));
//! ```
//!
//! Invariant: it knows no runtime and no other crate of the house, so that whatever can be polled can be looked at.

#![forbid(unsafe_code)]

mod data;
pub mod draw;
mod reason;
mod record;
mod recording;
pub mod terminal;
pub mod text;
pub mod units;

pub use data::{Joined, Lane, Mark, Slice, Timeline};
pub use reason::{Wait, at, longest_poll, longest_wait, nth, ordinal, say_us, say_wait, why};
pub use record::{Log, Traced};
pub use recording::Recording;
