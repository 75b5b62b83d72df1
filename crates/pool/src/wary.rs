//! Whether polls have blocked here lately.
//!
//! A worker that leaves the driver to poll a single task calls nobody: a wake-up costs more than most polls. If that poll blocks,
//! nobody waits in the driver until the monitor's next looks. That is well within the bound of C5, but it is milliseconds, and a
//! program that blocks once blocks again. So for [`MEMORY`] after the monitor has seen a worker stuck, workers do not rely
//! on each other's polls being short: whoever goes to poll has somebody in the driver, and whoever has a backlog has it
//! shared. Only programs that block pay for that.
//!
//! Invariant: nothing depends on it but how long something waits. It is written by the monitor alone, so that two writers never
//! undo each other, and read as a hint: whoever reads "no" too late calls nobody, as if the flag were not there, and the monitor's next
//! look finds the deserted driver or the backlog (that look is C5's guarantee, and does not read the flag); whoever reads "yes" too
//! late makes a call in vain, and a worker that is called in vain goes back to sleep by announce and recheck. Neither answer touches
//! what those rely on, so there is nothing for a model to find, and relaxed order suffices.

use polyloop_core::Count;
use polyloop_core::shim::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How long a stuck worker is remembered.
const MEMORY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct Wary {
    on: AtomicBool,
    /// For how long nobody has been stuck, in nanoseconds.
    calm: AtomicU64,
    /// How often the monitor had to call somebody.
    pub(crate) rescues: Count,
}

impl Wary {
    pub(crate) fn new() -> Self {
        Self { on: AtomicBool::new(false), calm: AtomicU64::new(0), rescues: Count::new() }
    }

    /// Ordering: Relaxed; whoever sees it late waits for the monitor once more.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// The monitor has looked after so much time, and has seen somebody stuck, or not. Whether that changes anything.
    pub(crate) fn note(&self, stuck: bool, elapsed: Duration) -> bool {
        let elapsed = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let calm = if stuck { 0 } else { self.calm.load(Relaxed).saturating_add(elapsed) };
        self.calm.store(calm, Relaxed);
        let on = stuck || self.is_on() && u128::from(calm) < MEMORY.as_nanos();
        on != self.on.swap(on, Relaxed)
    }
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_worker_is_remembered_for_a_second() {
        let tick = MEMORY / 4;
        let wary = Wary::new();
        assert!(!wary.note(false, tick) && !wary.is_on());
        assert!(wary.note(true, tick) && wary.is_on());
        for _ in 0..3 {
            assert!(!wary.note(false, tick) && wary.is_on());
        }
        // Again, so that it lasts.
        assert!(!wary.note(true, tick));
        for _ in 0..3 {
            assert!(!wary.note(false, tick) && wary.is_on());
        }
        assert!(wary.note(false, tick) && !wary.is_on());
        assert!(!wary.note(false, tick));
    }
}
