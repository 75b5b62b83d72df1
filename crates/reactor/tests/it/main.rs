//! What is each reactor's own: its files, its system calls, a foreign loop around it, and the wrapper that has bad days.
//! What all reactors have in common is the suite of `polyloop-conformance`, mounted in the `tests` package.

mod chaos;
#[cfg(target_os = "linux")]
mod fds;
mod foreign;
#[cfg(target_os = "linux")]
mod strace;
#[cfg(target_os = "linux")]
mod subjects;
