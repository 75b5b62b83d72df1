//! The original does what ours must do: the same names compile, and the same predictions hold.

#![forbid(unsafe_code)]

#[path = "../../../../../crates/trpl/tests/api.rs"]
mod api;

use polyloop_book::{PROGRAMS, judge};
use std::process::Command;
use std::thread;

const ORIGINAL: &str = env!("CARGO_BIN_EXE_original");

fn ran(arguments: &[&str]) -> String {
    let output = Command::new(ORIGINAL).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// At their own pace, side by side.
#[test]
fn the_books_predictions_hold_for_the_original() {
    let listed = ran(&[]);
    thread::scope(|scope| {
        for name in listed.lines() {
            // Pages want a server, which the book has and this has not.
            let Some(program) = PROGRAMS.iter().find(|program| program.name == name) else { continue };
            scope.spawn(move || {
                let output = ran(&[name]);
                assert_eq!(judge(&(program.predicted)("steal"), &output), Ok(()), "{name}: {output}");
            });
        }
    });
    let held = listed.lines().filter(|name| PROGRAMS.iter().any(|program| program.name == *name)).count();
    assert_eq!(held, 14, "{listed}");
}
