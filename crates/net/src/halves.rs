//! The two halves of a byte stream, borrowed or owned.
//!
//! Invariant: each half is the only one of its direction, so that the readiness slots of a source suffice.

use crate::TcpStream;
use crate::readiness::{Interest, Ready};
use crate::stream::{ByteStream, async_read, async_write};
use crate::unix::UnixStream;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll};

/// The reading half of a borrowed stream.
///
/// # Examples
///
/// A look at what comes, before anything of it is taken:
///
/// ```no_run
/// # async fn f(mut stream: polyloop_net::TcpStream) -> std::io::Result<()> {
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let (mut read, mut write) = stream.split();
/// let mut first = [0; 1];
/// if read.peek(&mut first).await? == 1 && first[0] == b'?' {
///     let mut question = [0; 64];
///     let n = read.read(&mut question).await?;
///     write.write_all(&question[..n]).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReadHalf<'a, S = TcpStream>(&'a S);

/// The writing half of a borrowed stream.
#[derive(Debug)]
pub struct WriteHalf<'a, S = TcpStream>(&'a S);

/// The reading half of a stream.
///
/// # Examples
///
/// Waiting first and trying then, while another task writes:
///
/// ```no_run
/// # async fn f(stream: polyloop_net::TcpStream) -> std::io::Result<()> {
/// use polyloop_net::Interest;
/// use std::io::ErrorKind::WouldBlock;
///
/// let (read, write) = stream.into_split();
/// let reading = async move {
///     let mut all = Vec::new();
///     loop {
///         read.ready(Interest::READABLE).await?;
///         match read.try_read_buf(&mut all) {
///             Ok(0) => return Ok(all),
///             Ok(_) => {}
///             Err(error) if error.kind() == WouldBlock => {}
///             Err(error) => return Err(error),
///         }
///     }
/// };
/// write.writable().await?;
/// write.try_write(b"hello")?;
/// drop(write);
/// println!("{} bytes", reading.await?.len());
/// # Ok(())
/// # }
/// ```
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

async_read!(['a, S: ByteStream] ReadHalf<'a, S>, |half| half.0);
async_read!([S: ByteStream] OwnedReadHalf<S>, |half| &*half.0);
async_write!(['a, S: ByteStream] WriteHalf<'a, S>, |half| half.0);
async_write!([S: ByteStream] OwnedWriteHalf<S>, |half| &*half.stream);

/// What a reading half can do, whoever holds the stream.
macro_rules! reading {
    ([$($generics:tt)*] $half:ty) => {
        impl<$($generics)*> $half {
            /// Waits until what `interest` names is worth a try; with both, until one of them is. The other direction is the other
            /// half's, but this one may ask about it.
            ///
            /// # Errors
            ///
            /// That the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().wait_for(interest).await
            }

            /// Waits until a read is worth a try.
            ///
            /// # Errors
            ///
            /// That the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn readable(&self) -> io::Result<()> {
                self.ready(Interest::READABLE).await.map(drop)
            }

            /// Reads now.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is nothing; then [`readable`](Self::readable) waits for more.
            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buffer)
            }

            /// As [`try_read`](Self::try_read), but appends to `buffer`, as much as its spare capacity holds. A full one grows.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_read_buf(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                self.as_ref().try_read_on(buffer)
            }

            /// As [`try_read`](Self::try_read), into several buffers one after the other.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_several(buffers)
            }
        }
    };
}

/// What a writing half can do, whoever holds the stream.
macro_rules! writing {
    ([$($generics:tt)*] $half:ty) => {
        impl<$($generics)*> $half {
            /// Waits until what `interest` names is worth a try; with both, until one of them is. The other direction is the other
            /// half's, but this one may ask about it.
            ///
            /// # Errors
            ///
            /// That the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().wait_for(interest).await
            }

            /// Waits until a write is worth a try.
            ///
            /// # Errors
            ///
            /// That the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn writable(&self) -> io::Result<()> {
                self.ready(Interest::WRITABLE).await.map(drop)
            }

            /// Writes now.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is no room; then [`writable`](Self::writable) waits for some.
            pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(bytes)
            }

            /// As [`try_write`](Self::try_write), from several buffers one after the other.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_write_vectored(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_several(bytes)
            }
        }
    };
}

reading!(['a, S: ByteStream] ReadHalf<'a, S>);
reading!([S: ByteStream] OwnedReadHalf<S>);
writing!(['a, S: ByteStream] WriteHalf<'a, S>);
writing!([S: ByteStream] OwnedWriteHalf<S>);

/// What only TCP can do.
macro_rules! peeking {
    ($($half:ty),*) => {$(
        impl $half {
            /// Reads without taking what was read.
            ///
            /// # Errors
            ///
            /// The kernel's word, or that the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buffer).await
            }

            /// As [`peek`](Self::peek). Of several tasks that poll, the last one is woken.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn poll_peek(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buffer)
            }
        }
    )*};
}

peeking!(ReadHalf<'_>, OwnedReadHalf);

/// The addresses, whose type depends on the kind of stream.
macro_rules! addresses {
    ($stream:ty, $address:ty, $($half:ty),*) => {$(
        impl $half {
            /// This side's address.
            ///
            /// # Errors
            ///
            /// The kernel's word.
            pub fn local_addr(&self) -> io::Result<$address> {
                AsRef::<$stream>::as_ref(self).local_addr()
            }

            /// The other side's address.
            ///
            /// # Errors
            ///
            /// The kernel's word.
            pub fn peer_addr(&self) -> io::Result<$address> {
                AsRef::<$stream>::as_ref(self).peer_addr()
            }
        }
    )*};
    ($stream:ty, $address:ty) => {
        addresses!($stream, $address, ReadHalf<'_, $stream>, WriteHalf<'_, $stream>);
        addresses!($stream, $address, OwnedReadHalf<$stream>, OwnedWriteHalf<$stream>);
    };
}

addresses!(TcpStream, std::net::SocketAddr);
addresses!(UnixStream, crate::unix::SocketAddr);
