//! hyper 1 on any combination (feature `hyper`): `rt::Executor` and `rt::Timer` for [`Handle`], `rt::Sleep` for
//! [`time::Sleep`](crate::time::Sleep), and `rt::Read` and `rt::Write` for what is in an [`Io`].
//!
//! Invariant: hyper's time is the runtime's clock, so that on a paused one its timeouts pass at once.
//!
//! # Examples
//!
//! A server and a client over one connection:
//!
//! ```
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//! use polyloop::Handle;
//! use polyloop::interop::hyper::Io;
//! use polyloop::net::{TcpListener, TcpStream};
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! # #[polyloop::main(combination = "fifo+poll+heap")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! polyloop::spawn(async move {
//!     let (stream, _) = listener.accept().await.unwrap();
//!     let answer = service_fn(async |_| Ok::<_, Infallible>(Response::new("hello".to_owned())));
//!     let connection = hyper::server::conn::http1::Builder::new()
//!         .timer(Handle::current())
//!         .header_read_timeout(Duration::from_secs(10))
//!         .serve_connection(Io::new(stream), answer);
//!     connection.await.unwrap();
//! });
//!
//! let stream = Io::new(TcpStream::connect(address).await?);
//! let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await?;
//! polyloop::spawn(connection);
//! let answer = client.send_request(Request::new(String::new())).await?;
//! assert_eq!(answer.status(), 200);
//! # Ok(())
//! # }
//! ```

use crate::time::{Instant, Sleep};
use crate::{Handle, task};
use ::hyper::rt;
use futures_io::{AsyncRead, AsyncWrite};
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

impl<F> rt::Executor<F> for Handle
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    /// Spawns a task and detaches it. On a runtime that has shut down it is cancelled at once.
    #[track_caller]
    fn execute(&self, future: F) {
        drop(self.spawn(future));
    }
}

/// Runs hyper's tasks as local ones, which need not be `Send`: HTTP/2 with a service that is not.
///
/// # Panics
///
/// hyper's calls panic with it on a thread that is not inside `block_on`, such as a worker: see
/// [`spawn_local`](task::spawn_local).
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalExecutor;

impl<F> rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        drop(task::spawn_local(future));
    }
}

impl rt::Timer for Handle {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep::after(self, duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep::until(self, Instant::from_std(deadline)))
    }

    fn now(&self) -> std::time::Instant {
        Instant(self.driver().now()).into_std()
    }

    /// Moves the timer that is in the queue already. A sleep of another runtime stays there.
    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(ours) => ours.reset(Instant::from_std(deadline)),
            None => *sleep = rt::Timer::sleep_until(self, deadline),
        }
    }
}

impl rt::Sleep for Sleep {}

pin_project! {
    /// A byte stream between `futures-io` and hyper, in both directions: around one that speaks `futures-io`, as ours do, it
    /// speaks hyper; around one of hyper's, as what comes of an upgrade, it speaks `futures-io`.
    ///
    /// hyper may hand over memory that was never written, and that no safe code may read into. So what was read goes through a
    /// buffer of the thread, which costs one copy of the bytes and nothing for a connection that waits.
    ///
    /// # Cancel safety
    ///
    /// As that of the stream inside; nothing is kept here.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Io<T> {
        #[pin]
        stream: T,
    }
}

impl<T> Io<T> {
    /// Around `stream`.
    pub const fn new(stream: T) -> Self {
        Self { stream }
    }

    /// The stream inside.
    pub const fn get_ref(&self) -> &T {
        &self.stream
    }

    /// The stream inside.
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.stream
    }

    /// The stream inside, given back.
    pub fn into_inner(self) -> T {
        self.stream
    }
}

/// The most that one read moves. Bodies of any size come in reads of this size; hyper's own buffer begins with 8 KiB.
const MOST: usize = 64 * 1024;

thread_local! {
    /// Between the socket and hyper's memory. Taken out while it is used: a stream inside may itself be one of these.
    static BETWEEN: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `read` with a buffer of `room` bytes at most.
fn through<R>(room: usize, read: impl FnOnce(&mut [u8]) -> R) -> R {
    // In a destructor of the thread's end it is gone, and a new one does.
    let mut buffer = BETWEEN.try_with(Cell::take).unwrap_or_default();
    let room = room.min(MOST);
    if buffer.len() < room {
        buffer.resize(room, 0);
    }
    let result = read(&mut buffer[..room]);
    // No use for the buffer if the thread ends.
    let _ = BETWEEN.try_with(|between| between.set(buffer));
    result
}

impl<T: AsyncRead> rt::Read for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut room: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        through(room.remaining(), |buffer| {
            let n = ready!(self.project().stream.poll_read(cx, buffer))?;
            room.put_slice(&buffer[..n]);
            Poll::Ready(Ok(()))
        })
    }
}

impl<T: AsyncWrite> rt::Write for Io<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_close(cx)
    }

    /// `futures-io` cannot say it; our sockets do, and one that does not writes the first part and is asked again.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, parts)
    }
}

impl<T: rt::Read> AsyncRead for Io<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = rt::ReadBuf::new(buffer);
        ready!(self.project().stream.poll_read(cx, room.unfilled()))?;
        Poll::Ready(Ok(room.filled().len()))
    }
}

impl<T: rt::Write> AsyncWrite for Io<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, parts)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}
