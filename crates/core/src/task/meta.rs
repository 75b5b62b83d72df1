//! What a task is called and where it was spawned: one word in the header, a box only for those that ask for more.

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

/// Either a location or a whole [`Meta`] in one word: both are at least two-aligned, so the low bit tells which.
pub(crate) struct MetaWord(*const ());

const BOXED: usize = 1;
const _: () = assert!(align_of::<Location<'static>>() > BOXED && align_of::<Meta>() > BOXED);

impl MetaWord {
    pub(crate) fn new(meta: Meta) -> Self {
        // Field by field: to compare locations is to compare file names.
        if let Meta { name: None, location, class: 0, weight: 1, deadline: None } = meta {
            return Self(core::ptr::from_ref(location).cast());
        }
        let boxed: *mut Meta = Box::into_raw(Box::new(meta));
        Self(boxed.map_addr(|addr| addr | BOXED).cast_const().cast())
    }

    fn boxed(&self) -> Option<*mut Meta> {
        let is_boxed = self.0.addr() & BOXED != 0;
        is_boxed.then(|| self.0.map_addr(|addr| addr & !BOXED).cast_mut().cast())
    }

    pub(crate) fn get(&self) -> Meta {
        match self.boxed() {
            // SAFETY: a tagged word came from the box in `new`, which lives as long as `self` and is never written.
            Some(meta) => unsafe { (*meta).clone() },
            // SAFETY: an untagged word came from a `&'static Location`.
            None => Meta::new(unsafe { &*self.0.cast::<Location<'static>>() }),
        }
    }
}

impl Drop for MetaWord {
    fn drop(&mut self) {
        if let Some(meta) = self.boxed() {
            // SAFETY: the box came from `new`, and this is its only owner.
            drop(unsafe { Box::from_raw(meta) });
        }
    }
}
