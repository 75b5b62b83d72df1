//! Streams, in tokio-stream's flavour: closures are functions, not futures.
//!
//! What needs no clock is tokio-stream's own, reached through a trait of ours: an extension of its trait would leave its methods
//! out of scope. What needs a clock is here, on the timers of the current runtime.
//!
//! Invariant: one trait has all methods, and asks nothing but [`Stream`](futures::Stream).

mod chunks_timeout;
mod ext;
mod throttle;
mod timeout;
mod timeout_repeating;
mod wrappers;

pub use ext::StreamExt;
pub use wrappers::{IntervalStream, ReceiverStream};

use polyloop::task::unconstrained;
use polyloop::time::Sleep;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The deadline has passed before the stream had an item.
#[derive(Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}

/// Polls a deadline. It holds also for a stream that uses its task's whole budget in every poll.
fn poll_deadline(sleep: &mut Sleep, cx: &mut Context<'_>) -> Poll<()> {
    Pin::new(&mut unconstrained(sleep)).poll(cx)
}
