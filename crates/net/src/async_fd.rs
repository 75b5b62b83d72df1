//! Any file that can be watched.

use crate::Context;
use crate::readiness::{Interest, Ready};
use crate::watched;
use polyloop_core::{Direction, ReadyEvent, Registration};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

/// Watches a file of the caller's, which must be in non-blocking mode.
///
/// # Examples
///
/// A readiness that turns out to be stale is handed back, and waited for again:
///
/// ```no_run
/// # async fn f(pipe: std::io::PipeReader) -> std::io::Result<usize> {
/// use polyloop_net::AsyncFd;
/// use std::io::Read;
///
/// let pipe = AsyncFd::new(pipe)?;
/// let mut buffer = [0; 64];
/// pipe.read_with(|mut pipe| pipe.read(&mut buffer)).await
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncFd<T: AsFd + Send + Sync + 'static> {
    registration: Registration,
    file: Arc<T>,
    interest: Interest,
}

impl<T: AsFd + Send + Sync + 'static> AsyncFd<T> {
    /// Watches `file` on the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word: `EPERM` for what cannot be watched, such as a regular file under epoll.
    pub fn new(file: T) -> io::Result<Self> {
        Self::new_on(&Context::current()?, file)
    }

    /// Watches `file` on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn new_on(context: &Context, file: T) -> io::Result<Self> {
        Self::with_interest_on(context, file, Interest::READABLE | Interest::WRITABLE)
    }

    /// Watches `file` on the current runtime for what `interest` names and nothing else: waiting for something else is then an
    /// error.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_interest(file: T, interest: Interest) -> io::Result<Self> {
        Self::with_interest_on(&Context::current()?, file, interest)
    }

    /// The same on the runtime of `context`.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_interest_on(context: &Context, file: T, interest: Interest) -> io::Result<Self> {
        let file = Arc::new(file);
        let registration =
            Registration::with_interest(&context.driver, file.clone(), true, interest.of_core())?;
        Ok(Self { registration, file, interest })
    }

    /// That somebody may wait for this here.
    fn watches(&self, direction: Direction) -> io::Result<()> {
        if self.interest.has(direction) {
            return Ok(());
        }
        let which = match direction {
            Direction::Read => "reading",
            Direction::Write => "writing",
        };
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("this AsyncFd was made without an interest in {which}"),
        ))
    }

    fn guard(&self, event: ReadyEvent, direction: Direction) -> ReadyGuard<'_, T> {
        let events = match direction {
            Direction::Read => [Some(event), None],
            Direction::Write => [None, Some(event)],
        };
        ReadyGuard { fd: self, events }
    }

    /// Waits until what `interest` names is worth a try; with both, until one of them is.
    ///
    /// # Errors
    ///
    /// That the runtime has shut down; `InvalidInput` for what this file is not watched for.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn ready(&self, interest: Interest) -> io::Result<ReadyGuard<'_, T>> {
        for direction in [Direction::Read, Direction::Write] {
            if interest.has(direction) {
                self.watches(direction)?;
            }
        }
        Ok(ReadyGuard { fd: self, events: watched::events(&self.registration, interest).await? })
    }

    /// The file. There is no way to change it in place, for the reactor has a share in it: see
    /// [`into_inner`](Self::into_inner).
    pub fn get_ref(&self) -> &T {
        &self.file
    }

    /// Ends the registration and gives the file back.
    ///
    /// # Panics
    ///
    /// If the reactor keeps its share although the registration has ended, against its contract
    /// ([`detach`](polyloop_core::reactor::ReactorHandle::detach)).
    pub fn into_inner(self) -> T {
        let Self { registration, file, .. } = self;
        drop(registration);
        match Arc::into_inner(file) {
            Some(file) => file,
            None => panic!("the reactor keeps a file that was detached"),
        }
    }

    /// Waits until a read is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime has shut down; `InvalidInput` if this file is not watched for that.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn readable(&self) -> io::Result<ReadyGuard<'_, T>> {
        self.watches(Direction::Read)?;
        Ok(self.guard(self.registration.ready(Direction::Read).await?, Direction::Read))
    }

    /// Waits until a write is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime has shut down; `InvalidInput` if this file is not watched for that.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn writable(&self) -> io::Result<ReadyGuard<'_, T>> {
        self.watches(Direction::Write)?;
        Ok(self.guard(self.registration.ready(Direction::Write).await?, Direction::Write))
    }

    /// As [`readable`](Self::readable). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_read_ready(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<ReadyGuard<'_, T>>> {
        self.watches(Direction::Read)?;
        self.registration.poll_ready(cx, Direction::Read).map_ok(|event| self.guard(event, Direction::Read))
    }

    /// As [`writable`](Self::writable). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_write_ready(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<ReadyGuard<'_, T>>> {
        self.watches(Direction::Write)?;
        self.registration.poll_ready(cx, Direction::Write).map_ok(|event| self.guard(event, Direction::Write))
    }

    /// Tries `operation` once, if the one direction that `interest` names counts as ready.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, also without a try; `InvalidInput` for both directions and for what this file is not watched for; otherwise
    /// whatever `operation` says, or that the runtime has shut down.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let direction = interest.direction()?;
        self.watches(direction)?;
        self.registration.try_io(direction, || operation(&self.file))
    }

    /// Tries `operation` whenever a read is worth it, until it does something else than block.
    ///
    /// # Errors
    ///
    /// Whatever `operation` says but "would block", or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe if `operation` is.
    pub async fn read_with<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.watches(Direction::Read)?;
        self.registration.io(Direction::Read, || operation(&self.file)).await
    }

    /// Tries `operation` whenever a write is worth it, until it does something else than block.
    ///
    /// # Errors
    ///
    /// Whatever `operation` says but "would block", or that the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe if `operation` is.
    pub async fn write_with<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.watches(Direction::Write)?;
        self.registration.io(Direction::Write, || operation(&self.file)).await
    }

    /// As [`read_with`](Self::read_with) or [`write_with`](Self::write_with), whichever the one direction that `interest` names asks for.
    ///
    /// # Errors
    ///
    /// As there; `InvalidInput` for both directions.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe if `operation` is.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let direction = interest.direction()?;
        self.watches(direction)?;
        self.registration.io(direction, || operation(&self.file)).await
    }

    /// As [`read_with`](Self::read_with). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_read_with<R>(
        &self,
        cx: &mut TaskContext<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.watches(Direction::Read)?;
        self.registration.poll_io(cx, Direction::Read, || operation(&self.file))
    }

    /// As [`write_with`](Self::write_with). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_write_with<R>(
        &self,
        cx: &mut TaskContext<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.watches(Direction::Write)?;
        self.registration.poll_io(cx, Direction::Write, || operation(&self.file))
    }
}

impl<T: AsFd + Send + Sync + 'static> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl<T: AsFd + Send + Sync + 'static> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_fd().as_raw_fd()
    }
}

/// That a file was found ready.
#[derive(Debug)]
#[must_use = "what is ready must be tried, or handed back by `clear_ready`"]
pub struct ReadyGuard<'a, T: AsFd + Send + Sync + 'static> {
    fd: &'a AsyncFd<T>,
    events: [Option<ReadyEvent>; 2],
}

impl<T: AsFd + Send + Sync + 'static> ReadyGuard<'_, T> {
    /// What was found.
    pub fn ready(&self) -> Ready {
        Ready::of(self.events)
    }

    /// The kernel said "would block" after all: what was found is found no more. An event that came meanwhile stands.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn clear_ready(&mut self) -> io::Result<()> {
        self.events.into_iter().flatten().try_for_each(|event| self.fd.registration.clear(event))
    }

    /// Tries `operation`; if it would block, hands the readiness back.
    ///
    /// # Errors
    ///
    /// Whatever `operation` says, `WouldBlock` included: then wait again.
    pub fn try_io<R>(&mut self, operation: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        let result = operation(&self.fd.file);
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::WouldBlock
        {
            self.clear_ready()?;
        }
        result
    }
}
