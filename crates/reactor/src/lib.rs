//! Reactors, of one shape: read one and you can read them all.
//!
//! Invariant: a reactor knows no runtime's clock, starts no thread, wakes no task and holds no lock while the kernel waits. It
//! keeps every registered file until its registration ends, and never reports an interrupted wait as an error.
//!
//! | reactor | kernel interface | reports | timeout | system calls: wait · unpark of a waiter · attach, rearm, detach |
//! |---|---|---|---|---|
//! | [`Mio`] | epoll, kqueue by `mio` | edges | 1 ns | 1, and 1 more for a part of a millisecond · 1 · 1, 0, 1 |
//! | [`Polling`] | epoll, kqueue by `polling` | edges | 1 ns | 5 · 1 · 1, 0, 1 |
//! | [`Polling::oneshot`] | the same | once until rearmed | 1 ns | 5 · 1 · 1, 1, 1 |
//! | [`Poll`] | poll(2) | once until rearmed | 1 ns | 1 · 2 · 0, 0, 0 (one more if somebody waits) |
//!
//! The columns were counted with strace on Linux, and a test counts them again wherever strace is to be had. What costs
//! nothing here is not free: `Poll` hands the kernel the whole list in every turn, O(n) for n armed sources, where epoll
//! keeps the list itself. To the timeout comes the kernel's own timer slack, 50 µs on Linux for an ordinary thread.
//!
//! An unpark is a token in a word. A doorbell file is rung only for a thread that said that it waits, so that waking a
//! busy driver costs no system call.
//!
//! [`Chaos`] wraps any of them, and does by the throw of a seeded die what a kernel does on a bad day.
//!
//! # Examples
//!
//! ```
//! use polyloop_core::reactor::{Event, Events, Interest, Token};
//! use polyloop_core::time::Wait;
//! use std::io::Write;
//! use std::os::unix::net::UnixStream;
//! use std::sync::Arc;
//!
//! for (name, make) in polyloop_reactor::ALL {
//!     let mut reactor = make()?;
//!     let (ours, mut theirs) = UnixStream::pair()?;
//!     reactor.handle().attach(Arc::new(ours), Token::new(7, 0), Interest::READ)?;
//!     theirs.write_all(b"x")?;
//!
//!     let mut events = Events::new();
//!     reactor.turn(Wait::Forever, &mut events)?;
//!     let Some(Event::Ready { token, ready }) = events.iter().next() else { panic!("{name} is silent") };
//!     assert!(token.index() == 7 && ready.read);
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg(any(feature = "mio", feature = "polling", feature = "poll"))]
mod bell;
mod chaos;
#[cfg(any(feature = "mio", feature = "polling", feature = "poll"))]
mod checks;
#[cfg(any(feature = "mio", feature = "polling"))]
mod kept;
#[cfg(feature = "mio")]
mod mio;
#[cfg(feature = "poll")]
mod poll;
#[cfg(feature = "polling")]
mod polling;

pub use chaos::{Chaos, ChaosControl, ChaosCounts, ChaosPlan};
#[cfg(feature = "mio")]
pub use mio::Mio;
#[cfg(feature = "poll")]
pub use poll::Poll;
#[cfg(feature = "polling")]
pub use polling::Polling;

use polyloop_core::reactor::Reactor;
use std::io;

/// Makes a reactor, on the thread that will turn it.
pub type Factory = fn() -> io::Result<Box<dyn Reactor>>;

/// Every reactor that was compiled in, by the name under which a combination asks for it.
pub const ALL: &[(&str, Factory)] = &[
    #[cfg(feature = "mio")]
    ("mio", || Ok(Box::new(Mio::new()?))),
    #[cfg(feature = "polling")]
    ("polling", || Ok(Box::new(Polling::new()?))),
    #[cfg(feature = "poll")]
    ("poll", || Ok(Box::new(Poll::new()?))),
];
