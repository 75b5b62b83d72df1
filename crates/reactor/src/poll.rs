//! The reactor over poll(2): ours, thin, and on every Unix.
//!
//! Invariant: the kernel sees only directions that are armed, and a report disarms what it reported. So a file that is
//! ready, or hung up, for ever is told once and cannot make the wait spin; a disarmed file is not in the list at all.
//!
//! Registering costs no system call, for the list is handed over anew in every turn: O(n) for n armed files, by nature.
//! If somebody waits on an older list when a direction is armed, he is called out to take the new one along.
//!
//! While a thread waits, its list keeps the files too. [`detach`](ReactorHandle::detach) of a file in that list calls the
//! thread out and waits until it has let go, so that the file is closed when `detach` has returned, as with epoll.

use crate::bell::Bell;
use crate::checks::{check, taken, union, unknown};
use core::fmt;
use core::mem;
use core::time::Duration;
use polyloop_core::reactor::{Caps, Event, Events, File, Interest, Reactor, ReactorHandle, Ready, Token};
use polyloop_core::shim::atomic::{AtomicU64, Ordering};
use polyloop_core::shim::sync::{Condvar, Mutex};
use polyloop_core::time::Wait;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;

/// Where poll(2) takes milliseconds, no more of them fit; a wait may always end early.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// A reactor over poll(2).
#[derive(Debug)]
pub struct Poll {
    list: Vec<Watched>,
    /// Empty between turns; kept for its allocation.
    pollfds: Vec<PollFd<'static>>,
    hits: Vec<(Token, PollFlags)>,
    shared: Arc<Shared>,
}

/// One line of the list that a turn hands to the kernel.
struct Watched {
    token: Token,
    file: Arc<dyn File>,
    flags: PollFlags,
}

/// What turns and handles share.
struct Shared {
    sources: Mutex<Sources>,
    /// A turn has let go of its list.
    returned: Condvar,
    bell: Bell,
    doorbell: Doorbell,
    syscalls: AtomicU64,
}

#[derive(Default)]
struct Sources {
    /// In the order of tokens, so that a turn reports in an order that can be repeated.
    table: BTreeMap<Token, Source>,
    /// The fds in `table`; a file is registered once.
    fds: HashSet<RawFd>,
    /// Which turn this is, or the next one will be.
    turn: u64,
    phase: Phase,
}

struct Source {
    file: Arc<dyn File>,
    fd: RawFd,
    armed: Interest,
    /// The last turn in whose list it was.
    listed: u64,
}

/// What the turning thread does with its list.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// It has none.
    #[default]
    Idle,
    /// It looks and comes back by itself.
    Looking,
    /// It may wait for long.
    Waiting,
}

impl Poll {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn new() -> io::Result<Self> {
        let doorbell = Doorbell::new()?;
        let (sources, bell, syscalls) = Default::default();
        let shared = Arc::new(Shared { sources, returned: Condvar::new(), bell, doorbell, syscalls });
        Ok(Self { list: Vec::new(), pollfds: Vec::new(), hits: Vec::new(), shared })
    }

    /// Hands the list to the kernel and notes who was hit. Tells whether the doorbell rang.
    fn wait(&mut self, wait: Wait) -> io::Result<bool> {
        let timeout = match wait {
            Wait::Now => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
            Wait::For(most) => Timespec::try_from(most.min(LONGEST)).ok(),
            Wait::Forever => None,
        };
        let mut pollfds = recycle(mem::take(&mut self.pollfds));
        pollfds.push(PollFd::from_borrowed_fd(self.shared.doorbell.as_fd(), PollFlags::IN));
        pollfds.extend(self.list.iter().map(|w| PollFd::from_borrowed_fd(w.file.as_fd(), w.flags)));

        self.shared.count();
        let outcome = rustix::event::poll(&mut pollfds, timeout.as_ref());
        let mut rang = false;
        if matches!(outcome, Ok(hits) if hits > 0) {
            rang = !pollfds[0].revents().is_empty();
            let hit = self.list.iter().zip(&pollfds[1..]).filter(|(_, fd)| !fd.revents().is_empty());
            self.hits.extend(hit.map(|(watched, fd)| (watched.token, fd.revents())));
        }
        self.pollfds = recycle(pollfds);
        match outcome {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(rang),
            Err(error) => Err(error.into()),
        }
    }
}

impl Reactor for Poll {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        self.shared.clone()
    }

    fn turn(&mut self, asked: Wait, events: &mut Events) -> io::Result<()> {
        let shared = self.shared.clone();
        let wait = shared.bell.begin(asked);
        let borrowed = shared.lend(wait, &mut self.list);
        let outcome = self.wait(wait);
        // Ours is never the last owner of a file: the table is, or the thread that waits in `detach`.
        self.list.clear();
        if matches!(outcome, Ok(true)) {
            shared.count();
            shared.doorbell.still();
        }
        borrowed.end(asked, &mut self.hits, events);
        outcome.map(|_| ())
    }
}

/// The list is out; ends when dropped, also by a panic in somebody's `as_fd`.
struct Borrowed<'a>(&'a Shared);

impl Borrowed<'_> {
    /// Reports and disarms the hits, and takes the token in the same breath, so that who arms a direction after this
    /// rings for nobody.
    fn end(self, asked: Wait, hits: &mut Vec<(Token, PollFlags)>, events: &mut Events) {
        let mut sources = self.0.sources.lock();
        for (token, flags) in hits.drain(..) {
            let Some(source) = sources.table.get_mut(&token) else { continue };
            let ready = ready(flags);
            source.armed.read &= !ready.read;
            source.armed.write &= !ready.write;
            events.push(Event::Ready { token, ready });
        }
        sources.phase = Phase::Idle;
        self.0.bell.end(asked);
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut sources = self.0.sources.lock();
        sources.phase = Phase::Idle;
        sources.turn += 1;
        drop(sources);
        self.0.returned.notify_all();
    }
}

impl Shared {
    fn count(&self) {
        self.syscalls.fetch_add(1, Ordering::Relaxed);
    }

    /// Fills the turning thread's list with all that is armed.
    fn lend(&self, wait: Wait, list: &mut Vec<Watched>) -> Borrowed<'_> {
        let mut sources = self.sources.lock();
        let Sources { table, turn, phase, .. } = &mut *sources;
        list.clear();
        *phase = if wait == Wait::Now { Phase::Looking } else { Phase::Waiting };
        for (&token, source) in table.iter_mut().filter(|(_, source)| source.armed != Interest::NONE) {
            source.listed = *turn;
            list.push(Watched { token, file: source.file.clone(), flags: flags(source.armed) });
        }
        Borrowed(self)
    }
}

impl ReactorHandle for Shared {
    fn name(&self) -> &'static str {
        "poll"
    }

    fn caps(&self) -> Caps {
        Caps::READINESS
    }

    /// Any file that poll(2) takes: a regular one is always ready.
    fn attach(&self, file: Arc<dyn File>, token: Token, interest: Interest) -> io::Result<()> {
        check(token)?;
        let fd = file.as_fd().as_raw_fd();
        let mut sources = self.sources.lock();
        if sources.table.contains_key(&token) {
            return Err(taken(token));
        }
        if !sources.fds.insert(fd) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file is registered already"));
        }
        sources.table.insert(token, Source { file, fd, armed: interest, listed: u64::MAX });
        if interest != Interest::NONE && sources.phase == Phase::Waiting {
            self.unpark();
        }
        Ok(())
    }

    fn rearm(&self, token: Token, interest: Interest) -> io::Result<()> {
        let mut sources = self.sources.lock();
        let waiting = sources.phase == Phase::Waiting;
        let source = sources.table.get_mut(&token).ok_or_else(|| unknown(token))?;
        let all = union(source.armed, interest);
        if mem::replace(&mut source.armed, all) != all && waiting {
            self.unpark();
        }
        Ok(())
    }

    fn detach(&self, token: Token) -> io::Result<()> {
        let mut sources = self.sources.lock();
        let source = sources.table.remove(&token).ok_or_else(|| unknown(token))?;
        sources.fds.remove(&source.fd);
        let turn = sources.turn;
        if sources.phase == Phase::Waiting && source.listed == turn {
            self.unpark();
        }
        while sources.phase != Phase::Idle && source.listed == turn && sources.turn == turn {
            self.returned.wait(&mut sources);
        }
        drop(sources);
        Ok(())
    }

    fn unpark(&self) {
        if self.bell.ring() {
            self.count();
            self.doorbell.ring();
        }
    }

    fn syscalls(&self) -> u64 {
        self.syscalls.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollHandle").field("bell", &self.bell).finish_non_exhaustive()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("token", &self.token)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// An empty list with the allocation of the old one, whose borrows have ended.
fn recycle<'a>(mut list: Vec<PollFd<'_>>) -> Vec<PollFd<'a>> {
    list.clear();
    list.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

/// The peer's end of sending, where poll(2) can tell it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const READ_CLOSED: PollFlags = PollFlags::RDHUP;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const READ_CLOSED: PollFlags = PollFlags::empty();

fn flags(interest: Interest) -> PollFlags {
    let read = if interest.read { PollFlags::IN | READ_CLOSED } else { PollFlags::empty() };
    let write = if interest.write { PollFlags::OUT } else { PollFlags::empty() };
    read | write
}

fn ready(flags: PollFlags) -> Ready {
    let hangup = flags.contains(PollFlags::HUP);
    let error = flags.intersects(PollFlags::ERR | PollFlags::NVAL);
    let read_closed = flags.intersects(READ_CLOSED | PollFlags::HUP);
    Ready {
        read: flags.contains(PollFlags::IN) || read_closed || error,
        write: flags.contains(PollFlags::OUT) || hangup || error,
        read_closed,
        hangup,
        error,
        ..Ready::default()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
use eventfd::Doorbell;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use pair::Doorbell;

/// The doorbell as an eventfd.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod eventfd {
    use rustix::event::{EventfdFlags, eventfd};
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    pub(super) struct Doorbell(OwnedFd);

    impl Doorbell {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
        }

        /// Fails only when the counter is full, and then it is readable already.
        pub(super) fn ring(&self) {
            let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
        }

        pub(super) fn still(&self) {
            let _ = rustix::io::read(&self.0, &mut [0; 8]);
        }

        pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

/// The doorbell where there is no eventfd: a pair of sockets, which std opens non-blocking and closed on exec everywhere.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod pair {
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    pub(super) struct Doorbell {
        button: UnixStream,
        bell: UnixStream,
    }

    impl Doorbell {
        pub(super) fn new() -> io::Result<Self> {
            let (button, bell) = UnixStream::pair()?;
            button.set_nonblocking(true)?;
            bell.set_nonblocking(true)?;
            Ok(Self { button, bell })
        }

        /// Fails only when the buffer is full, and then it is readable already.
        pub(super) fn ring(&self) {
            let _ = (&self.button).write(&[1]);
        }

        /// One read takes more rings than can come late; should it not, the next turn reads on.
        pub(super) fn still(&self) {
            let _ = (&self.bell).read(&mut [0; 64]);
        }

        pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.bell.as_fd()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn rings(doorbell: std::os::fd::BorrowedFd<'_>) -> bool {
        let mut list = [PollFd::from_borrowed_fd(doorbell, PollFlags::IN)];
        rustix::event::poll(&mut list, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("poll") == 1
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn either_doorbell_rings_until_it_is_stilled() {
        let (a, b) = (eventfd::Doorbell::new().expect("eventfd"), pair::Doorbell::new().expect("pair"));
        assert!(!rings(a.as_fd()) && !rings(b.as_fd()));
        for _ in 0..3 {
            a.ring();
            b.ring();
        }
        assert!(rings(a.as_fd()) && rings(b.as_fd()));
        a.still();
        b.still();
        assert!(!rings(a.as_fd()) && !rings(b.as_fd()));
    }

    #[test]
    fn a_recycled_list_keeps_its_allocation() {
        let doorbell = Doorbell::new().expect("doorbell");
        let mut list = Vec::with_capacity(100);
        list.push(PollFd::from_borrowed_fd(doorbell.as_fd(), PollFlags::IN));
        let (before, after) = (list.as_ptr() as usize, recycle(list));
        assert!(after.is_empty() && after.capacity() == 100 && after.as_ptr() as usize == before);
    }
}
