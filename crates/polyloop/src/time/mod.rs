//! Time: sleeps, timeouts, intervals, and the instants of the runtime's clock.

mod instant;
mod interval;
mod sleep;
mod timeout;

pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until, try_sleep};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
