//! A socket before it connects or listens.

use super::{TcpListener, TcpStream};
use crate::Context;
use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// A TCP socket that neither is connected nor listens yet, for what must be set before.
///
/// # Examples
///
/// Two listeners share one port, and the kernel deals the connections out:
///
/// ```no_run
/// # fn f() -> std::io::Result<()> {
/// use polyloop_net::TcpSocket;
///
/// let address = "127.0.0.1:9000".parse().unwrap();
/// let listen = || {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_reuseport(true)?;
///     socket.bind(address)?;
///     socket.listen(1024)
/// };
/// let (one, other) = (listen()?, listen()?);
/// # Ok(())
/// # }
/// ```
///
/// A connection comes from an address of one's choice:
///
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// use polyloop_net::TcpSocket;
///
/// let socket = TcpSocket::new_v4()?;
/// socket.bind("127.0.0.2:0".parse().unwrap())?;
/// let stream = socket.connect("127.0.0.1:9000".parse().unwrap()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    socket: Socket,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    pub(crate) fn new_for(address: SocketAddr) -> io::Result<Self> {
        Self::new(Domain::for_address(address))
    }

    fn new(domain: Domain) -> io::Result<Self> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Chooses this side's address. A port of 0 lets the kernel choose.
    ///
    /// # Errors
    ///
    /// The kernel's word (`AddrInUse`, `AddrNotAvailable`, …).
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.bind(&address.into())
    }

    /// Connects to `address`, on the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up.
    pub async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        self.connect_on(&Context::current()?, address).await
    }

    /// Connects to `address`, on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub async fn connect_on(self, context: &Context, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect_by(context, self.socket, address).await
    }

    /// Listens, on the current runtime; the kernel holds up to `backlog` connections ready, or as many as it allows.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.listen_on(&Context::current()?, backlog)
    }

    /// Listens, on the runtime of `context`; otherwise as [`listen`](Self::listen).
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn listen_on(self, context: &Context, backlog: u32) -> io::Result<TcpListener> {
        self.socket.listen(backlog.try_into().unwrap_or(i32::MAX))?;
        TcpListener::from_std_on(context, self.socket.into())
    }

    /// Whether several sockets may have one address and port at a time.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    #[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
    pub fn reuseport(&self) -> io::Result<bool> {
        Ok(sockopt::socket_reuseport(&self.socket)?)
    }

    /// Lets several sockets have one address and port at a time, if each of them says so before it binds.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    #[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
    pub fn set_reuseport(&self, reuse: bool) -> io::Result<()> {
        Ok(sockopt::set_socket_reuseport(&self.socket, reuse)?)
    }

    /// The size of the kernel's buffer for what is to be sent, in bytes; Linux reports twice what was set.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        Ok(self.socket.send_buffer_size()?.try_into().unwrap_or(u32::MAX))
    }

    /// The size of the kernel's buffer for what was received, in bytes; Linux reports twice what was set.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        Ok(self.socket.recv_buffer_size()?.try_into().unwrap_or(u32::MAX))
    }

    /// This side's address.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Takes the error that is pending on the socket, if there is one.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }
}

/// Options that the socket of `socket2` has, too.
macro_rules! options {
    ($($(#[$doc:meta])+ $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $theirs:ident($($pass:expr),*);)*) => {
        impl TcpSocket {
            $(
                $(#[$doc])+
                ///
                /// # Errors
                ///
                /// The kernel's word.
                pub fn $name(&self, $($argument: $type),*) -> io::Result<$result> {
                    self.socket.$theirs($($pass),*)
                }
            )*
        }
    };
}

options! {
    /// Whether an address may be taken while connections of its last owner linger.
    reuseaddr() -> bool, reuse_address();
    /// Lets an address be taken while connections of its last owner linger, as [`TcpListener::bind`] does.
    set_reuseaddr(reuse: bool) -> (), set_reuse_address(reuse);
    /// Whether the kernel asks a silent peer if it is still there.
    keepalive() -> bool, keepalive();
    /// Lets the kernel ask a silent peer if it is still there.
    set_keepalive(keepalive: bool) -> (), set_keepalive(keepalive);
    /// Whether small packets are sent at once.
    nodelay() -> bool, tcp_nodelay();
    /// Sends small packets at once, or waits for more to send.
    set_nodelay(nodelay: bool) -> (), set_tcp_nodelay(nodelay);
    /// How long closing waits for what has not been sent; `None` leaves that to the kernel.
    linger() -> Option<Duration>, linger();
    /// Sets how long closing waits for what has not been sent; see [`TcpStream::set_linger`].
    set_linger(linger: Option<Duration>) -> (), set_linger(linger);
    /// Sets the size of the kernel's buffer for what is to be sent, in bytes. Connections accepted have it from their listener.
    set_send_buffer_size(bytes: u32) -> (), set_send_buffer_size(bytes as usize);
    /// Sets the size of the kernel's buffer for what was received, in bytes. Connections accepted have it from their listener.
    set_recv_buffer_size(bytes: u32) -> (), set_recv_buffer_size(bytes as usize);
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
