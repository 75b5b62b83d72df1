//! The suites for single parts, each part alone: reactors bare and in the kernel's bad days, timer queues, task cells.
//!
//! Invariant: one line mounts a part, and whatever part there is has its line.

mod reactors;
mod tasks;
mod timers;
