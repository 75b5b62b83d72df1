//! The pipes of a child.

use crate::net::Context;
use crate::net::unix::pipe::{Receiver, Sender};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context as TaskContext, Poll};
use tokio::io::ReadBuf;

/// A pipe of a child around one of `net`.
macro_rules! child_pipe {
    ($(#[$doc:meta])+ $pipe:ident, $end:ident) => {
        $(#[$doc])+
        ///
        /// # Cancel safety
        ///
        /// As of a socket: a single read or write that was not ready has done nothing.
        #[derive(Debug)]
        pub struct $pipe($end);

        impl $pipe {
            pub(super) fn on(context: &Context, std: std::process::$pipe) -> io::Result<Self> {
                $end::from_owned_fd_on(context, std.into()).map(Self)
            }

            /// Takes a pipe of the standard library over, to the current runtime.
            ///
            /// # Errors
            ///
            /// The kernel's word, or that there is no runtime here.
            pub fn from_std(std: std::process::$pipe) -> io::Result<Self> {
                $end::from_owned_fd(std.into()).map(Self)
            }

            /// Gives the descriptor back, in blocking mode, as another process expects it.
            ///
            /// # Errors
            ///
            /// The kernel's word.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                self.0.into_blocking_fd()
            }
        }

        impl AsFd for $pipe {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $pipe {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }

        /// For the next command of a pipeline.
        impl TryFrom<$pipe> for Stdio {
            type Error = io::Error;

            fn try_from(pipe: $pipe) -> io::Result<Self> {
                pipe.into_owned_fd().map(Self::from)
            }
        }
    };
}

child_pipe! {
    /// The input of a child; dropping it is its end.
    ChildStdin, Sender
}

child_pipe! {
    /// The output of a child.
    ChildStdout, Receiver
}

child_pipe! {
    /// The errors of a child.
    ChildStderr, Receiver
}

macro_rules! readers {
    ($($pipe:ident)*) => { $(
        impl tokio::io::AsyncRead for $pipe {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut TaskContext<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                tokio::io::AsyncRead::poll_read(Pin::new(&mut self.0), cx, buffer)
            }
        }

        impl futures_io::AsyncRead for $pipe {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut TaskContext<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncRead::poll_read(Pin::new(&mut self.0), cx, buffer)
            }

            fn poll_read_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut TaskContext<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncRead::poll_read_vectored(Pin::new(&mut self.0), cx, buffers)
            }
        }
    )* };
}

readers!(ChildStdout ChildStderr);

impl tokio::io::AsyncWrite for ChildStdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(Pin::new(&mut self.0), cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut self.0), cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: the input ends when this is dropped.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncWrite for ChildStdin {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(self, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write_vectored(self, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
