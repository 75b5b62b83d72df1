//! Items with a pause between them.

use futures::Stream;
use pin_project_lite::pin_project;
use polyloop::time::Sleep;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pin_project! {
    /// The stream of [`StreamExt::throttle`](super::StreamExt::throttle).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Throttle<S> {
        #[pin]
        stream: S,
        // `None` for a pause of no length.
        pause: Option<Sleep>,
        duration: Duration,
        pausing: bool,
    }
}

impl<S: Stream> Throttle<S> {
    #[track_caller]
    pub(super) fn new(stream: S, duration: Duration) -> Self {
        let pause = (!duration.is_zero()).then(|| crate::sleep(duration));
        // The first item does not wait.
        Self { stream, pause, duration, pausing: false }
    }
}

impl<S> Throttle<S> {
    /// The stream without its pauses, to be looked at.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream without its pauses, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream without its pauses.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Stream> Stream for Throttle<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if let Some(pause) = this.pause.as_mut().filter(|_| *this.pausing) {
            ready!(Pin::new(pause).poll(cx));
            *this.pausing = false;
        }
        let item = ready!(this.stream.poll_next(cx));
        if let (Some(_), Some(pause)) = (&item, this.pause) {
            Pin::new(pause).reset_after(*this.duration);
            *this.pausing = true;
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}
