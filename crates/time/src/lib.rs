//! Timer queues and clocks: what a driver needs to know when to stop waiting.
//!
//! Invariant: a queue never reads the time and a clock never keeps a deadline. The driver asks the queue for its nearest
//! deadline, asks the clock how long to wait for it, and after the wait hands the clock's "now" to the queue. So any
//! queue runs on any clock, and a test that owns the clock owns the order of everything.
//!
//! | queue | structure | for |
//! |---|---|---|
//! | [`Heap`] | 4-ary indexed heap | a handful of timers; the oracle for the wheel |
//! | [`Wheel`] | hierarchical wheel whose slots are arrays | everything else |
//!
//! Both keep the contract of [`Timers`](polyloop_core::time::Timers) to the letter, so they wake the same tasks in the
//! same order, and differ in cost alone: the heap moves O(log n) entries with every operation, the wheel one.
//!
//! | clock | time | when idle |
//! |---|---|---|
//! | [`SystemClock`] | the kernel's monotonic clock | waits for the next deadline |
//! | [`ManualClock::new`] | stands until it is moved | waits to be moved |
//! | [`ManualClock::automatic`] | stands until everything is idle | moves to the next deadline |
//! | [`PausableClock`] | the first while it runs, the last while it is paused | as they do |
//!
//! # Examples
//!
//! ```
//! use polyloop_core::WakeBatch;
//! use polyloop_core::time::{Clock, Timers};
//! use polyloop_time::{ManualClock, Wheel};
//! use std::task::Waker;
//! use std::time::Duration;
//!
//! let clock = ManualClock::new();
//! let mut timers = Wheel::new();
//! let deadline = clock.now() + Duration::from_millis(5);
//! timers.insert(deadline, Waker::noop().clone());
//!
//! let mut due = WakeBatch::new();
//! clock.advance(Duration::from_nanos(4_999_999));
//! timers.fire(clock.now(), &mut due);
//! assert!(due.is_empty(), "nothing fires early, not by a nanosecond");
//! assert_eq!(timers.next(), Some(deadline));
//!
//! clock.advance(Duration::from_nanos(1));
//! timers.fire(clock.now(), &mut due);
//! assert_eq!(due.len(), 1);
//! ```

#![forbid(unsafe_code)]

mod clock;
mod heap;
mod nodes;
mod wheel;

pub use clock::{ManualClock, PausableClock, SystemClock};
pub use heap::Heap;
pub use wheel::Wheel;
