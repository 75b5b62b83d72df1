//! `get`, `try_get`, `Client` and `Html`, on every combination, against servers on loopback that behave and that do not.
//!
//! Invariant: nothing leaves loopback, and nothing that a server does makes a client hang or panic.

#![forbid(unsafe_code)]

mod answers;
mod api;
mod bad_servers;
mod certificates;
mod misuse;
mod pages;
mod redirects;
mod server;
