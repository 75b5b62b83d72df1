//! Lists of runnables that need no memory: each task's own link is used.
//!
//! Invariant: a task is in at most one queue, because its runnable exists once; the link belongs to whoever owns the
//! queue. In no queue, it belongs to whoever has the runnable, and may hold a number ([`Runnable::note`]).

use crate::shim::atomic::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::task::{Header, Runnable, TaskPtr};
use core::fmt;
use core::ptr::{NonNull, null_mut};

/// A FIFO of runnables, unbounded, of one owner.
pub struct RunQueue {
    head: *mut Header,
    tail: *mut Header,
    len: usize,
}

// SAFETY: runnables are `Send`, and the queue owns those it links.
unsafe impl Send for RunQueue {}

impl RunQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { head: null_mut(), tail: null_mut(), len: 0 }
    }

    /// Adds a runnable behind all others.
    #[inline]
    pub fn push_back(&mut self, runnable: Runnable) {
        let task = TaskPtr(runnable.into_raw());
        set_next(task, null_mut());
        match NonNull::new(self.tail) {
            Some(tail) => set_next(TaskPtr(tail), task.0.as_ptr()),
            None => self.head = task.0.as_ptr(),
        }
        self.tail = task.0.as_ptr();
        self.len += 1;
    }

    /// Takes the oldest runnable.
    #[inline]
    pub fn pop_front(&mut self) -> Option<Runnable> {
        let head = NonNull::new(self.head)?;
        self.head = next(TaskPtr(head));
        if self.head.is_null() {
            self.tail = null_mut();
        }
        self.len -= 1;
        // SAFETY: `push_back` made it from a runnable, and it leaves the list here.
        Some(unsafe { Runnable::from_raw(head) })
    }

    /// Moves all of `other` behind all of this queue.
    pub fn append(&mut self, other: &mut Self) {
        let Some(head) = NonNull::new(other.head) else { return };
        match NonNull::new(self.tail) {
            Some(tail) => set_next(TaskPtr(tail), head.as_ptr()),
            None => self.head = head.as_ptr(),
        }
        self.tail = other.tail;
        self.len += other.len;
        // Field by field: an assignment would drop the old queue, and with it cancel what has just been moved.
        (other.head, other.tail, other.len) = (null_mut(), null_mut(), 0);
    }

    /// How many runnables wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.head.is_null()
    }
}

fn next(task: TaskPtr) -> *mut Header {
    task.next().with(|next| {
        // SAFETY: the link of a runnable in a queue is the queue's.
        unsafe { *next }
    })
}

fn set_next(task: TaskPtr, to: *mut Header) {
    task.next().with_mut(|next| {
        // SAFETY: as above.
        unsafe { *next = to }
    });
}

impl Extend<Runnable> for RunQueue {
    fn extend<I: IntoIterator<Item = Runnable>>(&mut self, runnables: I) {
        for runnable in runnables {
            self.push_back(runnable);
        }
    }
}

impl Default for RunQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for RunQueue {
    fn drop(&mut self) {
        while let Some(runnable) = self.pop_front() {
            runnable.cancel();
        }
    }
}

impl fmt::Debug for RunQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunQueue").field("len", &self.len).finish()
    }
}

/// Room for one runnable that its owner fills and anybody may take: a LIFO slot that thieves can see.
///
/// Filling an empty slot costs no read-modify-write, because only the owner fills; taking costs one.
pub struct RunSlot(AtomicPtr<Header>);

impl RunSlot {
    /// An empty slot.
    pub fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// Puts `runnable` in, and gives back what was there. Only one thread may call this at a time, the owner's.
    pub fn replace(&self, runnable: Runnable) -> Option<Runnable> {
        let raw = runnable.into_raw().as_ptr();
        if self.0.load(Relaxed).is_null() {
            // Ordering: Release hands the task over. Nobody else fills, so that null stays null until this store.
            self.0.store(raw, Release);
            return None;
        }
        #[cfg(not(polyloop_mutant = "slot_overwrites"))]
        return Self::claim(self.0.swap(raw, AcqRel));
        #[cfg(polyloop_mutant = "slot_overwrites")]
        {
            self.0.store(raw, Release);
            None
        }
    }

    /// Takes what is there. Anybody may call this.
    pub fn take(&self) -> Option<Runnable> {
        if self.0.load(Relaxed).is_null() {
            return None;
        }
        // Ordering: Acquire pairs with the owner's Release.
        Self::claim(self.0.swap(null_mut(), Acquire))
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.0.load(Acquire).is_null()
    }

    fn claim(raw: *mut Header) -> Option<Runnable> {
        // SAFETY: what is in the slot came from `into_raw`, and the swap that took it out happened once.
        NonNull::new(raw).map(|raw| unsafe { Runnable::from_raw(raw) })
    }
}

impl Default for RunSlot {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl fmt::Debug for RunSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunSlot").field(&!self.is_empty()).finish()
    }
}
