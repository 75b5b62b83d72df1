//! The original, 0.3.0, does what ours must do: the same names compile, and the same predictions hold.

#![forbid(unsafe_code)]

#[path = "../../../../../crates/trpl/tests/api.rs"]
mod api;
#[path = "../../../../../crates/trpl/tests/api_0_3.rs"]
mod api_0_3;
#[path = "../../../trpl-get/tests/it/api.rs"]
mod pages;
mod predictions;

#[test]
fn the_books_predictions_hold_for_the_original() {
    predictions::hold_for(env!("CARGO_BIN_EXE_original"));
}
