//! Workers that are stuck in a poll: ways to get there, and out again.

use crate::kit::{StealPool, join, spawn};
use polyloop_core::JoinHandle;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Keeps a thread waiting until it goes.
pub(crate) struct Release(pub(crate) Box<dyn FnOnce() + Send>);

/// A way to block a thread, and the way to end it.
pub(crate) type Way = fn() -> (Box<dyn FnOnce() + Send>, Release);

/// Waits for a message.
pub(crate) fn on_a_channel() -> (Box<dyn FnOnce() + Send>, Release) {
    let (release, wait) = mpsc::channel::<()>();
    let wait = move || {
        let _ = wait.recv();
    };
    (Box::new(wait), Release(Box::new(move || drop(release))))
}

/// Reads from a socket to which nobody writes.
pub(crate) fn in_a_read() -> (Box<dyn FnOnce() + Send>, Release) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let read = move || drop(theirs.read(&mut [0]));
    (Box::new(read), Release(Box::new(move || drop(ours))))
}

/// Waits for a lock, which another thread has.
pub(crate) fn on_a_lock() -> (Box<dyn FnOnce() + Send>, Release) {
    let lock = Arc::new(parking_lot::Mutex::new(()));
    let (held, ((taken, is_taken), (release, wait))) =
        (lock.clone(), (mpsc::channel(), mpsc::channel::<()>()));
    std::thread::spawn(move || {
        let _guard = held.lock();
        taken.send(()).unwrap();
        let _ = wait.recv();
    });
    is_taken.recv().unwrap();
    (Box::new(move || drop(lock.lock())), Release(Box::new(move || drop(release))))
}

/// Sleeps in small slices.
pub(crate) fn in_small_sleeps() -> (Box<dyn FnOnce() + Send>, Release) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let nap = move || {
        while !stopped.load(SeqCst) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    };
    (Box::new(nap), Release(Box::new(move || stop.store(true, SeqCst))))
}

/// Computes.
pub(crate) fn spinning() -> (Box<dyn FnOnce() + Send>, Release) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let spin = move || {
        while !stopped.load(SeqCst) {
            std::hint::spin_loop();
        }
    };
    (Box::new(spin), Release(Box::new(move || stop.store(true, SeqCst))))
}

/// Workers that are stuck.
pub(crate) struct Stuck {
    pub(crate) releases: Vec<Release>,
    pub(crate) tasks: Vec<JoinHandle<()>>,
}

/// Blocks `count` threads of `pool`, each of which must be free to begin.
pub(crate) fn block(pool: &StealPool, count: usize, way: Way) -> Stuck {
    block_after(pool, count, way, || {})
}

/// The same; each does `before` in the poll in which it gets stuck.
pub(crate) fn block_after(
    pool: &StealPool,
    count: usize,
    way: Way,
    before: impl Fn() + Clone + Send + 'static,
) -> Stuck {
    let mut stuck = Stuck { releases: Vec::new(), tasks: Vec::new() };
    for _ in 0..count {
        let (wait, release) = way();
        let (begun, has_begun) = mpsc::channel();
        let before = before.clone();
        stuck.tasks.push(spawn(pool, async move {
            before();
            begun.send(()).unwrap();
            wait();
        }));
        stuck.releases.push(release);
        has_begun.recv().expect("somebody begins it");
    }
    stuck
}

impl Stuck {
    /// Lets them all go, and waits for them.
    pub(crate) fn release(self) {
        self.releases.into_iter().for_each(|release| release.0());
        self.tasks.into_iter().for_each(|task| join(task).unwrap());
    }
}
