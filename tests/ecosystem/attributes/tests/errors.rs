//! Mistakes with the attributes and macros, each compiled: what is said, and at which of the user's lines.
//!
//! Invariant: a mistake in an attribute is one error, at the user's token. The expected text stands beside each program in
//! `tests/errors/`; `TRYBUILD=overwrite cargo test -p ecosystem-attributes` writes it anew, to be read before it is kept. Errors of the
//! compiler's own are few there, because their words change with its versions.

#![forbid(unsafe_code)]

#[test]
fn each_mistake_is_told_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/errors/*.rs");
}
