//! The two halves of a byte stream, borrowed or owned.
//!
//! Invariant: each half is the only one of its direction, so that the readiness slots of a source suffice.

use crate::TcpStream;
use crate::stream::{ByteStream, async_read, async_write};
use crate::unix::UnixStream;
use polyloop_core::Direction;
use std::fmt;
use std::io;
use std::sync::Arc;

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

async_read!(['a, S: ByteStream] ReadHalf<'a, S>, |half| half.0);
async_read!([S: ByteStream] OwnedReadHalf<S>, |half| &*half.0);
async_write!(['a, S: ByteStream] WriteHalf<'a, S>, |half| half.0);
async_write!([S: ByteStream] OwnedWriteHalf<S>, |half| &*half.stream);

/// What a reading half can do, whoever holds the stream.
macro_rules! reading {
    ([$($generics:tt)*] $half:ty) => {
        impl<$($generics)*> $half {
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
                self.as_ref().ready_in(Direction::Read).await
            }

            /// Reads now.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is nothing; then [`readable`](Self::readable) waits for more.
            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buffer)
            }
        }
    };
}

/// What a writing half can do, whoever holds the stream.
macro_rules! writing {
    ([$($generics:tt)*] $half:ty) => {
        impl<$($generics)*> $half {
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
                self.as_ref().ready_in(Direction::Write).await
            }

            /// Writes now.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is no room; then [`writable`](Self::writable) waits for some.
            pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(bytes)
            }
        }
    };
}

reading!(['a, S: ByteStream] ReadHalf<'a, S>);
reading!([S: ByteStream] OwnedReadHalf<S>);
writing!(['a, S: ByteStream] WriteHalf<'a, S>);
writing!([S: ByteStream] OwnedWriteHalf<S>);

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
