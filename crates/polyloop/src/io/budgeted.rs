//! A stream whose every step counts.
//!
//! Invariant: a step that the budget refuses does not reach the stream, so that nothing of it is lost.

use crate::task::coop::poll_proceed;
use pin_project_lite::pin_project;
use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

pin_project! {
    /// Lets a stream that knows nothing of the [budget](crate::task::coop) take part in it: each read and write that is
    /// ready takes one operation, and with none left it says "pending", so that other tasks have their turn.
    ///
    /// # Cancel safety
    ///
    /// As the stream within.
    ///
    /// # Examples
    ///
    /// ```
    /// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
    /// # runtime.block_on(async {
    /// use polyloop::io::{AsyncReadExt, Budgeted};
    ///
    /// let mut bytes = Budgeted::new(&b"of somebody else"[..]);
    /// let mut word = [0; 2];
    /// bytes.read_exact(&mut word).await?;
    /// assert_eq!(&word, b"of");
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    #[derive(Clone, Debug, Default)]
    pub struct Budgeted<T> {
        #[pin]
        inner: T,
    }
}

impl<T> Budgeted<T> {
    /// Wraps `inner`.
    pub const fn new(inner: T) -> Self {
        Self { inner }
    }

    /// What it wraps.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// What it wraps.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// What it wraps.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

/// Takes one operation for `step` if that is ready.
fn counted<R>(cx: &mut Context<'_>, step: impl FnOnce(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
    let operation = ready!(poll_proceed(cx));
    let done = ready!(step(cx));
    operation.made_progress();
    Poll::Ready(done)
}

impl<T: AsyncRead> AsyncRead for Budgeted<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        counted(cx, |cx| self.project().inner.poll_read(cx, buffer))
    }
}

impl<T: AsyncBufRead> AsyncBufRead for Budgeted<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        counted(cx, |cx| self.project().inner.poll_fill_buf(cx))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.project().inner.consume(n);
    }
}

impl<T: AsyncWrite> AsyncWrite for Budgeted<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        counted(cx, |cx| self.project().inner.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        counted(cx, |cx| self.project().inner.poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        counted(cx, |cx| self.project().inner.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        counted(cx, |cx| self.project().inner.poll_shutdown(cx))
    }
}

impl<T: AsyncSeek> AsyncSeek for Budgeted<T> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        self.project().inner.start_seek(position)
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        self.project().inner.poll_complete(cx)
    }
}
