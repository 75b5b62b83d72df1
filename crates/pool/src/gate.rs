//! Whether the pool takes in more: one flag, and who cancels what is pushed while it closes.
//!
//! Invariant: *a runnable that is pushed while the gate closes is seen by the last drain, or its pusher sees that the gate
//! is closed and drains*. The pusher makes the runnable visible and then looks at the flag; whoever closes sets the flag and
//! then drains. A `SeqCst` fence stands between the two on both sides: the pusher's is the one in
//! [`Idle::call_one`](crate::idle::Idle::call_one).

#[cfg(all(test, polyloop_loom))]
mod loom_tests;

use polyloop_core::shim::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// See the module. It opens once and closes once.
#[derive(Debug)]
pub(crate) struct Gate(AtomicBool);

impl Gate {
    pub(crate) fn open() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Closes it. A drain must follow.
    pub(crate) fn close(&self) {
        self.0.store(true, Release);
        #[cfg(not(polyloop_mutant = "close_without_fence"))]
        fence(SeqCst);
    }

    /// Whether the workers are to end.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Acquire)
    }

    /// Asked by whoever has pushed from outside and then passed the fence in `call_one`: whether he must drain.
    pub(crate) fn has_closed_on_push(&self) -> bool {
        self.0.load(Relaxed)
    }
}
