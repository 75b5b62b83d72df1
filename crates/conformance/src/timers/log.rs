//! Wakers that say who was woken.

use polyloop_core::WakeBatch;
use polyloop_core::time::{Instant, Timers};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

/// Who was woken, in order.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u64>>>);

#[derive(Debug)]
struct Entry {
    id: u64,
    log: Log,
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.log.0.lock().expect("no test panics while it logs").push(self.id);
    }
}

impl Log {
    /// A waker that logs `id`.
    pub fn waker(&self, id: u64) -> Waker {
        Arc::new(Entry { id, log: self.clone() }).into()
    }

    /// Fires `timers` at `now` and returns who was woken.
    ///
    /// # Panics
    ///
    /// If a test has panicked while it logged.
    pub fn fire(&self, timers: &mut (impl Timers + ?Sized), now: Instant) -> Vec<u64> {
        let mut batch = WakeBatch::new();
        timers.fire(now, &mut batch);
        batch.wake_all();
        std::mem::take(&mut self.0.lock().expect("no test panics while it logs"))
    }
}

/// `nanos` after the origin.
pub const fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}
