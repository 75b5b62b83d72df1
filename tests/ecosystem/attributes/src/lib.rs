//! What the attributes say when they are used wrongly, and where: see `tests/`.

#![forbid(unsafe_code)]
