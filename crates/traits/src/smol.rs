//! smol, as one of many.
//!
//! Invariant: each handle family has an executor of its own; smol's global one is never used. Timers and sockets are
//! async-io's, which is one reactor with one helper thread for the whole process: that is how smol is.

use crate::local::{self, Scopes};
use crate::net::{Net, TcpListener, TcpStream, Udp, UdpSocket};
use crate::{BlockOn, Join, JoinFailed, NotLocal, OnDrop, Spawn, SpawnBlocking, SpawnLocal, Time, Yield};
#[cfg(unix)]
use crate::{Direction, Io, Watched};
use ::smol::{Async, Executor, LocalExecutor, Timer};
use async_task::FallibleTask;
use futures_io::{AsyncRead, AsyncWrite};
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// A smol executor of its own, by handle.
///
/// Its threads end when the last handle goes; a task that holds one keeps them alive.
#[derive(Clone)]
pub struct Smol {
    shared: Arc<Shared>,
}

struct Shared {
    executor: Arc<Executor<'static>>,
    workers: usize,
    /// Held by the workers' handle family: when it is dropped, the workers see their channel closed and leave.
    _alive: Option<::smol::channel::Sender<()>>,
}

thread_local! {
    static SCOPES: Scopes<LocalExecutor<'static>> = const { RefCell::new(Vec::new()) };
}

impl Smol {
    /// One thread: tasks run on whichever thread is in `block_on`.
    pub fn one_thread() -> Self {
        Self { shared: Arc::new(Shared { executor: Arc::new(Executor::new()), workers: 0, _alive: None }) }
    }

    /// `workers` executor threads, at least one; `block_on` polls only its own future.
    ///
    /// # Errors
    ///
    /// The kernel's word, if a thread cannot be started.
    pub fn threads(workers: usize) -> io::Result<Self> {
        let workers = workers.max(1);
        let executor = Arc::new(Executor::new());
        let (alive, closed) = ::smol::channel::bounded::<()>(1);
        for index in 0..workers {
            let (executor, closed) = (executor.clone(), closed.clone());
            thread::Builder::new()
                .name(format!("smol-{index}"))
                .spawn(move || ::smol::block_on(executor.run(closed.recv())))?;
        }
        Ok(Self { shared: Arc::new(Shared { executor, workers, _alive: Some(alive) }) })
    }

    /// Tells this executor from others.
    fn id(&self) -> usize {
        Arc::as_ptr(&self.shared) as usize
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smol").field("threads", &self.shared.workers).finish_non_exhaustive()
    }
}

impl BlockOn for Smol {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        local::enter(&SCOPES, self.id(), drive, future, |future| match self.shared.workers {
            0 => ::smol::block_on(self.shared.executor.run(future)),
            _ => ::smol::block_on(future),
        })
    }
}

/// Runs a local executor for as long as its `block_on` lasts.
fn drive(executor: Rc<LocalExecutor<'static>>) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move { executor.run(pending()).await })
}

/// A smol task's result. Dropping it cancels the task.
pub struct SmolJoin<T, C = SendCancel<T>> {
    state: State<T, C>,
}

/// The result of a smol task that stays on its thread. Dropping it cancels the task.
pub type SmolLocalJoin<T> = SmolJoin<T, LocalCancel<T>>;

/// The end of a cancelled task.
#[doc(hidden)]
pub type SendCancel<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;

/// The end of a cancelled local task.
#[doc(hidden)]
pub type LocalCancel<T> = Pin<Box<dyn Future<Output = Option<T>>>>;

/// A boxed future that ends a task; with or without `Send`, as the task has it.
#[doc(hidden)]
pub trait Cancel<T>: Future<Output = Option<T>> + Unpin {
    /// The future of the task's end.
    fn of(task: FallibleTask<T>) -> Self;
}

impl<T: Send + 'static> Cancel<T> for SendCancel<T> {
    fn of(task: FallibleTask<T>) -> Self {
        Box::pin(task.cancel())
    }
}

impl<T: 'static> Cancel<T> for LocalCancel<T> {
    fn of(task: FallibleTask<T>) -> Self {
        Box::pin(task.cancel())
    }
}

enum State<T, C> {
    /// Of the kind that resolves to `None`, where the other one panics, when the executor has dropped it.
    Running(FallibleTask<T>),
    /// `abort` was called: the future resolves when the task is over.
    Cancelling(C),
    /// The task is over, and this is its outcome until somebody takes it.
    Over(Option<Result<T, JoinFailed>>),
}

// Nothing in the handle is pinned in place: a task is a pointer, and the cancellation is boxed.
impl<T, C> Unpin for SmolJoin<T, C> {}

impl<T, C> SmolJoin<T, C> {
    fn new(task: ::smol::Task<T>) -> Self {
        Self { state: State::Running(task.fallible()) }
    }
}

impl<T, C> fmt::Debug for SmolJoin<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmolJoin").finish_non_exhaustive()
    }
}

/// Polls for a task's outcome. smol raises a task's panic in whoever polls for its end; here it becomes a value.
fn outcome<T>(
    end: &mut (impl Future<Output = Option<T>> + Unpin),
    cx: &mut Context<'_>,
) -> Poll<Result<T, JoinFailed>> {
    match catch_unwind(AssertUnwindSafe(|| Pin::new(end).poll(cx))) {
        Ok(polled) => polled.map(|value| value.ok_or(JoinFailed::cancelled())),
        Err(payload) => Poll::Ready(Err(JoinFailed::panicked(payload))),
    }
}

impl<T, C: Cancel<T>> Future for SmolJoin<T, C> {
    type Output = Result<T, JoinFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = match &mut self.state {
            State::Running(task) => outcome(task, cx),
            State::Cancelling(end) => outcome(end, cx),
            State::Over(outcome) => Poll::Ready(outcome.take().expect("polled after it was ready")),
        };
        if outcome.is_ready() {
            self.state = State::Over(None);
        }
        outcome
    }
}

impl<T, C: Cancel<T>> Join<T> for SmolJoin<T, C> {
    const ON_DROP: OnDrop = OnDrop::Abort;

    fn abort(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Over(None)) {
            State::Running(task) => {
                let mut end = C::of(task);
                // smol asks the task to end when this future is first polled, which must not wait until somebody
                // awaits the handle.
                match outcome(&mut end, &mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(outcome) => State::Over(Some(outcome)),
                    Poll::Pending => State::Cancelling(end),
                }
            }
            over => over,
        };
    }

    fn detach(self) {
        if let State::Running(task) = self.state {
            task.detach();
        }
    }
}

impl Spawn for Smol {
    type Join<T: Send + 'static> = SmolJoin<T>;

    fn spawn<F>(&self, future: F) -> SmolJoin<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        SmolJoin::new(self.shared.executor.spawn(future))
    }
}

impl SpawnLocal for Smol {
    type LocalJoin<T: 'static> = SmolLocalJoin<T>;

    fn spawn_local<F>(&self, future: F) -> Result<SmolLocalJoin<F::Output>, NotLocal<F>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match local::current(&SCOPES, self.id(), LocalExecutor::new) {
            Some(executor) => Ok(SmolJoin::new(executor.spawn(future))),
            None => Err(NotLocal { future }),
        }
    }
}

impl SpawnBlocking for Smol {
    type BlockingJoin<T: Send + 'static> = SmolJoin<T>;

    fn spawn_blocking<F, T>(&self, f: F) -> SmolJoin<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        SmolJoin::new(::smol::unblock(f))
    }
}

/// Wakes its task and is ready at the next poll, as futures-lite's does.
#[derive(Debug)]
#[must_use = "does nothing unless awaited"]
pub struct SmolYield(::smol::future::YieldNow);

impl Future for SmolYield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Yield for Smol {
    type Yield = SmolYield;

    fn yield_now(&self) -> SmolYield {
        SmolYield(::smol::future::yield_now())
    }
}

/// An async-io timer that gives no value.
#[derive(Debug)]
#[must_use = "does nothing unless awaited"]
pub struct SmolSleep(Timer);

impl Future for SmolSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

impl Time for Smol {
    type Instant = Instant;
    type Sleep = SmolSleep;

    #[expect(
        clippy::disallowed_methods,
        reason = "async-io's timers are on std's clock, so this is smol's clock"
    )]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> SmolSleep {
        SmolSleep(Timer::after(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> SmolSleep {
        SmolSleep(Timer::at(deadline))
    }
}

impl Net for Smol {
    type TcpStream = SmolStream;
    type TcpListener = SmolListener;

    async fn connect(&self, addr: SocketAddr) -> io::Result<SmolStream> {
        Async::<std::net::TcpStream>::connect(addr).await.map(SmolStream)
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<SmolListener> {
        Async::<std::net::TcpListener>::bind(addr).map(SmolListener)
    }
}

/// An async-io listener.
#[derive(Debug)]
pub struct SmolListener(Async<std::net::TcpListener>);

impl TcpListener for SmolListener {
    type Stream = SmolStream;

    async fn accept(&self) -> io::Result<(SmolStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((SmolStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

/// An async-io connection.
#[derive(Debug)]
pub struct SmolStream(Async<std::net::TcpStream>);

impl AsyncRead for SmolStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for SmolStream {
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

    /// async-io's own only flushes; the traits ask for the end of writing, as smol's own stream does it.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.0.get_ref().shutdown(Shutdown::Write) {
            // The peer was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

impl TcpStream for SmolStream {
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.get_ref().set_nodelay(nodelay)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().peer_addr()
    }
}

impl Udp for Smol {
    type UdpSocket = SmolUdpSocket;

    fn bind_udp(&self, addr: SocketAddr) -> io::Result<SmolUdpSocket> {
        Async::<std::net::UdpSocket>::bind(addr).map(SmolUdpSocket)
    }
}

/// A file that async-io watches.
#[cfg(unix)]
#[derive(Debug)]
pub struct SmolWatched<T>(Async<T>);

#[cfg(unix)]
impl Io for Smol {
    type Watched<T: AsFd + Send + Sync + 'static> = SmolWatched<T>;

    fn watch<T: AsFd + Send + Sync + 'static>(&self, file: T) -> io::Result<SmolWatched<T>> {
        Async::new_nonblocking(file).map(SmolWatched)
    }
}

/// async-io keeps no readiness: each wait asks the kernel, so there is none to take back after a try.
#[cfg(unix)]
impl<T: Send + Sync + 'static> Watched<T> for SmolWatched<T> {
    fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }

    fn try_io<R>(&self, _: Direction, operation: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        operation(self.0.get_ref())
    }
}

/// An async-io UDP socket.
#[derive(Debug)]
pub struct SmolUdpSocket(Async<std::net::UdpSocket>);

impl UdpSocket for SmolUdpSocket {
    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.0.send_to(bytes, to).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buf).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}
