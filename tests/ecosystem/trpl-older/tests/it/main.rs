//! The original before that one, 0.2.0, does what ours must do: the same names compile, and the same predictions hold.

#![forbid(unsafe_code)]

#[path = "../../../../../crates/trpl/tests/api.rs"]
mod api;
#[path = "../../../trpl-get/tests/it/api.rs"]
mod pages;
#[path = "../../../trpl-original/tests/it/predictions.rs"]
mod predictions;

#[test]
fn the_books_predictions_hold_for_the_older_original() {
    predictions::hold_for(env!("CARGO_BIN_EXE_older"));
}
