//! Wakers: one static vtable for the whole crate, so that `will_wake` is always right and a waker of ours is known as such.
//!
//! Invariant: a waker is one reference of its task. Waking never touches the task after the runnable was handed on, nor
//! the scheduler after that, unless the scheduler is kept alive.

use super::cell::{Header, TaskPtr, contain};
use super::space::TaskSpace;
use super::state::AfterWake;
use super::{Runnable, context};
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};
use std::sync::Arc;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

/// Whether `waker` is one of ours.
pub(crate) fn is_own_waker(waker: &Waker) -> bool {
    core::ptr::eq(waker.vtable(), &VTABLE)
}

/// The task behind a waker's data pointer.
fn task(data: *const ()) -> TaskPtr {
    debug_assert!(!data.is_null());
    // SAFETY: data pointers of our vtable come from `Header` pointers, which are never null.
    TaskPtr(unsafe { NonNull::new_unchecked(data.cast_mut().cast::<Header>()) })
}

/// A waker for the poll of a task, without a reference of its own: the runnable keeps the task meanwhile.
pub(crate) fn borrowed(task: TaskPtr) -> ManuallyDrop<Waker> {
    // SAFETY: the vtable's functions keep the contract of `RawWaker`; not dropping this waker balances not counting it.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(task.0.as_ptr().cast_const().cast(), &VTABLE)) })
}

fn clone(data: *const ()) -> RawWaker {
    task(data).state().retain();
    RawWaker::new(data, &VTABLE)
}

fn wake(data: *const ()) {
    let task = task(data);
    if context::note_self_wake(task) {
        return release(data);
    }
    match task.state().wake_and_release() {
        AfterWake::Nothing => {}
        AfterWake::Schedule => schedule(task),
        // SAFETY: the state word said so.
        AfterWake::Free => unsafe { task.free() },
    }
}

fn wake_by_ref(data: *const ()) {
    wake_task(task(data));
}

/// Wakes `task`, of which the caller holds a reference or the handle.
pub(crate) fn wake_task(task: TaskPtr) {
    if context::note_self_wake(task) {
        return;
    }
    match task.state().wake() {
        AfterWake::Schedule => schedule(task),
        AfterWake::Nothing => {}
        AfterWake::Free => unreachable!("a wake by reference gives no reference up"),
    }
}

fn release(data: *const ()) {
    release_task(task(data));
}

/// Gives up one reference to `task`.
pub(crate) fn release_task(task: TaskPtr) {
    if task.state().release() {
        // SAFETY: the state word said so.
        unsafe { task.free() };
    }
}

/// Hands the runnable that a wake has just gained to the task's scheduler.
///
/// Not inlined, so that a self-wake and a wake in vain need no registers saved.
#[inline(never)]
fn schedule(task: TaskPtr) {
    let runnable = Runnable::gained(task);
    let space = task.space();
    if context::is_home(space) {
        // This thread keeps the space while it is in it; no reference needs counting.
        let space: *const TaskSpace = Arc::as_ptr(space);
        // SAFETY: see above. The task may be gone the moment it is handed over; the space is not.
        unsafe { (*space).schedule(runnable) };
    } else {
        // The task, and the runtime with it, may be gone before `schedule` returns.
        let space = Arc::clone(space);
        space.tell_time();
        space.schedule(runnable);
    }
}

/// A waker in one word: a pointer to a task of ours, or to a boxed waker of somebody else's.
pub(crate) struct PackedWaker(*mut ());

const FOREIGN: usize = 1;

impl PackedWaker {
    pub(crate) fn pack(waker: Waker) -> Self {
        if is_own_waker(&waker) {
            return Self(ManuallyDrop::new(waker).data().cast_mut());
        }
        let boxed: *mut Waker = Box::into_raw(Box::new(waker));
        Self(boxed.map_addr(|addr| addr | FOREIGN).cast())
    }

    fn unpack(self) -> Waker {
        if self.0.addr() & FOREIGN == 0 {
            // SAFETY: the reference of the waker that was packed lives on in the one made here.
            return unsafe { Waker::from_raw(RawWaker::new(self.0, &VTABLE)) };
        }
        // SAFETY: a tagged word came from the box in `pack`, and is unpacked once.
        *unsafe { Box::from_raw(self.0.map_addr(|addr| addr & !FOREIGN).cast::<Waker>()) }
    }

    pub(crate) fn into_raw(self) -> *mut () {
        self.0
    }

    /// # Safety
    ///
    /// `raw` came from [`into_raw`](Self::into_raw), and is used once.
    pub(crate) unsafe fn from_raw(raw: *mut ()) -> Self {
        Self(raw)
    }

    /// Wakes; a panic of a foreign waker, or of a foreign scheduler, is contained.
    pub(crate) fn wake(self) {
        contain(|| {
            if self.0.addr() & FOREIGN == 0 {
                wake(self.0);
            } else {
                self.unpack().wake();
            }
        });
    }

    /// Drops the waker; a panic of a foreign one is contained.
    pub(crate) fn discard(self) {
        if self.0.addr() & FOREIGN == 0 {
            release(self.0);
        } else {
            contain(|| drop(self.unpack()));
        }
    }
}
