//! A connection as hyper wants it.

use futures::io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// As much is read at a time.
const CHUNK: usize = 8 * 1024;

/// Reads and writes for hyper. What it reads passes through a buffer of its own, because hyper's may not be initialised, and only
/// unsafe code could say so.
pub(super) struct Wire<T> {
    stream: T,
    chunk: Box<[u8; CHUNK]>,
}

impl<T> Wire<T> {
    pub(super) fn new(stream: T) -> Self {
        Self { stream, chunk: Box::new([0; CHUNK]) }
    }
}

impl<T: AsyncRead + Unpin> Read for Wire<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, chunk } = self.get_mut();
        let most = cursor.remaining().min(CHUNK);
        let read = ready!(Pin::new(stream).poll_read(cx, &mut chunk[..most]))?;
        cursor.put_slice(&chunk[..read]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Write for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
