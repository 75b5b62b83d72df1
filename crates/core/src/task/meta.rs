//! What a task is called, where it was spawned, and its id: one word in the header, a box only for those of whom more is told
//! or asked.
//!
//! Invariant: the word changes once at most, from a location to a box, and never while nobody keeps the task.

use super::id::Id;
use crate::shim::atomic::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire},
};
use core::fmt;
use core::panic::Location;

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
pub(crate) struct MetaWord(AtomicPtr<()>);

const BOXED: usize = 1;
const _: () = assert!(align_of::<Location<'static>>() > BOXED && align_of::<Known>() > BOXED);

/// The word for a box.
#[cold]
fn tagged(known: Known) -> *mut () {
    let boxed: *mut Known = Box::into_raw(Box::new(known));
    boxed.map_addr(|addr| addr | BOXED).cast()
}

/// The box behind a word, if it has one.
fn boxed(word: *mut ()) -> Option<*mut Known> {
    let is_boxed = word.addr() & BOXED != 0;
    is_boxed.then(|| word.map_addr(|addr| addr & !BOXED).cast())
}

impl MetaWord {
    #[inline]
    pub(crate) fn new(meta: Meta) -> Self {
        // Field by field: to compare locations is to compare file names.
        if let Meta { name: None, location, class: 0, weight: 1, deadline: None } = meta {
            return Self(AtomicPtr::new(core::ptr::from_ref(location).cast_mut().cast()));
        }
        Self(AtomicPtr::new(tagged(Known { meta, id: Id::fresh() })))
    }

    fn word(&self) -> *mut () {
        // Ordering: Acquire pairs with the Release by which `id` puts a box in.
        self.0.load(Acquire)
    }

    pub(crate) fn get(&self) -> Meta {
        let word = self.word();
        match boxed(word) {
            // SAFETY: a tagged word came from `tagged`, whose box lives as long as `self` and is never written.
            Some(known) => unsafe { (*known).meta.clone() },
            // SAFETY: an untagged word came from a `&'static Location`.
            None => Meta::new(unsafe { &*word.cast::<Location<'static>>() }),
        }
    }

    /// The id, if it is known yet.
    pub(crate) fn known_id(&self) -> Option<Id> {
        // SAFETY: as in `get`.
        boxed(self.word()).map(|known| unsafe { (*known).id })
    }

    /// The id, from now on if not before.
    pub(crate) fn id(&self) -> Id {
        let word = self.word();
        if let Some(known) = boxed(word) {
            // SAFETY: as in `get`.
            return unsafe { (*known).id };
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
                drop(Self(AtomicPtr::new(mine)));
                self.id()
            }
        }
    }
}

impl Drop for MetaWord {
    fn drop(&mut self) {
        if let Some(known) = boxed(self.word()) {
            // SAFETY: the box came from `tagged`, and this is its only owner.
            drop(unsafe { Box::from_raw(known) });
        }
    }
}
