//! The loop's poller, and sockets in the manner of the text's `read_socket`.
//!
//! Invariant: `register` keeps the first waker of an fd and never lets go of it; a read that got a part waits without
//! registering.

use super::SeedLoop;
use futures_io::{AsyncRead, AsyncWrite};
use polyloop_traits::{Net, TcpListener, TcpStream};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A wait without end is this long: the fuse.
const ENDLESS: Duration = Duration::from_millis(100);

/// Longer than this no timer is waited for, which is longer than a test.
const LONGEST: Duration = Duration::from_secs(60);

/// `SimplePoller`. A Python selector over epoll.
pub(super) struct SimplePoller {
    sel: OwnedFd,
    wakers: Mutex<HashMap<RawFd, Waker>>,
}

impl Default for SimplePoller {
    fn default() -> Self {
        let sel = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
        Self { sel, wakers: Mutex::default() }
    }
}

impl SimplePoller {
    /// `register`: an fd that is known is neither asked for again nor given another waker.
    fn register(&self, sock: impl AsFd, events: epoll::EventFlags, waker: &Waker) {
        let key = sock.as_fd().as_raw_fd();
        let mut wakers = self.wakers.lock().unwrap();
        if let std::collections::hash_map::Entry::Vacant(slot) = wakers.entry(key) {
            let data = epoll::EventData::new_u64(key as u64);
            epoll::add(&self.sel, sock, data, events).expect("sel.register");
            slot.insert(waker.clone());
        }
    }

    /// `wait`: the fds that are ready. Timeouts are rounded up to milliseconds, as Python does it.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> Vec<RawFd> {
        let timeout = timeout.map_or(ENDLESS, |timeout| timeout.min(LONGEST));
        let millis = timeout.as_nanos().div_ceil(1_000_000) as i64;
        let timeout = Timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 };
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.sel, spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("sel.select: {error}"),
        }
        events.iter().map(|event| event.data.u64() as RawFd).collect()
    }

    /// `waker_for`.
    pub(super) fn waker_for(&self, fd: RawFd) -> Waker {
        self.wakers.lock().unwrap()[&fd].clone()
    }

    /// `sel.get_map()` is not empty.
    pub(super) fn tracks_any(&self) -> bool {
        !self.wakers.lock().unwrap().is_empty()
    }
}

/// A listening socket of the loop.
#[derive(Debug)]
pub struct SeedListener {
    rt: SeedLoop,
    socket: std::net::TcpListener,
}

/// A connection of the loop.
#[derive(Debug)]
pub struct SeedStream {
    rt: SeedLoop,
    socket: std::net::TcpStream,
    read_so_far: usize,
}

impl SeedStream {
    fn new(rt: &SeedLoop, socket: std::net::TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { rt: rt.clone(), socket, read_so_far: 0 })
    }

    fn register(&self, events: epoll::EventFlags, cx: &Context<'_>) {
        self.rt.globals.POLLER.register(&self.socket, events, cx.waker());
    }
}

impl Net for SeedLoop {
    type TcpStream = SeedStream;
    type TcpListener = SeedListener;

    async fn connect(&self, addr: SocketAddr) -> io::Result<SeedStream> {
        SeedStream::new(self, std::net::TcpStream::connect(addr)?)
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<SeedListener> {
        let socket = std::net::TcpListener::bind(addr)?;
        socket.set_nonblocking(true)?;
        Ok(SeedListener { rt: self.clone(), socket })
    }
}

impl TcpListener for SeedListener {
    type Stream = SeedStream;

    /// `accept_client`, which the text takes for granted.
    async fn accept(&self) -> io::Result<(SeedStream, SocketAddr)> {
        poll_fn(|cx| match self.socket.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.rt.globals.POLLER.register(&self.socket, epoll::EventFlags::IN, cx.waker());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
            Ok((socket, peer)) => Poll::Ready(SeedStream::new(&self.rt, socket).map(|stream| (stream, peer))),
        })
        .await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl AsyncRead for SeedStream {
    /// `read_socket(sock, nbytes)`: exactly as many bytes as the buffer has.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let so_far = self.read_so_far;
        match self.socket.read(&mut buffer[so_far..]) {
            Ok(0) => Poll::Ready(Err(io::Error::new(ErrorKind::ConnectionReset, "peer closed"))),
            Ok(m) if so_far + m == buffer.len() => {
                self.read_so_far = 0;
                Poll::Ready(Ok(buffer.len()))
            }
            Ok(m) => {
                self.read_so_far += m;
                // "nothing available *yet*" is not what happened, so nothing is registered.
                Poll::Pending
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.register(epoll::EventFlags::IN, cx);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for SeedStream {
    /// A step of `sendall`, which the text takes for granted.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.socket.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.register(epoll::EventFlags::OUT, cx);
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.shutdown(Shutdown::Write))
    }
}

impl TcpStream for SeedStream {
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_nodelay(nodelay)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }
}
