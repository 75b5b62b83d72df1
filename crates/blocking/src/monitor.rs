//! The monitor: one thread of the process that looks at every pool while work is going on.
//!
//! Invariant: *while a watched pool is at work, somebody looks at it every [`TICK`]*. The monitor goes on for [`LINGER`]
//! after the last work, so that a busy program does not wake it again and again; then it sleeps until [`kick`]ed, and an
//! idle process has no timer wake-ups (C11).
//!
//! Sleep and kick follow the announce-and-recheck pattern: the monitor says that it sleeps and then looks once more; whoever goes
//! to work does so visibly and then looks whether the monitor sleeps. A `SeqCst` fence stands between the two on both
//! sides.

use parking_lot::{Condvar, Mutex};
use polyloop_core::task::contain;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst, fence};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// How often a pool at work is looked at.
pub const TICK: Duration = Duration::from_millis(4);

/// How long the monitor goes on when nothing is at work any more.
pub const LINGER: Duration = Duration::from_secs(1);

/// What the monitor looks at.
pub trait Watched: Send + Sync + 'static {
    /// Looks, and does what is to be done. Whether work is going on. Runs on the monitor's thread and must not block.
    fn inspect(&self) -> bool;

    /// A look has panicked. The panic is counted ([`contained_panics`](polyloop_core::contained_panics)), and there will be
    /// no more looks.
    fn give_up(&self) {}
}

struct Monitor {
    asleep: AtomicBool,
    watched: Mutex<Vec<Weak<dyn Watched>>>,
    /// Whether somebody kicked since the monitor last looked.
    kicked: Mutex<bool>,
    bell: Condvar,
}

static MONITOR: OnceLock<Arc<Monitor>> = OnceLock::new();

/// Has the monitor look at `watched` from now on, for as long as it lives. Starts the monitor if need be.
///
/// # Errors
///
/// The kernel's word, if the monitor's thread cannot be started. Nothing is watched then.
pub fn watch(watched: Weak<dyn Watched>) -> std::io::Result<()> {
    let monitor = match MONITOR.get() {
        Some(monitor) => monitor,
        None => start()?,
    };
    monitor.watched.lock().push(watched);
    kick();
    Ok(())
}

/// Wakes the monitor if it sleeps. Called by a pool when it goes from rest to work, after that can be seen.
pub fn kick() {
    let Some(monitor) = MONITOR.get() else { return };
    fence(SeqCst);
    if monitor.asleep.load(Relaxed) {
        monitor.ring();
    }
}

fn start() -> std::io::Result<&'static Arc<Monitor>> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock();
    if let Some(monitor) = MONITOR.get() {
        return Ok(monitor);
    }
    let monitor = Arc::new(Monitor {
        asleep: AtomicBool::new(false),
        watched: Mutex::new(Vec::new()),
        kicked: Mutex::new(false),
        bell: Condvar::new(),
    });
    let running = Arc::clone(&monitor);
    std::thread::Builder::new().name("polyloop-monitor".to_owned()).spawn(move || running.run())?;
    Ok(MONITOR.get_or_init(|| monitor))
}

impl Monitor {
    fn run(&self) {
        let linger = u32::try_from(LINGER.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
        let mut quiet = 0;
        loop {
            quiet = if self.look() { 0 } else { quiet + 1 };
            if quiet <= linger {
                let mut kicked = self.kicked.lock();
                self.bell.wait_for(&mut kicked, TICK);
                *kicked = false;
                continue;
            }
            self.asleep.store(true, Relaxed);
            fence(SeqCst);
            if !self.look() {
                let mut kicked = self.kicked.lock();
                while !*kicked {
                    self.bell.wait(&mut kicked);
                }
                *kicked = false;
            }
            self.asleep.store(false, Relaxed);
            quiet = 0;
        }
    }

    /// Looks at everything; whether any of it is at work.
    fn look(&self) -> bool {
        let watched: Vec<_> = {
            let mut watched = self.watched.lock();
            watched.retain(|pool| pool.strong_count() > 0);
            watched.iter().filter_map(Weak::upgrade).collect()
        };
        let mut busy = false;
        for pool in watched {
            let mut at_work = None;
            // The monitor is everybody's: it outlives a scheduler that breaks its promise.
            contain(|| at_work = Some(pool.inspect()));
            if at_work.is_none() {
                self.watched.lock().retain(|other| !std::ptr::addr_eq(other.as_ptr(), Arc::as_ptr(&pool)));
                contain(|| pool.give_up());
            }
            busy |= at_work.unwrap_or(false);
        }
        busy
    }

    fn ring(&self) {
        *self.kicked.lock() = true;
        self.bell.notify_one();
    }
}
