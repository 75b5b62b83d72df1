//! A file and who watches it: what every socket here is made of.
//!
//! Invariant: of the operations on one direction, each is tried while that direction counts as ready, and the readiness is
//! cleared only by one that found out that it was spent.

use crate::Context;
use crate::readiness::Interest;
use polyloop_core::{Direction, ReadyEvent, Registration, Sleep, budget};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

/// A watched file.
pub(crate) struct Watched<S> {
    registration: Registration,
    file: Arc<S>,
}

impl<S: AsFd + Send + Sync + 'static> Watched<S> {
    /// Watches `file`, which is in non-blocking mode. See [`Registration::new`] for `optimistic`.
    pub(crate) fn new(context: &Context, file: S, optimistic: bool) -> io::Result<Self> {
        Self::share(context, Arc::new(file), optimistic)
    }

    /// As [`new`](Self::new), of a file that the caller may keep if it fails.
    pub(crate) fn share(context: &Context, file: Arc<S>, optimistic: bool) -> io::Result<Self> {
        let registration = Registration::new(&context.driver, file.clone(), optimistic)?;
        Ok(Self { registration, file })
    }

    pub(crate) fn get(&self) -> &S {
        &self.file
    }

    /// Ends the registration and gives the file back. `share` makes another handle to it, in case a reactor that
    /// waits at this moment still holds this one.
    pub(crate) fn into_file(self, share: impl FnOnce(&S) -> io::Result<S>) -> io::Result<S> {
        let Self { registration, file } = self;
        drop(registration);
        Arc::try_unwrap(file).or_else(|held| share(&held))
    }

    pub(crate) async fn ready(&self, direction: Direction) -> io::Result<ReadyEvent> {
        self.registration.ready(direction).await
    }

    pub(crate) fn poll_ready(&self, cx: &mut TaskContext<'_>, direction: Direction) -> Poll<io::Result<()>> {
        self.registration.poll_ready(cx, direction).map_ok(drop)
    }

    /// Waits until one of the directions of `interest` is ready, and gives the events of those that are.
    pub(crate) async fn events(&self, interest: Interest) -> io::Result<[Option<ReadyEvent>; 2]> {
        let mut read = pin!(self.registration.ready(Direction::Read));
        let mut write = pin!(self.registration.ready(Direction::Write));
        poll_fn(|cx| {
            let mut look = |direction, ready: Pin<&mut dyn Future<Output = io::Result<ReadyEvent>>>| {
                if !interest.has(direction) {
                    return Ok(None);
                }
                match ready.poll(cx) {
                    Poll::Ready(event) => event.map(Some),
                    Poll::Pending => Ok(None),
                }
            };
            let events = [look(Direction::Read, read.as_mut())?, look(Direction::Write, write.as_mut())?];
            if events.iter().all(Option::is_none) { Poll::Pending } else { Poll::Ready(Ok(events)) }
        })
        .await
    }

    pub(crate) async fn io<R>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration.io(direction, || operation(&self.file)).await
    }

    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut TaskContext<'_>,
        direction: Direction,
        mut operation: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.registration.poll_io(cx, direction, || operation(&self.file))
    }

    pub(crate) fn try_io<R>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration.try_io(direction, || {
            loop {
                match operation(&self.file) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            }
        })
    }

    /// Tries `operation` once, if `direction` counts as ready.
    pub(crate) fn try_io_once<R>(
        &self,
        direction: Direction,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration.try_io(direction, operation)
    }

    /// Reads a byte stream into `room` bytes. No room is no read: 0 bytes would look like the end.
    pub(crate) async fn read(
        &self,
        room: usize,
        mut read: impl FnMut(&S) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if room == 0 {
            return Ok(0);
        }
        loop {
            let event = self.registration.ready(Direction::Read).await?;
            if let Some(n) = self.read_once(event, room, &mut read)? {
                return Ok(n);
            }
        }
    }

    /// As [`read`](Self::read), by the slot for the one task that polls.
    pub(crate) fn poll_read(
        &self,
        cx: &mut TaskContext<'_>,
        room: usize,
        mut read: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        loop {
            let event = ready!(self.registration.poll_ready(cx, Direction::Read))?;
            if let Some(n) = self.read_once(event, room, &mut read)? {
                return Poll::Ready(Ok(n));
            }
        }
    }

    /// One try; `None` means another one, after the next event. A read that did not fill the room has emptied the socket: where
    /// readiness comes once per change, the next read need not find that out by asking. But the end may have come with the
    /// data, in one change; if that was not told, only asking finds it.
    fn read_once(
        &self,
        event: ReadyEvent,
        room: usize,
        read: &mut impl FnMut(&S) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        match read(&self.file) {
            Ok(n) => {
                let emptied = 0 < n && n < room && !event.is_read_closed();
                let caps = self.registration.driver().reactor().caps();
                if emptied && caps.edge && caps.read_closed {
                    self.registration.clear(event)?;
                }
                Ok(Some(n))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.registration.clear(event)?;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes `length` bytes to a byte stream.
    pub(crate) async fn write(
        &self,
        length: usize,
        write: impl FnMut(&S) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if length == 0 { Ok(0) } else { self.io(Direction::Write, write).await }
    }

    /// As [`write`](Self::write), by the slot for the one task that polls.
    pub(crate) fn poll_write(
        &self,
        cx: &mut TaskContext<'_>,
        length: usize,
        write: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if length == 0 { Poll::Ready(Ok(0)) } else { self.poll_io(cx, Direction::Write, write) }
    }
}

impl<S> fmt::Debug for Watched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.registration.fmt(f)
    }
}

/// Waits for `time` on the driver's clock.
pub(crate) async fn pause(context: &Context, time: Duration) -> io::Result<()> {
    let driver = &context.driver;
    let mut sleep = Sleep::until(driver.clone(), driver.now() + time);
    poll_fn(|cx| sleep.poll_elapsed(cx)).await.map_err(io::Error::other)
}

/// Waits for `future`, but not longer than `patience`.
pub(crate) async fn within<T>(
    context: &Context,
    patience: Duration,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut future, mut pause) = (pin!(future), pin!(pause(context, patience)));
    poll_fn(|cx| {
        if let Poll::Ready(done) = future.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        // The deadline holds also for one that uses its whole budget in every poll.
        ready!(budget::unlimited(|| pause.as_mut().poll(cx)))?;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}
