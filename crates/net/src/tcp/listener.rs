//! A listening socket.

use super::{TcpSocket, TcpStream};
use crate::Context;
use crate::accept::Acceptor;
use crate::addr::{ToTarget, resolve};
use crate::like_std::like_std;
use std::io;
use std::net::SocketAddr;
use std::task::{Context as TaskContext, Poll, ready};

/// How many connections the kernel may hold ready.
const BACKLOG: u32 = 1024;

/// Accepts TCP connections.
///
/// # Examples
///
/// ```no_run
/// # async fn serve(_: polyloop_net::TcpStream) {}
/// # async fn f() -> std::io::Result<()> {
/// use polyloop_net::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:9000").await?;
/// loop {
///     let (stream, from) = listener.accept().await?;
///     println!("{from} is here");
///     serve(stream).await;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct TcpListener {
    acceptor: Acceptor<std::net::TcpListener, std::net::TcpStream, SocketAddr>,
}

impl TcpListener {
    /// Listens on `target`, on the current runtime. A port of 0 lets the kernel choose.
    ///
    /// # Errors
    ///
    /// The kernel's word (`AddrInUse`, `PermissionDenied`, …), for the last address that was tried.
    pub async fn bind(target: impl ToTarget) -> io::Result<Self> {
        let context = Context::current()?;
        let addresses = resolve(&context, target.to_target()?).await?;
        let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "no address to listen on");
        for address in addresses {
            match Self::bind_on(&context, address) {
                Ok(listener) => return Ok(listener),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Listens on `address`, on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn bind_on(context: &Context, address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_for(address)?;
        // Otherwise a server could not be restarted while old connections linger.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen_on(context, BACKLOG)
    }

    /// Takes a listener of the standard library over, to the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        Self::from_std_on(&Context::current()?, listener)
    }

    /// Takes a listener of the standard library over, to the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std_on(context: &Context, listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { acceptor: Acceptor::new(context, listener, take)? })
    }

    /// Gives the listener back to the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        self.acceptor.into_watched().into_file(std::net::TcpListener::try_clone)
    }

    /// Waits for a connection.
    ///
    /// A connection that was given up while it waited is passed over. When the process or the system has no room
    /// for another one (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, and `ENOSPC` from the reactor), this waits for some, from 5 ms
    /// up to 1 s at a time, and goes on by itself. A connection that the kernel gave, but the reactor has no room to watch, is
    /// kept meanwhile, and neither closed nor lost.
    ///
    /// # Errors
    ///
    /// The kernel's word otherwise, or that the runtime has shut down. Where only watching a connection failed, it is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection that was not returned is accepted by the next call.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (watched, address) = self.acceptor.accept().await?;
        Ok((TcpStream::of(watched), address))
    }

    /// As [`accept`](Self::accept). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_accept(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (watched, address) = ready!(self.acceptor.poll_accept(cx))?;
        Poll::Ready(Ok((TcpStream::of(watched), address)))
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.get().local_addr()
    }

    /// The time to live of packets sent.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn ttl(&self) -> io::Result<u32> {
        self.acceptor.get().ttl()
    }

    /// Sets the time to live of packets sent.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.acceptor.get().set_ttl(ttl)
    }
}

like_std!(TcpListener, std::net::TcpListener, |listener| listener.acceptor.get());

/// Accepts one connection, in non-blocking mode: one system call where the kernel has `accept4`.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn take(listener: &std::net::TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    use rustix::net::{SocketFlags, acceptfrom_with};
    let (stream, address) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let address = address.ok_or_else(|| io::Error::other("a connection without an address"))?;
    let address =
        SocketAddr::try_from(address).map_err(|_| io::Error::other("a connection of another family"))?;
    Ok((stream.into(), address))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn take(listener: &std::net::TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let (stream, address) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, address))
}
