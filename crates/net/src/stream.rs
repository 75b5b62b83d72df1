//! Byte streams, whole and in halves, as `futures-io` sees them.
//!
//! Invariant: each half is the only one of its direction, so that the readiness slots of a source suffice.

use crate::TcpStream;
use futures_io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A byte stream, by shared reference. Sealed: [`TcpStream`] and [`UnixStream`](crate::unix::UnixStream) are.
pub trait ByteStream: sealed::Sealed {
    /// Ends writing, so that the peer reads to the end. No error if the peer is gone already.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn end_writing(&self) -> io::Result<()>;

    /// See [`AsyncRead::poll_read`].
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// See [`AsyncRead::poll_read_vectored`].
    fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>>;

    /// See [`AsyncWrite::poll_write`].
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// See [`AsyncWrite::poll_write_vectored`].
    fn poll_write_vectored(&self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::TcpStream {}
    impl Sealed for crate::unix::UnixStream {}
}

/// `AsyncRead` for what holds a [`ByteStream`].
macro_rules! futures_read {
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
    };
}

/// `AsyncWrite` for what holds a [`ByteStream`].
macro_rules! futures_write {
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
    };
}

macro_rules! futures_stream {
    ($($stream:tt)*) => {
        $crate::stream::futures_read!($($stream)*);
        $crate::stream::futures_write!($($stream)*);
    };
}
pub(crate) use {futures_read, futures_stream, futures_write};

/// The reading half of a borrowed stream.
#[derive(Debug)]
pub struct ReadHalf<'a, S = TcpStream>(&'a S);

/// The writing half of a borrowed stream.
#[derive(Debug)]
pub struct WriteHalf<'a, S = TcpStream>(&'a S);

/// The reading half of a stream.
#[derive(Debug)]
pub struct OwnedReadHalf<S = TcpStream>(Arc<S>);

/// The writing half of a stream. Dropping it ends writing, so that the peer reads to the end.
#[derive(Debug)]
pub struct OwnedWriteHalf<S: ByteStream = TcpStream> {
    stream: Arc<S>,
    shut_on_drop: bool,
}

impl<'a, S: ByteStream> ReadHalf<'a, S> {
    pub(crate) fn pair(stream: &'a mut S) -> (Self, WriteHalf<'a, S>) {
        (Self(stream), WriteHalf(stream))
    }
}

impl<S: ByteStream> OwnedReadHalf<S> {
    pub(crate) fn pair(stream: S) -> (Self, OwnedWriteHalf<S>) {
        let stream = Arc::new(stream);
        (Self(Arc::clone(&stream)), OwnedWriteHalf { stream, shut_on_drop: true })
    }

    /// Puts the halves together again.
    ///
    /// # Errors
    ///
    /// Both halves, if they are not of one stream.
    pub fn reunite(self, mut write: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.shut_on_drop = false;
        drop(write);
        match Arc::try_unwrap(self.0) {
            Ok(stream) => Ok(stream),
            Err(_) => unreachable!("there are two halves, and both are here"),
        }
    }
}

impl<S: ByteStream> OwnedWriteHalf<S> {
    /// Drops the half without ending writing.
    pub fn forget(mut self) {
        self.shut_on_drop = false;
    }
}

impl<S: ByteStream> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if self.shut_on_drop {
            // Nobody is left to hear of an error.
            let _ = self.stream.end_writing();
        }
    }
}

/// The halves are of different streams; they come back.
#[derive(Debug)]
pub struct ReuniteError<S: ByteStream = TcpStream>(pub OwnedReadHalf<S>, pub OwnedWriteHalf<S>);

impl<S: ByteStream> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of one connection")
    }
}

impl<S: ByteStream + fmt::Debug> std::error::Error for ReuniteError<S> {}

impl<S> AsRef<S> for ReadHalf<'_, S> {
    fn as_ref(&self) -> &S {
        self.0
    }
}

impl<S> AsRef<S> for WriteHalf<'_, S> {
    fn as_ref(&self) -> &S {
        self.0
    }
}

impl<S> AsRef<S> for OwnedReadHalf<S> {
    fn as_ref(&self) -> &S {
        &self.0
    }
}

impl<S: ByteStream> AsRef<S> for OwnedWriteHalf<S> {
    fn as_ref(&self) -> &S {
        &self.stream
    }
}

futures_read!(['a, S: ByteStream] ReadHalf<'a, S>, |half| half.0);
futures_read!([S: ByteStream] OwnedReadHalf<S>, |half| &*half.0);
futures_write!(['a, S: ByteStream] WriteHalf<'a, S>, |half| half.0);
futures_write!([S: ByteStream] OwnedWriteHalf<S>, |half| &*half.stream);

/// Any stream behind a pin, for callers that hold one by the traits of `futures-io`.
const _: () = {
    const fn is_stream<T: AsyncRead + AsyncWrite + Unpin>() {}
    is_stream::<TcpStream>();
    is_stream::<&TcpStream>();
    is_stream::<Pin<&mut TcpStream>>();
};
