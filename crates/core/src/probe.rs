//! What the parts count about themselves, for reports and tests.
//!
//! Invariant: whatever is counted often is counted by one thread at a time, without a read-modify-write: one instruction.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

static CONTAINED_PANICS: AtomicU64 = AtomicU64::new(0);

/// How many panics in drops of outputs and in wakers were contained in this process (C8).
pub fn contained_panics() -> u64 {
    CONTAINED_PANICS.load(Relaxed)
}

pub(crate) fn contained_panic() {
    CONTAINED_PANICS.fetch_add(1, Relaxed);
}

/// A number that any thread may read and one thread at a time counts up.
///
/// Two that count at the same time lose counts, no more. That is why these are plain atomics, which no model needs to see.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts `more`.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// The number so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
