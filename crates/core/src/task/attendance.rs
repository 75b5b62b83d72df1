//! The end of a space: who drops the futures of an executor that has closed.
//!
//! Invariant: *the last attendant to leave a closed space leaves no task behind*. An [`Attendant`] is a thread that polls the
//! space's tasks, or ends them. What the last one finds that has not ended is idle, queued, or on its way into the queue:
//! then it is in the hands of a thread that wakes it, runs nobody's code meanwhile, and waits for nobody. That is worth
//! waiting for. So a wake ends no task, whenever it comes: whoever wakes may hold a lock that the future's drop wants.
//!
//! What does not come within [`LOOKS`] looks was lost by a broken scheduler; it stays among the
//! [unfinished](TaskSpace::unfinished) ones.

use super::{Runnable, TaskSpace, run_waiting};
use crate::shim::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
    fence,
};
use crate::shim::thread::yield_now;

const CLOSED: usize = 1;
const ONE: usize = 2;

/// How often the last one looks, with a yield in between: a second at least.
const LOOKS: u32 = 1_000_000;

/// Whether the space is closed, and how many attend, in one word: whoever leaves knows both at once.
#[derive(Debug)]
pub(crate) struct Attendance(AtomicUsize);

impl Attendance {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Ordering: Release, for what the executor did before, so that whoever comes later polls nothing.
    pub(crate) fn close(&self) {
        self.0.fetch_or(CLOSED, AcqRel);
    }

    pub(crate) fn join(&self) {
        // Ordering: Acquire sees that the executor has closed.
        self.0.fetch_add(ONE, AcqRel);
    }

    /// Lets the caller leave, unless the space is closed and `is_done` does not allow it. `is_done` is told whether the caller
    /// is the only one there, and asked again if that changes meanwhile.
    pub(crate) fn leave(&self, mut is_done: impl FnMut(bool) -> bool) {
        let (mut seen, mut looks) = (self.0.load(Acquire), 0);
        loop {
            if seen & CLOSED != 0 {
                // Pairs with the one in `is_late`.
                #[cfg(not(polyloop_mutant = "sweep_without_fence"))]
                fence(SeqCst);
                #[cfg(not(polyloop_mutant = "leave_alone"))]
                let alone = seen == CLOSED | ONE;
                #[cfg(polyloop_mutant = "leave_alone")]
                let alone = false;
                if !is_done(alone) && looks < LOOKS {
                    looks += 1;
                    yield_now();
                    seen = self.0.load(Acquire);
                    continue;
                }
            }
            #[cfg(polyloop_mutant = "leave_unasked")]
            return drop(self.0.fetch_sub(ONE, AcqRel));
            // Ordering: AcqRel, so that the last one sees what the others have left.
            #[cfg(not(polyloop_mutant = "leave_unasked"))]
            match self.0.compare_exchange(seen, seen - ONE, AcqRel, Acquire) {
                Ok(_) => return,
                Err(moved) => seen = moved,
            }
        }
    }

    /// Asked by a thread that has made a task and does not attend: whether the last attendant may have left without it. If
    /// not, that one waits for it.
    pub(crate) fn is_late(&self) -> bool {
        // Either whoever leaves last sees the task, or this sees that the space is closed.
        #[cfg(not(polyloop_mutant = "spawn_without_fence"))]
        fence(SeqCst);
        #[cfg(not(polyloop_mutant = "never_late"))]
        return self.0.load(Relaxed) & CLOSED != 0;
        #[cfg(polyloop_mutant = "never_late")]
        return false;
    }
}

/// That the calling thread may poll the tasks of a space, or ends them.
///
/// When it goes and the space is [closed](TaskSpace::close), whatever is queued or idle is cancelled on this thread. If nobody
/// else attends, this waits besides for runnables that a wake has gained just now and cancels them, too. Nobody waits for an
/// attendant: what one polls or drops at this moment it ends itself, or leaves to be ended when it goes.
#[must_use = "it ends what is left when it goes"]
#[derive(Debug)]
pub struct Attendant<'a>(&'a TaskSpace);

impl<'a> Attendant<'a> {
    pub(crate) fn new(space: &'a TaskSpace) -> Self {
        space.attendance().join();
        Self(space)
    }
}

impl Drop for Attendant<'_> {
    fn drop(&mut self) {
        let space = self.0;
        space.attendance().leave(|alone| {
            let left = sweep(space);
            !alone || left == 0
        });
    }
}

/// Cancels whatever is queued or idle, and what that brings forth. How many tasks are left, which somebody has hold of.
fn sweep(space: &TaskSpace) -> usize {
    loop {
        let mut queued = space.drain();
        // All of them before the first is dropped: the drops' wakes come to nothing.
        let (idle, left) = space.claim_idle();
        if queued.is_empty() && idle.is_empty() {
            return left;
        }
        while let Some(runnable) = queued.pop_front() {
            runnable.cancel();
        }
        idle.into_iter().for_each(Runnable::cancel);
        // If this thread is deep inside other ends, some of these were put off.
        run_waiting();
    }
}
