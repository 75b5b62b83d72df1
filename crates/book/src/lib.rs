//! The programs of the Rust Book's chapter on async: one file each, written as a learner writes them, with what they must print.
//!
//! [`PROGRAMS`] is the table; [`judge`] says whether an output is as predicted; [`run_child`] runs a program in a process of its
//! own, because a program's runtime is chosen by a variable and its `main` ends.
//!
//! Invariant: a prediction is an order that is forced (within a future, by a message, by half a second), never a whole output where
//! that is up to the executor.

#![forbid(unsafe_code)]

mod child;
#[cfg(feature = "pages")]
mod pages;
mod predicted;
mod programs;

pub use child::{ARGUMENT, How, Ran, run_child, run_here};
pub use predicted::{Mismatch, Predicted, judge};
pub use programs::{PROGRAMS, Program};

/// The guide's chapter about all this, as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/chapter17.md")]
mod guide {}
