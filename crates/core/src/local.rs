//! A queue that belongs to one thread: for tasks that may not be sent, and for whatever else that thread runs.
//!
//! Invariant: only the owner touches the queue; other threads push into the inbox and call the owner's unparker. Local
//! tasks are polled and dropped on the owner alone, also when a foreign thread wakes or aborts them at the very end: the
//! queue is closed only once every runnable has come home.

use crate::budget::PollTime;
use crate::context;
use crate::hooks::Hooks;
use crate::queue::RunQueue;
use crate::schedule::{Schedule, Why};
use crate::shim::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::shim::sync::Mutex;
use crate::task::{JoinHandle, Meta, Runnable, TaskSpace};
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use std::sync::Arc;

/// Calls a thread out of whatever it waits in. Sticky: a call before the wait ends the wait at once.
pub trait Unpark: fmt::Debug + Send + Sync + 'static {
    /// Ends the present wait, or the next one.
    fn unpark(&self);

    /// As [`Schedule::tell_time`].
    fn tell_time(&self) {}
}

/// The owner's side. Not `Send`: it stays on the thread that made it.
pub struct LocalQueue {
    shared: Arc<Shared>,
    space: Arc<TaskSpace>,
    entered: Cell<bool>,
    not_send: PhantomData<*const ()>,
}

/// What wakers reach.
struct Shared {
    inbox: Mutex<RunQueue>,
    /// Whether the inbox has something; looked at by the owner before it takes the lock.
    mail: AtomicBool,
    unpark: Arc<dyn Unpark>,
}

/// The queue as the owner's thread finds it in its context.
pub(crate) struct Mine {
    shared: *const Shared,
    space: Arc<TaskSpace>,
    queue: RefCell<RunQueue>,
    /// A runnable that is yet to be put into the queue.
    aside: Cell<Option<Runnable>>,
    /// How many tasks were ever spawned into it.
    spawned: Cell<usize>,
    /// The executor whose runnables go into this queue, too, by its address.
    guest: Cell<Option<usize>>,
}

/// Spawns a task that stays on the calling thread, which must be inside a [`LocalQueue`].
///
/// # Errors
///
/// The future, if the calling thread has no local queue.
pub fn spawn_local<F>(future: F, meta: Meta) -> Result<JoinHandle<F::Output>, F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let space = context::with_scope(|mine: Option<&Mine>| mine.map(Mine::space_for_one_more));
    match space {
        Some(space) => Ok(space.spawn_local(future, meta)),
        None => Err(future),
    }
}

/// Whether the calling thread is inside a [`LocalQueue`].
pub fn has_local_queue() -> bool {
    context::with_scope(|mine: Option<&Mine>| mine.is_some())
}

/// Adds a runnable of the executor `guest` to the queue of the calling thread, if that thread hosts it.
///
/// # Errors
///
/// The runnable, if the calling thread does not.
pub fn push_as_guest(guest: usize, runnable: Runnable) -> Result<(), Runnable> {
    let mut runnable = Some(runnable);
    with_host_of(guest, |mine| mine.queue.borrow_mut().extend(runnable.take()));
    runnable.map_or(Ok(()), Err)
}

/// Whether the calling thread hosts the executor `guest`.
pub fn is_host_of(guest: usize) -> bool {
    with_host_of(guest, |_| ()).is_some()
}

/// Takes the runnables of the executor `guest` out of the calling thread's queue; none, if that thread does not host it.
pub fn take_as_guest(guest: usize) -> RunQueue {
    with_host_of(guest, Mine::take_guests).unwrap_or_default()
}

/// Calls `f` with the queue of the calling thread that hosts the executor `guest`, also from within a set of tasks, which has a
/// queue of its own.
fn with_host_of<R>(guest: usize, mut f: impl FnMut(&Mine) -> R) -> Option<R> {
    context::find_scope(|mine: &Mine| (mine.guest.get() == Some(guest)).then(|| f(mine)))
}

impl Mine {
    fn space_for_one_more(&self) -> Arc<TaskSpace> {
        self.spawned.set(self.spawned.get() + 1);
        Arc::clone(&self.space)
    }

    /// How many tasks were ever spawned into it.
    pub(crate) fn spawned(&self) -> usize {
        self.spawned.get()
    }

    fn bring_back(&self) {
        self.queue.borrow_mut().extend(self.aside.take());
    }

    /// Takes all runnables that are not local, in order.
    fn take_guests(&self) -> RunQueue {
        self.bring_back();
        let mut all = core::mem::take(&mut *self.queue.borrow_mut());
        let (mut rest, mut stay) = (RunQueue::new(), RunQueue::new());
        while let Some(runnable) = all.pop_front() {
            if runnable.is_local() { stay.push_back(runnable) } else { rest.push_back(runnable) }
        }
        *self.queue.borrow_mut() = stay;
        rest
    }
}

impl LocalQueue {
    /// An empty queue of the calling thread, which waits in something that `unpark` ends.
    pub fn new(unpark: Arc<dyn Unpark>) -> Self {
        Self::with_poll_time(unpark, None)
    }

    /// As [`new`](Self::new), with a budget of time for each poll.
    pub(crate) fn with_poll_time(unpark: Arc<dyn Unpark>, poll_time: Option<PollTime>) -> Self {
        let shared =
            Arc::new(Shared { inbox: Mutex::new(RunQueue::new()), mail: AtomicBool::new(false), unpark });
        let hooks = Hooks { poll_time, ..Hooks::default() };
        let space = TaskSpace::with_hooks(Arc::clone(&shared) as Arc<dyn Schedule>, &hooks);
        Self { shared, space, entered: Cell::new(false), not_send: PhantomData }
    }

    /// Runs `f` with this queue as the thread's own: local tasks are spawned into it, and it can be run.
    ///
    /// At the end all local tasks are cancelled, here, which waits for runnables of theirs that are elsewhere to come
    /// home; [`Entered::take_rest`] should have taken the runnables that are not local.
    ///
    /// # Panics
    ///
    /// If it is called from within `f`: the inner call would wait for the outer one's tasks.
    pub fn enter<R>(&self, f: impl FnOnce(&Entered<'_>) -> R) -> R {
        assert!(!self.entered.replace(true), "a local queue was entered from within itself");
        let _leave = Leave(&self.entered);
        let mine = self.mine();
        self.space.enter(|| {
            context::enter_scope(&mine, || {
                let entered = Entered { local: self, mine: &mine };
                // Also when `f` unwinds, no local task may outlive the scope that pins it to this thread.
                let _close = Close(&entered);
                f(&entered)
            })
        })
    }

    fn mine(&self) -> Mine {
        Mine {
            shared: Arc::as_ptr(&self.shared),
            space: Arc::clone(&self.space),
            queue: RefCell::new(RunQueue::new()),
            aside: Cell::new(None),
            spawned: Cell::new(0),
            guest: Cell::new(None),
        }
    }

    /// Splits off what the owner finds in its context, for an owner that comes and goes by [`visit`](Self::visit) and keeps it
    /// all the time.
    pub(crate) fn with_own(unpark: Arc<dyn Unpark>) -> (Self, Mine) {
        let queue = Self::new(unpark);
        let mine = queue.mine();
        (queue, mine)
    }

    /// Where its tasks live.
    pub(crate) fn space(&self) -> &Arc<TaskSpace> {
        &self.space
    }

    /// As [`enter`](Self::enter), but nothing is cancelled at the end, and a call within `f` goes on with the same.
    pub(crate) fn visit<R>(&self, mine: &Mine, f: impl FnOnce(&Entered<'_>) -> R) -> R {
        let within = || context::enter_scope(mine, || f(&Entered { local: self, mine }));
        if context::is_home(&self.space) { within() } else { self.space.enter(within) }
    }

    /// As [`enter`](Self::enter), with `future` as the first task. It may borrow: what comes in from outside outlives the
    /// scope, at whose end the task is over.
    pub(crate) fn enter_with<F: Future, R>(
        &self,
        future: F,
        meta: Meta,
        f: impl FnOnce(&Entered<'_>, JoinHandle<F::Output>) -> R,
    ) -> R {
        self.enter(|entered| f(entered, self.space.spawn_borrowing(future, meta)))
    }
}

impl Drop for LocalQueue {
    fn drop(&mut self) {
        self.space.retire();
    }
}

/// Notes that the queue may be entered again.
struct Leave<'a>(&'a Cell<bool>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

struct Close<'a>(&'a Entered<'a>);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A thread's queue while the thread is in it.
pub struct Entered<'a> {
    local: &'a LocalQueue,
    mine: &'a Mine,
}

impl Entered<'_> {
    /// Spawns a task that stays on this thread.
    pub fn spawn<F>(&self, future: F, meta: Meta) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.mine.space_for_one_more().spawn_local(future, meta)
    }

    /// Lets the runnables of an executor, named by its address, share this thread's queue and order, or ends that.
    pub fn host(&self, guest: Option<usize>) {
        self.mine.guest.set(guest);
    }

    /// Adds a runnable behind all others: one of this thread's, or one that may be run anywhere.
    pub fn push(&self, runnable: Runnable) {
        self.mine.queue.borrow_mut().push_back(runnable);
    }

    /// Keeps a runnable, one at a time, that is to come behind what is pushed until [`bring_back`](Self::bring_back).
    pub(crate) fn set_aside(&self, runnable: Runnable) {
        let before = self.mine.aside.replace(Some(runnable));
        debug_assert!(before.is_none(), "one at a time");
    }

    /// Adds what was [set aside](Self::set_aside), if it is still there, behind all others, those from other threads included.
    pub(crate) fn bring_back(&self) {
        self.collect_mail();
        self.mine.bring_back();
    }

    /// Adds a whole queue behind all others.
    pub fn append(&self, queue: &mut RunQueue) {
        self.mine.queue.borrow_mut().append(queue);
    }

    /// The next runnable in order of becoming ready, first having taken in what other threads brought.
    pub fn pop(&self) -> Option<Runnable> {
        self.collect_mail();
        self.mine.queue.borrow_mut().pop_front()
    }

    /// How many runnables wait, those not taken in from other threads yet left out.
    pub fn len(&self) -> usize {
        self.mine.queue.borrow().len()
    }

    /// Whether nothing is to be run. To be asked after the parking was announced, before the wait.
    pub fn is_empty(&self) -> bool {
        self.mine.queue.borrow().is_empty() && !self.local.shared.mail.load(Acquire)
    }

    /// Where this thread's own tasks live.
    pub(crate) fn space(&self) -> &Arc<TaskSpace> {
        &self.local.space
    }

    /// How many local tasks have not ended.
    pub fn live_tasks(&self) -> usize {
        self.local.space.live_tasks()
    }

    fn collect_mail(&self) {
        let shared = &self.local.shared;
        // Ordering: Relaxed is enough for the look; the lock orders the content. A missed letter is not lost: its
        // sender unparks after the flag was set.
        if shared.mail.load(Relaxed) {
            let mut letters = {
                let mut inbox = shared.inbox.lock();
                shared.mail.store(false, Relaxed);
                core::mem::take(&mut *inbox)
            };
            self.mine.queue.borrow_mut().append(&mut letters);
        }
    }

    /// Takes all runnables of tasks that can run elsewhere, in order. What stays is local.
    pub fn take_rest(&self) -> RunQueue {
        self.collect_mail();
        self.mine.take_guests()
    }

    /// Cancels every local task on this thread. Their drops may spawn and wake more: until none is left.
    pub(crate) fn close(&self) {
        self.bring_back();
        loop {
            while let Some(runnable) = self.pop() {
                runnable.cancel();
            }
            self.local.space.claim_idle().0.into_iter().for_each(Runnable::cancel);
            crate::task::run_waiting();
            if self.is_empty() && self.live_tasks() == 0 {
                return;
            }
            // A foreign thread has woken a task and is about to deliver the runnable; it runs no code of anybody's
            // in between.
            crate::shim::thread::yield_now();
        }
    }
}

impl Schedule for Shared {
    fn schedule(&self, runnable: Runnable, _why: Why) {
        let mut runnable = Some(runnable);
        context::find_scope(|mine: &Mine| {
            core::ptr::eq(mine.shared, self).then(|| mine.queue.borrow_mut().extend(runnable.take()))
        });
        let Some(runnable) = runnable else { return };
        // Kept beyond the push: the owner may be gone as soon as it has the runnable.
        let unpark = Arc::clone(&self.unpark);
        {
            let mut inbox = self.inbox.lock();
            inbox.push_back(runnable);
            // Ordering: Release pairs with the Acquire of `is_empty`.
            #[cfg(not(polyloop_mutant = "mail_after_unpark"))]
            self.mail.store(true, Release);
        }
        unpark.unpark();
        #[cfg(polyloop_mutant = "mail_after_unpark")]
        self.mail.store(true, Release);
    }

    fn tell_time(&self) {
        self.unpark.tell_time();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalQueue")
    }
}

impl fmt::Debug for LocalQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalQueue").field("live_tasks", &self.space.live_tasks()).finish()
    }
}

impl fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(polyloop_loom)))]
impl Entered<'_> {
    pub(crate) fn space_for_test(&self) -> std::sync::Weak<TaskSpace> {
        Arc::downgrade(&self.local.space)
    }
}
