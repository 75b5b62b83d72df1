//! What the core counts about itself, for reports and tests.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

static CONTAINED_PANICS: AtomicU64 = AtomicU64::new(0);

/// How many panics in drops of outputs and in wakers were contained in this process (C8).
pub fn contained_panics() -> u64 {
    CONTAINED_PANICS.load(Relaxed)
}

pub(crate) fn contained_panic() {
    CONTAINED_PANICS.fetch_add(1, Relaxed);
}
