//! The runnable: the right to poll one task once.
//!
//! Invariant: it exists at most once per task, from the wake that found the task idle until the poll that leaves it so.
//! It holds no reference; the wake count in the state word stands for it. Dropping it cancels the task, because nobody
//! could wake it any more.

use super::cell::TaskPtr;
use super::ends::{self, End};
use super::state::{AfterPoll, Completion};
use super::waker::{self, PackedWaker};
use super::{Header, JoinError, Meta, context};
use crate::Why;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{Context, Poll};

/// What became of a task that was run.
#[must_use = "a task that is still runnable must go back to its scheduler"]
#[derive(Debug)]
pub enum Ran {
    /// It waits for a wake.
    Pending,
    /// It woke itself while it was polled: it goes behind everybody else ([`Why::Yield`](crate::Why::Yield)).
    Yielded(Runnable),
    /// Somebody else woke it while it was polled ([`Why::Wake`](crate::Why::Wake)).
    Woken(Runnable),
    /// It has ended.
    Done,
}

impl Ran {
    /// The runnable that goes back to its scheduler, for one to whom it is the same who woke it.
    #[inline]
    pub fn again(self) -> Option<Runnable> {
        match self {
            Self::Yielded(runnable) | Self::Woken(runnable) => Some(runnable),
            Self::Pending | Self::Done => None,
        }
    }
}

/// The right to poll a task once.
///
/// Whoever holds it runs it, hands it on, or cancels the task by dropping it.
pub struct Runnable(TaskPtr);

// SAFETY: a runnable of a task that is not `Send` can travel, but `run` and `cancel` refuse to touch its future on
// any thread but its own (`LOCAL`).
unsafe impl Send for Runnable {}
// SAFETY: a shared runnable only tells its metadata, which is `Sync`.
unsafe impl Sync for Runnable {}

impl Runnable {
    /// The runnable that the caller has just gained by a transition of the state word.
    pub(crate) fn gained(task: TaskPtr) -> Self {
        Self(task)
    }

    /// Notes that the task has become runnable just now.
    #[inline(always)]
    pub(crate) fn stamp(&self, why: Why) {
        self.0.stamps().woken(why);
    }

    pub(crate) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0.0
    }

    /// # Safety
    ///
    /// `raw` came from [`into_raw`](Self::into_raw), and is used once.
    pub(crate) unsafe fn from_raw(raw: NonNull<Header>) -> Self {
        Self(TaskPtr(raw))
    }

    /// What the task is called, where it was spawned, and what it asks of its scheduler.
    pub fn meta(&self) -> Meta {
        self.0.meta()
    }

    /// What it asks of its scheduler; without the cost of [`meta`](Self::meta), which copies the name.
    pub fn wishes(&self) -> super::Wishes {
        self.0.wishes()
    }

    /// The task's id, if anybody has asked for it: the task itself, say.
    pub fn known_id(&self) -> Option<super::Id> {
        self.0.known_id()
    }

    /// The earliest of its own deadline and those that it has [inherited](crate::inheritance); far in the future if it has none.
    pub fn deadline(&self) -> crate::time::Instant {
        let own = self.wishes().deadline.unwrap_or(crate::time::Instant::FAR_FUTURE);
        // Only who has an id can be waited for.
        let inherits = crate::inheritance::version() > 0;
        let inherited = inherits.then(|| self.known_id()).flatten().and_then(crate::inheritance::of);
        inherited.map_or(own, |inherited| inherited.min(own))
    }

    /// What its scheduler has noted on the task, 0 on a new one. The note lasts from one runnable of the task to the next, and
    /// shares its room with the link of a [`RunQueue`](crate::RunQueue): after that it is any number.
    pub fn note(&self) -> usize {
        self.0.next().with(|next| {
            // SAFETY: the link is whose the runnable is.
            unsafe { *next }.addr()
        })
    }

    /// Notes a number on the task; see [`note`](Self::note).
    pub fn set_note(&mut self, note: usize) {
        self.0.next().with_mut(|next| {
            // SAFETY: as above.
            unsafe { *next = core::ptr::without_provenance_mut(note) }
        });
    }

    /// Whether the task must stay on the thread that spawned it.
    pub fn is_local(&self) -> bool {
        self.0.state().load().local()
    }

    /// Polls the task once, or ends it if it was aborted.
    ///
    /// A panic of the future is the joiner's to see and does not come out here.
    ///
    /// # Panics
    ///
    /// If the task is not `Send` and this is not the thread that it was spawned on.
    // Called in the loop of each executor and nowhere else; a call would save and restore all registers at every poll.
    #[inline(always)]
    pub fn run(self) -> Ran {
        let task = ManuallyDrop::new(self).0;
        let seen = task.state().load();
        debug_assert!(seen.wakes() > 0 && !seen.done(), "a runnable stands for a wake: {seen:?}");
        if seen.local() && !context::is_home(task.space()) {
            drop(Self(task));
            panic!("a task that is not Send was run on a thread that is not its own");
        }
        let polling = context::Polling::begin(task);
        if seen.abort() {
            // SAFETY: this is the runnable, and the future has not ended.
            unsafe { task.cancel(JoinError::cancelled()) };
            drop(polling);
            complete(task, seen.hooked());
            return Ran::Done;
        }
        task.stamps().polled();
        let waker = waker::borrowed(task);
        let mut cx = Context::from_waker(&waker);
        // SAFETY: as above.
        let mut poll = || unsafe { task.poll(&mut cx) };
        let polled = if seen.hooked() { poll_hooked(task, poll) } else { poll() };
        let woke_itself = polling.woke_itself();
        // Before anybody else may free the task.
        drop(polling);
        match polled {
            Poll::Ready(()) => {
                complete(task, seen.hooked());
                Ran::Done
            }
            // The state word is left alone: its count is positive, so that nobody else can gain a second runnable, and what
            // others wrote before they woke is seen when the next run loads the word.
            Poll::Pending if woke_itself => {
                task.stamps().woken_in_poll(Why::Yield);
                Ran::Yielded(Self(task))
            }
            Poll::Pending => match task.state().end_poll(seen) {
                AfterPoll::Idle => Ran::Pending,
                AfterPoll::Woken => {
                    task.stamps().woken_in_poll(Why::Wake);
                    Ran::Woken(Self(task))
                }
            },
        }
    }

    /// Ends the task without polling it: its future is dropped here, and its joiner gets
    /// [`JoinError::cancelled`].
    ///
    /// A task that is not `Send`, on a thread that is not its own, goes back to its scheduler instead.
    pub fn cancel(self) {
        self.fail(JoinError::cancelled());
    }

    /// Ends the task without polling it, with this error for its joiner.
    ///
    /// From deep within other tasks' ends, it happens as soon as the outermost of them is through.
    pub fn fail(self, error: JoinError) {
        if let Some(this) = self.unless_away() {
            ends::end(End::Future(this, error));
        }
    }

    /// This, unless a spawn has brought it to an executor whose space is [closed](super::TaskSpace::close): then the task is
    /// cancelled here. What a wake brings is taken in all the same.
    ///
    /// Asked by a thread that does not [attend](super::TaskSpace::attend), before the task becomes reachable for others.
    pub fn unless_late(self, why: Why) -> Option<Self> {
        if why == Why::Spawn && self.0.space().attendance().is_late() {
            self.refuse();
            return None;
        }
        Some(self)
    }

    /// Cancels a task that nobody has a handle of yet.
    fn refuse(self) {
        // If its end has to wait, its spawn returns before.
        if !ends::is_deep() {
            // Whoever waits for the last tasks does not wait for this one's drop, which may be his caller.
            self.0.state().refuse();
        }
        ends::end(End::Future(self, JoinError::cancelled()));
    }

    /// This, unless the task is not `Send` and this is not its thread: then it goes back to its scheduler.
    fn unless_away(self) -> Option<Self> {
        let task = self.0;
        #[cfg(polyloop_loom)]
        assert!(!task.state().load().done(), "a second runnable of a task that has ended");
        if task.state().load().local() && !context::is_home(task.space()) {
            // Its executor waits for it to come home (see `LocalQueue`).
            task.state().abort();
            let space = task.space().clone();
            space.schedule(self);
            return None;
        }
        Some(self)
    }

    /// Drops the future on this thread, which may be it, and completes the task.
    pub(super) fn fail_now(self, error: JoinError) {
        let task = ManuallyDrop::new(self).0;
        let polling = context::Polling::begin(task);
        // SAFETY: this is the runnable, and the future has not ended.
        unsafe { task.cancel(error) };
        drop(polling);
        complete(task, task.state().load().hooked());
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        Self(self.0).cancel();
    }
}

impl fmt::Debug for Runnable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runnable({})", self.meta())
    }
}

/// Runs `poll`, a poll of the task, within the time that its space has for each.
#[cold]
fn poll_hooked(task: TaskPtr, poll: impl FnOnce() -> Poll<()>) -> Poll<()> {
    match task.space().poll_time() {
        Some(time) => time.run(poll),
        None => poll(),
    }
}

/// Publishes that the task has ended, with its output stored: to whoever is `hooked`, then to the joiner, or to nobody.
fn complete(task: TaskPtr, hooked: bool) {
    if hooked {
        task.space().tell_end(task);
    }
    let state = task.state();
    let mut output = true;
    let mut joiner: Option<PackedWaker> = None;
    loop {
        match state.complete(output, joiner.is_some()) {
            Completion::Published => break,
            Completion::Sole => {
                // SAFETY: the state word said so, and the output is dropped.
                unsafe { task.free() };
                break;
            }
            Completion::DropOutput => {
                // SAFETY: the output is there, and without a handle it is the completing thread's.
                unsafe { task.drop_output() };
                output = false;
            }
            Completion::ClaimJoiner => {
                if state.claim_joiner() {
                    let raw = task.joiner().with(|joiner| {
                        // SAFETY: `CLAIMED` makes the slot this thread's.
                        unsafe { *joiner }
                    });
                    // SAFETY: the handle stored it by `into_raw`, and will not touch it any more.
                    joiner = Some(unsafe { PackedWaker::from_raw(raw) });
                }
            }
        }
    }
    // The task may be gone by now; its joiner's waker is ours.
    if let Some(joiner) = joiner {
        joiner.wake();
    }
}
