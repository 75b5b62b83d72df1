//! A listening socket.

use super::{SocketAddr, UnixStream};
use crate::Context;
use crate::accept::{self, Pausing};
use crate::watched::Watched;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener as Std;
use std::path::Path;
use std::task::{Context as TaskContext, Poll, ready};

/// Accepts connections from processes of this machine. The file stays when this is dropped.
#[derive(Debug)]
pub struct UnixListener {
    watched: Watched<Std>,
    context: Context,
    pausing: Pausing,
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
        let watched = Watched::new(context, listener, true)?;
        Ok(Self { watched, context: context.clone(), pausing: Pausing::default() })
    }

    /// Gives the listener back to the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn into_std(self) -> io::Result<Std> {
        self.watched.into_file(Std::try_clone)
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
        let (stream, address) = accept::accept(&self.context, &self.watched, Std::accept).await?;
        Ok((UnixStream::from_std_on(&self.context, stream)?, address))
    }

    /// As [`accept`](Self::accept). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_accept(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let accepted = self.pausing.poll_accept(cx, &self.context, &self.watched, Std::accept);
        let (stream, address) = ready!(accepted)?;
        Poll::Ready(UnixStream::from_std_on(&self.context, stream).map(|stream| (stream, address)))
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.watched.get().local_addr()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watched.get().as_fd()
    }
}
