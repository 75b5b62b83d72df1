//! The detectors around good and bad futures, and around good and bad runtimes.

#![forbid(unsafe_code)]

mod examples;
mod futurelock;
mod kit;
mod limits;
mod quiet;
mod threads;
mod wakers;
