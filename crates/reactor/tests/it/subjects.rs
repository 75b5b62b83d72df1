//! The subjects, and what their tests share.

use polyloop_core::reactor::Reactor;
use polyloop_reactor::{Mio, Poll, Polling};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The names of all subjects.
pub(crate) const SUBJECTS: [&str; 4] = ["mio", "polling", "oneshot", "poll"];

/// Makes the reactor of this name.
pub(crate) fn make(name: &str) -> Box<dyn Reactor> {
    match name {
        "mio" => Box::new(Mio::new().expect("mio")),
        "polling" => Box::new(Polling::new().expect("polling")),
        "oneshot" => Box::new(Polling::oneshot().expect("polling")),
        "poll" => Box::new(Poll::new().expect("poll")),
        other => panic!("no reactor {other}"),
    }
}

/// This test binary once more, to run one ignored test on one subject in a process of its own.
pub(crate) fn again(mut command: Command, script: &str, subject: &str) -> Command {
    command.env("POLYLOOP_SUBJECT", subject).stderr(Stdio::piped()).stdout(Stdio::piped());
    command.args(["--exact", script, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// The subject that [`again`] named.
pub(crate) fn chosen() -> &'static str {
    let name = std::env::var("POLYLOOP_SUBJECT").expect("run by another test alone");
    SUBJECTS.into_iter().find(|known| *known == name).expect("a subject")
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
