//! Broken parts on purpose: each suite must find what is wrong with them.
//!
//! Invariant: every broken part is a sound one with one fault switched on, and the sound one passes. So what is found is
//! the fault, and a suite that cannot fail would be found here.

#![forbid(unsafe_code)]

mod executors;
mod mutants;
mod reactors;
mod tasks;

mod timers;
