//! Datagrams.

use super::SocketAddr;
use crate::Context;
use crate::like_std::like_std;
use crate::readiness::readiness;
use crate::watched::Watched;
use polyloop_core::Direction;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram as Std;
use std::path::Path;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Acquire, Release},
};

/// Datagrams between processes of one machine: none is lost, none overtakes another.
#[derive(Debug)]
pub struct UnixDatagram {
    watched: Watched<Std>,
    /// Receiving was ended here: from then on the kernel says both "ready" and "would block".
    ended: AtomicBool,
}

impl UnixDatagram {
    /// Receives at `path`, on the current runtime. There must be no file yet.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(Std::bind(path)?)
    }

    /// A socket without an address, on the current runtime: it can send, and be answered only once connected to.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(Std::unbound()?)
    }

    /// Two sockets that are connected to each other, on the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn pair() -> io::Result<(Self, Self)> {
        Self::pair_on(&Context::current()?)
    }

    /// Two sockets that are connected to each other, on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn pair_on(context: &Context) -> io::Result<(Self, Self)> {
        let (one, other) = Std::pair()?;
        Ok((Self::from_std_on(context, one)?, Self::from_std_on(context, other)?))
    }

    /// Takes a socket of the standard library over, to the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std(socket: Std) -> io::Result<Self> {
        Self::from_std_on(&Context::current()?, socket)
    }

    /// Takes a socket of the standard library over, to the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std_on(context: &Context, socket: Std) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { watched: Watched::new(context, socket, true)?, ended: AtomicBool::new(false) })
    }

    /// Gives the socket back to the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn into_std(self) -> io::Result<Std> {
        self.watched.into_file(Std::try_clone)
    }

    /// Sends to and receives from the socket at `path` alone from now on.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.watched.get().connect(path)
    }

    /// Sends one datagram to the socket that this one is connected to.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is sent if the future is dropped before it is ready.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.watched.io(Direction::Write, |socket| socket.send(bytes)).await
    }

    /// Sends one datagram to the socket at `path`.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is sent if the future is dropped before it is ready.
    pub async fn send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let path = path.as_ref();
        self.watched.io(Direction::Write, |socket| socket.send_to(bytes, path)).await
    }

    /// Receives one datagram; what does not fit is cut off. After receiving was [ended](Self::shutdown), and what was
    /// sent before is received, it is 0 bytes, as for a socket that blocks.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is received if the future is dropped before it is ready.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watched.io(Direction::Read, |socket| self.unless_ended(socket.recv(buffer), || Ok(0))).await
    }

    /// Receives one datagram, and says from whom; after receiving was [ended](Self::shutdown), from nobody.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is received if the future is dropped before it is ready.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let nobody = || Ok((0, Std::unbound()?.local_addr()?));
        self.watched.io(Direction::Read, |socket| self.unless_ended(socket.recv_from(buffer), nobody)).await
    }

    /// Sends now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; then [`writable`](Self::writable) waits for some.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.watched.try_io(Direction::Write, |socket| socket.send(bytes))
    }

    /// Receives now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is nothing; then [`readable`](Self::readable) waits for more.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watched.try_io(Direction::Read, |socket| self.unless_ended(socket.recv(buffer), || Ok(0)))
    }

    /// What the kernel said, or `nothing` where that was "would block" and nothing will ever come.
    fn unless_ended<R>(&self, said: io::Result<R>, nothing: impl Fn() -> io::Result<R>) -> io::Result<R> {
        match said {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.ended.load(Acquire) => nothing(),
            said => said,
        }
    }

    /// Sends to the socket at `path` now.
    ///
    /// # Errors
    ///
    /// As for [`try_send`](Self::try_send).
    pub fn try_send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let path = path.as_ref();
        self.watched.try_io(Direction::Write, |socket| socket.send_to(bytes, path))
    }

    /// Receives now, and says from whom.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](Self::try_recv).
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.watched.try_io(Direction::Read, |socket| socket.recv_from(buffer))
    }

    /// Ends receiving, sending or both.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how == Shutdown::Write {
            return self.watched.get().shutdown(how);
        }
        // Before, so that who is woken by it sees it.
        let before = self.ended.swap(true, AcqRel);
        self.watched.get().shutdown(how).inspect_err(|_| self.ended.store(before, Release))
    }

    /// This socket's address.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.watched.get().local_addr()
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.watched.get().peer_addr()
    }

    /// Takes the error that is pending on the socket, if there is one.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.watched.get().take_error()
    }
}

readiness!(UnixDatagram);

like_std!(UnixDatagram, Std, |socket| socket.watched.get());
