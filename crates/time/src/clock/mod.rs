//! The clocks: the kernel's, one that a test moves, and one that is the first until it is made the second.
//!
//! Invariant: a clock never goes back, whichever thread looks, and never reaches
//! [`Instant::FAR_FUTURE`](polyloop_core::time::Instant::FAR_FUTURE).

mod manual;
mod pausable;
mod system;

pub use manual::ManualClock;
pub use pausable::PausableClock;
pub use system::SystemClock;
