//! A file and who watches it: what every socket here is made of.
//!
//! Invariant: of the operations on one direction, each is tried while that direction counts as ready, and the readiness is
//! cleared only by one that found out that it was spent.

use crate::Context;
use crate::byte_stream::append;
use crate::readiness::Interest;
use polyloop_core::reactor::{Call, Fault};
use polyloop_core::{Direction, ReadyEvent, Registration, Sleep, budget};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use socket2::SockRef;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
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
        events(&self.registration, interest).await
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

    /// How many bytes `call` may move: as many as it can, but on the [bad days](polyloop_core::reactor::Faults) of a test.
    pub(crate) fn most(&self, call: Call) -> io::Result<usize> {
        let errno = match self.registration.fault(call) {
            None => return Ok(usize::MAX),
            Some(Fault::Short(most)) => return Ok(most),
            Some(Fault::NoDescriptor) => Errno::MFILE,
            Some(Fault::Aborted) => Errno::CONNABORTED,
            Some(_) => Errno::INTR,
        };
        Err(errno.into())
    }

    /// Waits until the connection is made, or has failed.
    ///
    /// That the socket counts as ready is no proof of either: the event may have meant nothing. One that is still
    /// connecting has no error and no peer.
    pub(crate) async fn connected(&self) -> io::Result<()> {
        self.io(Direction::Write, |socket| {
            let socket = SockRef::from(socket);
            if let Some(error) = socket.take_error()? {
                return Err(error);
            }
            // A hang-up before the connection was made comes without an error on some kernels.
            let over = || self.registration.readiness(Direction::Write).is_some_and(ReadyEvent::is_hangup);
            match socket.peer_addr() {
                Err(error) if error.kind() == io::ErrorKind::NotConnected && !over() => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                result => result.map(drop),
            }
        })
        .await
    }

    /// Writes `length` bytes to a byte stream.
    pub(crate) async fn write(
        &self,
        length: usize,
        mut write: impl FnMut(Portion<'_, S>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if length == 0 {
            return Ok(0);
        }
        self.io(Direction::Write, |socket| write(Portion { socket, most: self.most(Call::Write)? })).await
    }

    /// As [`write`](Self::write), by the slot for the one task that polls.
    pub(crate) fn poll_write(
        &self,
        cx: &mut TaskContext<'_>,
        length: usize,
        mut write: impl FnMut(Portion<'_, S>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        self.poll_io(cx, Direction::Write, |socket| write(Portion { socket, most: self.most(Call::Write)? }))
    }
}

/// A socket that carries a stream of bytes.
pub(crate) trait Bytes {
    /// Whether a read that did not fill its room has emptied the socket, unless it stopped at urgent data.
    const SHORT_READ_EMPTIES: bool;
}

impl Bytes for std::net::TcpStream {
    const SHORT_READ_EMPTIES: bool = true;
}

/// A read ends with the message that brought file descriptors, or somebody else's credentials.
impl Bytes for std::os::unix::net::UnixStream {
    const SHORT_READ_EMPTIES: bool = false;
}

impl<S: Bytes + AsFd + Send + Sync + 'static> Watched<S> {
    /// Reads a byte stream into `room` bytes. No room is no read: 0 bytes would look like the end.
    pub(crate) async fn read(
        &self,
        room: usize,
        mut read: impl FnMut(Portion<'_, S>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if room == 0 {
            return Ok(0);
        }
        self.io(Direction::Read, |socket| self.read_once(socket, room, &mut read)).await
    }

    /// As [`read`](Self::read), by the slot for the one task that polls.
    pub(crate) fn poll_read(
        &self,
        cx: &mut TaskContext<'_>,
        room: usize,
        mut read: impl FnMut(Portion<'_, S>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        self.poll_io(cx, Direction::Read, |socket| self.read_once(socket, room, &mut read))
    }

    /// One try. A read that did not fill the room may have emptied the socket: where readiness comes once per change, the
    /// next read need not find that out by asking, which is one system call of four in an echo. But the end may have come
    /// with the data, in one change, and a read stops at urgent data; where that was told, or cannot be, only asking helps.
    fn read_once(
        &self,
        socket: &S,
        room: usize,
        read: &mut impl FnMut(Portion<'_, S>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // Before the read, so that an event after it stands.
        let event = self.registration.readiness(Direction::Read);
        let most = self.most(Call::Read)?;
        let n = read(Portion { socket, most })?;
        if let Some(event) = event
            && S::SHORT_READ_EMPTIES
            && (1..room.min(most)).contains(&n)
            && !event.is_read_closed()
            && !event.is_urgent()
        {
            let caps = self.registration.driver().reactor().caps();
            if caps.edge && caps.read_closed {
                self.registration.clear(event)?;
            }
        }
        Ok(n)
    }
}

impl<S> fmt::Debug for Watched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.registration.fmt(f)
    }
}

/// A socket for one call, and how many bytes that may move.
pub(crate) struct Portion<'a, S> {
    socket: &'a S,
    most: usize,
}

impl<S: AsFd> Portion<'_, S> {
    /// Receives into the spare capacity.
    pub(crate) fn append(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if self.most == usize::MAX {
            return append(self.socket, buffer);
        }
        let mut few = vec![0; self.most.min(buffer.capacity() - buffer.len())];
        let (received, _) = recv(self.socket, few.as_mut_slice(), RecvFlags::empty())?;
        buffer.extend_from_slice(&few[..received]);
        Ok(received)
    }
}

impl<'a, S> Read for Portion<'a, S>
where
    &'a S: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(self.most);
        self.socket.read(&mut buffer[..room])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if self.most == usize::MAX {
            return self.socket.read_vectored(buffers);
        }
        let first = buffers.iter_mut().find(|buffer| !buffer.is_empty());
        first.map_or(Ok(0), |buffer| self.read(buffer))
    }
}

impl<'a, S> Write for Portion<'a, S>
where
    &'a S: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(&bytes[..bytes.len().min(self.most)])
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.most == usize::MAX {
            return self.socket.write_vectored(bytes);
        }
        let first = bytes.iter().find(|bytes| !bytes.is_empty());
        first.map_or(Ok(0), |bytes| self.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
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

/// Waits until one of the directions of `interest` is ready, and gives the events of those that are.
pub(crate) async fn events(
    registration: &Registration,
    interest: Interest,
) -> io::Result<[Option<ReadyEvent>; 2]> {
    let mut read = pin!(registration.ready(Direction::Read));
    let mut write = pin!(registration.ready(Direction::Write));
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
