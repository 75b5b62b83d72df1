//! What tells a task from every other one.
//!
//! Invariant: two tasks of a process never have the same id, and a task has one id from the first time that somebody asks
//! for it. A task whom nobody asks costs nothing for it: where the id is kept, see `meta.rs`.

use crate::context;
use core::fmt;
use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The id of a task: unique as long as the process lives. It says nothing about order, nor about runtimes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(NonZeroU64);

impl Id {
    pub(super) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(FIRST);
        Self::from_raw(NEXT.fetch_add(1, Relaxed)).expect("fewer than 2^64 tasks")
    }

    #[cfg(all(test, not(polyloop_loom)))]
    pub(crate) fn for_test(number: u64) -> Self {
        Self::from_raw(FIRST + number).expect("few")
    }

    fn from_raw(raw: u64) -> Option<Self> {
        NonZeroU64::new(raw).filter(|raw| raw.get() >= FIRST).map(Self)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

/// The id of the task that this thread polls.
///
/// # Panics
///
/// Outside of a task, also in a blocking job; see [`try_id`].
#[track_caller]
pub fn id() -> Id {
    match try_id() {
        Some(id) => id,
        None => panic!("there is no task here, and so no id: only code that a task polls has one"),
    }
}

/// The id of the task that this thread polls, if it polls one. The future of `block_on` is a task, too.
pub fn try_id() -> Option<Id> {
    context::current_id()
}

/// Whether a join handle has yielded, and how it finds the task's id then.
pub(super) struct IdAtEnd(AtomicU64);

/// It has not yielded: the task is asked.
const WAITING: u64 = 0;
/// It has yielded and keeps a reference: the task is asked.
const KEPT: u64 = 1;
/// It has yielded, nobody had asked for the id, and nobody else can any more.
const UNKNOWN: u64 = 2;
/// It has yielded; the task's id was this number or a higher one.
const FIRST: u64 = 3;

impl IdAtEnd {
    pub(super) fn waiting() -> Self {
        Self(AtomicU64::new(WAITING))
    }

    pub(super) fn known(&mut self, id: Id) {
        *self.0.get_mut() = id.0.get();
    }

    pub(super) fn kept(&mut self) {
        *self.0.get_mut() = KEPT;
    }

    pub(super) fn unknown(&mut self) {
        *self.0.get_mut() = UNKNOWN;
    }

    /// Whether the handle has yielded.
    pub(super) fn is_end(&self) -> bool {
        self.0.load(Relaxed) != WAITING
    }

    /// Whether the handle keeps a reference of the task that it has joined.
    pub(super) fn is_kept(&self) -> bool {
        self.0.load(Relaxed) == KEPT
    }

    /// The id of the task that is gone, which is any fresh one if nobody had asked; `None` if the task is to be asked.
    pub(super) fn id(&self) -> Option<Id> {
        match self.0.load(Relaxed) {
            WAITING | KEPT => None,
            UNKNOWN => {
                let fresh = Id::fresh();
                // A second one who asks at the same time may have been faster.
                let before = self.0.compare_exchange(UNKNOWN, fresh.0.get(), Relaxed, Relaxed);
                Some(before.err().and_then(Id::from_raw).unwrap_or(fresh))
            }
            known => Id::from_raw(known),
        }
    }
}
