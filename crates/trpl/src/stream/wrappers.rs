//! What is no stream by itself.

use futures::Stream;
use polyloop::sync::mpsc::UnboundedReceiver;
use polyloop::time::{Instant, Interval};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The messages of a channel as a stream, which ends when the last sender is gone.
///
/// # Examples
///
/// ```
/// use trpl::{ReceiverStream, StreamExt};
///
/// let sum = trpl::run(async {
///     let (sender, receiver) = trpl::channel();
///     for n in 1..=3 {
///         sender.send(n).unwrap();
///     }
///     drop(sender);
///     ReceiverStream::new(receiver).fold(0, |sum, n| sum + n).await
/// });
/// assert_eq!(sum, 6);
/// ```
#[derive(Debug)]
pub struct ReceiverStream<T>(UnboundedReceiver<T>);

impl<T> ReceiverStream<T> {
    /// The stream of what this receives.
    pub fn new(receiver: UnboundedReceiver<T>) -> Self {
        Self(receiver)
    }

    /// The receiver.
    pub fn into_inner(self) -> UnboundedReceiver<T> {
        self.0
    }

    /// Lets no more messages in; what is in the channel still comes out.
    pub fn close(&mut self) {
        self.0.close();
    }
}

impl<T> Stream for ReceiverStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Asked first: once it is closed, no more come in.
        let closed = self.0.is_closed();
        let waiting = self.0.len();
        (waiting, closed.then_some(waiting))
    }
}

impl<T> AsRef<UnboundedReceiver<T>> for ReceiverStream<T> {
    fn as_ref(&self) -> &UnboundedReceiver<T> {
        &self.0
    }
}

impl<T> AsMut<UnboundedReceiver<T>> for ReceiverStream<T> {
    fn as_mut(&mut self) -> &mut UnboundedReceiver<T> {
        &mut self.0
    }
}

impl<T> From<UnboundedReceiver<T>> for ReceiverStream<T> {
    fn from(receiver: UnboundedReceiver<T>) -> Self {
        Self::new(receiver)
    }
}

/// The ticks of an interval as a stream, which never ends. Its items are the instants at which the ticks were due.
#[derive(Debug)]
pub struct IntervalStream(Interval);

impl IntervalStream {
    /// The stream of these ticks.
    pub fn new(interval: Interval) -> Self {
        Self(interval)
    }

    /// The interval.
    pub fn into_inner(self) -> Interval {
        self.0
    }
}

impl Stream for IntervalStream {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.0.poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl AsRef<Interval> for IntervalStream {
    fn as_ref(&self) -> &Interval {
        &self.0
    }
}

impl AsMut<Interval> for IntervalStream {
    fn as_mut(&mut self) -> &mut Interval {
        &mut self.0
    }
}
