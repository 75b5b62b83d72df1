//! tokio, as one of many.
//!
//! Invariant: whatever needs tokio's context gets that of the handle it was called on, so nothing here depends on where
//! it is called or polled, nor on which runtime somebody has entered there.

use crate::local::{self, Scopes};
use crate::net::{Net, TcpListener, TcpStream, Udp, UdpSocket};
use crate::{BlockOn, Join, JoinFailed, NotLocal, OnDrop, Spawn, SpawnBlocking, SpawnLocal, Time, Yield};
#[cfg(unix)]
use crate::{Direction, Io, Watched};
#[cfg(unix)]
use ::tokio::io::{Interest, unix::AsyncFd};
use ::tokio::net::TcpSocket;
use ::tokio::runtime::{Builder, EnterGuard, Handle};
use ::tokio::task::{JoinHandle, LocalSet};
use futures_io::{AsyncRead, AsyncWrite};
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How many connections may wait to be accepted; tokio's own number.
const BACKLOG: u32 = 1024;

/// A tokio runtime with its timers and I/O, by handle.
///
/// The runtime ends, without waiting for anything, when the last handle goes; a task that holds one keeps it alive.
#[derive(Clone)]
pub struct Tokio {
    runtime: Arc<Owned>,
}

struct Owned {
    /// Present until `drop`.
    runtime: Option<::tokio::runtime::Runtime>,
    home: Home,
}

/// Which runtime something belongs to.
#[derive(Clone, Debug)]
struct Home(Handle);

impl Home {
    /// Sets tokio's context, unless this thread has it: to ask costs half of what it costs to set it again.
    fn enter(&self) -> Option<EnterGuard<'_>> {
        let here = Handle::try_current().is_ok_and(|current| current.id() == self.0.id());
        (!here).then(|| self.0.enter())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last handle may go inside a task, where waiting for the blocking threads would panic.
            runtime.shutdown_background();
        }
    }
}

thread_local! {
    static SCOPES: Scopes<LocalSet> = const { RefCell::new(Vec::new()) };
}

impl Tokio {
    /// tokio's `current_thread` flavour: tasks run on whichever thread is in `block_on`.
    ///
    /// # Errors
    ///
    /// What tokio says, if the kernel has no more files.
    pub fn current_thread() -> io::Result<Self> {
        Self::build(&mut Builder::new_current_thread())
    }

    /// tokio's `multi_thread` flavour with `workers` threads, at least one.
    ///
    /// # Errors
    ///
    /// What tokio says, if the kernel has no more files or threads.
    pub fn multi_thread(workers: usize) -> io::Result<Self> {
        Self::build(Builder::new_multi_thread().worker_threads(workers.max(1)))
    }

    fn build(builder: &mut Builder) -> io::Result<Self> {
        let runtime = builder.enable_io().enable_time().build()?;
        let home = Home(runtime.handle().clone());
        Ok(Self { runtime: Arc::new(Owned { runtime: Some(runtime), home }) })
    }

    /// Tells this runtime from others.
    fn id(&self) -> usize {
        Arc::as_ptr(&self.runtime) as usize
    }

    fn home(&self) -> &Home {
        &self.runtime.home
    }

    fn handle(&self) -> &Handle {
        &self.home().0
    }
}

impl fmt::Debug for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokio").field(&self.handle().runtime_flavor()).finish()
    }
}

impl BlockOn for Tokio {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let runtime = self.runtime.runtime.as_ref().expect("present until drop");
        // Beyond the call: local tasks that are alive at its end are dropped in the context, too.
        let _context = runtime.enter();
        local::enter(&SCOPES, self.id(), drive, future, |future| runtime.block_on(future))
    }
}

/// Polls a local set for as long as its `block_on` lasts.
fn drive(set: Rc<LocalSet>) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move { set.run_until(pending()).await })
}

/// A tokio task's result. Dropping it detaches the task.
#[derive(Debug)]
pub struct TokioJoin<T>(JoinHandle<T>);

impl<T> Future for TokioJoin<T> {
    type Output = Result<T, JoinFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|error| match error.try_into_panic() {
            Ok(payload) => JoinFailed::panicked(payload),
            Err(_) => JoinFailed::cancelled(),
        })
    }
}

impl<T> Join<T> for TokioJoin<T> {
    const ON_DROP: OnDrop = OnDrop::Detach;

    fn abort(&mut self) {
        self.0.abort();
    }

    fn detach(self) {}
}

impl Spawn for Tokio {
    type Join<T: Send + 'static> = TokioJoin<T>;

    fn spawn<F>(&self, future: F) -> TokioJoin<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        TokioJoin(self.handle().spawn(future))
    }
}

impl SpawnLocal for Tokio {
    type LocalJoin<T: 'static> = TokioJoin<T>;

    fn spawn_local<F>(&self, future: F) -> Result<TokioJoin<F::Output>, NotLocal<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match local::current(&SCOPES, self.id(), LocalSet::new) {
            Some(set) => Ok(TokioJoin(set.spawn_local(future))),
            None => Err(NotLocal { future }),
        }
    }
}

impl SpawnBlocking for Tokio {
    type BlockingJoin<T: Send + 'static> = TokioJoin<T>;

    fn spawn_blocking<F, T>(&self, f: F) -> TokioJoin<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        TokioJoin(self.handle().spawn_blocking(f))
    }
}

/// tokio's `yield_now` under a name.
#[derive(Debug)]
#[must_use = "does nothing unless awaited"]
pub struct TokioYield {
    yielded: bool,
}

impl Future for TokioYield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        // The first poll of tokio's future hands the waker to its scheduler; the second one only says ready.
        pin!(::tokio::task::yield_now()).poll(cx)
    }
}

impl Yield for Tokio {
    type Yield = TokioYield;

    fn yield_now(&self) -> TokioYield {
        TokioYield { yielded: false }
    }
}

impl Time for Tokio {
    type Instant = ::tokio::time::Instant;
    type Sleep = ::tokio::time::Sleep;

    fn now(&self) -> Self::Instant {
        ::tokio::time::Instant::now()
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        let _context = self.home().enter();
        ::tokio::time::sleep(duration)
    }

    fn sleep_until(&self, deadline: Self::Instant) -> Self::Sleep {
        let _context = self.home().enter();
        ::tokio::time::sleep_until(deadline)
    }
}

impl Net for Tokio {
    type TcpStream = TokioStream;
    type TcpListener = TokioListener;

    async fn connect(&self, addr: SocketAddr) -> io::Result<TokioStream> {
        let connecting = pin!(::tokio::net::TcpStream::connect(addr));
        InContext { home: self.home(), future: connecting }.await.map(TokioStream)
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<TokioListener> {
        let _context = self.home().enter();
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        Ok(TokioListener { listener: socket.listen(BACKLOG)?, home: self.home().clone() })
    }
}

/// Polls a future that looks for tokio's context, wherever it is polled.
struct InContext<'a, F> {
    home: &'a Home,
    future: Pin<&'a mut F>,
}

impl<F: Future> Future for InContext<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _context = self.home.enter();
        self.future.as_mut().poll(cx)
    }
}

/// A tokio listener.
#[derive(Debug)]
pub struct TokioListener {
    listener: ::tokio::net::TcpListener,
    /// A new connection registers with the runtime of its listener.
    home: Home,
}

impl TcpListener for TokioListener {
    type Stream = TokioStream;

    async fn accept(&self) -> io::Result<(TokioStream, SocketAddr)> {
        let accepting = pin!(self.listener.accept());
        let (stream, peer) = InContext { home: &self.home, future: accepting }.await?;
        Ok((TokioStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A tokio connection that speaks futures-io.
#[derive(Debug)]
pub struct TokioStream(::tokio::net::TcpStream);

impl AsyncRead for TokioStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ::tokio::io::ReadBuf::new(buf);
        let read = ::tokio::io::AsyncRead::poll_read(Pin::new(&mut self.0), cx, &mut buf);
        read.map_ok(|()| buf.filled().len())
    }
}

impl AsyncWrite for TokioStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ::tokio::io::AsyncWrite::poll_write(Pin::new(&mut self.0), cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ::tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut self.0), cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ::tokio::io::AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ::tokio::io::AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
    }
}

impl TcpStream for TokioStream {
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

impl Udp for Tokio {
    type UdpSocket = TokioUdpSocket;

    fn bind_udp(&self, addr: SocketAddr) -> io::Result<TokioUdpSocket> {
        let socket = std::net::UdpSocket::bind(addr)?;
        socket.set_nonblocking(true)?;
        let _context = self.home().enter();
        ::tokio::net::UdpSocket::from_std(socket).map(TokioUdpSocket)
    }
}

/// A file that tokio watches, by a second descriptor of it: tokio's own type trusts the file's word which one it is.
#[cfg(unix)]
#[derive(Debug)]
pub struct TokioWatched<T> {
    file: T,
    watched: AsyncFd<OwnedFd>,
}

#[cfg(unix)]
impl Io for Tokio {
    type Watched<T: AsFd + Send + Sync + 'static> = TokioWatched<T>;

    #[expect(deprecated, reason = "it trusts what it is given to be one open file for ever; an `OwnedFd` is")]
    fn watch<T: AsFd + Send + Sync + 'static>(&self, file: T) -> io::Result<TokioWatched<T>> {
        let descriptor = file.as_fd().try_clone_to_owned()?;
        let _context = self.home().enter();
        Ok(TokioWatched { file, watched: AsyncFd::new(descriptor)? })
    }
}

#[cfg(unix)]
impl<T: Send + Sync + 'static> Watched<T> for TokioWatched<T> {
    fn get_ref(&self) -> &T {
        &self.file
    }

    async fn readable(&self) -> io::Result<()> {
        self.watched.readable().await.map(drop)
    }

    async fn writable(&self) -> io::Result<()> {
        self.watched.writable().await.map(drop)
    }

    fn try_io<R>(&self, direction: Direction, operation: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        let interest = match direction {
            Direction::Read => Interest::READABLE,
            Direction::Write => Interest::WRITABLE,
        };
        self.watched.try_io(interest, |_| operation(&self.file))
    }
}

/// A tokio UDP socket.
#[derive(Debug)]
pub struct TokioUdpSocket(::tokio::net::UdpSocket);

impl UdpSocket for TokioUdpSocket {
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
