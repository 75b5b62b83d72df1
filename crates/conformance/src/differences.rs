//! Where public runtimes differ from what is asked here.
//!
//! Invariant: every line is true. `tests/` runs each property on its subject and fails if it holds by now.

use std::fmt;

/// A property that a runtime does not have, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The runtime, by the name of its mount.
    pub subject: &'static str,
    /// The property.
    pub test: &'static str,
    /// How the runtime behaves instead, and why.
    pub reason: &'static str,
}

/// All of them.
pub const DIFFERENCES: &[Difference] = &[Difference {
    subject: "tokio_ct",
    test: "tasks_that_yield_alternate",
    reason: "tokio keeps those that yield aside until the driver has turned, and wakes the last one first: abba",
}];

impl Difference {
    /// What is known about this property of this runtime.
    pub fn find(subject: &str, test: &str) -> Option<&'static Self> {
        DIFFERENCES.iter().find(|difference| difference.subject == subject && difference.test == test)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}: {}", self.subject, self.test, self.reason)
    }
}
