//! Detectors around the futures of any runtime: wake-ups that are lost, wakers that are stale, futures that hold a lock and
//! are never polled again.
//!
//! Invariant: an exact finding is a fact about the futures, told when it becomes true: no timer, no threshold, no luck.
//! The watched program does what it did, only slower.
//!
//! | finding | exact? | parameter |
//! |---|---|---|
//! | [`Kind::LostWake`], [`Kind::StaleWaker`] | for a task; for a part a hint, since its task may poll it anyway | |
//! | [`Kind::PolledAfterReady`] | yes | |
//! | [`Kind::Futurelock`] | yes | |
//! | [`Kind::PassedOver`] | heuristic | [`Limits::passed_over`], [`Limits::unpolled`] with [`Detect::check`] |
//! | [`Kind::WakeIgnored`] | heuristic | [`Limits::unpolled`] with [`Detect::check`] |
//! | [`Kind::SelfWakes`] | heuristic | [`Limits::self_wakes`] |
//! | [`Kind::SpuriousPolls`] | heuristic | [`Limits::spurious_polls`] |
//!
//! What is no fault by itself is counted, and never a finding: [`Detect::counts`]. So it is with duplicate wakers, whose wakes coalesce
//! ([`Counts::duplicate_wakes`]), with wakes by a waker that was replaced since ([`Counts::stale_wakes`]), and of what has ended
//! ([`Counts::late_wakes`]): all three are legal, and a correct channel or timer may make them.
//!
//! # Examples
//!
//! ```
//! use polyloop_detect::{Certainty, Detect, Kind};
//! use std::future::{Future, poll_fn};
//! use std::pin::pin;
//! use std::task::{Context, Poll, Waker};
//!
//! let detect = Detect::new();
//! // It says Pending and does not keep the waker. Any runtime's spawn or block_on would poll it as it is done here.
//! let mut task = pin!(detect.task("forgetful", poll_fn(|_cx| Poll::<()>::Pending)));
//! assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
//!
//! let found = detect.findings();
//! assert_eq!(found[0].kind, Kind::LostWake { poll: 1 });
//! assert_eq!(found[0].certainty, Certainty::Exact);
//! println!("{}", found[0]);
//! ```
//!
//! # Futurelock
//!
//! A future is kept but no longer polled, has a lock or is the next to get it, and its own task waits for that lock (Oxide's RFD
//! 609). What is needed to see it: the task is a [`Detect::task`], the lock a [`Lock`], and the future that may be left behind
//! a [`watched`] one, if it may have the guard; a wait for the lock is known without a name. The rule has no timer: the future
//! was woken, a poll of its task that began after that did not poll it, and the task fell asleep waiting for the lock.
//!
//! # What it does not see
//!
//! - A waker that somebody keeps for ever, as in a channel whose two ends are in the same task.
//! - A wait for the lock that the last poll of the task did not poll, as that of a member of a `FuturesUnordered` which was not woken:
//!   then the future that is left behind is told of by [`Detect::check`], with its lock, as [`Kind::PassedOver`].
//! - A guard that was sent from one watched future to another one belongs to the first as long as that one runs.
//! - A [`Lock`] around a semaphore or a read-write lock: that another holder may let the waiter in first.
//! - A future that means to wait for ever, such as [`std::future::pending`], is a lost wake by the letter.

#![forbid(unsafe_code)]

mod ambient;
mod detect;
mod finding;
mod lock;
mod probe;
mod state;
mod tap;
mod watch;

pub use detect::{Detect, Limits, watched};
pub use finding::{Certainty, Finding, Hold, Kind};
pub use lock::{Acquire, Held, Lock};
pub use state::Counts;
pub use watch::Watched;
