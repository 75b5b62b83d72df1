//! Bridges to runtimes that a library insists on.
//!
//! Whatever has an [adapter](crate::interop) or speaks through traits needs none of this, and has no second runtime beside it.

pub mod tokio;
