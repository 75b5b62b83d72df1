//! TCP and UDP over whatever reactor the runtime has.
//!
//! Invariant: streams speak futures-io, the traits that ecosystem crates bound on when they know no runtime.

use futures_io::{AsyncRead, AsyncWrite};
use std::future::Future;
use std::io;
use std::net::SocketAddr;

/// Opens and accepts TCP connections. Names are not resolved here: that blocks, and belongs to `SpawnBlocking`.
pub trait Net {
    /// A connection.
    type TcpStream: TcpStream;
    /// A listening socket.
    type TcpListener: TcpListener<Stream = Self::TcpStream>;

    /// Connects to `addr`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the connection.
    fn connect(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::TcpStream>> + Send;

    /// Listens on `addr`; port 0 lets the kernel choose one.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn bind(&self, addr: SocketAddr) -> io::Result<Self::TcpListener>;
}

/// A listening socket.
pub trait TcpListener: Send + Sync + 'static {
    /// What it accepts.
    type Stream: TcpStream;

    /// The next connection and the peer's address.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A connection. Closing it (`poll_close`) ends writing, so that the peer reads the end of the stream; reading goes on.
pub trait TcpStream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;

    /// This end.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The other end.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}

/// Opens UDP sockets.
pub trait Udp {
    /// A socket.
    type UdpSocket: UdpSocket;

    /// A socket bound to `addr`; port 0 lets the kernel choose one.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn bind_udp(&self, addr: SocketAddr) -> io::Result<Self::UdpSocket>;
}

/// A UDP socket. Any number of tasks may send and receive on it.
pub trait UdpSocket: Send + Sync + 'static {
    /// Sends one datagram, and gives its length.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has sent nothing.
    fn send_to(&self, bytes: &[u8], to: SocketAddr) -> impl Future<Output = io::Result<usize>> + Send;

    /// Receives one datagram: its length, cut to that of `buf`, and who sent it.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no datagram.
    fn recv_from(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;

    /// Where it is bound.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}
