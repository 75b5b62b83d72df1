//! Pipes, also those of child processes and those that have a name.

use crate::Context;
use crate::readiness::readiness;
use crate::stream::room;
use crate::watched::{Bytes, Watched};
use polyloop_core::Direction;
use std::io::{self, IoSlice, IoSliceMut, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use tokio::io::ReadBuf;

/// Both ends of a new pipe, on the current runtime.
///
/// # Errors
///
/// The kernel's word, or that there is no runtime.
///
/// # Examples
///
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// let (sender, receiver) = polyloop_net::unix::pipe::pipe()?;
/// sender.write_all(b"hello").await?;
/// drop(sender);
/// let mut word = [0; 5];
/// receiver.read_exact(&mut word).await?;
/// # Ok(())
/// # }
/// ```
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    pipe_on(&Context::current()?)
}

/// Both ends of a new pipe, on the runtime of `context`.
///
/// # Errors
///
/// The kernel's word.
pub fn pipe_on(context: &Context) -> io::Result<(Sender, Receiver)> {
    let (reader, writer) = io::pipe()?;
    Ok((
        Sender::from_owned_fd_on(context, writer.into())?,
        Receiver::from_owned_fd_on(context, reader.into())?,
    ))
}

/// The end of a pipe that is written to. Of several tasks that poll by the traits, the last one is woken; the `async` methods
/// take any number.
///
/// Dropping the last one ends what the other end reads.
#[derive(Debug)]
pub struct Sender {
    watched: Watched<PipeWriter>,
}

/// The end of a pipe that is read from. Of several tasks that poll by the traits, the last one is woken; the `async` methods
/// take any number.
#[derive(Debug)]
pub struct Receiver {
    watched: Watched<PipeReader>,
}

/// A pipe may be in packet mode, in which a read ends with the packet.
impl Bytes for PipeReader {
    const SHORT_READ_EMPTIES: bool = false;
}

/// What both ends have.
macro_rules! end {
    ($end:ident, $file:ty) => {
        readiness!($end);

        impl $end {
            /// Takes a descriptor over, to the current runtime. It is put into non-blocking mode, and so is whatever else refers to the
            /// same open file.
            ///
            /// # Errors
            ///
            /// The kernel's word: `EPERM` for what cannot be watched, such as a regular file under epoll.
            pub fn from_owned_fd(fd: OwnedFd) -> io::Result<Self> {
                Self::from_owned_fd_on(&Context::current()?, fd)
            }

            /// As [`from_owned_fd`](Self::from_owned_fd), to the runtime of `context`.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn from_owned_fd_on(context: &Context, fd: OwnedFd) -> io::Result<Self> {
                rustix::io::ioctl_fionbio(&fd, true)?;
                Ok(Self { watched: Watched::new(context, <$file>::from(fd), true)? })
            }

            /// Gives the descriptor back, in blocking mode.
            ///
            /// # Errors
            ///
            /// The kernel's word.
            pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
                let fd = self.into_nonblocking_fd()?;
                rustix::io::ioctl_fionbio(&fd, false)?;
                Ok(fd)
            }

            /// Gives the descriptor back, in non-blocking mode.
            ///
            /// # Errors
            ///
            /// The kernel's word.
            pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
                self.watched.into_file(<$file>::try_clone).map(OwnedFd::from)
            }
        }

        impl AsFd for $end {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.watched.get().as_fd()
            }
        }

        impl AsRawFd for $end {
            fn as_raw_fd(&self) -> RawFd {
                self.watched.get().as_raw_fd()
            }
        }
    };
}

end!(Sender, PipeWriter);
end!(Receiver, PipeReader);

impl Sender {
    /// Writes as much of `bytes` as the kernel takes.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if nobody reads; otherwise the kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is written if the future is dropped before it is ready.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.watched.write(bytes.len(), |mut pipe| pipe.write(bytes)).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: nobody knows how much was written.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => bytes = &bytes[n..],
            }
        }
        Ok(())
    }

    /// Writes now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; then [`writable`](Self::writable) waits for some.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.watched.try_io(Direction::Write, |mut pipe| pipe.write(bytes))
    }
}

impl Receiver {
    /// Reads what is there, up to the length of `buffer`; 0 bytes mean the end, or an empty buffer.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is read if the future is dropped before it is ready.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watched.read(buffer.len(), |mut pipe| pipe.read(buffer)).await
    }

    /// Fills `buffer`, and gives its length.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the pipe ends before; otherwise as for [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read before is in the buffer, and nobody knows how much.
    pub async fn read_exact(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }
        Ok(filled)
    }

    /// Reads now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is nothing; then [`readable`](Self::readable) waits for more.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watched.try_io(Direction::Read, |mut pipe| pipe.read(buffer))
    }
}

impl tokio::io::AsyncRead for Receiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = room(buffer);
        let n = ready!(
            self.watched.poll_read(cx, room, |mut pipe| { pipe.read(buffer.initialize_unfilled_to(room)) })
        )?;
        buffer.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncRead for Receiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.watched.poll_read(cx, buffer.len(), |mut pipe| pipe.read(buffer))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        self.watched.poll_read(cx, room, |mut pipe| pipe.read_vectored(buffers))
    }
}

impl tokio::io::AsyncWrite for Sender {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.watched.poll_write(cx, bytes.len(), |mut pipe| pipe.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.iter().map(|bytes| bytes.len()).sum();
        self.watched.poll_write(cx, length, |mut pipe| pipe.write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: a pipe ends when it is dropped.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncWrite for Sender {
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
