//! Time: sleeps, timeouts, intervals, and the instants of the runtime's clock.

mod advance;
mod instant;
mod interval;
mod sleep;
mod timeout;

pub use advance::{advance, pause};
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until, try_sleep};
#[doc(no_inline)]
pub use std::time::Duration;
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};

/// Errors, by the path that they have in tokio.
pub mod error {
    pub use super::Elapsed;
}
