//! A future under a name.

use crate::probe::Probe;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A future whose polls and wakers are watched; made by [`Detect::task`](crate::Detect::task),
    /// [`Detect::watch`](crate::Detect::watch) and [`watched`](crate::watched).
    ///
    /// Its output, its drop and its panics are those of the inner future; it is as cancel safe as that one.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Watched<F> {
        probe: Probe,
        #[pin]
        future: F,
    }
}

impl<F> Watched<F> {
    pub(crate) fn new(probe: Probe, future: F) -> Self {
        Self { probe, future }
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.probe.poll(cx, |cx| this.future.poll(cx))
    }
}
