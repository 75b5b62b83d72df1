//! How long the machine itself kept threads from running, so that a bound in real time can be asserted on any machine.

use polyloop::SystemClock;
use polyloop_conformance::block_thread;
use polyloop_core::time::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// A thread that only sleeps: how late it is, the machine is.
pub(crate) struct Sentinel {
    stop: Arc<AtomicBool>,
    /// The longest delay, and all of them together.
    thread: thread::JoinHandle<(Duration, Duration)>,
}

impl Sentinel {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let nap = Duration::from_millis(1);
            let (mut lost, mut in_all) = (Duration::ZERO, Duration::ZERO);
            while !stopped.load(SeqCst) {
                let before = SystemClock.now();
                block_thread(nap);
                let late = (SystemClock.now() - before).saturating_sub(nap);
                lost = lost.max(late);
                in_all += late;
            }
            (lost, in_all)
        });
        Self { stop, thread }
    }

    /// The longest that it was kept from running; and how long altogether, for what takes several steps, each of which may come
    /// late.
    pub(crate) fn lost(self) -> (Duration, Duration) {
        self.stop.store(true, SeqCst);
        self.thread.join().unwrap()
    }
}
