//! Any file that can be watched.

use crate::Context;
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
        let file = Arc::new(file);
        let registration = Registration::new(&context.driver, file.clone(), true)?;
        Ok(Self { registration, file })
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
        let Self { registration, file } = self;
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
    /// That the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn readable(&self) -> io::Result<ReadyGuard<'_, T>> {
        Ok(ReadyGuard { fd: self, event: self.registration.ready(Direction::Read).await? })
    }

    /// Waits until a write is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn writable(&self) -> io::Result<ReadyGuard<'_, T>> {
        Ok(ReadyGuard { fd: self, event: self.registration.ready(Direction::Write).await? })
    }

    /// As [`readable`](Self::readable). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_read_ready(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<ReadyGuard<'_, T>>> {
        self.registration.poll_ready(cx, Direction::Read).map_ok(|event| ReadyGuard { fd: self, event })
    }

    /// As [`writable`](Self::writable). Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_write_ready(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<ReadyGuard<'_, T>>> {
        self.registration.poll_ready(cx, Direction::Write).map_ok(|event| ReadyGuard { fd: self, event })
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
        self.registration.io(Direction::Write, || operation(&self.file)).await
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
    event: ReadyEvent,
}

impl<T: AsFd + Send + Sync + 'static> ReadyGuard<'_, T> {
    /// The kernel said "would block" after all. An event that came meanwhile stands.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn clear_ready(&mut self) -> io::Result<()> {
        self.fd.registration.clear(self.event)
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
