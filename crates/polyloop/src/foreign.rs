//! Driving a runtime from a foreign event loop: a GUI's, a game's, another library's.
//!
//! Invariant: whoever polls the runtime's file with [`Turned::timeout`] and calls [`Runtime::turn`] when that returns misses
//! nothing, and is not called for nothing.

use crate::Runtime;
use crate::time::Instant;
use polyloop_core::block_on::Nested;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What a [turn](Runtime::turn) has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turned {
    /// Whether tasks are ready still: the next turn is due at once.
    pub more: bool,
    /// The nearest deadline, when the next turn is due at the latest; `None` if there is none.
    pub next: Option<Instant>,
    /// How long that was from the end of the turn.
    left: Option<Duration>,
}

impl Turned {
    /// How long the loop may wait for the runtime's file before the next turn is due: not at all if there is more to do, for
    /// ever if it is `None`. A loop that counts in milliseconds rounds it up, so that it does not come early and spin.
    pub fn timeout(&self) -> Option<Duration> {
        if self.more { Some(Duration::ZERO) } else { self.left }
    }
}

impl<E, R, T> Runtime<E, R, T> {
    /// Gives the runtime a moment on this thread: waits for events and deadlines, `most` at most and not at all if tasks
    /// are ready, and then polls the tasks that are ready, each once and 61 at most. With [`Duration::ZERO`] it never
    /// waits.
    ///
    /// For loops that do something else as well; [`block_on`](Self::block_on) is for all others. Together with
    /// [`pollable_fd`](Self::pollable_fd) the loop waits for both. Without such a file, call it every few milliseconds.
    ///
    /// On `fifo` this is the thread that runs the tasks, for the length of the call. While another thread is inside `block_on`
    /// that one does, and this returns at once, as it does after a shutdown and on executors with workers, which need nobody.
    /// Local tasks belong to `block_on`; there are none here.
    ///
    /// # Errors
    ///
    /// [`Nested`], on a thread that is inside a `block_on` or polls a task.
    ///
    /// # Panics
    ///
    /// If the kernel refuses to wait.
    ///
    /// # Examples
    ///
    /// A loop over poll(2), as a GUI's would be:
    ///
    /// ```
    /// use polyloop::{Runtime, time};
    /// use rustix::event::{PollFd, PollFlags, Timespec, poll};
    /// use std::time::Duration;
    ///
    /// let runtime = Runtime::from_name("fifo+mio")?;
    /// let task = runtime.spawn(async { time::sleep(Duration::from_millis(20)).await });
    /// loop {
    ///     let turned = runtime.turn(Duration::ZERO)?;
    ///     if task.is_finished() {
    ///         break;
    ///     }
    ///     let timeout = turned.timeout().and_then(|timeout| Timespec::try_from(timeout).ok());
    ///     let file = runtime.pollable_fd()?;
    ///     // Here, the loop would watch its own files, too.
    ///     poll(&mut [PollFd::new(&file, PollFlags::IN)], timeout.as_ref())?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn turn(&self, most: Duration) -> Result<Turned, Nested> {
        self.handle().turn(most)
    }

    /// The reactor's file, for a foreign event loop: when it is readable, a [`turn`](Self::turn) is due. From the first call
    /// on it also shows when another thread spawns, wakes, or arms a nearer deadline. A deadline itself does not show in it;
    /// see [`Turned::timeout`].
    ///
    /// # Errors
    ///
    /// [`NotPollable`], if the reactor has no such file, or if workers wait for it themselves.
    pub fn pollable_fd(&self) -> Result<BorrowedFd<'_>, NotPollable> {
        self.handle().pollable_fd()
    }
}

/// Why a foreign event loop cannot wait for a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotPollable {
    /// The reactor has no file of its own, as poll(2).
    NoFile,
    /// The executor has workers that wait for events themselves.
    Workers,
}

impl fmt::Display for NotPollable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFile => {
                "this reactor has no file to watch; take `mio` or `polling`, or call `Runtime::turn` regularly"
            }
            Self::Workers => {
                "the workers of this executor drive it themselves; take `fifo` for a foreign event loop"
            }
        })
    }
}

impl std::error::Error for NotPollable {}

impl From<NotPollable> for io::Error {
    fn from(error: NotPollable) -> Self {
        Self::new(io::ErrorKind::Unsupported, error)
    }
}

/// What an executor says of a turn, as seen at its end.
pub(crate) fn turned(turned: polyloop_fifo::Turned, now: polyloop_core::time::Instant) -> Turned {
    Turned { more: turned.more, next: turned.next.map(Instant), left: turned.next.map(|next| next - now) }
}
