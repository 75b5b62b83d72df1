//! The waker that a watched future is given: one per poll.
//!
//! Invariant: what happens to it is noted first, then the task's own waker is woken or dropped, with no lock held. There
//! is one per poll, so its drop says exactly that every clone of that poll's waker is gone; no clone is counted.

use crate::detect::Detect;
use crate::state::{Id, Name};
use std::sync::Arc;
use std::task::{Wake, Waker};

pub(crate) struct Tap {
    pub(crate) detect: Detect,
    pub(crate) id: Id,
    pub(crate) name: Name,
    pub(crate) poll: u64,
    pub(crate) inner: Waker,
}

impl Wake for Tap {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.detect.note(|state| state.woken(&self.detect, self.id, self.name, self.poll));
        self.inner.wake_by_ref();
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.detect.note(|state| state.waker_gone(self.id, self.poll));
    }
}
