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
    thread: thread::JoinHandle<Duration>,
}

impl Sentinel {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let nap = Duration::from_millis(1);
            let mut lost = Duration::ZERO;
            while !stopped.load(SeqCst) {
                let before = SystemClock.now();
                block_thread(nap);
                lost = lost.max((SystemClock.now() - before).saturating_sub(nap));
            }
            lost
        });
        Self { stop, thread }
    }

    /// The longest that it was kept from running.
    pub(crate) fn lost(self) -> Duration {
        self.stop.store(true, SeqCst);
        self.thread.join().unwrap()
    }
}
