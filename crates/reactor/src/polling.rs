//! The reactor over polling: epoll on Linux, kqueue on the BSDs and macOS, event ports on illumos.
//!
//! Invariant: there is one waiter, the holder of the `&mut`. A `Poller` would let several threads call `wait`, but sends
//! all but the first back at once, so that idle workers who share one spin.
//!
//! Timeouts are exact to the nanosecond because the library keeps a timerfd, and that is what they cost: every wait sets
//! the timer, arms it, waits, empties the doorbell and arms that again, five system calls where mio makes one.

use crate::bell::Bell;
use crate::kept::{Change, Kept, KeptFiles};
use core::fmt;
use core::time::Duration;
use polling::{Event as Report, PollMode, Poller};
use polyloop_core::reactor::{Caps, Event, Events, File, Interest, Reactor, ReactorHandle, Ready, Token};
use polyloop_core::shim::atomic::{AtomicU64, Ordering};
use polyloop_core::time::Wait;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

/// What one `wait` of the library costs.
const SYSCALLS_PER_WAIT: u64 = if cfg!(any(target_os = "linux", target_os = "android")) { 5 } else { 1 };

/// A reactor over polling.
///
/// It cannot tell a peer that stopped sending from one that sent something: [`Ready::read_closed`] comes with
/// [`Ready::hangup`] alone. A half-closed stream is reported as readable, and the read finds its end.
#[derive(Debug)]
pub struct Polling {
    batch: polling::Events,
    shared: Arc<Shared>,
}

/// What turns and handles share.
struct Shared {
    poller: Poller,
    mode: PollMode,
    bell: Bell,
    files: KeptFiles,
    syscalls: AtomicU64,
}

impl Polling {
    /// Opens it, edge-triggered where the kernel can do that, else as [`oneshot`](Self::oneshot).
    ///
    /// # Errors
    ///
    /// The kernel's word, and `Unsupported` where a pointer is narrower than a [`Token`]: the library carries no more
    /// through the kernel, and half a token would lose the generation that makes stale events harmless.
    pub fn new() -> io::Result<Self> {
        Self::open(|poller| if poller.supports_edge() { PollMode::Edge } else { PollMode::Oneshot })
    }

    /// Opens it in the library's own default: a file falls silent with its first report, and each rearm is a system
    /// call. It is here to be compared: this is how `async-io` uses it.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn oneshot() -> io::Result<Self> {
        Self::open(|_| PollMode::Oneshot)
    }

    fn open(mode: impl FnOnce(&Poller) -> PollMode) -> io::Result<Self> {
        if usize::BITS < u64::BITS {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "polling carries 32 bits here, a token has 64",
            ));
        }
        let poller = Poller::new()?;
        let mode = mode(&poller);
        let (bell, files, syscalls) = Default::default();
        Ok(Self {
            batch: polling::Events::new(),
            shared: Arc::new(Shared { poller, mode, bell, files, syscalls }),
        })
    }

    /// The file of this reactor, for a foreign event loop; see [`ReactorHandle::pollable`].
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.shared.pollable()
    }
}

impl Reactor for Polling {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        self.shared.clone()
    }

    fn turn(&mut self, asked: Wait, events: &mut Events) -> io::Result<()> {
        let timeout = match self.shared.bell.begin(asked) {
            Wait::Now => Some(Duration::ZERO),
            Wait::For(most) => Some(most),
            Wait::Forever => None,
        };
        self.batch.clear();
        self.shared.count(SYSCALLS_PER_WAIT);
        let outcome = self.shared.poller.wait(&mut self.batch, timeout);
        self.shared.bell.end(asked);
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        };
        for report in self.batch.iter() {
            let token = Token::from_u64(report.key as u64);
            let mut ready = ready(&report);
            if self.shared.mode == PollMode::Oneshot {
                self.shared.keep_armed(token, &mut ready);
            }
            events.push(Event::Ready { token, ready });
        }
        Ok(())
    }
}

impl Shared {
    fn count(&self, calls: u64) {
        self.syscalls.fetch_add(calls, Ordering::Relaxed);
    }

    fn ring(&self) {
        self.count(1);
        // The library reports no error from here on Linux; elsewhere it fails only if the poller is gone.
        let _ = self.poller.notify();
    }

    #[expect(unsafe_code, reason = "polling cannot see who keeps the file")]
    fn add(&self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.count(1);
        // SAFETY: the file must be deleted from the poller before it is dropped. `files` keeps it, from this call on
        // and under the same lock; `detach` deletes it there before it lets go, and `drop` does so with all that are left.
        unsafe { self.poller.add_with_mode(fd.as_raw_fd(), report(token, interest), self.mode) }
    }

    fn modify(&self, file: &Arc<dyn File>, token: Token, interest: Interest) -> io::Result<()> {
        self.count(1);
        self.poller.modify_with_mode(file.as_fd(), report(token, interest), self.mode)
    }

    fn delete(&self, file: &Arc<dyn File>) -> io::Result<()> {
        self.count(1);
        self.poller.delete(file.as_fd())
    }

    /// One shot silences the whole file; the direction that was not reported must go on.
    fn keep_armed(&self, token: Token, ready: &mut Ready) {
        let mut files = self.files.table.lock();
        let Some(Kept { file, interest, .. }) = files.get_mut(&token) else { return };
        interest.read &= !ready.read;
        interest.write &= !ready.write;
        if *interest != Interest::NONE && self.modify(file, token, *interest).is_err() {
            // Nobody would report it any more, so whoever waits for it had better look.
            ready.read |= interest.read;
            ready.write |= interest.write;
            *interest = Interest::NONE;
        }
    }
}

impl ReactorHandle for Shared {
    fn name(&self) -> &'static str {
        "polling"
    }

    fn caps(&self) -> Caps {
        let mut caps = Caps::READINESS;
        caps.edge = self.mode == PollMode::Edge;
        caps.pollable_fd = true;
        caps
    }

    fn attach(&self, file: Arc<dyn File>, token: Token, interest: Interest) -> io::Result<()> {
        self.files.attach(file, token, interest, |fd| self.add(fd, token, interest))
    }

    /// With edges it costs nothing but the look-up, unless a direction is asked for that was not attached.
    fn rearm(&self, token: Token, interest: Interest) -> io::Result<()> {
        self.files.rearm(token, interest, |change, file, all| match change {
            Change::Add => self.add(file.as_fd(), token, all),
            Change::Modify => self.modify(file, token, all),
        })
    }

    fn detach(&self, token: Token) -> io::Result<()> {
        self.files.detach(token, |file| self.delete(file))
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
        Some(self.poller.as_fd())
    }

    fn syscalls(&self) -> u64 {
        self.syscalls.load(Ordering::Relaxed)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for kept in self.files.table.lock().values().filter(|kept| kept.known) {
            let _ = self.delete(&kept.file);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollingHandle").field("bell", &self.bell).finish_non_exhaustive()
    }
}

fn report(token: Token, interest: Interest) -> Report {
    Report::new(token.to_u64() as usize, interest.read, interest.write)
}

/// The library sets both directions where the kernel says hangup or error, also those that nobody asked for.
fn ready(report: &Report) -> Ready {
    let (hangup, error) = (report.is_interrupt(), report.is_err() == Some(true));
    Ready {
        read: report.readable || hangup || error,
        write: report.writable || hangup || error,
        read_closed: hangup,
        hangup,
        error,
        ..Ready::default()
    }
}
