//! The reactor: turns the kernel's readiness or completions into [`Event`]s.
//!
//! Invariant: a [`Reactor`] belongs to whoever holds the driver's lease and is turned through `&mut`; everything else
//! happens through its [`ReactorHandle`], from any thread, while it is being turned. A registration keeps its file alive
//! until it is detached, so that an fd number is never reused under a live registration.

use crate::time::Wait;
use core::fmt;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// An open file that a registration keeps alive.
pub trait File: AsFd + Send + Sync + 'static {}

impl<T: AsFd + Send + Sync + 'static> File for T {}

/// Names one registration: a slot of the source table and which of its tenants is meant, so that an event that comes
/// after the slot changed hands is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    index: u32,
    generation: u32,
}

impl Token {
    /// The token of slot `index` in its `generation`.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The slot.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Which of the slot's tenants is meant.
    pub const fn generation(self) -> u32 {
        self.generation
    }

    /// Both halves in one word, for kernels that carry 64 bits of user data. `index` is in the low half and below
    /// 2³¹, so the word is never `u64::MAX`.
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The reverse of [`to_u64`](Self::to_u64).
    pub const fn from_u64(word: u64) -> Self {
        Self { index: word as u32, generation: (word >> 32) as u32 }
    }
}

/// What a source is asked to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Report when a read would not block.
    pub read: bool,
    /// Report when a write would not block.
    pub write: bool,
}

impl Interest {
    /// Reading alone.
    pub const READ: Self = Self { read: true, write: false };
    /// Writing alone.
    pub const WRITE: Self = Self { read: false, write: true };
    /// Both.
    pub const BOTH: Self = Self { read: true, write: true };
    /// Neither: registered, but silent.
    pub const NONE: Self = Self { read: false, write: false };
}

/// What a source was found ready for. Several may hold at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read will not block (data, end of stream, or a pending error).
    pub read: bool,
    /// A write will not block.
    pub write: bool,
    /// The peer will send no more: reads end once the buffer is empty, writes still work. Implies `read`.
    pub read_closed: bool,
    /// Both directions are finished, at present. Implies `read` and `write`, so that no waiter sleeps on.
    pub hangup: bool,
    /// An error is pending, which the next call takes. Implies `read` and `write` likewise.
    pub error: bool,
    /// There is urgent data in the stream, where a read stops short. Implies `read`.
    pub urgent: bool,
}

/// One thing that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A registered file is ready.
    Ready {
        /// Which registration.
        token: Token,
        /// For what.
        ready: Ready,
    },
    /// A submitted operation made progress.
    Done {
        /// Which operation, as returned by [`ReactorHandle::submit`].
        op: OpId,
        /// What came of it.
        result: io::Result<OpResult>,
        /// Whether the operation goes on and further `Done` events follow.
        more: bool,
    },
}

/// The events of one turn; the allocation is reused from turn to turn.
#[derive(Debug, Default)]
pub struct Events {
    list: Vec<Event>,
}

impl Events {
    /// An empty list.
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Adds an event.
    pub fn push(&mut self, event: Event) {
        self.list.push(event);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The events so far.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.list.iter()
    }

    /// Takes all events out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.list.drain(..)
    }
}

/// What a reactor can do. Asked, never assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caps {
    /// Readiness is reported once per change and needs no re-arming; otherwise a reported direction stays silent until
    /// [`ReactorHandle::rearm`].
    pub edge: bool,
    /// [`Ready::read_closed`] and [`Ready::urgent`] come with the event that tells of the data before, at the latest.
    /// Where they do not, only a read can find the end or what comes after the urgent data, and an edge must be read
    /// until there is nothing more.
    pub read_closed: bool,
    /// [`ReactorHandle::submit`] works.
    pub completion: bool,
    /// The reactor may only be turned and dropped by the thread that made it: its lease cannot move.
    pub thread_bound: bool,
    /// A wait may end this much later than asked.
    pub timeout_resolution: Duration,
    /// The most sources that it can hold, if there is a limit of its own.
    pub max_sources: Option<usize>,
    /// Its own file can be watched by a foreign event loop.
    pub pollable_fd: bool,
}

impl Caps {
    /// A level-triggered readiness reactor of nanosecond resolution without limits; change what differs.
    pub const READINESS: Self = Self {
        edge: false,
        read_closed: false,
        completion: false,
        thread_bound: false,
        timeout_resolution: Duration::from_nanos(1),
        max_sources: None,
        pollable_fd: false,
    };
}

/// A reactor, turned by the holder of the driver's lease.
pub trait Reactor: fmt::Debug + Send {
    /// The handle by which everybody else reaches this reactor. The same one every time.
    fn handle(&self) -> Arc<dyn ReactorHandle>;

    /// Waits as told, and appends what happened to `events`.
    ///
    /// Returns `Ok` with no events when the wait ended, when it was unparked, and when a signal interrupted it: the
    /// caller looks at the clock itself. An unpark that came before the turn ends the next wait at once. Events of
    /// files that were detached meanwhile may still come; their tokens tell.
    ///
    /// # Errors
    ///
    /// The kernel's word when the wait itself fails. `EINTR` is never among them.
    fn turn(&mut self, wait: Wait, events: &mut Events) -> io::Result<()>;
}

/// A reactor chosen by name can be wrapped like any other.
impl<R: Reactor + ?Sized> Reactor for Box<R> {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        (**self).handle()
    }

    fn turn(&mut self, wait: Wait, events: &mut Events) -> io::Result<()> {
        (**self).turn(wait, events)
    }
}

/// The side of a reactor that any thread may call at any time, also while it is being turned.
pub trait ReactorHandle: fmt::Debug + Send + Sync + 'static {
    /// The name by which a combination chooses it: `mio`, `polling`, `poll`, …
    fn name(&self) -> &'static str;

    /// What this reactor can do.
    fn caps(&self) -> Caps;

    /// Starts to report readiness of `file` under `token`, and keeps the file until [`detach`](Self::detach).
    ///
    /// # Errors
    ///
    /// The kernel's word: `AlreadyExists` for a file that is registered, `PermissionDenied` (`EPERM`) for one that
    /// cannot be watched, such as a regular file under epoll.
    fn attach(&self, file: Arc<dyn File>, token: Token, interest: Interest) -> io::Result<()>;

    /// Asks for another report of these directions. Without effect where readiness is edge-triggered.
    ///
    /// # Errors
    ///
    /// `NotFound` if `token` is not registered; otherwise the kernel's word.
    fn rearm(&self, token: Token, interest: Interest) -> io::Result<()>;

    /// Ends a registration and lets go of its file: where nobody else owns it, it is closed when this returns. With
    /// [`Caps::completion`] the kernel may hold on to it until the next turn, which this calls for.
    ///
    /// # Errors
    ///
    /// `NotFound` if `token` is not registered; otherwise the kernel's word.
    fn detach(&self, token: Token) -> io::Result<()>;

    /// Ends the present wait, or the next one if nobody waits. Many unparks before a wait are one.
    fn unpark(&self);

    /// The reactor's own file, for a foreign event loop: when it is readable, a turn with [`Wait::Now`] is due. From the
    /// first call on an unpark always shows in it. Deadlines do not: the loop brings its own timeout.
    ///
    /// `None` unless [`Caps::pollable_fd`].
    fn pollable(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// How many system calls this reactor has made, turns and registrations together. It counts every call that it
    /// makes by itself or that its library is known to make.
    fn syscalls(&self) -> u64;

    /// Who makes the calls on registered files fail on purpose; nobody but in tests. Asked once for each registration.
    fn faults(&self) -> Option<Arc<dyn Faults>> {
        None
    }

    /// Starts an operation whose buffers and file the reactor owns until the last [`Event::Done`].
    ///
    /// # Errors
    ///
    /// `Unsupported` unless [`Caps::completion`].
    fn submit(&self, op: Op) -> io::Result<OpId> {
        let _ = op;
        Err(io::Error::new(io::ErrorKind::Unsupported, "this reactor reports readiness, not completions"))
    }

    /// Asks for the end of an operation. Best effort: its last [`Event::Done`] still comes.
    ///
    /// # Errors
    ///
    /// `Unsupported` unless [`Caps::completion`], `NotFound` if the operation has ended.
    fn cancel(&self, op: OpId) -> io::Result<()> {
        let _ = op;
        Err(io::Error::new(io::ErrorKind::Unsupported, "this reactor reports readiness, not completions"))
    }
}

/// A call on a registered file that is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Accepting a connection.
    Accept,
    /// Reading from a stream of bytes.
    Read,
    /// Writing to a stream of bytes.
    Write,
}

/// What happens to a call instead of, or in, what it was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// At most so many bytes are moved, which is at least one.
    Short(usize),
    /// A signal interrupted it: `EINTR`.
    Interrupted,
    /// The process has no file descriptor left: `EMFILE`.
    NoDescriptor,
    /// The connection is gone before it was accepted: `ECONNABORTED`.
    Aborted,
}

/// Decides which calls fail, for tests of those who make them.
pub trait Faults: Send + Sync + 'static {
    /// What is to happen to this call, if it is not to be what the kernel says.
    fn fault(&self, call: Call) -> Option<Fault>;
}

/// Names one submitted operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpId(pub u64);

/// An operation for a completion reactor. It owns what the kernel will touch.
#[derive(Clone)]
#[non_exhaustive]
pub enum Op {
    /// Accept one connection, or with `multi` one after the other until cancelled.
    Accept {
        /// The listener.
        file: Arc<dyn File>,
        /// Keep accepting.
        multi: bool,
    },
    /// Receive into a buffer of this length that the reactor provides.
    Recv {
        /// The socket.
        file: Arc<dyn File>,
        /// At most this many bytes.
        len: usize,
        /// Keep receiving.
        multi: bool,
    },
    /// Send these bytes.
    Send {
        /// The socket.
        file: Arc<dyn File>,
        /// What to send.
        bytes: Vec<u8>,
    },
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept { multi, .. } => {
                f.debug_struct("Accept").field("multi", multi).finish_non_exhaustive()
            }
            Self::Recv { len, multi, .. } => {
                f.debug_struct("Recv").field("len", len).field("multi", multi).finish_non_exhaustive()
            }
            Self::Send { bytes, .. } => {
                f.debug_struct("Send").field("len", &bytes.len()).finish_non_exhaustive()
            }
        }
    }
}

/// What an operation brought.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpResult {
    /// A new connection.
    Accepted(std::os::fd::OwnedFd),
    /// These bytes were received; none at the end of the stream.
    Received(Vec<u8>),
    /// So many bytes were sent, and the buffer comes back.
    Sent(usize, Vec<u8>),
}
