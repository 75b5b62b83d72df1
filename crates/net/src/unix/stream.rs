//! A connection.

use super::SocketAddr;
use crate::Context;
use crate::byte_stream::{append, byte_stream, make_room};
use crate::halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::like_std::like_std;
use crate::readiness::{Interest, Ready, readiness};
use crate::stream::sealed::Sealed;
use crate::stream::{ByteStream, async_stream, room};
use crate::watched::{Watched, pause};
use polyloop_core::Direction;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Std;
use std::path::Path;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;
use tokio::io::ReadBuf;

/// How long to wait when the listener's queue is full: doubled up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A connection between processes of one machine; otherwise as [`TcpStream`](crate::TcpStream).
#[derive(Debug)]
pub struct UnixStream {
    watched: Watched<Std>,
}

/// Who is at the other end.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCred {
    /// Its process, if that can be seen from here.
    pub pid: Option<u32>,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl UnixStream {
    /// Connects to the socket at `path`, on the current runtime.
    ///
    /// While the listener's queue is full, this waits and tries again, up to 100 ms later: the kernel does not tell when
    /// there is room.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::connect_on(&Context::current()?, path).await
    }

    /// Connects to the socket at `path`, on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub async fn connect_on(context: &Context, path: impl AsRef<Path>) -> io::Result<Self> {
        let address = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let mut wait = SHORTEST_PAUSE;
        loop {
            match socket.connect(&address) {
                Ok(()) => return Self::watch(context, socket.into(), true),
                Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    pause(context, wait).await?;
                    wait = (wait * 2).min(LONGEST_PAUSE);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let stream = Self::watch(context, socket.into(), false)?;
        stream.watched.connected().await?;
        Ok(stream)
    }

    /// Two ends of one connection, on the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn pair() -> io::Result<(Self, Self)> {
        Self::pair_on(&Context::current()?)
    }

    /// Two ends of one connection, on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn pair_on(context: &Context) -> io::Result<(Self, Self)> {
        let (one, other) = Std::pair()?;
        Ok((Self::from_std_on(context, one)?, Self::from_std_on(context, other)?))
    }

    /// Takes a connection of the standard library over, to the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std(stream: Std) -> io::Result<Self> {
        Self::from_std_on(&Context::current()?, stream)
    }

    /// Takes a connection of the standard library over, to the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std_on(context: &Context, stream: Std) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Self::watch(context, stream.into(), true)
    }

    /// A connection that is watched already.
    pub(crate) fn of(watched: Watched<Std>) -> Self {
        Self { watched }
    }

    fn watch(context: &Context, stream: OwnedFd, connected: bool) -> io::Result<Self> {
        Ok(Self { watched: Watched::new(context, stream.into(), connected)? })
    }

    /// Gives the connection back to the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn into_std(self) -> io::Result<Std> {
        self.watched.into_file(Std::try_clone)
    }

    /// This side's address.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.watched.get().local_addr()
    }

    /// The other side's address.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.watched.get().peer_addr()
    }

    /// Who was at the other end when the connection was made.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn peer_cred(&self) -> io::Result<PeerCred> {
        let cred = rustix::net::sockopt::socket_peercred(self.watched.get())?;
        let pid = u32::try_from(cred.pid.as_raw_nonzero().get()).ok();
        Ok(PeerCred { pid, uid: cred.uid.as_raw(), gid: cred.gid.as_raw() })
    }
}

byte_stream!(UnixStream);

like_std!(UnixStream, Std, |stream| stream.watched.get());
