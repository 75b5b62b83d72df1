//! Deadlines that hyper does not have: until it is known which protocol a client speaks, and while it does not take what it
//! asked for, be it that it does not read or, in HTTP/2, that it opens no window.
//!
//! Invariant: a deadline runs only while it is the client's turn; whatever the client does that helps ends it.

use crate::answer::Untaken;
use futures::io::{AsyncRead, AsyncWrite};
use polyloop::time::{Sleep, sleep};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a client of HTTP/2 begins with. hyper-util waits for so much, or for a byte that differs, before any of its timers runs.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose peer must say what it speaks, and read what it asked for.
#[derive(Debug)]
pub struct Impatient<S> {
    stream: S,
    /// Until it is known what the client speaks: how much of the preface came, and until when the rest may.
    greeting: Option<(usize, Pin<Box<Sleep>>)>,
    /// How long a write may wait, and the one that does.
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    /// What waits for a window of the client's, and until when it may.
    untaken: Untaken,
    untaken_until: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// Around `stream`: so long for the greeting, so long for each write and for whatever is `untaken`. On the current runtime.
    pub fn new(stream: S, greeting: Duration, patience: Duration, untaken: Untaken) -> Self {
        let greeting = Some((0, Box::pin(sleep(greeting))));
        Self { stream, greeting, patience, stalled: None, untaken, untaken_until: None }
    }

    fn greeted(&mut self, bytes: &[u8]) {
        let Some((seen, _)) = &mut self.greeting else { return };
        let expected = &PREFACE[*seen..];
        *seen += bytes.len();
        if bytes.len() >= expected.len() || !expected.starts_with(bytes) {
            self.greeting = None;
        }
    }

    /// Whether the client had its time, while nothing comes from it.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some((_, late)) = &mut self.greeting
            && late.as_mut().poll(cx).is_ready()
        {
            return true;
        }
        self.untaken.poll_late(cx, self.patience, &mut self.untaken_until).is_ready()
    }

    /// A write's result, or the end of the patience.
    fn unless_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match &read {
            Poll::Ready(Ok(n)) => self.greeted(&buffer[..*n]),
            Poll::Pending if self.is_late(cx) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            _ => {}
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.unless_stalled(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
