//! How a stall gets out: to the program's hook, as an event of `tracing`, or as a line on stderr.
//!
//! Invariant: *the monitor waits for nobody*. A hook may take its time, and stderr may be locked by the very task that stalls; so
//! reports are told by a thread of their own, which is there only while there is something to tell: one for the lines of the whole
//! process, and one for the hook of each runtime, so that a hook that blocks silences nobody else. Lines are few: [`LINES`] in any
//! [`MINUTE`], and one that says how many more there would have been, if need be when something is at work again.
//!
//! Where no thread is to be had, reports wait in their box until a later look of the monitor finds one, whatever has become of their
//! runtime meanwhile; for their sake it looks for a minute more when nothing is at work. A line that says why may be the last that
//! a process can say: it is written at once, if that can be done without waiting.

use super::{Stall, StallHook, Stalls};
use crate::monitor::{kick, now};
use parking_lot::Mutex;
use polyloop_core::contained_panics;
use polyloop_core::task::contain;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// How many lines about stalls there are in any minute.
const LINES: usize = 5;
const MINUTE: Duration = Duration::from_secs(60);

/// What waits for one hook, or to be a line, at the most: a hook that blocks must not fill the memory.
const MOST_WAITING: usize = 256;

/// What is told to no hook.
static OUTBOX: LazyLock<Arc<Outbox>> = LazyLock::new(Arc::default);
/// Lines that wait for no hook of `tracing` either.
static NOTICES: LazyLock<Arc<Outbox>> = LazyLock::new(Arc::default);
/// Boxes with something in them that no thread could be had for.
static STRANDED: Mutex<Vec<Arc<Outbox>>> = Mutex::new(Vec::new());
static LINES_SAID: Mutex<Limit> = Mutex::new(Limit::new());
static PANICS: Mutex<Panics> = Mutex::new(Panics { known: 0, said: None });

/// What waits for the same thread.
#[derive(Default)]
pub(super) struct Outbox(Mutex<Letters>);

#[derive(Default)]
struct Letters {
    waiting: VecDeque<Report>,
    /// Whether there is a thread that tells, or the box is among those for which the monitor looks for one.
    is_served: bool,
}

enum Report {
    Stall(Stall, Option<StallHook>),
    Line(String),
}

/// Tells of a stall, as soon as may be.
pub(super) fn report(stall: Stall, stalls: &Stalls) {
    let outbox = if stalls.hook.is_some() { &stalls.outbox } else { &*OUTBOX };
    outbox.push(Report::Stall(stall, stalls.hook.clone()));
}

/// What is due by the time alone. Called by the monitor at each look. Whether there is still something that no thread could be had
/// for.
pub(crate) fn look_after_reports() -> bool {
    let now = now();
    let stranded = std::mem::take(&mut *STRANDED.lock());
    for outbox in stranded {
        outbox.start();
    }
    // Who says how many there were forgets it, so that nobody is asked for whose line there is no room.
    OUTBOX.push_if_room(|| {
        let left_out = LINES_SAID.lock().due(now)?;
        Some(Report::Line(format!("{left_out} more reports of stalled polls were left out")))
    });
    OUTBOX.push_if_room(|| {
        let panics = PANICS.lock().due(contained_panics(), now)?;
        let times = if panics == 1 { "a panic".to_owned() } else { format!("{panics} panics") };
        Some(Report::Line(format!(
            "{times} in wakers, in hooks or in drops of outputs and payloads went no further than there"
        )))
    });
    !STRANDED.lock().is_empty()
}

impl Outbox {
    fn push(self: &Arc<Self>, report: Report) {
        if !self.push_if_room(|| Some(report)) {
            LINES_SAID.lock().leave_out(now());
        }
    }

    /// Takes what `report` says, which is asked only if there is room; whether there is.
    fn push_if_room(self: &Arc<Self>, report: impl FnOnce() -> Option<Report>) -> bool {
        let start = {
            let mut letters = self.0.lock();
            if letters.waiting.len() >= MOST_WAITING {
                return false;
            }
            let Some(report) = report() else { return true };
            letters.waiting.push_back(report);
            !std::mem::replace(&mut letters.is_served, true)
        };
        if start && !self.start() {
            // Which may sleep already.
            kick();
        }
        true
    }

    /// Has a thread tell what waits; whether there is one, or nothing to wait for any more. Otherwise the monitor tries again when
    /// it looks next.
    fn start(self: &Arc<Self>) -> bool {
        let outbox = Arc::clone(self);
        let started = start_thread(move || outbox.serve()).is_ok() || self.is_told_at_once();
        if !started {
            STRANDED.lock().push(Arc::clone(self));
        }
        started
    }

    fn serve(&self) {
        while let Some(report) = self.next() {
            report.tell();
        }
    }

    /// Tells the lines that can be told without waiting; whether that is all.
    fn is_told_at_once(&self) -> bool {
        let Letters { waiting, is_served } = &mut *self.0.lock();
        while let Some(Report::Line(line)) = waiting.front()
            && say_at_once(line)
        {
            waiting.pop_front();
        }
        *is_served = !waiting.is_empty();
        !*is_served
    }

    /// The thread that finds nothing ends; the next report has another one.
    fn next(&self) -> Option<Report> {
        let mut letters = self.0.lock();
        let report = letters.waiting.pop_front();
        letters.is_served = report.is_some();
        report
    }
}

impl Report {
    fn tell(self) {
        match self {
            Self::Line(line) => say(&line),
            Self::Stall(stall, hook) => {
                #[cfg(feature = "tracing")]
                contain(|| emit(&stall));
                match hook {
                    // Its own drop may be the last, and may panic as well.
                    Some(hook) => contain(move || hook(&stall)),
                    None if LINES_SAID.lock().allows(now()) => say(&stall.to_string()),
                    None => {}
                }
            }
        }
    }
}

fn start_thread(tell: impl FnOnce() + Send + 'static) -> io::Result<()> {
    #[cfg(test)]
    if tests::REFUSES_THREADS.get() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    std::thread::Builder::new().name("polyloop-stalls".to_owned()).spawn(tell).map(drop)
}

/// Has a line written to stderr, and waits for nobody: not for whoever has stderr's lock, nor for a pipe that is full, nor for a
/// hook that is told of stalls. For what is rare: 256 lines wait at the most, and what is more is counted with the reports that are
/// left out.
pub fn tell(line: String) {
    NOTICES.push(Report::Line(line));
}

/// A line on stderr, which may be closed.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "polyloop: {line}");
}

/// The same past the lock, as whoever has that may wait for the caller; whether it could be done without waiting.
#[cfg(target_os = "linux")]
fn say_at_once(line: &str) -> bool {
    use std::fs::{File, OpenOptions};
    use std::os::fd::AsFd;
    use std::os::unix::fs::OpenOptionsExt;
    let say = || {
        let own = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        // A file has its place in common with the program, and is never full for a while. A pipe or a terminal is opened anew,
        // because whether writes wait is one setting of all who have it open; a socket cannot be.
        let mut file = match own.metadata()?.is_file() {
            true => own,
            false => OpenOptions::new()
                .append(true)
                .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
                .open("/proc/self/fd/2")?,
        };
        // In one write, which a pipe takes as a whole or not at all.
        file.write(format!("polyloop: {line}\n").as_bytes())
    };
    say().is_ok()
}

/// Elsewhere it waits for a thread.
#[cfg(not(target_os = "linux"))]
fn say_at_once(_: &str) -> bool {
    false
}

#[cfg(feature = "tracing")]
fn emit(stall: &Stall) {
    tracing::warn!(
        target: "polyloop::stall",
        what = ?stall.what,
        task.name = stall.task.name.as_deref(),
        task.file = stall.task.location.file(),
        task.line = stall.task.location.line(),
        phase = ?stall.phase,
        cause = ?stall.cause,
        lasted_ms = stall.lasted.as_secs_f64() * 1e3,
        thread = stall.thread.as_deref(),
        syscall.number = stall.place.syscall.map(|syscall| syscall.number),
        syscall.name = stall.place.syscall.and_then(|syscall| syscall.name),
        wchan = stall.place.wait.as_deref(),
        "{stall}"
    );
}

/// Which lines may be said.
struct Limit {
    /// When the last ones were.
    said: VecDeque<Instant>,
    left_out: u64,
    /// Since when some were left out.
    since: Option<Instant>,
}

impl Limit {
    const fn new() -> Self {
        Self { said: VecDeque::new(), left_out: 0, since: None }
    }

    /// Whether one more may be said, which is then taken for said.
    fn allows(&mut self, now: Instant) -> bool {
        self.said.retain(|said| now.saturating_duration_since(*said) < MINUTE);
        if self.said.len() >= LINES {
            self.leave_out(now);
            return false;
        }
        self.said.push_back(now);
        true
    }

    fn leave_out(&mut self, now: Instant) {
        self.left_out += 1;
        self.since.get_or_insert(now);
    }

    /// How many were left out, once that is to be said: a minute after the first of them.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.since.take_if(|since| now.saturating_duration_since(*since) >= MINUTE)?;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// How many contained panics have been told of, and when.
struct Panics {
    known: u64,
    said: Option<Instant>,
}

impl Panics {
    /// How many there are that nobody was told of, once that is to be said: at once, and then after a minute.
    fn due(&mut self, panics: u64, now: Instant) -> Option<u64> {
        let fresh = panics.checked_sub(self.known).filter(|fresh| *fresh > 0)?;
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < MINUTE) {
            return None;
        }
        (self.known, self.said) = (panics, Some(now));
        Some(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cause, Phase, Place, What};
    use super::*;
    use polyloop_core::Meta;
    use std::cell::Cell;
    use std::panic::Location;
    use std::sync::mpsc::channel;

    thread_local! {
        /// Whether this one is refused any more of them.
        pub(super) static REFUSES_THREADS: Cell<bool> = const { Cell::new(false) };
    }

    fn stall() -> Stall {
        Stall {
            what: What::Task,
            task: Meta::new(Location::caller()),
            phase: Phase::Lasting,
            lasted: Duration::from_millis(30),
            cause: Cause::Unknown,
            thread: None,
            place: Place::default(),
        }
    }

    fn told_to(hook: impl Fn() + Send + Sync + 'static) -> Stalls {
        Stalls { hook: Some(Arc::new(move |_| hook())), ..Stalls::default() }
    }

    #[test]
    fn a_hook_that_blocks_silences_no_other_and_no_line() {
        let ((inside, is_inside), (release, released)) = (channel(), channel::<()>());
        let released = Mutex::new(released);
        let blocks = told_to(move || {
            inside.send(()).unwrap();
            let _ = released.lock().recv();
        });
        report(stall(), &blocks);
        is_inside.recv().unwrap();
        let (tell, told) = channel();
        report(stall(), &told_to(move || tell.send(()).unwrap()));
        told.recv().unwrap();
        // A line has no hook that could say so: it is out of its box.
        OUTBOX.push(Report::Line("a line in a test".to_owned()));
        while OUTBOX.0.lock().is_served {
            std::thread::yield_now();
        }
        report(stall(), &blocks);
        assert_eq!(blocks.outbox.0.lock().waiting.len(), 1, "one report after the other");
        drop(release);
        is_inside.recv().unwrap();
    }

    #[test]
    fn a_hook_for_which_no_thread_is_to_be_had_is_told_later_although_its_runtime_is_gone() {
        let (tell, told) = channel();
        let stalls = told_to(move || tell.send(()).unwrap());
        REFUSES_THREADS.set(true);
        report(stall(), &stalls);
        report(stall(), &stalls);
        assert!(look_after_reports(), "somebody waits for a thread");
        drop(stalls);
        REFUSES_THREADS.set(false);
        assert!(told.try_recv().is_err(), "nobody is there to tell it");
        look_after_reports();
        // And then nobody is left who might.
        assert_eq!(told.iter().count(), 2);
    }

    #[test]
    fn a_count_for_which_there_is_no_room_is_said_once_there_is() {
        let outbox = Arc::new(Outbox::default());
        {
            // Whoever tells is busy with the one before.
            let mut letters = outbox.0.lock();
            letters.is_served = true;
            letters.waiting.extend((0..MOST_WAITING).map(|_| Report::Line(String::new())));
        }
        let mut count = Some(7);
        let mut push = || outbox.push_if_room(|| Some(Report::Line(count.take()?.to_string())));
        assert!(!push(), "it is full");
        outbox.next();
        assert!(push());
        assert!(matches!(outbox.0.lock().waiting.back(), Some(Report::Line(line)) if line == "7"));
    }

    #[test]
    fn five_lines_in_any_minute_and_one_that_counts_the_rest() {
        let (mut limit, start) = (Limit::new(), now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let said = |limit: &mut Limit, seconds| limit.allows(at(seconds));
        assert!([0, 10, 20, 30, 40].into_iter().all(|second| said(&mut limit, second)));
        assert!(!said(&mut limit, 50) && !said(&mut limit, 59));
        assert_eq!(limit.due(at(60)), None, "not every few seconds");
        assert!(said(&mut limit, 60), "the first one was a minute ago");
        assert!(!said(&mut limit, 61));
        assert_eq!(limit.due(at(110)), Some(3));
        assert_eq!(limit.due(at(500)), None);
    }

    #[test]
    fn contained_panics_are_told_of_at_once_and_then_once_a_minute() {
        let (mut panics, start) = (Panics { known: 0, said: None }, now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(panics.due(0, at(0)), None);
        assert_eq!(panics.due(2, at(1)), Some(2));
        assert_eq!(panics.due(2, at(2)), None);
        assert_eq!(panics.due(5, at(3)), None);
        assert_eq!(panics.due(6, at(61)), Some(4));
    }
}
