//! The parts as types: what stands in the place of `E`, `R` and `T` in [`Runtime<E, R, T>`](crate::Runtime).
//!
//! A type here only says which part is built; the calls that cost something are the same for all (the driver is called
//! once in dozens of polls, a spawn and a wake are one indirect call each), so that choosing by name costs nothing.

use crate::Combination;
use polyloop_core::reactor::Reactor;
use polyloop_core::time::Timers;
use std::io;

/// Chosen at run time, by the combination.
#[derive(Clone, Copy, Debug)]
pub enum Any {}

/// A type that stands for an executor.
pub trait ExecutorKind: 'static {
    /// Its name in a combination; `None` leaves it to the combination.
    const NAME: Option<&'static str>;
}

impl ExecutorKind for Any {
    const NAME: Option<&'static str> = None;
}

/// A type that stands for a reactor. Implement it for your own reactor, and it can stand in [`Runtime`](crate::Runtime).
pub trait ReactorKind: 'static {
    /// Makes the reactor.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    fn build(combination: &Combination) -> io::Result<Box<dyn Reactor>>;
}

impl ReactorKind for Any {
    fn build(combination: &Combination) -> io::Result<Box<dyn Reactor>> {
        match combination.reactor() {
            #[cfg(feature = "mio")]
            "mio" => polyloop_reactor::Mio::build(combination),
            #[cfg(feature = "polling")]
            "polling" => polyloop_reactor::Polling::build(combination),
            #[cfg(feature = "poll")]
            "poll" => polyloop_reactor::Poll::build(combination),
            other => unreachable!("a combination names a reactor of its table, not `{other}`"),
        }
    }
}

#[cfg(feature = "mio")]
impl ReactorKind for polyloop_reactor::Mio {
    fn build(_: &Combination) -> io::Result<Box<dyn Reactor>> {
        Ok(Box::new(Self::new()?))
    }
}

#[cfg(feature = "polling")]
impl ReactorKind for polyloop_reactor::Polling {
    fn build(_: &Combination) -> io::Result<Box<dyn Reactor>> {
        Ok(Box::new(Self::new()?))
    }
}

#[cfg(feature = "poll")]
impl ReactorKind for polyloop_reactor::Poll {
    fn build(_: &Combination) -> io::Result<Box<dyn Reactor>> {
        Ok(Box::new(Self::new()?))
    }
}

/// A type that stands for a timer queue. Implement it for your own queue, and it can stand in [`Runtime`](crate::Runtime).
pub trait TimersKind: 'static {
    /// Makes the queue.
    fn build(combination: &Combination) -> Box<dyn Timers>;
}

impl TimersKind for Any {
    fn build(combination: &Combination) -> Box<dyn Timers> {
        match combination.timers() {
            "wheel" => polyloop_time::Wheel::build(combination),
            "heap" => polyloop_time::Heap::build(combination),
            other => unreachable!("a combination names a timer queue of its table, not `{other}`"),
        }
    }
}

impl TimersKind for polyloop_time::Wheel {
    fn build(_: &Combination) -> Box<dyn Timers> {
        Box::new(Self::new())
    }
}

impl TimersKind for polyloop_time::Heap {
    fn build(_: &Combination) -> Box<dyn Timers> {
        Box::new(Self::new())
    }
}
