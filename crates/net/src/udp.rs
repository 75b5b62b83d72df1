//! UDP.

use crate::Context;
use crate::addr::{Target, ToTarget, resolve};
use crate::like_std::like_std;
use crate::readiness::readiness;
use crate::watched::Watched;
use polyloop_core::Direction;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context as TaskContext, Poll};

/// A UDP socket.
///
/// A datagram that is longer than the buffer is cut off, and one of length 0 is a datagram, too. All methods take `&self`, so
/// that several tasks may send and receive.
///
/// # Examples
///
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// use polyloop_net::UdpSocket;
///
/// let socket = UdpSocket::bind("127.0.0.1:9000").await?;
/// let mut buffer = [0; 1500];
/// loop {
///     let (length, from) = socket.recv_from(&mut buffer).await?;
///     socket.send_to(&buffer[..length], from).await?;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    watched: Watched<std::net::UdpSocket>,
    context: Context,
}

impl UdpSocket {
    /// Receives on `target`, on the current runtime. A port of 0 lets the kernel choose.
    ///
    /// # Errors
    ///
    /// The kernel's word (`AddrInUse`, …), for the last address that was tried.
    pub async fn bind(target: impl ToTarget) -> io::Result<Self> {
        let context = Context::current()?;
        let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "no address to receive on");
        for address in resolve(&context, target.to_target()?).await? {
            match Self::bind_on(&context, address) {
                Ok(socket) => return Ok(socket),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Receives on `address`, on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn bind_on(context: &Context, address: SocketAddr) -> io::Result<Self> {
        Self::from_std_on(context, std::net::UdpSocket::bind(address)?)
    }

    /// Takes a socket of the standard library over, to the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::from_std_on(&Context::current()?, socket)
    }

    /// Takes a socket of the standard library over, to the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std_on(context: &Context, socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { watched: Watched::new(context, socket, true)?, context: context.clone() })
    }

    /// Gives the socket back to the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        self.watched.into_file(std::net::UdpSocket::try_clone)
    }

    /// Sends to and receives from `target` alone from now on.
    ///
    /// # Errors
    ///
    /// The kernel's word for the last address that was tried, or the resolver's.
    pub async fn connect(&self, target: impl ToTarget) -> io::Result<()> {
        let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
        for address in resolve(&self.context, target.to_target()?).await? {
            match self.watched.get().connect(address) {
                Ok(()) => return Ok(()),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Sends one datagram to the address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// The kernel's word (`ConnectionRefused` of an earlier datagram, too), or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is sent if the future is dropped before it is ready.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.watched.io(Direction::Write, |socket| socket.send(bytes)).await
    }

    /// Sends one datagram to `target`, the first of its addresses. An address costs no allocation.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), or the resolver's word.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is sent if the future is dropped before it is ready.
    pub async fn send_to(&self, bytes: &[u8], target: impl ToTarget) -> io::Result<usize> {
        let address = match target.to_target()? {
            Target::Address(address) => address,
            target => {
                let first = resolve(&self.context, target).await?.into_iter().next();
                first.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no address to send to"))?
            }
        };
        self.watched.io(Direction::Write, |socket| socket.send_to(bytes, address)).await
    }

    /// Receives one datagram from the address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is received if the future is dropped before it is ready.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watched.io(Direction::Read, |socket| socket.recv(buffer)).await
    }

    /// Receives one datagram.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is received if the future is dropped before it is ready.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.watched.io(Direction::Read, |socket| socket.recv_from(buffer)).await
    }

    /// Looks at the next datagram and leaves it there.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.watched.io(Direction::Read, |socket| socket.peek_from(buffer)).await
    }

    /// Looks at the next datagram from the address that the socket is connected to, and leaves it there.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watched.io(Direction::Read, |socket| socket.peek(buffer)).await
    }

    /// As [`readable`](Self::readable). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_recv_ready(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.watched.poll_ready(cx, Direction::Read)
    }

    /// As [`writable`](Self::writable). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_send_ready(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.watched.poll_ready(cx, Direction::Write)
    }

    /// As [`send`](Self::send). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_send(&self, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.watched.poll_io(cx, Direction::Write, |socket| socket.send(bytes))
    }

    /// As [`recv`](Self::recv). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_recv(&self, cx: &mut TaskContext<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.watched.poll_io(cx, Direction::Read, |socket| socket.recv(buffer))
    }

    /// As [`send_to`](Self::send_to). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_send_to(
        &self,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
        address: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.watched.poll_io(cx, Direction::Write, |socket| socket.send_to(bytes, address))
    }

    /// As [`recv_from`](Self::recv_from). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_recv_from(
        &self,
        cx: &mut TaskContext<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.watched.poll_io(cx, Direction::Read, |socket| socket.recv_from(buffer))
    }

    /// Sends now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; then [`writable`](Self::writable) waits for some.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.watched.try_io(Direction::Write, |socket| socket.send(bytes))
    }

    /// Sends to `address` now.
    ///
    /// # Errors
    ///
    /// As for [`try_send`](Self::try_send).
    pub fn try_send_to(&self, bytes: &[u8], address: SocketAddr) -> io::Result<usize> {
        self.watched.try_io(Direction::Write, |socket| socket.send_to(bytes, address))
    }

    /// Receives now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is nothing; then [`readable`](Self::readable) waits for more.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watched.try_io(Direction::Read, |socket| socket.recv(buffer))
    }

    /// Receives now, and says from whom.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](Self::try_recv).
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.watched.try_io(Direction::Read, |socket| socket.recv_from(buffer))
    }
}

/// Methods that pass on to the standard library's socket, of the same name.
macro_rules! pass_on {
    ($($(#[$doc:meta])+ $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl UdpSocket {
            $(
                $(#[$doc])+
                ///
                /// # Errors
                ///
                /// The kernel's word.
                pub fn $name(&self, $($argument: $type),*) -> io::Result<$result> {
                    self.watched.get().$name($($argument),*)
                }
            )*
        }
    };
}

pass_on! {
    /// The address that it receives on.
    local_addr() -> SocketAddr;
    /// The address that it is connected to.
    peer_addr() -> SocketAddr;
    /// Takes the error that is pending on the socket, if there is one.
    take_error() -> Option<io::Error>;
    /// Whether it may send to broadcast addresses.
    broadcast() -> bool;
    /// Allows sending to broadcast addresses, or forbids it.
    set_broadcast(allow: bool) -> ();
    /// The time to live of packets sent.
    ttl() -> u32;
    /// Sets the time to live of packets sent.
    set_ttl(ttl: u32) -> ();
    /// Whether what it sends to IPv4 groups comes back to this machine's members.
    multicast_loop_v4() -> bool;
    /// Sets whether what it sends to IPv4 groups comes back to this machine's members.
    set_multicast_loop_v4(comes_back: bool) -> ();
    /// The time to live of packets sent to IPv4 groups.
    multicast_ttl_v4() -> u32;
    /// Sets the time to live of packets sent to IPv4 groups.
    set_multicast_ttl_v4(ttl: u32) -> ();
    /// Whether what it sends to IPv6 groups comes back to this machine's members.
    multicast_loop_v6() -> bool;
    /// Sets whether what it sends to IPv6 groups comes back to this machine's members.
    set_multicast_loop_v6(comes_back: bool) -> ();
    /// Joins an IPv4 group on the interface that has this address; `0.0.0.0` lets the kernel choose.
    join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Leaves an IPv4 group.
    leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Joins an IPv6 group on the interface of this index; 0 lets the kernel choose.
    join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    /// Leaves an IPv6 group.
    leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
}

readiness!(UdpSocket);

like_std!(UdpSocket, std::net::UdpSocket, |socket| socket.watched.get());
