//! The standard streams of the process, on the blocking pool.
//!
//! Invariant: of one value at most one job is under way.

use crate::Handle;
use crate::blocking_io::{Buffer, MOST, lost};
use crate::task::coop::poll_proceed;
use polyloop_core::JoinHandle;
use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A buffer, or the job that has it.
enum State<T> {
    Idle(Buffer),
    Busy(JoinHandle<(io::Result<T>, Buffer)>),
}

impl<T: Send + 'static> State<T> {
    /// What the job has said, `None` if there is none.
    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<T>>> {
        let Self::Busy(job) = self else { return Poll::Ready(None) };
        let (done, buffer) = match ready!(Pin::new(job).poll(cx)) {
            Ok(done) => done,
            Err(error) => (Err(lost(error)), Buffer::default()),
        };
        *self = Self::Idle(buffer);
        Poll::Ready(Some(done))
    }
}

/// What a thread of the pool runs: `job` on `buffer`, which comes back.
fn with_buffer<T>(
    mut buffer: Buffer,
    job: impl FnOnce(&mut Buffer) -> io::Result<T>,
) -> impl FnOnce() -> (io::Result<T>, Buffer) {
    move || (job(&mut buffer), buffer)
}

/// The standard input of the process; see [`stdin`].
pub struct Stdin(State<usize>);

/// The standard input of the process. For lines wrap it in a [`BufReader`](super::BufReader).
///
/// A read is a job of the blocking pool, which waits until something is typed, also if nobody waits for it any more: **a runtime that
/// is shut down meanwhile goes without it**, and reports it. What it reads is lost then. For programs that talk to a person, a
/// thread of its own that sends lines into a channel is the better way.
///
/// # Cancel safety
///
/// Cancel safe: what a read that was given up has read is there for the next one of the same value.
pub fn stdin() -> Stdin {
    Stdin(State::Idle(Buffer::default()))
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let operation = ready!(poll_proceed(cx));
        let most = to.remaining().min(MOST);
        let read = loop {
            if let State::Idle(ahead) = &mut self.0 {
                if !ahead.is_empty() || most == 0 {
                    ahead.copy_to(to);
                    break Ok(());
                }
                let handle = match Handle::try_current() {
                    Ok(handle) => handle,
                    Err(error) => break Err(error.into()),
                };
                let job = with_buffer(take(ahead), move |buffer| buffer.read_from(io::stdin(), most));
                self.0 = State::Busy(handle.spawn_blocking(job));
            }
            match ready!(self.0.poll_done(cx)) {
                Some(Ok(0)) => break Ok(()),
                Some(Err(error)) => break Err(error),
                Some(Ok(_)) | None => {}
            }
        };
        operation.made_progress();
        Poll::Ready(read)
    }
}

/// A standard stream that is written to.
macro_rules! output {
    ($(#[$doc:meta])+ $type:ident, $name:ident) => {
        $(#[$doc])+
        ///
        /// A write is ready as soon as its bytes are taken over; [`flush`](super::AsyncWriteExt::flush) waits until they are written. A
        /// runtime that ends [waits for them](crate::Runtime), too.
        ///
        /// # Cancel safety
        ///
        /// A write that was not ready has taken nothing.
        pub fn $name() -> $type {
            $type(State::Idle(Buffer::default()))
        }

        /// A standard stream of the process, made by the function of its name.
        pub struct $type(State<()>);

        impl AsyncWrite for $type {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                let operation = ready!(poll_proceed(cx));
                let before = ready!(self.0.poll_done(cx));
                operation.made_progress();
                if let Some(Err(error)) = before {
                    return Poll::Ready(Err(error));
                }
                let handle = Handle::try_current()?;
                let State::Idle(buffer) = &mut self.0 else { unreachable!("the job before is done") };
                let taken = buffer.copy_from(bytes, MOST);
                let job = with_buffer(take(buffer), |buffer| {
                    let mut stream = io::$name().lock();
                    buffer.write_to(&mut stream)?;
                    stream.flush()
                });
                // Whoever hears that it is written need not wait for that.
                self.0 = State::Busy(handle.spawn_mandatory(concat!("write to ", stringify!($name)), job)?);
                Poll::Ready(Ok(taken))
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_done(cx).map(|done| done.unwrap_or(Ok(())))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_flush(cx)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($type))
            }
        }
    };
}

output! {
    /// The standard output of the process.
    Stdout, stdout
}

output! {
    /// The standard error of the process.
    Stderr, stderr
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stdin")
    }
}
