//! What the monitor keeps for the length of a look, and what becomes of it; when it rests.
//!
//! Invariant: each step is told by the one before. Where it is asserted that nothing happens, that is watched for a while.

#![forbid(unsafe_code)]

use polyloop_blocking::monitor::{self, LINGER, Round, Watched};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, current};
use std::time::{Duration, Instant};

/// One after the other: there is one monitor, which rests only if nobody is at work.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Is at work, and says so at every look.
struct Seen(Mutex<Sender<()>>);

impl Watched for Seen {
    fn inspect(&self, _: &Round) -> bool {
        // Nobody may be there any more who wants to know.
        let _ = self.0.lock().unwrap().send(());
        true
    }
}

/// Is kept by a look until told otherwise, and blocks where it is dropped.
struct LetGo {
    inside: Mutex<Sender<Option<String>>>,
    go_on: Mutex<Receiver<()>>,
    dropped: Sender<Option<String>>,
    end: Mutex<Receiver<()>>,
}

impl Watched for LetGo {
    fn inspect(&self, _: &Round) -> bool {
        let _ = self.inside.lock().unwrap().send(current().name().map(Into::into));
        let _ = self.go_on.lock().unwrap().recv();
        true
    }
}

impl Drop for LetGo {
    fn drop(&mut self) {
        let _ = self.dropped.send(current().name().map(Into::into));
        let _ = self.end.lock().unwrap().recv();
    }
}

#[test]
fn what_is_let_go_during_a_look_is_not_dropped_by_the_monitor() {
    let _alone = alone();
    let ((inside, looks), (tell, go_on), (dropped, drops), (finish, end)) =
        (channel(), channel(), channel(), channel());
    let watched = Arc::new(LetGo { inside: inside.into(), go_on: go_on.into(), dropped, end: end.into() });
    monitor::watch(Arc::downgrade(&watched)).unwrap();
    let monitor = looks.recv().unwrap();
    // The look has the last one of it.
    drop(watched);
    tell.send(()).unwrap();
    let dropper = drops.recv().unwrap();
    assert_ne!(dropper, monitor, "a destructor ran on the monitor's thread");
    // It blocks still, and the monitor goes on.
    let (see, seen) = channel();
    let other = Arc::new(Seen(see.into()));
    monitor::watch(Arc::downgrade(&other)).unwrap();
    (0..3).for_each(|_| seen.recv().unwrap());
    finish.send(()).unwrap();
}

#[test]
fn what_is_let_go_between_two_looks_is_dropped_where_that_is_done() {
    let _alone = alone();
    let (see, seen) = channel();
    let watched = Arc::new(Seen(see.into()));
    monitor::watch(Arc::downgrade(&watched)).unwrap();
    seen.recv().unwrap();
    drop(watched);
    // Its channel goes with it, at the latest after the look that is under way.
    while seen.recv().is_ok() {}
}

/// Nothing here takes a tenth of it.
const LIMIT: Duration = Duration::from_secs(60);

/// Is at work when it is told so, and tells of looks and of the monitor's rest.
struct Shift {
    at_work: AtomicBool,
    looks: AtomicUsize,
    /// The last look that saw it at work.
    seen: Mutex<Instant>,
    /// How many looks there had been at each rest, and how long after that one it came.
    rests: Mutex<Sender<(usize, Duration)>>,
    panics: bool,
}

impl Shift {
    fn begin(panics: bool) -> (Arc<Self>, Receiver<(usize, Duration)>) {
        let (rests, told) = channel();
        let (at_work, looks, seen) = (AtomicBool::new(true), AtomicUsize::new(0), now().into());
        let shift = Arc::new(Self { at_work, looks, seen, rests: rests.into(), panics });
        monitor::watch(Arc::downgrade(&shift)).unwrap();
        (shift, told)
    }

    fn wait_for_looks(&self, more: usize) {
        let (before, begun) = (self.looks.load(SeqCst), now());
        while self.looks.load(SeqCst) < before + more {
            assert!(begun.elapsed() < LIMIT, "the monitor looks no more");
            thread::yield_now();
        }
    }
}

impl Watched for Shift {
    fn inspect(&self, _: &Round) -> bool {
        self.looks.fetch_add(1, SeqCst);
        let at_work = self.at_work.load(SeqCst);
        if at_work {
            *self.seen.lock().unwrap() = now();
        }
        at_work
    }

    fn rest(&self) {
        let lingered = self.seen.lock().unwrap().elapsed();
        let _ = self.rests.lock().unwrap().send((self.looks.load(SeqCst), lingered));
        assert!(!self.panics, "on purpose");
    }
}

#[expect(clippy::disallowed_methods, reason = "the monitor goes by the system's clock")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_monitor_goes_on_for_a_second_after_the_last_work_and_then_sleeps_until_it_is_called() {
    let _alone = alone();
    let (shift, rests) = Shift::begin(false);
    for _ in 0..2 {
        shift.wait_for_looks(3);
        shift.at_work.store(false, SeqCst);
        let (looks, lingered) = rests.recv().unwrap();
        // It may be held up between its look at the clock and the one at this.
        assert!(lingered >= LINGER * 3 / 4, "{lingered:?}");
        thread::park_timeout(LINGER / 4);
        let more = shift.looks.load(SeqCst) - looks;
        assert!(more <= 1, "it looks once more before it sleeps, and not {more} times");
        shift.at_work.store(true, SeqCst);
        monitor::kick();
    }
    shift.wait_for_looks(1);
}

#[test]
fn the_monitor_outlives_one_that_panics_when_it_rests() {
    let _alone = alone();
    let (shift, rests) = Shift::begin(true);
    shift.wait_for_looks(1);
    shift.at_work.store(false, SeqCst);
    rests.recv().unwrap();
    shift.at_work.store(true, SeqCst);
    monitor::kick();
    shift.wait_for_looks(3);
}

#[cfg(target_os = "linux")]
#[test]
fn there_is_one_monitor_however_many_begin_at_once() {
    let _alone = alone();
    let shifts: Vec<_> = (0..8).map(|_| thread::spawn(|| Shift::begin(false))).collect();
    let shifts: Vec<_> = shifts.into_iter().map(|shift| shift.join().unwrap()).collect();
    shifts.iter().for_each(|(shift, _)| shift.wait_for_looks(1));
    let names = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // Others may end meanwhile.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    // The kernel keeps fifteen letters.
    assert_eq!(names.filter(|name| name.trim() == "polyloop-monito").count(), 1);
}
