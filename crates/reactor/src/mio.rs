//! The reactor over mio: epoll on Linux, kqueue on the BSDs and macOS.
//!
//! Invariant: a file is registered once, edge-triggered, and never again until it is detached; a turn that looks, or waits for
//! whole milliseconds or for ever, is one system call.
//!
//! epoll's timeout is a whole number of milliseconds, and mio rounds it up: a timer would be late by half a millisecond on
//! average. So the part of a millisecond that is left of a wait is waited for by poll(2) on the epoll file, a second call; and a
//! third fetches what came within that part.

use crate::bell::Bell;
use crate::kept::{Change, KeptFiles};
use core::fmt;
use core::time::Duration;
use mio::unix::SourceFd;
use polyloop_core::reactor::{Caps, Event, Events, File, Interest, Reactor, ReactorHandle, Ready, Token};
use polyloop_core::shim::atomic::{AtomicU64, Ordering};
use polyloop_core::time::Wait;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

/// The waker's own token; [`Token::to_u64`] never makes it.
const DOORBELL: mio::Token = mio::Token(usize::MAX);

/// At most so many events in one turn; the rest comes with the next.
const BATCH: usize = 1024;

/// A reactor over mio.
#[derive(Debug)]
pub struct Mio {
    poll: mio::Poll,
    batch: mio::Events,
    shared: Arc<Shared>,
}

/// What turns and handles share.
struct Shared {
    registry: mio::Registry,
    waker: mio::Waker,
    bell: Bell,
    files: KeptFiles,
    syscalls: AtomicU64,
}

impl Mio {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// The kernel's word, and `Unsupported` where a pointer is narrower than a [`Token`]: mio carries no more through
    /// the kernel, and half a token would lose the generation that makes stale events harmless. `Poll` works there.
    pub fn new() -> io::Result<Self> {
        if usize::BITS < u64::BITS {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "mio carries 32 bits here, a token has 64",
            ));
        }
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, DOORBELL)?;
        let (bell, files, syscalls) = Default::default();
        let shared = Arc::new(Shared { registry, waker, bell, files, syscalls });
        Ok(Self { poll, batch: mio::Events::with_capacity(BATCH), shared })
    }

    /// The file of this reactor, for a foreign event loop; see [`ReactorHandle::pollable`].
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.shared.pollable()
    }
}

impl Mio {
    /// Fills the batch. A wait may end early.
    fn wait(&mut self, asked: Wait) -> io::Result<()> {
        match self.shared.bell.begin(asked) {
            Wait::Now => self.select(Some(Duration::ZERO)),
            Wait::For(most) if exact(most) == most => self.select(Some(most)),
            Wait::For(most) => self.wait_exactly(most),
            Wait::Forever => self.select(None),
        }
    }

    fn wait_exactly(&mut self, most: Duration) -> io::Result<()> {
        let (start, exact) = (now(), exact(most));
        self.batch.clear();
        if !exact.is_zero() {
            self.select(Some(exact))?;
        }
        let rest = most.saturating_sub(start.elapsed());
        if self.batch.is_empty() && !rest.is_zero() && self.shared.comes_within(rest)? {
            self.select(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    fn select(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.count();
        self.poll.poll(&mut self.batch, timeout)
    }
}

impl Reactor for Mio {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        self.shared.clone()
    }

    fn turn(&mut self, asked: Wait, events: &mut Events) -> io::Result<()> {
        let outcome = self.wait(asked);
        self.shared.bell.end(asked);
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in self.batch.iter().filter(|event| event.token() != DOORBELL) {
            events.push(Event::Ready { token: Token::from_u64(event.token().0 as u64), ready: ready(event) });
        }
        Ok(())
    }
}

impl Shared {
    fn count(&self) {
        self.syscalls.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether an event comes in this time. It is not taken.
    fn comes_within(&self, time: Duration) -> io::Result<bool> {
        self.count();
        let timeout = Timespec::try_from(time).ok();
        Ok(rustix::event::poll(&mut [PollFd::new(&self.registry, PollFlags::IN)], timeout.as_ref())? > 0)
    }

    fn ring(&self) {
        self.count();
        // It fails only if the counter of the eventfd is full, and mio empties it then.
        let _ = self.waker.wake();
    }

    fn register(&self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let Some(interest) = interests(interest) else { return Ok(()) };
        self.count();
        self.registry.register(&mut SourceFd(&fd.as_raw_fd()), word(token), interest)
    }
}

impl ReactorHandle for Shared {
    fn name(&self) -> &'static str {
        "mio"
    }

    fn caps(&self) -> Caps {
        let mut caps = Caps::READINESS;
        caps.edge = true;
        caps.read_closed = TELLS_URGENT;
        caps.pollable_fd = true;
        caps
    }

    fn attach(&self, file: Arc<dyn File>, token: Token, interest: Interest) -> io::Result<()> {
        self.files.attach(file, token, interest, |fd| self.register(fd, token, interest))
    }

    /// Costs nothing but the look-up, unless a direction is asked for that was not attached.
    fn rearm(&self, token: Token, interest: Interest) -> io::Result<()> {
        self.files.rearm(token, interest, |change, file, all| match (change, interests(all)) {
            (Change::Modify, Some(interests)) => {
                self.count();
                self.registry.reregister(&mut SourceFd(&file.as_fd().as_raw_fd()), word(token), interests)
            }
            _ => self.register(file.as_fd(), token, all),
        })
    }

    fn detach(&self, token: Token) -> io::Result<()> {
        self.files.detach(token, |file| {
            self.count();
            self.registry.deregister(&mut SourceFd(&file.as_fd().as_raw_fd()))
        })
    }

    fn unpark(&self) {
        if self.bell.ring() {
            self.ring();
        }
    }

    fn pollable(&self) -> Option<BorrowedFd<'_>> {
        if self.bell.watch_from_outside() {
            self.ring();
        }
        Some(self.registry.as_fd())
    }

    fn syscalls(&self) -> u64 {
        self.syscalls.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MioHandle").field("bell", &self.bell).finish_non_exhaustive()
    }
}

/// As much of a time as the call for events waits for exactly: whole milliseconds of it on epoll, all of it on kqueue.
fn exact(time: Duration) -> Duration {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        time - Duration::from_nanos(u64::from(time.subsec_nanos()) % 1_000_000)
    } else {
        time
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much of a wait is left is the kernel's time, whatever the runtime's clock"
)]
fn now() -> Instant {
    Instant::now()
}

fn word(token: Token) -> mio::Token {
    mio::Token(token.to_u64() as usize)
}

/// Whether the kernel tells of urgent data; what reads are asked for then includes it.
const TELLS_URGENT: bool = cfg!(any(target_os = "linux", target_os = "android"));
#[cfg(any(target_os = "linux", target_os = "android"))]
const READ: mio::Interest = mio::Interest::READABLE.add(mio::Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const READ: mio::Interest = mio::Interest::READABLE;

fn interests(interest: Interest) -> Option<mio::Interest> {
    match (interest.read, interest.write) {
        (true, true) => Some(READ | mio::Interest::WRITABLE),
        (true, false) => Some(READ),
        (false, true) => Some(mio::Interest::WRITABLE),
        (false, false) => None,
    }
}

fn ready(event: &mio::event::Event) -> Ready {
    let (read_closed, write_closed, error) =
        (event.is_read_closed(), event.is_write_closed(), event.is_error());
    Ready {
        read: event.is_readable() || event.is_priority() || read_closed || error,
        write: event.is_writable() || write_closed || error,
        read_closed,
        hangup: read_closed && write_closed,
        error,
        urgent: event.is_priority(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time that the quickest of some waits took, and the most calls that one of them made.
    fn waits(asked: Duration) -> (Duration, u64) {
        let (mut mio, mut events) = (Mio::new().unwrap(), Events::default());
        let handle = mio.handle();
        let waits = (0..50).map(|_| {
            let (before, calls) = (now(), handle.syscalls());
            mio.turn(Wait::For(asked), &mut events).unwrap();
            (before.elapsed(), handle.syscalls() - calls)
        });
        waits.fold((Duration::MAX, 0), |(time, calls), wait| (time.min(wait.0), calls.max(wait.1)))
    }

    #[test]
    fn a_part_of_a_millisecond_is_waited_for_exactly() {
        let (time, calls) = waits(Duration::from_micros(300));
        assert!(Duration::from_micros(300) <= time && time < Duration::from_millis(1), "{time:?}");
        assert_eq!(calls, 1);
        let (time, calls) = waits(Duration::from_micros(2_300));
        assert!(Duration::from_micros(2_300) <= time && time < Duration::from_millis(3), "{time:?}");
        assert!(calls <= 2, "{calls}");
        assert_eq!(waits(Duration::from_millis(1)).1, 1);
    }

    #[test]
    fn an_unpark_ends_the_wait_for_a_part_of_a_millisecond() {
        let (mut mio, mut events) = (Mio::new().unwrap(), Events::default());
        let handle = mio.handle();
        let most = Duration::from_micros(999);
        // As another thread would that comes between the announcement and the call.
        assert_eq!(mio.shared.bell.begin(Wait::For(most)), Wait::For(most));
        handle.unpark();
        assert!(mio.shared.comes_within(most).unwrap(), "the doorbell is an event like any other");
        mio.shared.bell.end(Wait::For(most));
        mio.turn(Wait::Now, &mut events).unwrap();
        assert!(!mio.shared.comes_within(Duration::ZERO).unwrap(), "and taken like any other");
    }
}
