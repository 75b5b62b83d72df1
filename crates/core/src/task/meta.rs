//! What a task is called, where it was spawned, and its id: one word in the header, a box only for those of whom more is told
//! or asked.
//!
//! Invariant: while somebody keeps the task, the word changes once at most, from a location to a box. A box is given up under
//! the lock of its page alone.

use super::id::Id;
use crate::shim::atomic::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::shim::cell::UnsafeCell;
use crate::shim::sync::Mutex;
use core::fmt;
use core::panic::Location;
use core::ptr::null_mut;

/// What a scheduler and a diagnostic may know about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// The name given at the spawn.
    pub name: Option<Box<str>>,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// Scheduling class, 0 unless given; what it means is the scheduler's.
    pub class: u8,
    /// Share of the processor relative to other tasks, 1 unless given.
    pub weight: u32,
    /// When the task wants to be done, if it said so.
    pub deadline: Option<crate::time::Instant>,
}

impl Meta {
    /// The description of a task spawned at `location` that asks for nothing.
    pub fn new(location: &'static Location<'static>) -> Self {
        Self { name: None, location, class: 0, weight: 1, deadline: None }
    }
}

/// What a task asks of its scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wishes {
    /// As [`Meta::class`].
    pub class: u8,
    /// As [`Meta::weight`].
    pub weight: u32,
    /// As [`Meta::deadline`].
    pub deadline: Option<crate::time::Instant>,
}

impl Wishes {
    const NONE: Self = Self { class: 0, weight: 1, deadline: None };
}

impl fmt::Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}` spawned at {}", self.location),
            None => write!(f, "spawned at {}", self.location),
        }
    }
}

/// What the header's word stands for once it is more than a location.
struct Known {
    meta: Meta,
    id: Id,
}

/// Either a location or a [`Known`] in one word: both are at least two-aligned, so the low bit tells which.
///
/// The first one to ask for the id of a task that has only a location puts a [`Known`] in its place. From then on the
/// word stays as it is.
///
/// The registry reads the word of a task that somebody else holds and may end at any moment. A location is there for
/// ever; a box is only given up under the lock that the registry holds meanwhile, its page's. So the name of a task that
/// is stuck in a poll can be told without a word from the thread that polls it.
pub(crate) struct MetaWord(AtomicPtr<()>);

const BOXED: usize = 1;
const _: () = assert!(align_of::<Location<'static>>() > BOXED && align_of::<UnsafeCell<Known>>() > BOXED);

impl MetaWord {
    /// The word of a slot that never held a task.
    pub(crate) fn empty() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// Describes the slot's new task, before the state word says that there is one.
    #[inline]
    pub(crate) fn set(&self, meta: Meta) {
        // Ordering: Release pairs with the Acquire of `peek`, whose caller may have seen the slot's task before this one.
        self.0.store(pack(meta), Release);
    }

    fn word(&self) -> *mut () {
        // Ordering: Acquire pairs with the Release by which `set` and `id` put a box in.
        self.0.load(Acquire)
    }

    /// For one who keeps the task.
    pub(crate) fn get(&self) -> Meta {
        // SAFETY: the word was set before the task was, and stays until the task is freed.
        unsafe { unpack(self.word()) }
    }

    /// What the task asks of its scheduler. For one who keeps the task.
    pub(crate) fn wishes(&self) -> Wishes {
        let Some(known) = boxed(self.word()) else { return Wishes::NONE };
        // SAFETY: as in `get`; it is never written.
        unsafe {
            (*known).with(|known| {
                let Meta { class, weight, deadline, .. } = (*known).meta;
                Wishes { class, weight, deadline }
            })
        }
    }

    /// The id, if it is known yet. For one who keeps the task.
    pub(crate) fn known_id(&self) -> Option<Id> {
        // SAFETY: as in `get`.
        boxed(self.word()).map(|known| unsafe { id_in(known) })
    }

    /// The id, from now on if not before. For one who keeps the task.
    pub(crate) fn id(&self) -> Id {
        let word = self.word();
        if let Some(known) = boxed(word) {
            // SAFETY: as in `get`.
            return unsafe { id_in(known) };
        }
        let id = Id::fresh();
        let mine = tagged(Known { meta: self.get(), id });
        // Ordering: Release publishes the box to whoever loads the word; Acquire in the failure case sees theirs.
        #[cfg(not(polyloop_mutant = "id_not_compared"))]
        let put = self.0.compare_exchange(word, mine, AcqRel, Acquire);
        #[cfg(polyloop_mutant = "id_not_compared")]
        let put = Ok::<_, *mut ()>(self.0.swap(mine, AcqRel));
        match put {
            Ok(_) => id,
            // Somebody else was faster; the word stays as it is from then on.
            Err(_) => {
                // SAFETY: the box came from `tagged`, and nobody else has seen it.
                drop(boxed(mine).map(|known| unsafe { Box::from_raw(known) }));
                self.id()
            }
        }
    }

    /// As [`peek`](Self::peek), with the id if somebody has asked for it.
    pub(crate) fn peek_with_id(&self, lock: &Mutex<()>) -> Option<(Meta, Option<Id>)> {
        let _locked = lock.lock();
        let word = self.word();
        // SAFETY: as in `peek`.
        (!word.is_null()).then(|| unsafe { (unpack(word), boxed(word).map(|known| id_in(known))) })
    }

    /// For the registry, which has found a task in the slot but does not keep it: what it is called, or what the next one
    /// in the slot is, or nothing if it is gone. `lock` is the slot's.
    pub(crate) fn peek(&self, lock: &Mutex<()>) -> Option<Meta> {
        let _locked = lock.lock();
        let word = self.word();
        // SAFETY: a box that stands in the word is there as long as the lock is held; a location always is.
        (!word.is_null()).then(|| unsafe { unpack(word) })
    }

    /// Gives the description up. `lock` is the slot's, which is only looked for if there is a box.
    pub(crate) fn clear<'a>(&self, lock: impl FnOnce() -> &'a Mutex<()>) {
        let Some(boxed) = boxed(self.word()) else { return };
        {
            #[cfg(not(polyloop_mutant = "meta_freed_unlocked"))]
            let _locked = lock().lock();
            #[cfg(polyloop_mutant = "meta_freed_unlocked")]
            let _ = lock;
            self.0.store(null_mut(), Relaxed);
        }
        // SAFETY: the box came from `tagged`, and nobody can find it any more.
        let boxed = unsafe { Box::from_raw(boxed) };
        boxed.with_mut(|_| ());
        #[cfg(not(polyloop_mutant = "meta_freed_unlocked"))]
        drop(boxed);
        // The mutant leaks it: the model is to see the race, not to crash.
        #[cfg(polyloop_mutant = "meta_freed_unlocked")]
        Box::leak(boxed);
    }
}

/// The word for a description.
#[inline]
fn pack(meta: Meta) -> *mut () {
    // Field by field: to compare locations is to compare file names.
    if let Meta { name: None, location, class: 0, weight: 1, deadline: None } = meta {
        return core::ptr::from_ref(location).cast_mut().cast();
    }
    tagged(Known { meta, id: Id::fresh() })
}

/// The word for a box.
#[cold]
fn tagged(known: Known) -> *mut () {
    let boxed = Box::into_raw(Box::new(UnsafeCell::new(known)));
    boxed.map_addr(|addr| addr | BOXED).cast()
}

/// The box behind a word, if it has one.
fn boxed(word: *mut ()) -> Option<*mut UnsafeCell<Known>> {
    (word.addr() & BOXED != 0).then(|| word.map_addr(|addr| addr & !BOXED).cast())
}

/// # Safety
///
/// The box came from [`tagged`] and is still there.
unsafe fn id_in(known: *mut UnsafeCell<Known>) -> Id {
    // SAFETY: as promised by the caller; it is never written.
    unsafe { (*known).with(|known| (*known).id) }
}

/// # Safety
///
/// `word` came from [`pack`] or [`tagged`]; if it is a box, that is still there.
unsafe fn unpack(word: *mut ()) -> Meta {
    match boxed(word) {
        // SAFETY: as promised by the caller; it is never written.
        Some(boxed) => unsafe { (*boxed).with(|known| (*known).meta.clone()) },
        // SAFETY: a word without the tag came from a `&'static Location`.
        None => Meta::new(unsafe { &*word.cast::<Location<'static>>() }),
    }
}
