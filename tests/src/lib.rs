//! Conformance mounted on every combination, and tests of the whole system: all of it is in `it/`.
//!
//! Here is the code of the guide, chapter by chapter, and that of the README, as documentation tests.

#![forbid(unsafe_code)]

#[doc = include_str!("../../docs/guide/backends.md")]
pub mod backends {}

#[doc = include_str!("../../docs/guide/cookbook.md")]
pub mod cookbook {}

#[doc = include_str!("../../README.md")]
pub mod readme {}

#[doc = include_str!("../../docs/guide/tokio.md")]
pub mod tokio {}
