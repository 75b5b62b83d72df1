//! Conformance mounted on every combination, and tests of the whole system: all of it is in `it/`.

#![forbid(unsafe_code)]
