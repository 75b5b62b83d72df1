//! Every program on every combination, in processes of their own, and the command line.

use polyloop::Combination;
use polyloop_book::{PROGRAMS, judge, run_child};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

const BOOK: &str = env!("CARGO_BIN_EXE_book");

/// Each program on each combination that the predicate picks; the sleeping ones side by side.
fn all_as_predicted(real_time: bool) {
    for program in PROGRAMS.iter().filter(|program| program.real_time == real_time) {
        thread::scope(|scope| {
            for combination in Combination::ALL {
                scope.spawn(move || {
                    let name = combination.to_string();
                    let ran = run_child(Path::new(BOOK), program, &name, !real_time, &[], |_| {}).unwrap();
                    let what = format!("{} on {name}: {}{}", program.name, ran.output, ran.errors);
                    assert!(ran.status.success(), "{what}");
                    let judged = judge(&(program.predicted)(combination.executor()), &ran.output);
                    assert_eq!(judged, Ok(()), "{what}");
                    assert_eq!(ran.errors, "", "{what}");
                });
            }
        });
    }
}

#[test]
fn what_sleeps_is_as_the_chapter_says_and_takes_no_time() {
    all_as_predicted(false);
}

#[test]
fn what_blocks_or_uses_the_kernel_is_as_the_chapter_says_in_real_time() {
    all_as_predicted(true);
}

#[test]
fn only_the_variable_changes_who_waits_for_a_nap() {
    let program = PROGRAMS.iter().find(|program| program.name == "sleep-blocking-run").unwrap();
    let (one, several) = ((program.predicted)("fifo"), (program.predicted)("steal"));
    let ran = |name| run_child(Path::new(BOOK), program, name, false, &[], |_| {}).unwrap().output;
    let (on_one, on_several) = (ran("fifo"), ran("steal:2"));
    assert_eq!((judge(&one, &on_one), judge(&several, &on_several)), (Ok(()), Ok(())));
    assert!(judge(&several, &on_one).is_err() && judge(&one, &on_several).is_err());
}

fn book(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(BOOK).args(arguments).env_remove("POLYLOOP").output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_command_line_lists_runs_and_refuses() {
    let (code, listed, _) = book(&[]);
    assert_eq!(code, Some(0));
    assert!(PROGRAMS.iter().all(|program| listed.contains(program.name)), "{listed}");
    let (code, output, errors) = book(&["yields", "--on", "fifo+poll+heap", "--on", "steal:2"]);
    assert_eq!((code, output.lines().count()), (Some(0), 18), "{output}{errors}");
    assert!(errors.contains("yields on steal:2+mio+wheel") && errors.contains("as the chapter says"));
    assert_eq!(book(&["sleep-async", "--experiment"]).1, "sleep/async\n");
    assert_eq!(book(&["nothing"]).0, Some(4));
    for wrong in [&["yields", "--on", "tokio-mt"][..], &["--on"], &["yields", "--all"], &["--experiment"]] {
        let (code, output, errors) = book(wrong);
        assert_eq!((code, output.as_str()), (Some(2), ""), "{wrong:?}: {errors}");
    }
    let output = Command::new(BOOK).arg("yields").env("POLYLOOP", "tokio").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_program_is_named_once() {
    let mut names: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
