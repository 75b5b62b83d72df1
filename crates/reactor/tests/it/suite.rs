//! What every reactor must do, written once: a driver that a test turns by hand, and the subjects it turns.
//!
//! Times are never asserted from above but for hangs: a case that does not end is stopped after `PATIENCE`.

use polyloop_core::reactor::{Event, Events, File, Interest, Reactor, ReactorHandle, Ready, Token};
use polyloop_core::time::Wait;
use polyloop_reactor::{Chaos, ChaosPlan, Mio, Poll, Polling};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long a case may take before it counts as hung. It is long because the machine may be busy with others.
const PATIENCE: Duration = Duration::from_secs(60);

/// The names of all subjects.
pub(crate) const SUBJECTS: [&str; 4] = ["mio", "polling", "oneshot", "poll"];

/// A reactor to test.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// Set where events may be late, doubled or invented, so that only what is done in the end can be asserted.
    pub(crate) chaos: Option<u64>,
}

impl Subject {
    pub(crate) fn make(self) -> Box<dyn Reactor> {
        let inner: Box<dyn Reactor> = match self.name {
            "mio" => Box::new(Mio::new().expect("mio")),
            "polling" => Box::new(Polling::new().expect("polling")),
            "oneshot" => Box::new(Polling::oneshot().expect("polling")),
            "poll" => Box::new(Poll::new().expect("poll")),
            other => panic!("no reactor {other}"),
        };
        match self.chaos {
            Some(seed) => Box::new(Chaos::new(inner, seed, ChaosPlan::ROUGH)),
            None => inner,
        }
    }

    pub(crate) fn driver(self) -> Driver {
        Driver::new(self.make())
    }

    pub(crate) fn strict(self) -> bool {
        self.chaos.is_none()
    }
}

/// Turns a reactor and remembers what it said, as a runtime's source table does.
pub(crate) struct Driver {
    pub(crate) reactor: Box<dyn Reactor>,
    pub(crate) handle: Arc<dyn ReactorHandle>,
    pub(crate) ready: BTreeMap<Token, Ready>,
    pub(crate) turns: usize,
    pub(crate) reports: usize,
    events: Events,
}

impl Driver {
    pub(crate) fn new(reactor: Box<dyn Reactor>) -> Self {
        let handle = reactor.handle();
        Self { reactor, handle, ready: BTreeMap::new(), turns: 0, reports: 0, events: Events::new() }
    }

    /// One turn. Tells what was reported.
    pub(crate) fn turn(&mut self, wait: Wait) -> Vec<(Token, Ready)> {
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
    pub(crate) fn until(&mut self, token: Token, enough: impl Fn(Ready) -> bool) -> Ready {
        loop {
            let known = self.ready.get(&token).copied().unwrap_or_default();
            if enough(known) {
                return known;
            }
            self.turn(Wait::Forever);
        }
    }

    pub(crate) fn attach(&self, file: &Arc<impl File>, token: Token, interest: Interest) {
        self.handle.attach(file.clone(), token, interest).expect("attach");
    }

    pub(crate) fn rearm(&self, token: Token, interest: Interest) {
        self.handle.rearm(token, interest).expect("rearm");
    }

    /// Tries `op` until it does not block, waiting in between for `interest`.
    pub(crate) fn io<T>(
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

    pub(crate) fn read(&mut self, token: Token, file: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
        self.io(token, Interest::READ, || (&*file).read(buffer))
    }

    /// Reads what `cause` brings, having waited for it: before, there is nothing.
    pub(crate) fn read_after(
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

    pub(crate) fn write_all(&mut self, token: Token, file: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.io(token, Interest::WRITE, || (&*file).write(bytes))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Looks until there is nothing more to see for the moment.
    pub(crate) fn settle(&mut self) {
        while !self.turn(Wait::Now).is_empty() {}
    }
}

/// Runs a case on a thread of its own, and gives up when it hangs.
pub(crate) fn within_patience(name: &str, case: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        case();
        let _ = done.send(());
    });
    let thread = thread.expect("a thread");
    match wait.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name} hangs"),
        _ => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// This test binary once more, to run one ignored test on one subject in a process of its own.
#[cfg(target_os = "linux")]
pub(crate) fn again(mut command: Command, script: &str, subject: &str) -> Command {
    command.env("POLYLOOP_SUBJECT", subject).stderr(Stdio::piped()).stdout(Stdio::piped());
    command.args(["--exact", script, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// The subject that [`again`] named.
#[cfg(target_os = "linux")]
pub(crate) fn chosen() -> Subject {
    let name = std::env::var("POLYLOOP_SUBJECT").expect("run by another test alone");
    let name = SUBJECTS.into_iter().find(|known| *known == name).expect("a subject");
    Subject { name, chaos: None }
}

/// A connected pair, both ends non-blocking.
pub(crate) fn pair() -> (Arc<UnixStream>, Arc<UnixStream>) {
    let (a, b) = UnixStream::pair().expect("a pair");
    a.set_nonblocking(true).expect("non-blocking");
    b.set_nonblocking(true).expect("non-blocking");
    (Arc::new(a), Arc::new(b))
}

pub(crate) fn token(index: u32) -> Token {
    Token::new(index, 1)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[expect(clippy::disallowed_methods, reason = "the tests measure the kernel's waits")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Gives another thread time to enter its wait. If it does not make it, the case still holds, but tests less.
#[expect(
    clippy::disallowed_methods,
    reason = "no one can see from outside that a thread waits in the kernel"
)]
pub(crate) fn let_it_wait() {
    thread::sleep(millis(15));
}

/// Mounts cases on every reactor, bare and under chaos.
#[macro_export]
macro_rules! mount {
    ($($case:ident),* $(,)?) => {
        mount!(@subject mio, "mio", None; $($case)*);
        mount!(@subject polling, "polling", None; $($case)*);
        mount!(@subject polling_oneshot, "oneshot", None; $($case)*);
        mount!(@subject poll, "poll", None; $($case)*);
        mount!(@subject chaos_mio, "mio", Some(1); $($case)*);
        mount!(@subject chaos_polling, "polling", Some(2); $($case)*);
        mount!(@subject chaos_polling_oneshot, "oneshot", Some(3); $($case)*);
        mount!(@subject chaos_poll, "poll", Some(4); $($case)*);
    };
    (@subject $module:ident, $name:literal, $chaos:expr; $($case:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    let subject = $crate::suite::Subject { name: $name, chaos: $chaos };
                    $crate::suite::within_patience(stringify!($case), move || $crate::cases::$case(subject));
                }
            )*
        }
    };
}
