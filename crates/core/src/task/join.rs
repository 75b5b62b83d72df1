//! The handles of a task: [`JoinHandle`] waits for its output, [`AbortHandle`] can only end it.
//!
//! Invariant: the join handle is the bit `HANDLE`. Until the task is done the handle owns the joiner slot whenever
//! `JOINER` is not set; once it is done, the handle owns the output.

use super::cell::TaskPtr;
use super::ends::{self, End, Output};
use super::id::IdAtEnd;
use super::waker::{self, PackedWaker};
use super::{Id, JoinError, Meta};
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll, RawWakerVTable, Waker};

/// Waits for the output of a spawned task. **Dropping it detaches the task**, which goes on running.
///
/// As a future it yields `Ok` with the output, or a [`JoinError`] if the task was aborted, panicked, or was still
/// running when its executor shut down.
///
/// # Cancel safety
///
/// Polling is cancel safe by itself: `&mut handle` may be awaited again after another branch of a `select` won.
///
/// # Panics
///
/// When it is polled after it has yielded.
pub struct JoinHandle<T> {
    task: TaskPtr,
    /// Which waker stands in the slot, to know without a look at the slot that it need not be replaced. It is the clone
    /// that was stored, not what it was made from: only what the slot keeps alive cannot give its address to another.
    registered: Option<(*const (), &'static RawWakerVTable)>,
    /// Whether it has yielded, and the task's id for afterwards.
    end: IdAtEnd,
    output: PhantomData<T>,
}

// SAFETY: the handle gives out a `T` from another thread's store, once; everything else it does is atomic.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: through a shared handle only aborting and asking is possible.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> Unpin for JoinHandle<T> {}

// What a panic could have left half done is the task's, which has ended by it.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// The handle of a task spawned with `HANDLE` set, of which there is no other.
    pub(crate) fn new(task: TaskPtr) -> Self {
        Self { task, registered: None, end: IdAtEnd::waiting(), output: PhantomData }
    }

    /// Asks the task to end. Its future is dropped the next time it would be polled; if it has ended by itself
    /// before that, its output stands.
    pub fn abort(&self) {
        if !self.end.is_end() {
            abort(self.task);
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.end.is_end() || self.task.state().load().done()
    }

    /// A handle that can only end the task, and may outlive this one.
    pub fn abort_handle(&self) -> AbortHandle {
        if let Some(id) = self.end.id() {
            return AbortHandle(Whose::Joined(id));
        }
        self.task.state().retain();
        AbortHandle(Whose::Task(self.task))
    }

    /// Where the task lies; see [`Polled::address`](crate::Polled::address).
    pub(crate) fn address(&self) -> usize {
        self.task.0.addr().get()
    }

    /// What the task is called and where it was spawned; `None` once the handle has yielded.
    pub fn meta(&self) -> Option<Meta> {
        (!self.end.is_end()).then(|| self.task.meta())
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        self.end.id().unwrap_or_else(|| self.task.id())
    }

    /// Which task it is, for one who only compares.
    pub(crate) fn task(&self) -> TaskPtr {
        self.task
    }

    /// Takes the output of a task that is done, and gives the handle's share of the cell up.
    #[inline]
    fn finish(&mut self) -> Result<T, JoinError> {
        // SAFETY: the task is done, so that its output is the handle's; `T` is its type since the spawn.
        let output = unsafe { self.task.take_output() };
        let state = self.task.state();
        if output.is_ok() && self.task.known_id().is_none() && state.load().references() == 0 {
            self.end.unknown();
        } else {
            self.remember_id(output.as_ref().err());
        }
        if state.leave_done() {
            // SAFETY: the state word said so.
            unsafe { self.task.free() };
        }
        output
    }

    /// Sees to it that this handle, an abort handle and the error say the same id also from now on.
    #[cold]
    fn remember_id(&mut self, error: Option<&JoinError>) {
        if let Some(error) = error {
            error.set_id(self.task.id());
        }
        match self.task.known_id() {
            Some(id) => self.end.known(id),
            None => {
                self.task.state().retain();
                self.end.kept();
            }
        }
    }

    /// Stores `waker` in the slot, which is the handle's. `true` once it is offered, `false` if the task is done.
    fn register(&mut self, waker: &Waker) -> bool {
        let waker = waker.clone();
        let registered = (waker.data(), waker.vtable());
        let packed = PackedWaker::pack(waker).into_raw();
        self.task.joiner().with_mut(|joiner| {
            // SAFETY: `JOINER` is not set, so the slot is the handle's.
            unsafe { *joiner = packed }
        });
        if self.task.state().set_joiner().is_err() {
            // SAFETY: it was packed above and never offered.
            unsafe { PackedWaker::from_raw(packed) }.discard();
            return false;
        }
        self.registered = Some(registered);
        true
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.end.is_end(), "a join handle was polled after it had yielded");
        let seen = self.task.state().load();
        if seen.done() {
            return Poll::Ready(self.finish());
        }
        let waker = cx.waker();
        if let Some((data, vtable)) = self.registered {
            if data == waker.data() && core::ptr::eq(vtable, waker.vtable()) {
                return Poll::Pending;
            }
            match self.task.state().take_joiner() {
                Ok(()) => {
                    self.registered = None;
                    let old = self.task.joiner().with(|joiner| {
                        // SAFETY: taking the joiner made the slot the handle's.
                        unsafe { *joiner }
                    });
                    // SAFETY: this handle stored it.
                    unsafe { PackedWaker::from_raw(old) }.discard();
                }
                Err(seen) if seen.done() => return Poll::Ready(self.finish()),
                Err(_) => {
                    // The task ends this moment and wakes the waker that it found, which is not this one.
                    waker.wake_by_ref();
                    crate::shim::hint::spin_loop();
                    return Poll::Pending;
                }
            }
        }
        if self.register(waker) { Poll::Pending } else { Poll::Ready(self.finish()) }
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.end.is_end() {
            leave(self.task, self.registered.is_some());
        } else if self.end.is_kept() {
            waker::release_task(self.task);
        }
    }
}

/// The handle of `task` goes before it has yielded.
fn leave(task: TaskPtr, registered: bool) {
    let state = task.state();
    // Read before the handle leaves, because afterwards the task may be gone. Only this handle writes the slot.
    let joiner = registered.then(|| {
        task.joiner().with(|joiner| {
            // SAFETY: the completing thread may read the slot at the same time, but nobody writes it.
            unsafe { *joiner }
        })
    });
    match state.leave_pending() {
        Ok(left) => {
            if let (Some(joiner), true, false) = (joiner, left.joiner(), left.claimed()) {
                // SAFETY: leaving has taken it back from the slot.
                unsafe { PackedWaker::from_raw(joiner) }.discard();
            }
        }
        Err(_done) => {
            // SAFETY: the task is done, its output was not taken, and this is its handle.
            ends::end(End::Output(unsafe { Output::new(task) }));
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// Can end a task, from anywhere, and ask whether it has ended.
pub struct AbortHandle(Whose);

#[derive(Clone, Copy)]
enum Whose {
    /// One reference.
    Task(TaskPtr),
    /// The task had been joined already.
    Joined(Id),
}

// SAFETY: all it does is atomic.
unsafe impl Send for AbortHandle {}
// SAFETY: as above.
unsafe impl Sync for AbortHandle {}

impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl AbortHandle {
    /// Asks the task to end; see [`JoinHandle::abort`].
    pub fn abort(&self) {
        if let Whose::Task(task) = self.0 {
            abort(task);
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        match self.0 {
            Whose::Task(task) => task.state().load().done(),
            Whose::Joined(_) => true,
        }
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        match self.0 {
            Whose::Task(task) => task.id(),
            Whose::Joined(id) => id,
        }
    }

    /// What the task is called and where it was spawned; `None` if it had been joined when this handle was made.
    pub fn meta(&self) -> Option<Meta> {
        match self.0 {
            Whose::Task(task) => Some(task.meta()),
            Whose::Joined(_) => None,
        }
    }
}

impl Clone for AbortHandle {
    fn clone(&self) -> Self {
        if let Whose::Task(task) = self.0 {
            task.state().retain();
        }
        Self(self.0)
    }
}

impl Drop for AbortHandle {
    fn drop(&mut self) {
        if let Whose::Task(task) = self.0 {
            waker::release_task(task);
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").field("finished", &self.is_finished()).finish()
    }
}

fn abort(task: TaskPtr) {
    if !task.state().load().done() {
        task.state().abort();
        // A wake makes somebody look; one that comes during the poll makes them look again.
        waker::wake_task(task);
    }
}
