//! A listening socket.

use super::{SocketAddr, UnixStream};
use crate::Context;
use crate::accept::Acceptor;
use crate::like_std::like_std;
use std::io;
use std::os::unix::net::{UnixListener as Std, UnixStream as StdStream};
use std::path::Path;
use std::task::{Context as TaskContext, Poll, ready};

/// Accepts connections from processes of this machine. The file stays when this is dropped.
#[derive(Debug)]
pub struct UnixListener {
    acceptor: Acceptor<Std, StdStream, SocketAddr>,
}

impl UnixListener {
    /// Listens at `path`, on the current runtime. There must be no file yet.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_on(&Context::current()?, path)
    }

    /// Listens at `path`, on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn bind_on(context: &Context, path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std_on(context, Std::bind(path)?)
    }

    /// Takes a listener of the standard library over, to the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std(listener: Std) -> io::Result<Self> {
        Self::from_std_on(&Context::current()?, listener)
    }

    /// Takes a listener of the standard library over, to the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std_on(context: &Context, listener: Std) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { acceptor: Acceptor::new(context, listener, take)? })
    }

    /// Gives the listener back to the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn into_std(self) -> io::Result<Std> {
        self.acceptor.into_watched().into_file(Std::try_clone)
    }

    /// Waits for a connection; without room for one, as [`TcpListener::accept`](crate::TcpListener::accept).
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection that was not returned is accepted by the next call.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (watched, address) = self.acceptor.accept().await?;
        Ok((UnixStream::of(watched), address))
    }

    /// As [`accept`](Self::accept). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_accept(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let (watched, address) = ready!(self.acceptor.poll_accept(cx))?;
        Poll::Ready(Ok((UnixStream::of(watched), address)))
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.get().local_addr()
    }
}

like_std!(UnixListener, Std, |listener| listener.acceptor.get());

/// Accepts one connection, in non-blocking mode.
fn take(listener: &Std) -> io::Result<(StdStream, SocketAddr)> {
    let (stream, address) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, address))
}
