//! The tasks of one executor: where they live, how they are found, and to whom their wakes go.
//!
//! Invariant: a space lives as long as any of its tasks' memory, so a waker that outlives its runtime still finds a
//! scheduler, which has closed. The scheduler does not own its space.

use super::cell::{Kind, TaskPtr};
use super::slab::{self, Heap, PagePtr};
use super::{JoinHandle, Meta, Runnable, context};
use crate::schedule::{Schedule, Why};
use crate::shim::sync::Mutex;
use core::fmt;
use core::ptr::NonNull;
use std::sync::Arc;

/// A pointer to a heap of a space, valid as long as the space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeapPtr(pub(crate) NonNull<Heap>);

// SAFETY: who may use a heap is told by checking it out; the pointer is only its name.
unsafe impl Send for HeapPtr {}

impl HeapPtr {
    fn new() -> Self {
        // SAFETY: a box is never null.
        Self(unsafe { NonNull::new_unchecked(Box::into_raw(Box::new(Heap::new()))) })
    }
}

#[derive(Default)]
struct Heaps {
    all: Vec<HeapPtr>,
    idle: Vec<HeapPtr>,
    /// Those of threads that sleep, which take them again.
    resting: Vec<HeapPtr>,
    retired: bool,
}

/// The tasks of one executor.
pub struct TaskSpace {
    schedule: Arc<dyn Schedule>,
    pages: Mutex<Vec<PagePtr>>,
    heaps: Mutex<Heaps>,
    /// Shared by threads that spawn without having entered; gone once the space is retired.
    outsiders: Mutex<Option<HeapPtr>>,
}

impl TaskSpace {
    /// A space whose tasks go to `schedule`.
    ///
    /// The memory of its tasks keeps the space, and the space keeps some memory for the next task: only
    /// [`retire`](Self::retire) ends both.
    pub fn new(schedule: Arc<dyn Schedule>) -> Arc<Self> {
        let outsiders = HeapPtr::new();
        let heaps = Heaps { all: vec![outsiders], ..Heaps::default() };
        Arc::new(Self {
            schedule,
            pages: Mutex::new(Vec::new()),
            heaps: Mutex::new(heaps),
            outsiders: Mutex::new(Some(outsiders)),
        })
    }

    /// Spawns `future`: it is scheduled at once, and polled when its turn comes.
    pub fn spawn<F>(self: &Arc<Self>, future: F, meta: Meta) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = TaskPtr::allocate(self, future, meta, true, Kind::Send);
        self.launch(task)
    }

    /// Spawns without a handle, and so without keeping the output.
    pub fn spawn_detached<F>(self: &Arc<Self>, future: F, meta: Meta)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = TaskPtr::allocate(self, future, meta, false, Kind::Send);
        self.schedule.schedule(Runnable::gained(task), Why::Spawn);
    }

    /// Spawns a future that may not be `Send`.
    ///
    /// Only for a space whose scheduler brings every runnable home to the one thread that has entered the space.
    pub(crate) fn spawn_local<F>(self: &Arc<Self>, future: F, meta: Meta) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let task = TaskPtr::allocate(self, future, meta, true, Kind::Local);
        self.launch(task)
    }

    /// As [`spawn_local`](Self::spawn_local), for a future that may borrow: whoever calls this sees to it that the
    /// task has ended before what it borrows does. `LocalQueue::enter_with` does: it cancels
    /// every local task before it returns.
    pub(crate) fn spawn_borrowing<F: Future>(
        self: &Arc<Self>,
        future: F,
        meta: Meta,
    ) -> JoinHandle<F::Output> {
        let task = TaskPtr::allocate(self, future, meta, true, Kind::Root);
        self.launch(task)
    }

    /// Gives a new task its handle and hands it to the scheduler. Apart from the allocation, so that a big future is not
    /// moved once more.
    fn launch<T>(&self, task: TaskPtr) -> JoinHandle<T> {
        // The handle comes first: once scheduled, the task may end and be freed at any moment.
        let handle = JoinHandle::new(task);
        self.schedule.schedule(Runnable::gained(task), Why::Spawn);
        handle
    }

    /// Hands a runnable that a wake has gained to the scheduler.
    pub(crate) fn schedule(&self, runnable: Runnable) {
        self.schedule.schedule(runnable, context::why());
    }

    /// Runs `f` with this space as one of the thread's homes: spawning and freeing its tasks costs no atomics, and
    /// wakes reach the scheduler without counting a reference.
    pub fn enter<R>(self: &Arc<Self>, f: impl FnOnce() -> R) -> R {
        context::enter_home(self, f)
    }

    /// Gives the caller a heap of his own, until he checks it in.
    pub(crate) fn check_out(&self) -> HeapPtr {
        let mut heaps = self.heaps.lock();
        if let Some(heap) = heaps.idle.pop() {
            return heap;
        }
        let heap = HeapPtr::new();
        heaps.all.push(heap);
        heap
    }

    /// Takes `heap` from a thread that is about to sleep, and takes back the slots that other threads have freed, in every
    /// heap that nobody uses, so that empty pages go. An allocation does this by itself, but a thread that sleeps does not
    /// allocate.
    ///
    /// Called in vain, it costs a look at 56 words of each of those heaps.
    pub(crate) fn lie_down(&self, heap: HeapPtr) {
        {
            let mut heaps = self.heaps.lock();
            if heaps.retired {
                drop(heaps);
                return self.retire_heap(heap);
            }
            heaps.resting.push(heap);
            for heap in heaps.idle.iter().chain(&heaps.resting) {
                // SAFETY: nobody has it checked out, which the lock keeps so.
                unsafe { heap.0.as_ref().adopt_all() };
            }
        }
        if let Some(outsiders) = self.outsiders.try_lock()
            && let Some(heap) = *outsiders
        {
            // SAFETY: the lock makes this thread the heap's only user.
            unsafe { heap.0.as_ref().adopt_all() };
        }
    }

    /// Gives `heap` back to the thread that has slept, unless the space has been retired meanwhile: then it is gone, and
    /// the thread allocates as an outsider.
    pub(crate) fn rise(&self, heap: HeapPtr) -> bool {
        let mut heaps = self.heaps.lock();
        let at = heaps.resting.iter().position(|other| *other == heap);
        at.map(|at| heaps.resting.swap_remove(at)).is_some()
    }

    /// Takes back what [`check_out`](Self::check_out) gave, from a thread that leaves.
    pub(crate) fn check_in(&self, heap: HeapPtr) {
        let mut heaps = self.heaps.lock();
        if heaps.retired {
            drop(heaps);
            self.retire_heap(heap);
        } else {
            // SAFETY: the heap is checked out by this thread until it is among the idle ones.
            unsafe { heap.0.as_ref().adopt_all() };
            heaps.idle.push(heap);
        }
    }

    fn retire_heap(&self, heap: HeapPtr) {
        // SAFETY: the heap is checked out by this thread, which will not use it again.
        unsafe { heap.0.as_ref().retire(self) };
    }

    /// Cancels every task that waits for a wake. Those that are queued are the scheduler's to cancel, and those that
    /// are being polled their worker's, which calls this again when it leaves.
    ///
    /// Tasks that are not `Send` must be cancelled on their own thread.
    pub fn cancel_idle(&self) {
        let mut idle = Vec::new();
        slab::for_each_slot(self, |slot, state| {
            if state.claim_idle() {
                idle.push(Runnable::gained(TaskPtr(slot)));
            }
        });
        for runnable in idle {
            runnable.cancel();
        }
    }

    /// How many tasks have not ended. A walk over all pages: for reports, not for hot paths.
    pub fn live_tasks(&self) -> usize {
        let mut live = 0;
        slab::for_each_slot(self, |_, state| {
            let seen = state.load();
            live += usize::from(!seen.vacant() && !seen.done());
        });
        live
    }

    /// Bytes of task memory that the space has from the allocator.
    pub fn allocated_bytes(&self) -> usize {
        slab::allocated_bytes(self)
    }

    /// Gives the memory of ended tasks back, now and whenever another one goes. For shutdown, once every thread has
    /// left: tasks spawned afterwards are on their own. Threads that are still inside follow when they leave.
    pub fn retire(&self) {
        let outsiders = self.outsiders.lock().take();
        let mut idle = {
            let mut heaps = self.heaps.lock();
            heaps.retired = true;
            let resting = std::mem::take(&mut heaps.resting);
            heaps.idle.drain(..).chain(resting).collect::<Vec<_>>()
        };
        idle.extend(outsiders);
        for heap in idle {
            self.retire_heap(heap);
        }
    }

    pub(crate) fn pages(&self) -> &Mutex<Vec<PagePtr>> {
        &self.pages
    }

    pub(crate) fn outsiders(&self) -> &Mutex<Option<HeapPtr>> {
        &self.outsiders
    }
}

impl Drop for TaskSpace {
    fn drop(&mut self) {
        let heaps = self.heaps.lock();
        for heap in &heaps.all {
            // SAFETY: the heap came from a box; every page keeps the space, so that no page refers to it any more.
            drop(unsafe { Box::from_raw(heap.0.as_ptr()) });
        }
    }
}

impl fmt::Debug for TaskSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSpace").field("schedule", &self.schedule).finish_non_exhaustive()
    }
}
