//! The object-safe twin: a runtime as a value, for code that must not be generic over it.
//!
//! Invariant: [`AnyRuntime`] is a [`Runtime`] itself, so what is written for the static traits takes either. What erasing
//! costs is a box for each spawn, sleep, yield, connect and accept; bytes go through one indirect call.

use crate::net::{Net, TcpListener, TcpStream, Udp, UdpSocket};
use crate::{BlockOn, Join, JoinFailed, OnDrop, Runtime, Spawn, SpawnBlocking, Time, Yield};
#[cfg(unix)]
use crate::{Direction, Io, Watched};
use futures_io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::{Add, Sub};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a runtime must be to be erased: [`Runtime`], [`Udp`], and on Unix `Io`. Whatever has the parts is it.
#[cfg(unix)]
pub trait Erasable: Runtime + Udp + Io {}

#[cfg(unix)]
impl<R: Runtime + Udp + Io> Erasable for R {}

/// What a runtime must be to be erased: [`Runtime`], [`Udp`], and on Unix `Io`. Whatever has the parts is it.
#[cfg(not(unix))]
pub trait Erasable: Runtime + Udp {}

#[cfg(not(unix))]
impl<R: Runtime + Udp> Erasable for R {}

/// What a runtime can do, in calls that can be made through a pointer. Everything [`Erasable`] has it by [`AnyRuntime::new`]; nobody
/// need implement it.
pub trait DynRuntime: Send + Sync + 'static {
    /// Polls `future` on this thread until it is done, as [`BlockOn::block_on`].
    fn dyn_block_on(&self, future: Pin<&mut dyn Future<Output = ()>>);

    /// Starts a task, as [`Spawn::spawn_at`].
    fn dyn_spawn(
        &self,
        future: BoxFuture<'static, ()>,
        place: &'static Location<'static>,
    ) -> Box<dyn DynTask>;

    /// Runs a closure that blocks, as [`SpawnBlocking::spawn_blocking_at`].
    fn dyn_spawn_blocking(
        &self,
        f: Box<dyn FnOnce() + Send>,
        place: &'static Location<'static>,
    ) -> Box<dyn DynTask>;

    /// As [`Yield::yield_now`].
    fn dyn_yield(&self) -> BoxFuture<'static, ()>;

    /// As [`Time::now`].
    fn dyn_now(&self) -> Moment;

    /// As [`Time::sleep_until`].
    fn dyn_sleep_until(&self, deadline: Moment) -> BoxFuture<'static, ()>;

    /// As [`Net::connect`].
    fn dyn_connect(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<AnyStream>>;

    /// As [`Net::bind`].
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn dyn_bind(&self, addr: SocketAddr) -> io::Result<AnyListener>;

    /// As [`Udp::bind_udp`].
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn dyn_bind_udp(&self, addr: SocketAddr) -> io::Result<AnyUdpSocket>;

    /// As [`Io::watch`].
    ///
    /// # Errors
    ///
    /// The kernel's word.
    #[cfg(unix)]
    fn dyn_watch(&self, file: AnyFile) -> io::Result<AnyWatch>;
}

/// A task behind a pointer. It resolves when the task is over. What dropping it does is the runtime's ([`OnDrop`]).
pub trait DynTask: Future<Output = Result<(), JoinFailed>> + Unpin + Send {
    /// As [`Join::abort`].
    fn dyn_abort(&mut self);

    /// As [`Join::detach`].
    fn dyn_detach(self: Box<Self>);
}

/// Any [`Join`] is one.
struct Task<J>(J);

impl<J: Join<()>> Future for Task<J> {
    type Output = Result<(), JoinFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<J: Join<()> + Send> DynTask for Task<J> {
    fn dyn_abort(&mut self) {
        self.0.abort();
    }

    fn dyn_detach(self: Box<Self>) {
        self.0.detach();
    }
}

/// A point on the clock of a runtime of unknown type. Only those of one [`AnyRuntime`] and its clones can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Add<Duration> for Moment {
    type Output = Self;

    /// The latest there is, if it would be later.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// Zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A runtime and where its clock stood when it was erased.
struct Known<R: Runtime> {
    runtime: R,
    origin: R::Instant,
}

impl<R: Erasable> DynRuntime for Known<R> {
    fn dyn_block_on(&self, future: Pin<&mut dyn Future<Output = ()>>) {
        self.runtime.block_on(future);
    }

    fn dyn_spawn(
        &self,
        future: BoxFuture<'static, ()>,
        place: &'static Location<'static>,
    ) -> Box<dyn DynTask> {
        Box::new(Task(self.runtime.spawn_at(future, place)))
    }

    fn dyn_spawn_blocking(
        &self,
        f: Box<dyn FnOnce() + Send>,
        place: &'static Location<'static>,
    ) -> Box<dyn DynTask> {
        Box::new(Task(self.runtime.spawn_blocking_at(f, place)))
    }

    fn dyn_yield(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.runtime.yield_now())
    }

    fn dyn_now(&self) -> Moment {
        Moment(self.runtime.now() - self.origin)
    }

    fn dyn_sleep_until(&self, deadline: Moment) -> BoxFuture<'static, ()> {
        // Beyond a runtime's last instant nobody knows what it does; a century is as good.
        let far = Duration::from_secs(100 * 365 * 24 * 3600);
        Box::pin(self.runtime.sleep_until(self.origin + deadline.0.min(far)))
    }

    fn dyn_connect(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<AnyStream>> {
        let connecting = self.runtime.connect(addr);
        Box::pin(async move { Ok(AnyStream(Box::new(connecting.await?))) })
    }

    fn dyn_bind(&self, addr: SocketAddr) -> io::Result<AnyListener> {
        Ok(AnyListener(Box::new(self.runtime.bind(addr)?)))
    }

    fn dyn_bind_udp(&self, addr: SocketAddr) -> io::Result<AnyUdpSocket> {
        Ok(AnyUdpSocket(Box::new(self.runtime.bind_udp(addr)?)))
    }

    #[cfg(unix)]
    fn dyn_watch(&self, file: AnyFile) -> io::Result<AnyWatch> {
        Ok(AnyWatch(Box::new(self.runtime.watch(file)?)))
    }
}

/// A runtime whose type nobody knows any more, by handle.
///
/// # Examples
///
/// A library that keeps a runtime in a field, and is generic over nothing:
///
/// ```
/// # #[cfg(feature = "smol")]
/// # {
/// use polyloop_traits::{AnyRuntime, BlockOn, Smol, Spawn};
///
/// struct Client {
///     runtime: AnyRuntime,
/// }
///
/// impl Client {
///     fn answer(&self) -> u32 {
///         let question = self.runtime.spawn(async { 42 });
///         self.runtime.block_on(question).unwrap()
///     }
/// }
///
/// let client = Client { runtime: AnyRuntime::new(Smol::one_thread()) };
/// assert_eq!(client.answer(), 42);
/// # }
/// ```
#[derive(Clone)]
pub struct AnyRuntime(Arc<dyn DynRuntime>);

impl AnyRuntime {
    /// Forgets which runtime it is.
    pub fn new(runtime: impl Erasable) -> Self {
        let origin = runtime.now();
        Self(Arc::new(Known { runtime, origin }))
    }
}

impl From<Arc<dyn DynRuntime>> for AnyRuntime {
    fn from(runtime: Arc<dyn DynRuntime>) -> Self {
        Self(runtime)
    }
}

impl fmt::Debug for AnyRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyRuntime").finish_non_exhaustive()
    }
}

impl BlockOn for AnyRuntime {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut output = None;
        {
            let filling = pin!(async { output = Some(future.await) });
            self.0.dyn_block_on(filling);
        }
        output.expect("block_on returns when the future is done")
    }
}

/// Where a task leaves its value.
type Slot<T> = Arc<Mutex<Option<T>>>;

fn put<T>(slot: &Slot<T>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

/// The future of a task's result on an [`AnyRuntime`]. Dropping it detaches the task, whatever the runtime's own handles do.
pub struct AnyJoin<T> {
    /// Present until it is detached.
    task: Option<Box<dyn DynTask>>,
    slot: Slot<T>,
}

impl<T> AnyJoin<T> {
    fn let_go(&mut self) {
        if let Some(task) = self.task.take() {
            task.dyn_detach();
        }
    }
}

impl<T> Drop for AnyJoin<T> {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl<T> fmt::Debug for AnyJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyJoin").finish_non_exhaustive()
    }
}

impl<T> Future for AnyJoin<T> {
    type Output = Result<T, JoinFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.task.as_mut().expect("present until it is detached, which takes the handle");
        let ended = match Pin::new(task).poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(ended) => ended,
        };
        let value = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        Poll::Ready(ended.map(|()| value.expect("a task that has ended well has left its value, once")))
    }
}

impl<T> Join<T> for AnyJoin<T> {
    const ON_DROP: OnDrop = OnDrop::Detach;

    fn abort(&mut self) {
        if let Some(task) = &mut self.task {
            task.dyn_abort();
        }
    }

    fn detach(mut self) {
        self.let_go();
    }
}

impl Spawn for AnyRuntime {
    type Join<T: Send + 'static> = AnyJoin<T>;

    #[track_caller]
    fn spawn<F>(&self, future: F) -> AnyJoin<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_at(future, Location::caller())
    }

    fn spawn_at<F>(&self, future: F, place: &'static Location<'static>) -> AnyJoin<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let slot = Slot::default();
        let filled = Arc::clone(&slot);
        let task = self.0.dyn_spawn(Box::pin(async move { put(&filled, future.await) }), place);
        AnyJoin { task: Some(task), slot }
    }
}

impl SpawnBlocking for AnyRuntime {
    type BlockingJoin<T: Send + 'static> = AnyJoin<T>;

    #[track_caller]
    fn spawn_blocking<F, T>(&self, f: F) -> AnyJoin<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_blocking_at(f, Location::caller())
    }

    fn spawn_blocking_at<F, T>(&self, f: F, place: &'static Location<'static>) -> AnyJoin<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let slot = Slot::default();
        let filled = Arc::clone(&slot);
        let task = self.0.dyn_spawn_blocking(Box::new(move || put(&filled, f())), place);
        AnyJoin { task: Some(task), slot }
    }
}

impl Yield for AnyRuntime {
    type Yield = BoxFuture<'static, ()>;

    fn yield_now(&self) -> Self::Yield {
        self.0.dyn_yield()
    }
}

impl Time for AnyRuntime {
    type Instant = Moment;
    type Sleep = BoxFuture<'static, ()>;

    fn now(&self) -> Moment {
        self.0.dyn_now()
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.dyn_sleep_until(self.0.dyn_now() + duration)
    }

    fn sleep_until(&self, deadline: Moment) -> Self::Sleep {
        self.0.dyn_sleep_until(deadline)
    }
}

impl Net for AnyRuntime {
    type TcpStream = AnyStream;
    type TcpListener = AnyListener;

    async fn connect(&self, addr: SocketAddr) -> io::Result<AnyStream> {
        self.0.dyn_connect(addr).await
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<AnyListener> {
        self.0.dyn_bind(addr)
    }
}

impl Udp for AnyRuntime {
    type UdpSocket = AnyUdpSocket;

    fn bind_udp(&self, addr: SocketAddr) -> io::Result<AnyUdpSocket> {
        self.0.dyn_bind_udp(addr)
    }
}

/// A connection of an [`AnyRuntime`].
pub struct AnyStream(Box<dyn TcpStream>);

impl fmt::Debug for AnyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyStream").finish_non_exhaustive()
    }
}

impl AsyncRead for AnyStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for AnyStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl TcpStream for AnyStream {
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

/// [`TcpListener`] in calls that can be made through a pointer.
trait DynListener: Send + Sync {
    fn accept(&self) -> BoxFuture<'_, io::Result<(AnyStream, SocketAddr)>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

impl<L: TcpListener> DynListener for L {
    fn accept(&self) -> BoxFuture<'_, io::Result<(AnyStream, SocketAddr)>> {
        let accepting = TcpListener::accept(self);
        Box::pin(async move {
            let (stream, peer) = accepting.await?;
            Ok((AnyStream(Box::new(stream)), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

/// A listening socket of an [`AnyRuntime`].
pub struct AnyListener(Box<dyn DynListener>);

impl fmt::Debug for AnyListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyListener").finish_non_exhaustive()
    }
}

impl TcpListener for AnyListener {
    type Stream = AnyStream;

    async fn accept(&self) -> io::Result<(AnyStream, SocketAddr)> {
        self.0.accept().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// [`UdpSocket`] in calls that can be made through a pointer.
trait DynUdpSocket: Send + Sync {
    fn send_to<'a>(&'a self, bytes: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>>;
    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

impl<U: UdpSocket> DynUdpSocket for U {
    fn send_to<'a>(&'a self, bytes: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        Box::pin(UdpSocket::send_to(self, bytes, to))
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(UdpSocket::recv_from(self, buf))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        UdpSocket::local_addr(self)
    }
}

/// A UDP socket of an [`AnyRuntime`].
pub struct AnyUdpSocket(Box<dyn DynUdpSocket>);

impl fmt::Debug for AnyUdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyUdpSocket").finish_non_exhaustive()
    }
}

impl UdpSocket for AnyUdpSocket {
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

/// A file of unknown type. Clones are the same file.
#[cfg(unix)]
#[derive(Clone)]
pub struct AnyFile(Arc<dyn AsFd + Send + Sync>);

#[cfg(unix)]
impl fmt::Debug for AnyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyFile").field(&self.as_fd()).finish()
    }
}

#[cfg(unix)]
impl AsFd for AnyFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// [`Watched`] in calls that can be made through a pointer.
#[cfg(unix)]
trait DynWatched: Send + Sync {
    fn readable(&self) -> BoxFuture<'_, io::Result<()>>;
    fn writable(&self) -> BoxFuture<'_, io::Result<()>>;
    fn try_io(&self, direction: Direction, operation: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()>;
}

#[cfg(unix)]
impl<W: Watched<AnyFile>> DynWatched for W {
    fn readable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(Watched::readable(self))
    }

    fn writable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(Watched::writable(self))
    }

    fn try_io(&self, direction: Direction, operation: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        Watched::try_io(self, direction, |_| operation())
    }
}

/// That a file of unknown type is watched, as long as this is there.
#[cfg(unix)]
pub struct AnyWatch(Box<dyn DynWatched>);

#[cfg(unix)]
impl fmt::Debug for AnyWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyWatch").finish_non_exhaustive()
    }
}

/// A file that an [`AnyRuntime`] watches.
#[cfg(unix)]
#[derive(Debug)]
pub struct AnyWatched<T> {
    watch: AnyWatch,
    file: Arc<T>,
}

#[cfg(unix)]
impl Io for AnyRuntime {
    type Watched<T: AsFd + Send + Sync + 'static> = AnyWatched<T>;

    fn watch<T: AsFd + Send + Sync + 'static>(&self, file: T) -> io::Result<AnyWatched<T>> {
        let file = Arc::new(file);
        Ok(AnyWatched { watch: self.0.dyn_watch(AnyFile(file.clone()))?, file })
    }
}

#[cfg(unix)]
impl<T: Send + Sync + 'static> Watched<T> for AnyWatched<T> {
    fn get_ref(&self) -> &T {
        &self.file
    }

    async fn readable(&self) -> io::Result<()> {
        self.watch.0.readable().await
    }

    async fn writable(&self) -> io::Result<()> {
        self.watch.0.writable().await
    }

    fn try_io<R>(&self, direction: Direction, operation: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        let (mut operation, mut found) = (Some(operation), None);
        self.watch.0.try_io(direction, &mut || {
            let operation = operation.take().expect("it is tried once");
            found = Some(operation(&self.file)?);
            Ok(())
        })?;
        Ok(found.expect("it has said so"))
    }
}
