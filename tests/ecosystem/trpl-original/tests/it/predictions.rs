//! What the book predicts of its programs, held against an original.

use polyloop_book::{PROGRAMS, judge};
use std::process::Command;
use std::thread;

/// Runs each program that `original` has, at its own pace, side by side, and asserts that the prediction holds.
pub(crate) fn hold_for(original: &str) {
    let ran = |arguments: &[&str]| {
        let output = Command::new(original).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
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
