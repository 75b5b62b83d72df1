//! Byte streams as `futures-io` and tokio's traits see them.
//!
//! Of several tasks that poll one direction by these traits the last one is woken; there is one slot for each direction.
//! Both families go through that slot, and count in the budget of the poll alike.

use crate::TcpStream;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::ReadBuf;

/// How much of a buffer is cleared for one read if nobody wrote to it before. The kernel writes to memory that was
/// initialised, because only `unsafe` could promise that it did; and a read seldom fills more.
const CLEARED: usize = 32 * 1024;

/// How much of `buffer` one read may fill.
pub(crate) fn room(buffer: &ReadBuf<'_>) -> usize {
    let initialized = buffer.initialized().len() - buffer.filled().len();
    buffer.remaining().min(initialized.max(CLEARED))
}

/// A byte stream, by shared reference. Sealed: [`TcpStream`] and [`UnixStream`](crate::unix::UnixStream) are.
pub trait ByteStream: sealed::Sealed {
    /// Ends writing, so that the peer reads to the end. No error if the peer is gone already.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn end_writing(&self) -> io::Result<()>;

    /// Reads now, or says `WouldBlock`.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes now, or says `WouldBlock`.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// See [`futures_io::AsyncRead::poll_read`].
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// See [`futures_io::AsyncRead::poll_read_vectored`].
    fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>>;

    /// See [`tokio::io::AsyncRead::poll_read`].
    fn poll_read_buf(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;

    /// See [`futures_io::AsyncWrite::poll_write`].
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// See [`futures_io::AsyncWrite::poll_write_vectored`].
    fn poll_write_vectored(&self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;
}

pub(crate) mod sealed {
    use crate::readiness::{Interest, Ready};
    use std::future::Future;
    use std::io::{self, IoSlice, IoSliceMut};

    /// What halves do by their stream, beyond what everybody may.
    pub trait Sealed {
        /// Waits by a place of its own, so that any number of tasks may.
        fn wait_for(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;

        fn try_read_several(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;

        fn try_read_on(&self, buffer: &mut Vec<u8>) -> io::Result<usize>;

        fn try_write_several(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize>;
    }
}

/// Both `AsyncRead` for what holds a [`ByteStream`].
macro_rules! async_read {
    ([$($generics:tt)*] $type:ty, |$this:ident| $stream:expr) => {
        impl<$($generics)*> ::futures_io::AsyncRead for $type {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let $this = &*self;
                $crate::stream::ByteStream::poll_read($stream, cx, buffer)
            }

            fn poll_read_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buffers: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let $this = &*self;
                $crate::stream::ByteStream::poll_read_vectored($stream, cx, buffers)
            }
        }

        impl<$($generics)*> ::tokio::io::AsyncRead for $type {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buffer: &mut ::tokio::io::ReadBuf<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let $this = &*self;
                $crate::stream::ByteStream::poll_read_buf($stream, cx, buffer)
            }
        }
    };
}

/// Both `AsyncWrite` for what holds a [`ByteStream`].
macro_rules! async_write {
    ([$($generics:tt)*] $type:ty, |$this:ident| $stream:expr) => {
        impl<$($generics)*> ::futures_io::AsyncWrite for $type {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bytes: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let $this = &*self;
                $crate::stream::ByteStream::poll_write($stream, cx, bytes)
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bytes: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let $this = &*self;
                $crate::stream::ByteStream::poll_write_vectored($stream, cx, bytes)
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                _: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                ::std::task::Poll::Ready(Ok(()))
            }

            fn poll_close(
                self: ::std::pin::Pin<&mut Self>,
                _: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let $this = &*self;
                ::std::task::Poll::Ready($crate::stream::ByteStream::end_writing($stream))
            }
        }

        impl<$($generics)*> ::tokio::io::AsyncWrite for $type {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bytes: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                ::futures_io::AsyncWrite::poll_write(self, cx, bytes)
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bytes: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                ::futures_io::AsyncWrite::poll_write_vectored(self, cx, bytes)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                ::futures_io::AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                ::futures_io::AsyncWrite::poll_close(self, cx)
            }
        }
    };
}

macro_rules! async_stream {
    ($($stream:tt)*) => {
        $crate::stream::async_read!($($stream)*);
        $crate::stream::async_write!($($stream)*);
    };
}
pub(crate) use {async_read, async_stream, async_write};

/// Any stream behind a pin, for callers that hold one by the traits of `futures-io` or tokio.
const _: () = {
    const fn is_stream<T>()
    where
        T: futures_io::AsyncRead
            + futures_io::AsyncWrite
            + tokio::io::AsyncRead
            + tokio::io::AsyncWrite
            + Unpin,
    {
    }
    is_stream::<TcpStream>();
    is_stream::<&TcpStream>();
    is_stream::<Pin<&mut TcpStream>>();
};
