//! What to wait for, what was found, and the methods of every socket that deal in it.

use polyloop_core::{Direction, ReadyEvent};
use std::io;
use std::ops::BitOr;

/// What to wait for: reading, writing, or either.
///
/// # Examples
///
/// ```no_run
/// # async fn f(stream: polyloop_net::TcpStream) -> std::io::Result<()> {
/// use polyloop_net::Interest;
///
/// let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
/// if ready.is_readable() {
///     let mut buffer = [0; 64];
///     let _ = stream.try_read(&mut buffer);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest {
    read: bool,
    write: bool,
}

impl Interest {
    /// Until a read is worth a try.
    pub const READABLE: Self = Self { read: true, write: false };
    /// Until a write is worth a try.
    pub const WRITABLE: Self = Self { read: false, write: true };

    /// Until what either of them waits for.
    #[must_use]
    pub const fn add(self, other: Self) -> Self {
        Self { read: self.read || other.read, write: self.write || other.write }
    }

    /// Whether it waits for reading.
    pub const fn is_readable(self) -> bool {
        self.read
    }

    /// Whether it waits for writing.
    pub const fn is_writable(self) -> bool {
        self.write
    }

    /// As a reactor is told.
    pub(crate) fn of_core(self) -> polyloop_core::reactor::Interest {
        polyloop_core::reactor::Interest { read: self.read, write: self.write }
    }

    pub(crate) fn has(self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.read,
            Direction::Write => self.write,
        }
    }
}

impl Interest {
    /// The one direction that it names.
    pub(crate) fn direction(self) -> io::Result<Direction> {
        match (self.read, self.write) {
            (true, false) => Ok(Direction::Read),
            (false, true) => Ok(Direction::Write),
            // A direction that is ready would be reported again and again while the operation waits for the other one.
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an operation waits for one direction, not for both",
            )),
        }
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

/// What a socket was found ready for. A try may block nevertheless.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    events: [Option<ReadyEvent>; 2],
}

impl Ready {
    pub(crate) fn of(events: [Option<ReadyEvent>; 2]) -> Self {
        Self { events }
    }

    /// Whether a read is worth a try. False if that was not asked.
    pub fn is_readable(self) -> bool {
        self.events[0].is_some()
    }

    /// Whether a write is worth a try. False if that was not asked.
    pub fn is_writable(self) -> bool {
        self.events[1].is_some()
    }

    /// Whether the peer will send no more, as far as the reactor tells: a read finds out in any case.
    pub fn is_read_closed(self) -> bool {
        self.events.iter().flatten().any(|event| event.is_read_closed())
    }

    /// Whether both directions are finished, or an error is pending.
    pub fn is_write_closed(self) -> bool {
        self.events.iter().flatten().any(|event| event.is_hangup())
    }
}

/// The methods of a socket by which one waits first and tries then. The type has a field `watched`.
macro_rules! readiness {
    ($socket:ident) => {
        impl $socket {
            /// Waits until a read is worth a try.
            ///
            /// # Errors
            ///
            /// That the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn readable(&self) -> ::std::io::Result<()> {
                self.watched.ready(::polyloop_core::Direction::Read).await.map(drop)
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
            pub async fn writable(&self) -> ::std::io::Result<()> {
                self.watched.ready(::polyloop_core::Direction::Write).await.map(drop)
            }

            /// Waits until what `interest` names is worth a try; with both, until one of them is.
            ///
            /// # Errors
            ///
            /// That the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn ready(
                &self,
                interest: $crate::readiness::Interest,
            ) -> ::std::io::Result<$crate::readiness::Ready> {
                self.watched.events(interest).await.map($crate::readiness::Ready::of)
            }

            /// Tries `operation`, a call on this socket that does not block, if the one direction that `interest` names counts
            /// as ready.
            ///
            /// # Errors
            ///
            /// `WouldBlock`, also without a try; `InvalidInput` for both directions; otherwise whatever `operation` says, or that
            /// the runtime has shut down.
            pub fn try_io<R>(
                &self,
                interest: $crate::readiness::Interest,
                operation: impl FnOnce() -> ::std::io::Result<R>,
            ) -> ::std::io::Result<R> {
                self.watched.try_io_once(interest.direction()?, operation)
            }

            /// Tries `operation`, a call on this socket that does not block, whenever the one direction that `interest` names is
            /// worth it, until it does something else than block.
            ///
            /// # Errors
            ///
            /// Whatever `operation` says but "would block"; `InvalidInput` for both directions; or that the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe if `operation` is.
            pub async fn async_io<R>(
                &self,
                interest: $crate::readiness::Interest,
                mut operation: impl FnMut() -> ::std::io::Result<R>,
            ) -> ::std::io::Result<R> {
                self.watched.io(interest.direction()?, |_| operation()).await
            }
        }
    };
}
pub(crate) use readiness;
