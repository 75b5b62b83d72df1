//! What the monitor was the last one to have.
//!
//! Invariant: *the monitor runs no destructor of a program*. Whoever looks at something keeps it meanwhile, and may find that all
//! others have let it go. What it keeps in turn, tasks and hooks, is then dropped by a thread of its own, which is there only for
//! that, and takes as long as it takes.

use parking_lot::Mutex;
use polyloop_core::task::contain;

/// Anything at all.
pub(crate) type Remains = Box<dyn Send>;

static LEFT: Mutex<Vec<Remains>> = Mutex::new(Vec::new());

/// Has `remains` dropped elsewhere. If there is no thread to be had it is kept until [`bury`] finds one.
pub(crate) fn leave(remains: Remains) {
    LEFT.lock().push(remains);
    bury();
}

/// Starts a thread for what is left, if there is anything.
pub(crate) fn bury() {
    if LEFT.lock().is_empty() {
        return;
    }
    // Not taken before there is a thread: a closure that is not run is dropped here, with what it has.
    let started = std::thread::Builder::new().name("polyloop-remains".to_owned()).spawn(|| {
        let left = std::mem::take(&mut *LEFT.lock());
        left.into_iter().for_each(|remains| contain(|| drop(remains)));
    });
    drop(started);
}
