//! The clocks: the kernel's, and one that a test moves.
//!
//! Invariant: a clock never goes back, whichever thread looks, and never reaches
//! [`Instant::FAR_FUTURE`](polyloop_core::time::Instant::FAR_FUTURE).

mod manual;
mod system;

pub use manual::ManualClock;
pub use system::SystemClock;
