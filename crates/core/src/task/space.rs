//! The tasks of one executor: where they live, how they are found, and to whom their wakes go.
//!
//! Invariant: a space lives as long as any of its tasks' memory, so a waker that outlives its runtime still finds a
//! scheduler, which has closed. The scheduler does not own its space.

use super::attendance::{Attendance, Attendant};
use super::cell::{Header, Kind, TaskPtr};
use super::info::{self, TaskInfo};
use super::slab::{self, Heap, PagePtr};
use super::{JoinHandle, Meta, Runnable, contain, context};
use crate::budget::PollTime;
use crate::context::Visitors;
use crate::hooks::{Hooks, TaskHook};
use crate::queue::RunQueue;
use crate::schedule::{Schedule, Why};
use crate::shim::sync::Mutex;
use crate::time::Instant;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

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

/// What has become of a space's tasks so far. Those that are neither cancelled nor [alive](TaskSpace::live_tasks) have
/// ended by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskCounts {
    /// Tasks that were ever spawned.
    pub spawned: u64,
    /// Of these, those whose future was dropped before its end: aborted, or cancelled at a shutdown.
    pub cancelled: u64,
    /// Of the cancelled ones, those whose future panicked while it was dropped.
    pub panicked_drops: u64,
}

/// What is counted where it is rare, by any thread. On lines of its own, because the rest of the space is read at every
/// wake.
#[derive(Default)]
#[repr(align(128))]
struct Rare {
    /// Spawned, but not into a heap.
    solo: AtomicU64,
    cancelled: AtomicU64,
    panicked_drops: AtomicU64,
}

/// The tasks of one executor.
pub struct TaskSpace {
    schedule: Arc<dyn Schedule>,
    pages: Mutex<Vec<PagePtr>>,
    heaps: Mutex<Heaps>,
    /// Shared by threads that spawn without having entered; gone once the space is retired.
    outsiders: Mutex<Option<HeapPtr>>,
    rare: Rare,
    attendance: Attendance,
    on_spawn: Option<TaskHook>,
    on_end: Option<TaskHook>,
    poll_time: Option<PollTime>,
    visitors: Visitors,
    /// Those of threads inside `block_on`, whose own tasks belong to this executor's runtime.
    locals: Mutex<Vec<Arc<Self>>>,
}

impl TaskSpace {
    /// A space whose tasks go to `schedule`.
    ///
    /// The memory of its tasks keeps the space, and the space keeps some memory for the next task: only
    /// [`retire`](Self::retire) ends both.
    pub fn new(schedule: Arc<dyn Schedule>) -> Arc<Self> {
        Self::with_hooks(schedule, &Hooks::default())
    }

    /// As [`new`](Self::new), with somebody who wants to know of spawns and ends.
    pub fn with_hooks(schedule: Arc<dyn Schedule>, hooks: &Hooks) -> Arc<Self> {
        let outsiders = HeapPtr::new();
        let heaps = Heaps { all: vec![outsiders], ..Heaps::default() };
        Arc::new(Self {
            schedule,
            pages: Mutex::new(Vec::new()),
            heaps: Mutex::new(heaps),
            outsiders: Mutex::new(Some(outsiders)),
            rare: Rare::default(),
            attendance: Attendance::new(),
            on_spawn: hooks.task_spawn.clone(),
            on_end: hooks.task_terminate.clone(),
            poll_time: hooks.poll_time.clone(),
            visitors: Visitors::new(),
            locals: Mutex::new(Vec::new()),
        })
    }

    /// Spawns `future`: it is scheduled at once, and polled when its turn comes.
    pub fn spawn<F>(self: &Arc<Self>, future: F, meta: Meta) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tell_spawn(&meta);
        let task = TaskPtr::allocate(self, future, meta, true, Kind::Send);
        self.launch(task)
    }

    /// Spawns without a handle, and so without keeping the output.
    pub fn spawn_detached<F>(self: &Arc<Self>, future: F, meta: Meta)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tell_spawn(&meta);
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
        // The thread may come from outside, where nobody has looked at a clock.
        self.tell_time();
        let task = TaskPtr::allocate(self, future, meta, true, Kind::Root);
        self.launch(task)
    }

    fn tell_spawn(&self, meta: &Meta) {
        if let Some(hook) = &self.on_spawn {
            hook(meta);
        }
    }

    /// Whether its tasks are not just polled and ended: their state words say so.
    pub(crate) fn is_hooked(&self) -> bool {
        self.on_end.is_some() || self.poll_time.is_some()
    }

    pub(crate) fn poll_time(&self) -> Option<&PollTime> {
        self.poll_time.as_ref()
    }

    #[cold]
    pub(crate) fn tell_end(&self, task: TaskPtr) {
        if let Some(hook) = &self.on_end {
            contain(|| hook(&task.meta()));
        }
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
        let why = context::why();
        runnable.stamp(why);
        self.schedule.schedule(runnable, why);
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

    /// From now on the executor polls nothing and its tasks end: each one that [attends](Self::attend) ends what is left when it
    /// goes. Whoever closes must attend, too, afterwards, in case that nobody does.
    pub fn close(&self) {
        self.attendance.close();
    }

    /// Counts the calling thread among those that poll the space's tasks or end them, until the guard goes. An executor's
    /// thread attends as long as it may have a runnable to itself.
    ///
    /// Not for a space whose tasks are not `Send`.
    pub fn attend(&self) -> Attendant<'_> {
        Attendant::new(self)
    }

    pub(crate) fn attendance(&self) -> &Attendance {
        &self.attendance
    }

    pub(crate) fn drain(&self) -> RunQueue {
        self.schedule.drain()
    }

    /// Takes the runnables of all tasks that wait for a wake. How many tasks there are besides that have not ended.
    pub(crate) fn claim_idle(&self) -> (Vec<Runnable>, usize) {
        let (mut idle, mut others) = (Vec::new(), 0);
        slab::for_each_slot(self, |slot, state| {
            if state.claim_idle() {
                idle.push(Runnable::gained(TaskPtr(slot)));
            } else {
                let seen = state.load();
                others += usize::from(!seen.vacant() && !seen.done());
            }
        });
        (idle, others)
    }

    /// How many tasks have not ended. A walk over all pages: for reports, not for hot paths.
    pub fn live_tasks(&self) -> usize {
        let mut live = 0;
        slab::for_each_slot_by_page(self, |_, state| {
            let seen = state.load();
            live += usize::from(!seen.vacant() && !seen.done());
        });
        live
    }

    /// What the tasks that have not ended are called and where they were spawned, in no particular order. After everything
    /// queued or idle was cancelled, these are the ones that are stuck in a poll.
    ///
    /// A walk over all pages, as [`live_tasks`](Self::live_tasks).
    pub fn unfinished(&self) -> Vec<Meta> {
        let mut unfinished = Vec::new();
        slab::for_each_slot(self, |slot, state| {
            let seen = state.load();
            if !seen.vacant() && !seen.done() {
                // SAFETY: the page is listed; a slot that has held a task has a meta word.
                let meta = unsafe { &(*slot.as_ptr()).meta };
                unfinished.extend(meta.peek(slab::meta_lock(slot)));
            }
        });
        unfinished
    }

    /// Asks this space, and then those that are told with it.
    ///
    /// These are asked under the lock, not kept: the last one of a space must not be dropped by whoever looks at others.
    fn ask_each<R>(&self, ask: impl Fn(&Self) -> Option<R>) -> Option<R> {
        ask(self).or_else(|| self.locals.lock().iter().find_map(|local| ask(local)))
    }

    /// What the task in this slot is called, if the slot is one of this space's or of those told with it: for a caller who does
    /// not keep the task, and so cannot know whether it is still the same one.
    pub(crate) fn meta_at(&self, slot: NonNull<Header>) -> Option<Meta> {
        let peek = |slot: NonNull<Header>| {
            // SAFETY: the slot's page is listed; below `filled`, every slot has a meta word.
            let meta = unsafe { &(*slot.as_ptr()).meta };
            meta.peek(slab::meta_lock(slot))
        };
        self.ask_each(|space| slab::with_slot_at(space, slot.addr().get(), peek).flatten())
    }

    /// Whether this slot is one of this space's, or of those told with it.
    pub(crate) fn has_slot(&self, slot: NonNull<Header>) -> bool {
        self.ask_each(|space| slab::with_slot_at(space, slot.addr().get(), drop)).is_some()
    }

    /// Whether every task that has not ended waits for a wake.
    pub(crate) fn all_wait(&self) -> bool {
        let mut all = true;
        slab::for_each_slot(self, |_, state| {
            let seen = state.load();
            all &= seen.vacant() || seen.done() || seen.wakes() == 0;
        });
        all
    }

    /// Adds what the tasks that have not ended are called to `to`, as long as there are fewer than `most`. How many there are,
    /// `except` left out.
    pub(crate) fn name_waiting(&self, except: TaskPtr, most: usize, to: &mut Vec<Meta>) -> usize {
        let mut count = 0;
        slab::for_each_slot(self, |slot, state| {
            let seen = state.load();
            if seen.vacant() || seen.done() || TaskPtr(slot) == except {
                return;
            }
            count += 1;
            if to.len() < most {
                // SAFETY: as in `unfinished`.
                let meta = unsafe { &(*slot.as_ptr()).meta };
                to.extend(meta.peek(slab::meta_lock(slot)));
            }
        });
        count
    }

    /// How many tasks there were, and what became of them.
    pub fn counts(&self) -> TaskCounts {
        let heaps = self.heaps.lock();
        // SAFETY: heaps live as long as their space.
        let spawned = heaps.all.iter().map(|heap| unsafe { heap.0.as_ref() }.spawned.get()).sum::<u64>();
        TaskCounts {
            spawned: spawned + self.rare.solo.load(Relaxed),
            cancelled: self.rare.cancelled.load(Relaxed),
            panicked_drops: self.rare.panicked_drops.load(Relaxed),
        }
    }

    pub(crate) fn count_solo(&self) {
        self.rare.solo.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_cancelled(&self, panicked: bool) {
        self.rare.cancelled.fetch_add(1, Relaxed);
        if panicked {
            self.rare.panicked_drops.fetch_add(1, Relaxed);
        }
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

    /// Every task there is at some moment of the call: its name, what it does, since when and why; those of threads inside
    /// `block_on` and of their [sets](crate::LocalSet) included. `now` is the present on the clock that [stamps](crate::tick) are made by.
    ///
    /// A row is right for some moment, not all for the same one: tasks go on meanwhile, and one may be seen in the place of
    /// another that has just ended. Nobody is stopped; a thread that needs a new page of task memory waits until one page
    /// has been read.
    pub fn tasks(&self, now: Instant) -> Vec<TaskInfo> {
        let mut tasks = Vec::new();
        let locals = self.locals.lock().clone();
        info::collect(self, &locals, now, &mut tasks);
        for local in &locals {
            info::collect(local, &locals, now, &mut tasks);
        }
        tasks
    }

    /// Tells the tasks of `local` with this space's own, until the guard goes.
    pub(crate) fn list_local(self: &Arc<Self>, local: &Arc<Self>) -> Listed {
        self.locals.lock().push(Arc::clone(local));
        Listed { outer: Arc::downgrade(self), local: Arc::clone(local) }
    }

    /// See [`Schedule::tell_time`]. Runs no foreign code, unless the clock is somebody else's and moves the coarse one.
    pub fn tell_time(&self) {
        self.schedule.tell_time();
    }

    pub(crate) fn visitors(&self) -> &Visitors {
        &self.visitors
    }

    pub(crate) fn pages(&self) -> &Mutex<Vec<PagePtr>> {
        &self.pages
    }

    pub(crate) fn outsiders(&self) -> &Mutex<Option<HeapPtr>> {
        &self.outsiders
    }
}

/// A space of a thread's own tasks is told with another one.
pub(crate) struct Listed {
    /// Not kept: a set of tasks may outlive every runtime on which it is polled.
    outer: Weak<TaskSpace>,
    local: Arc<TaskSpace>,
}

impl Listed {
    /// Whether it is told with this one.
    pub(crate) fn is_with(&self, outer: &Arc<TaskSpace>) -> bool {
        core::ptr::eq(self.outer.as_ptr(), Arc::as_ptr(outer))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let Some(outer) = self.outer.upgrade() else { return };
        let mut locals = outer.locals.lock();
        if let Some(at) = locals.iter().position(|local| Arc::ptr_eq(local, &self.local)) {
            locals.swap_remove(at);
        }
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
