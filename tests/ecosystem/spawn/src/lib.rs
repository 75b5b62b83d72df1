//! `futures` spawns, `criterion` blocks: see `tests/`.

#![forbid(unsafe_code)]
