//! The number of a runtime.
//!
//! Invariant: no two runtimes of a process have the same.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells a runtime from all others that the process has had; see [`Handle::id`](crate::Handle::id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(u64);

impl Id {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
