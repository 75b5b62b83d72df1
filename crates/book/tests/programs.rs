//! Every program on every combination, in processes of their own, and the command line.

use polyloop::Combination;
use polyloop_book::{How, PROGRAMS, judge, run_child};
use polyloop_timeline::Recording;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

const BOOK: &str = env!("CARGO_BIN_EXE_book");

fn how(combination: &str, paused: bool) -> How<'_> {
    How { combination, paused, arguments: &[], timeline: None }
}

/// Each program on each combination that the predicate picks; the sleeping ones side by side.
fn all_as_predicted(real_time: bool) {
    for program in PROGRAMS.iter().filter(|program| program.real_time == real_time) {
        thread::scope(|scope| {
            for combination in Combination::ALL {
                scope.spawn(move || {
                    let name = combination.to_string();
                    let ran = run_child(Path::new(BOOK), program, how(&name, !real_time), |_| {}).unwrap();
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
    let ran = |name| run_child(Path::new(BOOK), program, how(name, false), |_| {}).unwrap().output;
    let (on_one, on_several) = (ran("fifo"), ran("steal:2"));
    assert_eq!((judge(&one, &on_one), judge(&several, &on_several)), (Ok(()), Ok(())));
    assert!(judge(&several, &on_one).is_err() && judge(&one, &on_several).is_err());
}

fn book(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(BOOK).args(arguments).env_remove("POLYLOOP").env("COLUMNS", "140").output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_command_line_lists_runs_and_refuses() {
    let (code, listed, _) = book(&[]);
    assert_eq!(code, Some(0));
    assert!(PROGRAMS.iter().all(|program| listed.contains(program.name)), "{listed}");
    let (code, output, errors) =
        book(&["yields", "--on", "fifo+poll+heap", "--on", "steal:2", "--no-timeline"]);
    assert_eq!((code, output.lines().count()), (Some(0), 18), "{output}{errors}");
    assert!(errors.contains("yields on steal:2+mio+wheel") && errors.contains("as the chapter says"));
    assert_eq!(book(&["sleep-async", "--experiment"]).1, "sleep/async\n");
    assert_eq!(book(&["nothing"]).0, Some(4));
    for wrong in [&["yields", "--on", "tokio-mt"][..], &["--on"], &["yields", "--all"], &["--experiment"]] {
        let (code, output, errors) = book(wrong);
        assert_eq!((code, output.as_str()), (Some(2), ""), "{wrong:?}: {errors}");
    }
    let missing = ["--timeline", "/nowhere/at/all"];
    for wrong in [&missing[..], &["yields", "--timeline", "x"], &["--timeline", BOOK]] {
        assert_eq!(book(wrong).0, Some(2), "{wrong:?}");
    }
    let (_, _, errors) = book(&missing);
    assert!(errors.contains("trpl's feature `timeline`") && errors.lines().count() == 1, "{errors}");
    let output = Command::new(BOOK).arg("yields").env("POLYLOOP", "tokio").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Other runtimes are named where somebody may have meant one, and not after a slip in a name of ours.
#[test]
fn a_wrong_subject_is_told_what_there_is() {
    for (subject, peers) in
        [("fifo+", false), ("steal:0", false), ("fifo,lifo=off", false), ("tokio", true), ("x+mio", true)]
    {
        let (code, _, errors) = book(&["yields", "--on", subject]);
        assert_eq!(
            (code, errors.contains("tokio-mt"), errors.lines().count()),
            (Some(2), peers, 1),
            "{errors}"
        );
    }
}

/// A file that nobody else writes.
fn free_file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("polyloop-book-test-{}-{name}.json", std::process::id()))
}

/// What has a lane besides `main`, without the places.
const LANES: &[(&str, &[&str])] = &[
    ("futures-join", &["join 1st", "join 2nd"]),
    ("sleep-async", NAP),
    ("sleep-blocking", NAP),
    ("sleep-blocking-run", NAP),
    ("messages", &["join 1st", "join 2nd"]),
    ("two-senders", &["join3 1st", "join3 2nd", "join3 3rd"]),
    ("join-macro", &["join! 1st", "join! 2nd", "join! 3rd"]),
    ("join-all", &["join_all 1st", "join_all 2nd", "join_all 3rd"]),
    ("starvation", &["race 1st", "race 2nd"]),
    ("yields", &["race 1st", "race 2nd"]),
    ("timeout", &["race 1st", "race 2nd", "race#2 1st", "race#2 2nd"]),
    ("first-page", &["race 1st", "race 2nd"]),
    ("stream-queue", &["task 1"]),
    ("stream-socket", &["task 1", "task 2"]),
    ("stream-throttled", &["race 1st", "race 2nd"]),
    ("stream-merged", &["task 1"]),
    ("stream-timed-out", &["task 1"]),
];
const NAP: &[&str] = &["task 1", "task 2", "task 3", "join_all 1st", "join_all 2nd", "join_all 3rd"];

#[test]
fn every_program_has_a_timeline_of_its_main_future_its_tasks_and_the_arms() {
    thread::scope(|scope| {
        for (program, combination) in
            PROGRAMS.iter().flat_map(|program| [(program, "fifo"), (program, "steal:2")])
        {
            scope.spawn(move || {
                let what = format!("{} on {combination}", program.name);
                let file = free_file(&what.replace([' ', ':'], "-"));
                let how = How { timeline: Some(&file), ..how(combination, !program.real_time) };
                let ran = run_child(Path::new(BOOK), program, how, |_| {}).unwrap();
                assert_eq!((ran.status.code(), ran.errors.as_str()), (Some(0), ""), "{what}");
                let recording = Recording::read(&file).unwrap();
                std::fs::remove_file(file).unwrap();
                let lanes = &recording.timeline.lanes;
                let labels: Vec<&str> =
                    lanes.iter().map(|lane| lane.label.split(" (").next().unwrap()).collect();
                let known = LANES.iter().find(|(name, _)| *name == program.name);
                let expected: Vec<&str> = ["main"]
                    .into_iter()
                    .chain(known.iter().flat_map(|(_, lanes)| lanes.iter().copied()))
                    .collect();
                assert_eq!(labels, expected, "{what}");
                for lane in lanes {
                    // The lesson of that program.
                    let never = (program.name, lane.label.as_str()) == ("starvation", "race 2nd");
                    assert_eq!(lane.polls.is_empty(), never, "{what}: {}", lane.label);
                }
                assert_eq!((recording.unlabelled, recording.timeline.why.is_empty()), (0, false), "{what}");
            });
        }
    });
}

#[test]
fn after_its_output_a_program_is_drawn_on_each_subject_and_a_file_as_well() {
    let (code, output, errors) = book(&["starvation", "--on", "fifo", "--on", "steal:2"]);
    assert_eq!(code, Some(0), "{errors}");
    for drawn in ["starvation  fifo+mio+wheel", "starvation  steal:2+mio+wheel"] {
        assert!(output.contains(drawn), "{output}");
    }
    let whys = output.matches("why: race 2nd was never polled").count();
    assert_eq!((whys, output.matches("never polled in").count()), (2, 2), "{output}");
    // What was printed is there twice more: as a mark of each.
    assert_eq!(output.matches("'a' started.").count(), 4, "{output}");

    let file = free_file("drawn");
    let program = PROGRAMS.iter().find(|program| program.name == "timeout").unwrap();
    run_child(Path::new(BOOK), program, How { timeline: Some(&file), ..how("fifo", true) }, |_| {}).unwrap();
    let (code, output, _) = book(&["--timeline", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
    assert_eq!(code, Some(0));
    assert!(output.contains("race#2 1st |") && output.contains("why:"), "{output}");
}

#[test]
fn every_program_is_named_once() {
    let mut names: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
