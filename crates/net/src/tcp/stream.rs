//! A connection.

use super::TcpSocket;
use crate::Context;
use crate::addr::{ToTarget, resolve};
use crate::byte_stream::{append, byte_stream, make_room};
use crate::halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::like_std::like_std;
use crate::readiness::{Interest, Ready, readiness};
use crate::stream::sealed::Sealed;
use crate::stream::{ByteStream, async_stream, room};
use crate::watched::{Watched, within};
use polyloop_core::Direction;
use rustix::io::Errno;
use socket2::{SockRef, Socket};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;
use tokio::io::ReadBuf;

/// A TCP connection.
///
/// It reads and writes through the traits of `futures-io` and of tokio, also by shared reference, and through the methods here. Of
/// several tasks that poll one direction by the traits, the last one is woken; the `async` methods take any number.
///
/// # Examples
///
/// Both directions at once, in two tasks:
///
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// use polyloop_net::TcpStream;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let stream = TcpStream::connect("localhost:9000").await?;
/// stream.set_nodelay(true)?;
/// let (mut read, mut write) = stream.into_split();
/// let sending = async move { write.write_all(b"hello").await };
/// let receiving = async move {
///     let mut answer = [0; 5];
///     read.read_exact(&mut answer).await
/// };
/// # sending.await?; receiving.await.map(drop)
/// # }
/// ```
///
/// Waiting first and trying then, without a buffer for each of many idle connections:
///
/// ```no_run
/// # async fn f(stream: polyloop_net::TcpStream) -> std::io::Result<()> {
/// use std::io::ErrorKind::WouldBlock;
///
/// loop {
///     stream.readable().await?;
///     let mut buffer = Vec::with_capacity(4096);
///     match stream.try_read_buf(&mut buffer) {
///         Ok(0) => return Ok(()),
///         Ok(n) => println!("{n} bytes"),
///         Err(error) if error.kind() == WouldBlock => {}
///         Err(error) => return Err(error),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct TcpStream {
    watched: Watched<std::net::TcpStream>,
}

impl TcpStream {
    /// Connects to `target`, trying its addresses in order, on the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word for the last address that was tried, or the resolver's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up.
    pub async fn connect(target: impl ToTarget) -> io::Result<Self> {
        let context = Context::current()?;
        let addresses = resolve(&context, target.to_target()?).await?;
        let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
        for address in addresses {
            match Self::connect_on(&context, address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Connects to `address`, giving up after `patience`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, or the kernel's word.
    pub async fn connect_timeout(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let context = Context::current()?;
        within(&context, patience, Self::connect_on(&context, address)).await
    }

    /// Connects to `address`, on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub async fn connect_on(context: &Context, address: SocketAddr) -> io::Result<Self> {
        TcpSocket::new_for(address)?.connect_on(context, address).await
    }

    /// Connects a socket in non-blocking mode.
    pub(crate) async fn connect_by(
        context: &Context,
        socket: Socket,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let connecting = match socket.connect(&address.into()) {
            Ok(()) => false,
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => true,
            Err(error) => return Err(error),
        };
        let stream = Self { watched: Watched::new(context, socket.into(), !connecting)? };
        if connecting {
            stream.watched.connected().await?;
        }
        Ok(stream)
    }

    /// Takes a connection of the standard library over, to the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        Self::from_std_on(&Context::current()?, stream)
    }

    /// Takes a connection of the standard library over, to the runtime of `context`.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn from_std_on(context: &Context, stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { watched: Watched::new(context, stream, true)? })
    }

    /// A connection that is watched already.
    pub(crate) fn of(watched: Watched<std::net::TcpStream>) -> Self {
        Self { watched }
    }

    /// Gives the connection back to the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        self.watched.into_file(std::net::TcpStream::try_clone)
    }

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
        self.watched.io(Direction::Read, |socket| socket.peek(buffer)).await
    }

    /// As [`peek`](Self::peek). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_peek(&self, cx: &mut TaskContext<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.watched.poll_io(cx, Direction::Read, |socket| socket.peek(buffer))
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

    /// Whether small packets are sent at once.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.watched.get().nodelay()
    }

    /// Sends small packets at once, or waits for more to send.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.watched.get().set_nodelay(nodelay)
    }

    /// How long closing waits for what has not been sent; `None` leaves that to the kernel.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self.watched.get()).linger()
    }

    /// Sets how long closing waits for what has not been sent. Zero throws it away and resets the connection; more than zero
    /// makes the drop of the stream block, which only a program that ends can afford.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self.watched.get()).set_linger(linger)
    }

    /// The time to live of packets sent.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn ttl(&self) -> io::Result<u32> {
        self.watched.get().ttl()
    }

    /// Sets the time to live of packets sent.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.watched.get().set_ttl(ttl)
    }
}

byte_stream!(TcpStream);

like_std!(TcpStream, std::net::TcpStream, |stream| stream.watched.get());
