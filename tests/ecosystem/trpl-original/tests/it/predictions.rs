//! What the book predicts of its programs, held against an original.

use polyloop_book::{How, PROGRAMS, judge, run_child};
use std::path::Path;
use std::process::Command;
use std::thread;

/// Runs each program that `original` has, at its own pace, side by side, and asserts that the prediction holds.
pub(crate) fn hold_for(original: &str) {
    let listed = Command::new(original).output().unwrap().stdout;
    let listed = String::from_utf8(listed).unwrap();
    let programs = PROGRAMS.iter().filter(|program| listed.lines().any(|name| name == program.name));
    assert_eq!(programs.clone().count(), 16, "{listed}");
    thread::scope(|scope| {
        for program in programs {
            scope.spawn(move || {
                let how = How { combination: "steal", paused: false, arguments: &[], timeline: None };
                let ran = run_child(Path::new(original), program, how, |_| {}).unwrap();
                let what = format!("{}: {}{}", program.name, ran.output, ran.errors);
                assert!(ran.status.success(), "{what}");
                assert_eq!(judge(&(program.predicted)("steal"), &ran.output), Ok(()), "{what}");
            });
        }
    });
}
