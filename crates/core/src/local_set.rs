//! Tasks that may not be sent, and run only while somebody polls the set that they are in.
//!
//! Invariant: as for a thread's own queue (`local.rs`), whose owner comes and goes here: it has *entered* during a poll of the set and
//! during its drop, and nowhere else. Whoever polls the set leaves a waker before it looks for runnables, so a wake from
//! another thread either is seen by that look or finds the waker.

use crate::block_on::CHECK_POLLS;
use crate::context;
use crate::desk::Desk;
use crate::local::{Entered, LocalQueue, Mine, Unpark};
use crate::shim::sync::Mutex;
use crate::task::{JoinHandle, Listed, Meta, Ran, TaskSpace, contain};
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A set of tasks that need not be `Send`. They are polled within [`poll_tasks`](Self::poll_tasks), on the thread where the set
/// lives, and dropped there.
///
/// # Examples
///
/// ```
/// use polyloop_core::{LocalSet, Meta};
/// use std::panic::Location;
/// use std::rc::Rc;
/// use std::task::{Context, Waker};
///
/// let set = LocalSet::new();
/// let shared = Rc::new(());
/// let task = set.spawn({ let shared = shared.clone(); async move { drop(shared) } }, Meta::new(Location::caller()));
/// assert!(set.poll_tasks(&mut Context::from_waker(Waker::noop())).is_ready());
/// assert!(task.is_finished());
/// assert_eq!(Rc::strong_count(&shared), 1);
/// ```
pub struct LocalSet {
    /// With whose tasks its own are told.
    listed: RefCell<Option<Listed>>,
    queue: LocalQueue,
    mine: Mine,
    pollers: Arc<Pollers>,
    /// How many seats there have been.
    seats: Cell<u64>,
    ended: Cell<usize>,
    closed: Cell<bool>,
    /// Whether somebody further down the stack is in a visit.
    inside: Cell<bool>,
}

/// Those who poll the set and wait, by their seats. One of them is enough to run every task, but each may be the one that is not
/// polled again.
#[derive(Default)]
struct Pollers(Mutex<BTreeMap<u64, Waker>>);

/// The seat of whoever awaits the whole set.
const OWN: u64 = 0;

// Wakers are foreign code, for which no lock is held. Whoever has woken a task of the set is not to suffer from them.
impl Pollers {
    fn listen(&self, seat: u64, waker: &Waker) {
        if self.0.lock().get(&seat).is_some_and(|there| there.will_wake(waker)) {
            return;
        }
        let waker = waker.clone();
        let before = self.0.lock().insert(seat, waker);
        contain(|| drop(before));
    }

    fn leave(&self, seat: u64) {
        let waiting = self.0.lock().remove(&seat);
        contain(|| drop(waiting));
    }
}

impl Unpark for Pollers {
    fn unpark(&self) {
        let called = core::mem::take(&mut *self.0.lock());
        called.into_values().for_each(|waker| contain(|| waker.wake()));
    }
}

/// One of those who poll a [`LocalSet`] with a future of their own; dropped, it is called no more.
#[derive(Debug)]
pub struct LocalSeat {
    pollers: Arc<Pollers>,
    number: u64,
}

impl Drop for LocalSeat {
    fn drop(&mut self) {
        self.pollers.leave(self.number);
    }
}

impl fmt::Debug for Pollers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pollers")
    }
}

impl LocalSet {
    /// A set without tasks, of the calling thread.
    pub fn new() -> Self {
        let pollers = Arc::new(Pollers::default());
        let (queue, mine) = LocalQueue::with_own(Arc::clone(&pollers) as Arc<dyn Unpark>);
        Self {
            listed: RefCell::new(None),
            queue,
            mine,
            pollers,
            seats: Cell::new(OWN),
            ended: Cell::new(0),
            closed: Cell::new(false),
            inside: Cell::new(false),
        }
    }

    /// Has dumps and the monitor find the tasks of the set with those of `space`, until another one is named or the set is dropped.
    pub fn list_with(&self, space: &Arc<TaskSpace>) {
        let is_new = self.listed.borrow().as_ref().is_none_or(|listed| !listed.is_with(space));
        if is_new {
            let before = self.listed.replace(Some(space.list_local(self.queue.space())));
            drop(before);
        }
    }

    /// A seat for one who will [poll a future](Self::poll_until) with the set.
    pub fn seat(&self) -> LocalSeat {
        self.seats.set(self.seats.get() + 1);
        LocalSeat { pollers: Arc::clone(&self.pollers), number: self.seats.get() }
    }

    /// Spawns a task into the set. After [`close`](Self::close) it is cancelled at once.
    pub fn spawn<F>(&self, future: F, meta: Meta) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let handle = self.visit(|entered| entered.spawn(future, meta));
        if self.closed.get() {
            self.close();
        }
        handle
    }

    /// Runs `f`, in which tasks spawned by [`spawn_local`](crate::spawn_local) go into the set. Nothing is polled.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        self.visit(|_| f())
    }

    /// Whoever goes out last ends the tasks of a set that was closed, or calls those who poll the set if there are runnables
    /// left.
    fn visit<R>(&self, f: impl FnOnce(&Entered<'_>) -> R) -> R {
        struct Leave<'a>(&'a LocalSet, &'a Entered<'a>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                if self.0.closed.get() {
                    self.1.close();
                    self.0.ended.set(self.0.mine.spawned());
                }
                self.0.inside.set(false);
                if !self.1.is_empty() {
                    self.0.pollers.unpark();
                }
            }
        }
        self.queue.visit(&self.mine, |entered| {
            let first = !self.inside.replace(true);
            let _leave = first.then(|| Leave(self, entered));
            f(entered)
        })
    }

    /// Polls tasks that are ready, 61 of them at most, and no more than one thread may poll between two looks at the clock; the rest
    /// is for the next poll, which is asked for then. Ready once every task has ended. The one who called this last is called.
    pub fn poll_tasks(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.listen(OWN, cx, |entered, _| {
            self.run_some(entered);
            if self.ended.get() == self.mine.spawned() { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// Polls `future`, with the set as the one that local tasks are spawned into, and then, unless it is ready, tasks as
    /// [`poll_tasks`](Self::poll_tasks) does.
    pub fn poll_until<F: Future>(
        &self,
        seat: &LocalSeat,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.listen(seat.number, cx, |entered, cx| {
            let polled = future.poll(cx);
            if polled.is_pending() {
                self.run_some(entered);
            }
            polled
        })
    }

    fn listen<R>(
        &self,
        seat: u64,
        cx: &mut Context<'_>,
        f: impl FnOnce(&Entered<'_>, &mut Context<'_>) -> R,
    ) -> R {
        #[cfg(not(polyloop_mutant = "local_set_listens_late"))]
        self.pollers.listen(seat, cx.waker());
        let result = self.visit(|entered| f(entered, cx));
        #[cfg(polyloop_mutant = "local_set_listens_late")]
        self.pollers.listen(seat, cx.waker());
        result
    }

    fn run_some(&self, entered: &Entered<'_>) {
        context::with_scope(|desk: Option<&Desk>| {
            for ran in 0..CHECK_POLLS {
                // One in any case: else there would be no progress where the clock is looked at after every poll.
                if ran > 0 && !desk.is_none_or(Desk::has_room) {
                    break;
                }
                let Some(runnable) = entered.pop() else { break };
                desk.inspect(|desk| desk.goes_deeper());
                match runnable.run() {
                    Ran::Pending => {}
                    Ran::Yielded(runnable) | Ran::Woken(runnable) => entered.push(runnable),
                    Ran::Done => self.ended.set(self.ended.get() + 1),
                }
            }
            // What is left of the poll itself.
            desk.inspect(|desk| desk.stir());
        });
    }

    /// Cancels every task, here, and each one that is spawned from now on. From within one of them, this is done once its poll has
    /// ended.
    pub fn close(&self) {
        self.closed.set(true);
        self.visit(|_| ());
    }
}

impl Default for LocalSet {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for LocalSet {
    fn drop(&mut self) {
        self.close();
        // One of them may be a task of the set, whose memory would keep the set's and be kept by it.
        let waiting = core::mem::take(&mut *self.pollers.0.lock());
        waiting.into_values().for_each(|waker| contain(|| drop(waker)));
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alive = self.mine.spawned() - self.ended.get();
        f.debug_struct("LocalSet").field("live_tasks", &alive).finish_non_exhaustive()
    }
}

#[cfg(all(test, polyloop_loom))]
mod loom_tests;
#[cfg(all(test, not(polyloop_loom)))]
mod tests;
