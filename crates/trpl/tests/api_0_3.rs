//! What the original has since 0.3.0, as `api.rs` has the rest.

use std::future::{Future, Ready, ready};
use trpl::Either;

/// The output of a future, by its type.
fn output<F: Future + Send>(_: &F) -> Option<F::Output> {
    None
}

#[test]
fn block_on_and_select_are_the_names_since_0_3() {
    let _: fn(Ready<u8>) -> u8 = trpl::block_on;
    let selected: Option<Either<u8, char>> = output(&trpl::select(ready(1_u8), ready('b')));
    assert!(selected.is_none());
    let first = trpl::block_on(trpl::select(std::future::pending::<u8>(), ready('b')));
    assert!(matches!(first, Either::Right('b')));
}
