//! A reactor that a test turns by hand.
//!
//! Invariant: it stays on the thread that made it, so that a reactor which is bound to its thread can be tested, too.

use super::New;
use polyloop_core::reactor::{Event, Events, File, Interest, Reactor, ReactorHandle, Ready, Token};
use polyloop_core::time::Wait;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A reactor to test.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Makes one, on the thread that will turn it.
    pub new: New,
    /// Whether events may be late, doubled or invented and waits may end for nothing, so that only what is done in the
    /// end can be asserted.
    pub rough: bool,
}

impl Subject {
    /// One of them, to be turned by hand.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn rig(self) -> Rig {
        Rig::new((self.new)().expect("a reactor"))
    }

    /// Whether every turn and every event can be accounted for.
    pub(super) fn strict(self) -> bool {
        !self.rough
    }
}

/// Turns a reactor and remembers what it said, as a runtime's source table does.
#[derive(Debug)]
pub struct Rig {
    /// The reactor.
    pub reactor: Box<dyn Reactor>,
    /// Its handle.
    pub handle: Arc<dyn ReactorHandle>,
    /// What is known of each file. A test takes away what it used up.
    pub ready: BTreeMap<Token, Ready>,
    /// How many turns there have been.
    pub turns: usize,
    /// How many events they brought.
    pub reports: usize,
    events: Events,
}

impl Rig {
    /// Nothing is known yet.
    pub fn new(reactor: Box<dyn Reactor>) -> Self {
        let handle = reactor.handle();
        Self { reactor, handle, ready: BTreeMap::new(), turns: 0, reports: 0, events: Events::new() }
    }

    /// One turn. Tells what was reported.
    ///
    /// # Panics
    ///
    /// If the turn fails, or brings something else than readiness.
    pub fn turn(&mut self, wait: Wait) -> Vec<(Token, Ready)> {
        self.turns += 1;
        self.reactor.turn(wait, &mut self.events).expect("turn");
        let mut all = Vec::new();
        for event in self.events.drain() {
            let Event::Ready { token, ready } = event else { panic!("readiness only: {event:?}") };
            let known = self.ready.entry(token).or_default();
            known.read |= ready.read;
            known.write |= ready.write;
            known.read_closed |= ready.read_closed;
            known.hangup |= ready.hangup;
            all.push((token, ready));
        }
        self.reports += all.len();
        all
    }

    /// Turns until what is known of `token` satisfies `enough`.
    pub fn until(&mut self, token: Token, enough: impl Fn(Ready) -> bool) -> Ready {
        loop {
            let known = self.ready.get(&token).copied().unwrap_or_default();
            if enough(known) {
                return known;
            }
            self.turn(Wait::Forever);
        }
    }

    /// Attaches `file`.
    ///
    /// # Panics
    ///
    /// If the reactor refuses it.
    pub fn attach(&self, file: &Arc<impl File>, token: Token, interest: Interest) {
        self.handle.attach(file.clone(), token, interest).expect("attach");
    }

    /// Asks for another report.
    ///
    /// # Panics
    ///
    /// If the reactor refuses.
    pub fn rearm(&self, token: Token, interest: Interest) {
        self.handle.rearm(token, interest).expect("rearm");
    }

    /// Tries `op` until it does not block, waiting in between for `interest`.
    ///
    /// # Errors
    ///
    /// Whatever `op` says but `WouldBlock`.
    pub fn io<T>(
        &mut self,
        token: Token,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match op() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            let known = self.ready.entry(token).or_default();
            known.read &= !interest.read;
            known.write &= !interest.write;
            self.rearm(token, interest);
            self.until(token, |ready| ready.read && interest.read || ready.write && interest.write);
        }
    }

    /// Reads once there is something.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn read(&mut self, token: Token, file: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
        self.io(token, Interest::READ, || (&*file).read(buffer))
    }

    /// Reads what `cause` brings, having waited for it: before, there is nothing.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    ///
    /// # Panics
    ///
    /// If there is something before.
    pub fn read_after(
        &mut self,
        token: Token,
        file: &UnixStream,
        buffer: &mut [u8],
        cause: impl FnOnce(&mut Self),
    ) -> io::Result<usize> {
        let nothing = (&*file).read(buffer).expect_err("nothing has come yet");
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        self.ready.entry(token).or_default().read = false;
        self.rearm(token, Interest::READ);
        cause(self);
        self.until(token, |ready| ready.read);
        self.read(token, file, buffer)
    }

    /// Writes everything, waiting for room.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn write_all(&mut self, token: Token, file: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.io(token, Interest::WRITE, || (&*file).write(bytes))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Looks until there is nothing more to see for the moment.
    pub fn settle(&mut self) {
        while !self.turn(Wait::Now).is_empty() {}
    }
}

/// A connected pair, both ends non-blocking.
///
/// # Panics
///
/// If the kernel has none.
pub fn pair() -> (Arc<UnixStream>, Arc<UnixStream>) {
    let (a, b) = UnixStream::pair().expect("a pair");
    a.set_nonblocking(true).expect("non-blocking");
    b.set_nonblocking(true).expect("non-blocking");
    (Arc::new(a), Arc::new(b))
}

/// The token of slot `index`.
pub fn token(index: u32) -> Token {
    Token::new(index, 1)
}

pub(super) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[expect(clippy::disallowed_methods, reason = "the tests measure the kernel's waits")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Gives another thread time to enter its wait. If it does not make it, the case still holds, but tests less.
#[expect(
    clippy::disallowed_methods,
    reason = "no one can see from outside that a thread waits in the kernel"
)]
pub(super) fn let_it_wait() {
    thread::sleep(millis(15));
}
