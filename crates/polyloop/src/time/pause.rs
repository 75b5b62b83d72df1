//! Stopping the clock and moving it, in tests.
//!
//! Invariant: a clock that cannot do what it is told says so at once; nothing is ever taken for done.

use crate::Handle;
use crate::task::yield_now;
use std::time::Duration;

const NEVER_PAUSED: &str = "the clock of this runtime cannot be paused: build the runtime with `pausable_clock(true)`, \
                            `start_paused(true)` or a `ManualClock`";
const NOT_PAUSED: &str = "the clock of this runtime moves by itself: build the runtime with `start_paused(true)` or a `ManualClock`, or \
     with `pausable_clock(true)` and pause it first";
const NEVER_RUNS: &str = "the clock of this runtime is a `ManualClock`, which never moves by itself: build the runtime \
                          with `pausable_clock(true)` or `start_paused(true)`";

/// Moves the clock of the current runtime on, which must stand still: one that is [paused](pause), that was built with
/// [`start_paused`](crate::Builder::start_paused), by `#[polyloop::test(start_paused = true)]`, or a
/// [`ManualClock`](crate::ManualClock).
///
/// Then it yields once. Timers that have come due fire when the driver turns next, in the order of their deadlines.
///
/// # Panics
///
/// With a clock that runs, and outside of a runtime.
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
    assert!(Handle::current().driver().clock().try_advance(by), "{NOT_PAUSED}");
    yield_now().await;
}

/// Stops the clock of the current runtime where it is, on any executor and with any number of workers. From now on it moves to
/// the next deadline by itself whenever nothing else can happen, so that an hour of sleeping passes at once, and can be
/// [moved](advance). Timers that are armed keep their deadlines.
///
/// The runtime must be one of [`pausable_clock`](crate::Builder::pausable_clock), as those of `#[polyloop::test]` are, or of
/// [`start_paused`](crate::Builder::start_paused). Does nothing to a clock that stands still already.
///
/// # Panics
///
/// With a clock that cannot be stopped, as the system's is, and outside of a runtime.
///
/// # Examples
///
/// ```
/// use polyloop::{Builder, time};
/// use std::time::Duration;
///
/// let runtime = Builder::new().combination("steal:2").pausable_clock(true).build()?;
/// runtime.block_on(async {
///     // In real time: a connection is made, say.
///     time::sleep(Duration::from_millis(1)).await;
///     time::pause();
///     let start = time::Instant::now();
///     time::sleep(Duration::from_secs(3600)).await;
///     assert_eq!(start.elapsed(), Duration::from_secs(3600));
///     time::resume();
/// });
/// # Ok::<(), polyloop::BuildError>(())
/// ```
#[track_caller]
pub fn pause() {
    assert!(Handle::current().driver().clock().set_paused(true), "{NEVER_PAUSED}");
}

/// Lets the clock of the current runtime run on from where it stands. Does nothing to one that runs.
///
/// # Panics
///
/// With a [`ManualClock`](crate::ManualClock), and outside of a runtime.
#[track_caller]
pub fn resume() {
    assert!(Handle::current().driver().clock().set_paused(false), "{NEVER_RUNS}");
}
