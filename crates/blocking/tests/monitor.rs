//! What the monitor keeps for the length of a look, and what becomes of it.
//!
//! Invariant: no test waits for a time; each step is told by the one before.

use polyloop_blocking::monitor::{self, Round, Watched};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::current;

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
    let (see, seen) = channel();
    let watched = Arc::new(Seen(see.into()));
    monitor::watch(Arc::downgrade(&watched)).unwrap();
    seen.recv().unwrap();
    drop(watched);
    // Its channel goes with it, at the latest after the look that is under way.
    while seen.recv().is_ok() {}
}
