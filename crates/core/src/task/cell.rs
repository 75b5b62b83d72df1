//! The task's memory: a header that is the same for all, and behind it the future, later its output.
//!
//! Invariant: what lies behind the header is told by the state word and by who asks. Until the future has ended it is
//! the future, and belongs to the holder of the runnable. Then it is the output, which belongs to the completing thread until
//! `DONE` is set, afterwards to the join handle. Once taken or dropped it is nothing.

use super::meta::MetaWord;
use super::slab;
use super::space::TaskSpace;
use super::state::State;
use super::{Id, JoinError, Meta};
use crate::shim::cell::UnsafeCell;
use crate::tick::Stamps;
use core::alloc::Layout;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What every task begins with: 48 bytes.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) state: State,
    pub(crate) vtable: &'static VTable,
    /// Links the task into the one list it can be in: a run queue while the runnable exists, a free list once its slot is
    /// vacant. Whoever owns the list owns the link.
    pub(crate) next: UnsafeCell<*mut Self>,
    /// The joiner's waker, packed; see `JOINER` and `CLAIMED` in the state word for whose it is.
    pub(crate) joiner: UnsafeCell<*mut ()>,
    pub(crate) meta: MetaWord,
    pub(crate) stamps: Stamps,
}

#[cfg(not(polyloop_loom))]
const _: () = assert!(size_of::<Header>() == 48);

/// What a task's type knows.
pub(crate) struct VTable {
    /// Polls the future; `Ready` when it has ended and the output is stored.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> Poll<()>,
    /// Drops the future instead, and stores why. Whether that drop panicked.
    cancel: unsafe fn(NonNull<Header>, JoinError) -> bool,
    /// Moves the output to the address given, of type `Result<T, JoinError>`.
    take_output: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the output; a panic inside is contained and counted.
    drop_output: unsafe fn(NonNull<Header>),
    /// Of the whole cell.
    pub(crate) layout: Layout,
}

/// Header and future of one task.
#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

#[repr(C)]
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<Result<F::Output, JoinError>>,
    nothing: (),
}

impl<F: Future> Cell<F> {
    const VTABLE: &'static VTable = &VTable {
        poll: Self::poll,
        cancel: Self::cancel,
        take_output: Self::take_output,
        drop_output: Self::drop_output,
        layout: Layout::new::<Self>(),
    };

    /// The stage of the cell behind `header`.
    ///
    /// # Safety
    ///
    /// `header` is the header of a live `Cell<F>`.
    unsafe fn stage<'a>(header: NonNull<Header>) -> &'a UnsafeCell<Stage<F>> {
        // SAFETY: by the contract of this function; the pointer came from the cell's allocation and spans all of it.
        unsafe { &(*header.cast::<Self>().as_ptr()).stage }
    }

    /// # Safety
    ///
    /// `header` is that of a live `Cell<F>`; the caller holds the runnable, and the future has not ended.
    unsafe fn poll(header: NonNull<Header>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: as promised by the caller.
        let stage = unsafe { Self::stage(header) };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            stage.with_mut(|stage| {
                // SAFETY: the holder of the runnable alone reaches the future. It is pinned: the cell never moves, and the
                // future is dropped in place.
                let future = unsafe { Pin::new_unchecked(&mut *(*stage).future) };
                future.poll(cx)
            })
        }));
        let output = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(JoinError::panicked(payload)),
        };
        // SAFETY: as above; the future has ended, and is dropped once.
        let dropped = unsafe { Self::drop_future(stage) };
        let output = match (output, dropped) {
            (output @ Err(_), Err(second)) => {
                drop_contained(second);
                output
            }
            // A panic in the future's drop reaches the joiner as one in the poll does (C8).
            (Ok(output), Err(payload)) => {
                drop_contained(output);
                Err(JoinError::panicked(payload))
            }
            (output, Ok(())) => output,
        };
        // SAFETY: the stage is empty, and still the runnable's.
        unsafe { Self::store(stage, output) };
        Poll::Ready(())
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn cancel(header: NonNull<Header>, reason: JoinError) -> bool {
        // SAFETY: as promised by the caller.
        let stage = unsafe { Self::stage(header) };
        // SAFETY: the future has not ended, and is dropped here once.
        let (output, panicked) = match unsafe { Self::drop_future(stage) } {
            Ok(()) => (Err(reason), false),
            Err(payload) => {
                drop_contained(reason);
                (Err(JoinError::panicked(payload)), true)
            }
        };
        // SAFETY: the stage is empty, and still the runnable's.
        unsafe { Self::store(stage, output) };
        panicked
    }

    /// # Safety
    ///
    /// The stage holds the future, which the caller owns; afterwards it holds nothing.
    unsafe fn drop_future(stage: &UnsafeCell<Stage<F>>) -> std::thread::Result<()> {
        catch_unwind(AssertUnwindSafe(|| {
            stage.with_mut(|stage| {
                // SAFETY: as promised by the caller.
                unsafe { ManuallyDrop::drop(&mut (*stage).future) }
            });
        }))
    }

    /// # Safety
    ///
    /// The stage is empty and the caller's.
    unsafe fn store(stage: &UnsafeCell<Stage<F>>, output: Result<F::Output, JoinError>) {
        stage.with_mut(|stage| {
            // SAFETY: as promised by the caller; nothing is there that would have to be dropped.
            unsafe { stage.write(Stage { output: ManuallyDrop::new(output) }) }
        });
    }

    /// # Safety
    ///
    /// `header` is that of a live `Cell<F>` whose output is there and the caller's; `to` can take it.
    unsafe fn take_output(header: NonNull<Header>, to: *mut ()) {
        // SAFETY: as promised by the caller.
        let stage = unsafe { Self::stage(header) };
        stage.with_mut(|stage| {
            // SAFETY: the output is there, and is moved out once.
            let output = unsafe { ManuallyDrop::take(&mut (*stage).output) };
            // SAFETY: `to` is a valid place for this type.
            unsafe { to.cast::<Result<F::Output, JoinError>>().write(output) };
            // SAFETY: the stage is still the caller's.
            unsafe { stage.write(Stage { nothing: () }) };
        });
    }

    /// # Safety
    ///
    /// `header` is that of a live `Cell<F>` whose output is there and the caller's.
    unsafe fn drop_output(header: NonNull<Header>) {
        // SAFETY: as promised by the caller.
        let stage = unsafe { Self::stage(header) };
        contain(|| {
            stage.with_mut(|stage| {
                // SAFETY: the output is there, and is dropped once.
                unsafe { ManuallyDrop::drop(&mut (*stage).output) }
            });
        });
    }
}

/// Runs foreign code, and counts a panic in it instead of passing it on (C8).
pub fn contain(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        crate::probe::contained_panic();
        // The payload's own drop may panic, too. That one is leaked rather than chased further.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(second);
        }
    }
}

/// As [`contain`], by the type of the value alone, where a closure would be compiled once for each future.
fn drop_contained<T>(value: T) {
    contain(|| drop(value));
}

/// A counted-by-hand pointer to a task: the raw form of everything that refers to one.
///
/// Which of its methods may be called is a matter of what the caller holds: a reference, the handle, or the runnable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TaskPtr(pub(crate) NonNull<Header>);

/// What a task may do, and so where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// It may travel.
    Send,
    /// It stays on its thread.
    Local,
    /// It stays on its thread, and is often the only one that does: the future of a `block_on`, for which no page is taken.
    Root,
}

impl TaskPtr {
    /// Places a new task, scheduled (the caller holds its runnable), in `space`.
    pub(crate) fn allocate<F: Future>(
        space: &Arc<TaskSpace>,
        future: F,
        meta: Meta,
        handle: bool,
        kind: Kind,
    ) -> Self {
        let vtable = Cell::<F>::VTABLE;
        let slot = match kind {
            Kind::Send | Kind::Local => slab::allocate(space, vtable.layout),
            Kind::Root => slab::allocate_solo(space, vtable.layout),
        };
        let cell = slot.as_ptr().cast::<Cell<F>>();
        // SAFETY: the slot is big and aligned enough for the cell, and nobody else's; its header is a vacant one. The
        // future is moved in before the state word says that there is a task.
        unsafe {
            #[cfg(polyloop_loom)]
            (&raw mut (*cell).stage).write(UnsafeCell::new(Stage { nothing: () }));
            // Straight to its place: every constructor around it would be one more copy on the stack of a debug build.
            (*cell).stage.with_mut(|stage| stage).cast::<F>().write(future);
            (&raw mut (*cell).header.vtable).write(vtable);
            (&raw mut (*cell).header.next).write(UnsafeCell::new(core::ptr::null_mut()));
            (&raw mut (*cell).header.joiner).write(UnsafeCell::new(core::ptr::null_mut()));
            (*cell).header.stamps.spawned();
            (*cell).header.meta.set(meta);
            let (local, root) = (kind != Kind::Send, kind == Kind::Root);
            (*cell).header.state.occupy(handle, local, root, space.is_hooked());
        }
        Self(slot)
    }

    pub(crate) fn state<'a>(self) -> &'a State {
        // SAFETY: a `TaskPtr` is only used while its holder keeps the cell alive; only the state word is borrowed.
        unsafe { &(*self.0.as_ptr()).state }
    }

    pub(crate) fn vtable(self) -> &'static VTable {
        // SAFETY: as above; the field is constant while the task lives.
        unsafe { (*self.0.as_ptr()).vtable }
    }

    pub(crate) fn next<'a>(self) -> &'a UnsafeCell<*mut Header> {
        // SAFETY: as above.
        unsafe { &(*self.0.as_ptr()).next }
    }

    pub(crate) fn joiner<'a>(self) -> &'a UnsafeCell<*mut ()> {
        // SAFETY: as above.
        unsafe { &(*self.0.as_ptr()).joiner }
    }

    pub(crate) fn stamps<'a>(self) -> &'a Stamps {
        // SAFETY: as above.
        unsafe { &(*self.0.as_ptr()).stamps }
    }

    pub(crate) fn meta(self) -> Meta {
        // SAFETY: as above; what the word stands for is constant while the task lives.
        unsafe { (*self.0.as_ptr()).meta.get() }
    }

    pub(crate) fn wishes(self) -> super::Wishes {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).meta.wishes() }
    }

    pub(crate) fn id(self) -> Id {
        // SAFETY: as above; the word can be asked from any thread.
        unsafe { (*self.0.as_ptr()).meta.id() }
    }

    pub(crate) fn known_id(self) -> Option<Id> {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).meta.known_id() }
    }

    /// The space this task lives in, valid while the cell is.
    pub(crate) fn space<'a>(self) -> &'a Arc<TaskSpace> {
        slab::space_of(self.0)
    }

    /// # Safety
    ///
    /// The caller holds the runnable and the future has not ended.
    pub(crate) unsafe fn poll(self, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: as promised by the caller.
        unsafe { (self.vtable().poll)(self.0, cx) }
    }

    /// # Safety
    ///
    /// The caller holds the runnable and the future has not ended.
    pub(crate) unsafe fn cancel(self, reason: JoinError) {
        // SAFETY: as promised by the caller.
        let panicked = unsafe { (self.vtable().cancel)(self.0, reason) };
        self.space().count_cancelled(panicked);
    }

    /// # Safety
    ///
    /// The output is there and the caller's, and `T` is its type.
    pub(crate) unsafe fn take_output<T>(self) -> Result<T, JoinError> {
        let mut output = core::mem::MaybeUninit::<Result<T, JoinError>>::uninit();
        // SAFETY: as promised by the caller.
        unsafe { (self.vtable().take_output)(self.0, output.as_mut_ptr().cast()) };
        // SAFETY: `take_output` has written it.
        unsafe { output.assume_init() }
    }

    /// # Safety
    ///
    /// The output is there and the caller's.
    pub(crate) unsafe fn drop_output(self) {
        // SAFETY: as promised by the caller.
        unsafe { (self.vtable().drop_output)(self.0) }
    }

    /// Gives the slot back.
    ///
    /// # Safety
    ///
    /// The caller is the one who may free: the future has ended, its output is taken or dropped, and a transition of
    /// the state word told so.
    pub(crate) unsafe fn free(self) {
        // SAFETY: the header is still valid.
        unsafe { (*self.0.as_ptr()).meta.clear(|| slab::meta_lock(self.0)) };
        self.state().set_vacant();
        // SAFETY: the slot is vacant and came from `slab::allocate`.
        unsafe { slab::free(self.0) };
    }
}
