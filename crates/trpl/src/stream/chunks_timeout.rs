//! Several items at a time, but none that waits for long.

use super::poll_deadline;
use futures::Stream;
use pin_project_lite::pin_project;
use polyloop::time::Sleep;
use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio_stream::adapters::Fuse;

pin_project! {
    /// The stream of [`StreamExt::chunks_timeout`](super::StreamExt::chunks_timeout).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct ChunksTimeout<S: Stream> {
        #[pin]
        stream: Fuse<S>,
        // Runs since the first item of the chunk; made for the first chunk.
        deadline: Option<Sleep>,
        duration: Duration,
        items: Vec<S::Item>,
        most: usize,
    }
}

impl<S: Stream> ChunksTimeout<S> {
    pub(super) fn new(stream: S, most: usize, duration: Duration) -> Self {
        let stream = tokio_stream::StreamExt::fuse(stream);
        // A chunk is sent when it has an item, so it has at least one.
        Self { stream, deadline: None, duration, items: Vec::new(), most: most.max(1) }
    }

    /// The items that are no chunk yet.
    pub fn into_remainder(self: Pin<&mut Self>) -> Vec<S::Item> {
        take(self.project().items)
    }
}

impl<S: Stream> Stream for ChunksTimeout<S> {
    type Item = Vec<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        let mut this = self.project();
        while let Poll::Ready(item) = this.stream.as_mut().poll_next(cx) {
            let Some(item) = item else {
                let last = take(this.items);
                return Poll::Ready((!last.is_empty()).then_some(last));
            };
            if this.items.is_empty() {
                match this.deadline {
                    Some(deadline) => Pin::new(deadline).reset_after(*this.duration),
                    None => *this.deadline = Some(crate::sleep(*this.duration)),
                }
            }
            this.items.push(item);
            if this.items.len() >= *this.most {
                return Poll::Ready(Some(take(this.items)));
            }
        }
        match this.deadline {
            Some(deadline) if !this.items.is_empty() => {
                ready!(poll_deadline(deadline, cx));
                Poll::Ready(Some(take(this.items)))
            }
            _ => Poll::Pending,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let begun = usize::from(!self.items.is_empty());
        let (lower, upper) = self.stream.size_hint();
        let lower = lower.saturating_add(self.items.len()).div_ceil(self.most);
        (lower, upper.and_then(|upper| upper.checked_add(begun)))
    }
}
