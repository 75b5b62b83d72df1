//! The runtime behind the traits of `polyloop-traits`, so that a library that is generic over runtimes runs on any
//! combination.

use crate::Handle;
use crate::time::{Instant, Sleep};
use futures_io::{AsyncRead, AsyncWrite};
use polyloop_core::{JoinError, JoinHandle, Meta, YieldNow, yield_now};
use polyloop_net::{AsyncFd, Interest, TcpListener, TcpStream, UdpSocket};
use polyloop_traits as traits;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

impl traits::BlockOn for Handle {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        Self::block_on(self, future)
    }
}

impl traits::Spawn for Handle {
    type Join<T: Send + 'static> = Join<T>;

    #[track_caller]
    fn spawn<F>(&self, future: F) -> Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Join(Self::spawn(self, future))
    }

    fn spawn_at<F>(&self, future: F, place: &'static Location<'static>) -> Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Join(self.spawn_with(future, Meta::new(place)))
    }
}

impl traits::SpawnLocal for Handle {
    type LocalJoin<T: 'static> = Join<T>;

    #[track_caller]
    fn spawn_local<F>(&self, future: F) -> Result<Join<F::Output>, traits::NotLocal<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let spawned = self.spawn_on_this_thread(future, Meta::new(Location::caller()));
        spawned.map(Join).map_err(|future| traits::NotLocal { future })
    }
}

impl traits::SpawnBlocking for Handle {
    type BlockingJoin<T: Send + 'static> = Join<T>;

    #[track_caller]
    fn spawn_blocking<F, T>(&self, f: F) -> Join<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Join(Self::spawn_blocking(self, f))
    }

    fn spawn_blocking_at<F, T>(&self, f: F, place: &'static Location<'static>) -> Join<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Join(self.spawn_blocking_with(f, Meta::new(place)))
    }
}

impl traits::Yield for Handle {
    type Yield = YieldNow;

    fn yield_now(&self) -> YieldNow {
        yield_now()
    }
}

impl traits::Time for Handle {
    type Instant = Instant;
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant(self.driver().now())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::after(self, duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::until(self, deadline)
    }
}

impl traits::Net for Handle {
    type TcpStream = Connection;
    type TcpListener = Listener;

    async fn connect(&self, addr: SocketAddr) -> io::Result<Connection> {
        TcpStream::connect_on(self.net_context(), addr).await.map(Connection)
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<Listener> {
        TcpListener::bind_on(self.net_context(), addr).map(Listener)
    }
}

impl traits::Udp for Handle {
    type UdpSocket = Datagrams;

    fn bind_udp(&self, addr: SocketAddr) -> io::Result<Datagrams> {
        UdpSocket::bind_on(self.net_context(), addr).map(Datagrams)
    }
}

impl traits::Io for Handle {
    type Watched<T: AsFd + Send + Sync + 'static> = WatchedFile<T>;

    fn watch<T: AsFd + Send + Sync + 'static>(&self, file: T) -> io::Result<WatchedFile<T>> {
        AsyncFd::new_on(self.net_context(), file).map(WatchedFile)
    }
}

/// An [`AsyncFd`] behind the trait.
#[derive(Debug)]
pub struct WatchedFile<T: AsFd + Send + Sync + 'static>(pub AsyncFd<T>);

impl<T: AsFd + Send + Sync + 'static> traits::Watched<T> for WatchedFile<T> {
    fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    async fn readable(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }

    async fn writable(&self) -> io::Result<()> {
        self.0.writable().await.map(drop)
    }

    fn try_io<R>(
        &self,
        direction: traits::Direction,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let interest = match direction {
            traits::Direction::Read => Interest::READABLE,
            traits::Direction::Write => Interest::WRITABLE,
        };
        self.0.try_io(interest, operation)
    }
}

/// A join handle behind the trait: dropping it detaches the task.
#[derive(Debug)]
pub struct Join<T>(JoinHandle<T>);

impl<T> Future for Join<T> {
    type Output = Result<T, traits::JoinFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(failed)
    }
}

fn failed(error: JoinError) -> traits::JoinFailed {
    match error.try_into_panic() {
        Ok(payload) => traits::JoinFailed::panicked(payload),
        Err(error) => match error.try_into_no_thread() {
            Ok(reason) => traits::JoinFailed::no_thread(reason),
            Err(_) => traits::JoinFailed::cancelled(),
        },
    }
}

impl<T> traits::Join<T> for Join<T> {
    const ON_DROP: traits::OnDrop = traits::OnDrop::Detach;

    fn abort(&mut self) {
        self.0.abort();
    }

    fn detach(self) {}
}

/// A [`TcpStream`] behind the trait.
#[derive(Debug)]
pub struct Connection(pub TcpStream);

/// A [`TcpListener`] behind the trait.
#[derive(Debug)]
pub struct Listener(pub TcpListener);

/// A [`UdpSocket`] behind the trait.
#[derive(Debug)]
pub struct Datagrams(pub UdpSocket);

impl traits::UdpSocket for Datagrams {
    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.0.send_to(bytes, to).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buf).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl traits::TcpListener for Listener {
    type Stream = Connection;

    async fn accept(&self) -> io::Result<(Connection, SocketAddr)> {
        let (stream, addr) = self.0.accept().await?;
        Ok((Connection(stream), addr))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl traits::TcpStream for Connection {
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read_vectored(cx, buffers)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
