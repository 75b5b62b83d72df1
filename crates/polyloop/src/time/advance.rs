//! Moving the clock, in tests.

use crate::Handle;
use crate::task::yield_now;
use std::time::Duration;

const SYSTEM: &str = "the clock of this runtime moves by itself: build the runtime with `start_paused(true)` or a `ManualClock`";

/// Moves the clock of the current runtime on, which must be a manual one: built with [`start_paused`](crate::Builder::start_paused),
/// by `#[polyloop::test(start_paused = true)]`, or with a [`ManualClock`](crate::ManualClock).
///
/// Then it yields once. Timers that have come due fire when the driver turns next, in the order of their deadlines.
///
/// # Panics
///
/// With a clock that cannot be moved, and outside of a runtime.
///
/// # Cancel safety
///
/// The clock is moved at the first poll.
///
/// # Examples
///
/// ```
/// use polyloop::{Builder, time};
/// use std::time::Duration;
///
/// let runtime = Builder::new().combination("fifo+poll+heap").start_paused(true).build()?;
/// runtime.block_on(async {
///     let start = time::Instant::now();
///     time::advance(Duration::from_secs(3600)).await;
///     assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// });
/// # Ok::<(), polyloop::BuildError>(())
/// ```
pub async fn advance(by: Duration) {
    assert!(Handle::current().driver().clock().try_advance(by), "{SYSTEM}");
    yield_now().await;
}

/// Says that the clock is to stand still. Whether it does is decided when a runtime is built, so this does nothing on one that was
/// built with a manual clock, and is here for programs that say it.
///
/// # Panics
///
/// With a clock that moves by itself, and outside of a runtime.
#[track_caller]
pub fn pause() {
    assert!(Handle::current().driver().clock().try_advance(Duration::ZERO), "{SYSTEM}");
}
