//! async-rs' `RuntimeKit` for [`Handle`] (feature `async-rs`, of async-rs 0.8), so that what is written against it, such as lapin, runs on
//! any combination: `async_rs::Runtime::new(handle)`.
//!
//! Take async-rs without its default features, of which one is tokio.
//!
//! # Examples
//!
//! ```
//! use async_rs::Runtime;
//! use async_rs::traits::{Executor, Reactor};
//! use polyloop::Handle;
//! use std::time::Duration;
//!
//! # #[polyloop::main(combination = "fifo+poll+heap")]
//! # async fn main() {
//! let runtime = Runtime::new(Handle::current());
//! let answer = runtime.spawn({
//!     let runtime = runtime.clone();
//!     async move {
//!         runtime.sleep(Duration::from_millis(1)).await;
//!         42
//!     }
//! });
//! assert_eq!(answer.await, 42);
//! # }
//! ```

use crate::Handle;
use crate::net::{AsyncFd, TcpStream};
use crate::time::{Instant, Interval, Sleep, interval_at};
use ::async_rs::traits::{Executor, Reactor, RuntimeKit};
use ::async_rs::util::{Task, TaskImpl};
use async_trait::async_trait;
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use polyloop_core::{JoinError, JoinHandle};
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

impl RuntimeKit for Handle {}

impl Executor for Handle {
    type Task<T: Send + 'static> = Running<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        Self::block_on(self, future)
    }

    #[track_caller]
    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Running<T>> {
        Running(Some(Self::spawn(self, future))).into()
    }

    #[track_caller]
    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        job: F,
    ) -> Task<Running<T>> {
        Running(Some(Self::spawn_blocking(self, job))).into()
    }
}

/// A task of async-rs', which is detached when the handle around it is dropped.
///
/// # Panics
///
/// Awaiting it panics with the panic of the task, and if the task was cancelled, or had no thread to run on: there is no other way
/// to say so.
#[derive(Debug)]
pub struct Running<T>(Option<JoinHandle<T>>);

impl<T> Future for Running<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(task) = &mut self.0 else { panic!("a task that was cancelled has no output") };
        Pin::new(task).poll(cx).map(|ended| match ended.map_err(JoinError::try_into_panic) {
            Ok(output) => output,
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(error)) => panic!("there is no output: {error}"),
        })
    }
}

#[async_trait]
impl<T: Send + 'static> TaskImpl for Running<T> {
    async fn cancel(&mut self) -> Option<T> {
        let task = self.0.take()?;
        task.abort();
        task.await.ok()
    }
}

impl Reactor for Handle {
    type TcpStream = TcpStream;
    type Sleep = Sleep;

    /// The socket is watched by a descriptor of its own, for it may be one that threads cannot share.
    fn register<H: Read + Write + AsFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        let file = socket.as_fd().try_clone_to_owned()?;
        rustix::io::ioctl_fionbio(&file, true)?;
        Ok(Watched { readiness: AsyncFd::new_on(self.net_context(), file)?, socket })
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::after(self, duration)
    }

    fn interval(&self, period: Duration) -> impl Stream<Item = std::time::Instant> + Send + 'static {
        let _by_this_clock = self.enter();
        Ticks(interval_at(Instant::now(), period))
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<TcpStream>> + Send + 'static {
        let context = self.net_context().clone();
        async move {
            let stream = TcpStream::connect_on(&context, address).await?;
            // Protocols above this wait for answers, and the trait has no way to ask for it.
            stream.set_nodelay(true)?;
            Ok(stream)
        }
    }
}

/// An [`Interval`] as a stream, which never ends.
struct Ticks(Interval);

impl Stream for Ticks {
    type Item = std::time::Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_tick(cx).map(|due| Some(due.into_std()))
    }
}

/// A socket of somebody else's.
struct Watched<H> {
    readiness: AsyncFd<OwnedFd>,
    socket: H,
}

// The socket is only ever used through a unique reference, and nothing in it is pinned.
impl<H> Unpin for Watched<H> {}

impl<H: Read + Write> Watched<H> {
    fn poll_read_by<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&mut H) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let Self { readiness, socket } = self;
        readiness.poll_read_with(cx, |_| read(socket))
    }

    fn poll_write_by<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut H) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let Self { readiness, socket } = self;
        readiness.poll_write_with(cx, |_| write(socket))
    }
}

impl<H: Read + Write> AsyncRead for Watched<H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_by(cx, |socket| socket.read(buffer))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_by(cx, |socket| socket.read_vectored(buffers))
    }
}

impl<H: Read + Write> AsyncWrite for Watched<H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_by(cx, |socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_by(cx, |socket| socket.write_vectored(parts))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_by(cx, Write::flush)
    }

    /// Flushes. What ends the sending is the drop: `Write` knows no other way.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
