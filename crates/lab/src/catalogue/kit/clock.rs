//! The lab's own clocks, and the two ways of holding a thread up.
//!
//! Invariant: these are the only places of the lab's programs that read the wall clock or block a thread on purpose.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the lab measures runtimes, so its clock is not theirs")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Holds this thread in short sleeps until `over`, for `limit` at most. Short enough to end soon, and long enough that a busy
/// machine sees a thread that sleeps, and not one that works now and then.
pub(crate) fn hold(limit: Duration, over: impl Fn() -> bool) {
    let start = now();
    while start.elapsed() < limit && !over() {
        block(Duration::from_millis(4));
    }
}

/// Blocks this thread: the very mistake that the experiments are about.
#[expect(clippy::disallowed_methods, reason = "a blocked thread is what the experiment wants")]
pub(crate) fn block(duration: Duration) {
    std::thread::sleep(duration);
}

/// Keeps this thread busy.
pub(crate) fn spin(duration: Duration) {
    let start = now();
    while start.elapsed() < duration {
        std::hint::spin_loop();
    }
}

/// Keeps this thread busy until `over`, for `limit` at most.
pub(crate) fn spin_until(limit: Duration, over: impl Fn() -> bool) {
    let start = now();
    while start.elapsed() < limit && !over() {
        std::hint::spin_loop();
    }
}

/// CPU time of this process so far, all threads together.
pub(crate) fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}
