//! Any file that can be watched: pipes, sockets of other families, devices, what a C library hands out.
//!
//! Invariant: that a file is ready is a hint, and only a try tells. A try that would block takes the hint back, so that a wait
//! after it waits for an event that came later; that is why tries go through [`try_io`](Watched::try_io).

use std::future::Future;
use std::io;
use std::os::fd::AsFd;

/// What a file is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Reading, or accepting.
    Read,
    /// Writing, or being connected.
    Write,
}

/// Watches files of the caller's.
pub trait Io {
    /// A file that is watched.
    type Watched<T: AsFd + Send + Sync + 'static>: Watched<T>;

    /// Watches `file`, which must be in non-blocking mode, until the result is dropped.
    ///
    /// # Errors
    ///
    /// The kernel's word: `EPERM` for what cannot be watched, such as a regular file under epoll.
    fn watch<T: AsFd + Send + Sync + 'static>(&self, file: T) -> io::Result<Self::Watched<T>>;
}

/// A file that is watched. Any number of tasks may wait for it.
pub trait Watched<T>: Send + Sync + 'static {
    /// The file.
    fn get_ref(&self) -> &T;

    /// Waits until a read is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// Waits until a write is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// Tries `operation`, which must not block.
    ///
    /// # Errors
    ///
    /// Whatever `operation` says. `WouldBlock` comes also without a try, from runtimes that know that it would; then
    /// [`readable`](Self::readable) or [`writable`](Self::writable) waits until another one is worth it.
    fn try_io<R>(&self, direction: Direction, operation: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R>;

    /// Tries `operation` whenever a read is worth it, until it does something else than block.
    ///
    /// # Errors
    ///
    /// Whatever `operation` says but "would block", or that the runtime is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe if `operation` is.
    fn read_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R> + Send,
    ) -> impl Future<Output = io::Result<R>> + Send {
        async move {
            loop {
                self.readable().await?;
                match self.try_io(Direction::Read, &mut operation) {
                    Err(error) if is_passing(&error) => {}
                    result => return result,
                }
            }
        }
    }

    /// Tries `operation` whenever a write is worth it, until it does something else than block.
    ///
    /// # Errors
    ///
    /// Whatever `operation` says but "would block", or that the runtime is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe if `operation` is.
    fn write_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R> + Send,
    ) -> impl Future<Output = io::Result<R>> + Send {
        async move {
            loop {
                self.writable().await?;
                match self.try_io(Direction::Write, &mut operation) {
                    Err(error) if is_passing(&error) => {}
                    result => return result,
                }
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
