//! Pages over HTTP and TLS: all of it is in `tests/`.

#![forbid(unsafe_code)]
