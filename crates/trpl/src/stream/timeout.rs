//! A deadline for each item.

use super::{Elapsed, poll_deadline};
use futures::Stream;
use pin_project_lite::pin_project;
use polyloop::time::Sleep;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio_stream::adapters::Fuse;

pin_project! {
    /// The stream of [`StreamExt::timeout`](super::StreamExt::timeout).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Timeout<S> {
        #[pin]
        stream: Fuse<S>,
        deadline: Sleep,
        duration: Duration,
        // Told once for each item that is late, and not again until there was one.
        armed: bool,
    }
}

impl<S: Stream> Timeout<S> {
    #[track_caller]
    pub(super) fn new(stream: S, duration: Duration) -> Self {
        let stream = tokio_stream::StreamExt::fuse(stream);
        Self { stream, deadline: crate::sleep(duration), duration, armed: true }
    }
}

impl<S: Stream> Stream for Timeout<S> {
    type Item = Result<S::Item, Elapsed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if let Poll::Ready(item) = this.stream.poll_next(cx) {
            if item.is_some() {
                Pin::new(this.deadline).reset_after(*this.duration);
                *this.armed = true;
            }
            return Poll::Ready(item.map(Ok));
        }
        if !*this.armed {
            return Poll::Pending;
        }
        ready!(poll_deadline(this.deadline, cx));
        *this.armed = false;
        Poll::Ready(Some(Err(Elapsed(()))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // One error before each item, and one before the end.
        let (lower, upper) = self.stream.size_hint();
        (lower, upper.and_then(|upper| upper.checked_mul(2)?.checked_add(1)))
    }
}
