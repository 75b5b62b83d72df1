//! Time: sleeps, timeouts, intervals, and the instants of the runtime's clock.

mod instant;
mod interval;
mod pause;
mod sleep;
mod timeout;

pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use pause::{advance, pause, resume};
pub use sleep::{Sleep, sleep, sleep_until, try_sleep};
#[doc(no_inline)]
pub use std::time::Duration;
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};

/// Errors, by the path that they have in tokio.
pub mod error {
    pub use super::Elapsed;
}
