//! A bell.

use super::stands_for;
use crate::task::coop::poll_proceed;
use bytemuck::TransparentWrapper;
use bytemuck::allocation::TransparentWrapperAlloc;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync as inner;

/// Wakes one task or all that wait; see [`tokio::sync::Notify`].
#[derive(Default, TransparentWrapper)]
#[repr(transparent)]
pub struct Notify(inner::Notify);

stands_for!(Notify => inner::Notify);

impl Notify {
    /// A bell that was not rung.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`new`](Self::new), for statics.
    pub const fn const_new() -> Self {
        Self(inner::Notify::const_new())
    }

    /// Waits for the next notification; one by `notify_waiters` counts from this call on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost, and a notification that had come goes to the next one.
    pub fn notified(&self) -> Notified<'_> {
        Notified { inner: self.0.notified() }
    }

    /// As [`notified`](Self::notified), with a future that keeps the bell.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub fn notified_owned(self: Arc<Self>) -> OwnedNotified {
        OwnedNotified { inner: Self::peel_arc(self).notified_owned() }
    }
}

pin_project! {
    /// The future of [`Notify::notified`]; see [`tokio::sync::futures::Notified`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Notified<'a> {
        #[pin]
        inner: inner::futures::Notified<'a>,
    }
}

pin_project! {
    /// The future of [`Notify::notified_owned`]; see [`tokio::sync::futures::OwnedNotified`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct OwnedNotified {
        #[pin]
        inner: inner::futures::OwnedNotified,
    }
}

impl Notified<'_> {
    /// Takes its place in the line without a poll; whether it was notified already.
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.project().inner.enable()
    }
}

impl OwnedNotified {
    /// Takes its place in the line without a poll; whether it was notified already.
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.project().inner.enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let operation = ready!(poll_proceed(cx));
        ready!(self.project().inner.poll(cx));
        operation.made_progress();
        Poll::Ready(())
    }
}

impl Future for OwnedNotified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let operation = ready!(poll_proceed(cx));
        ready!(self.project().inner.poll(cx));
        operation.made_progress();
        Poll::Ready(())
    }
}
