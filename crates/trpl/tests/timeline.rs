//! The variable `POLYLOOP_TIMELINE`, read by a process of its own, because a process has one recording.

use polyloop_timeline::Recording;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// What a child does; without it the test that is a script does nothing.
const SCRIPT: &str = "TRPL_TEST_SCRIPT";

#[test]
fn child() {
    let Ok(script) = std::env::var(SCRIPT) else { return };
    let told = match script.as_str() {
        "tasks" => {
            trpl::run(async {
                let nap = trpl::spawn_task(async {
                    trpl::sleep(Duration::from_millis(5)).await;
                    1
                });
                let arm = async { nap.await.unwrap() };
                trpl::join!(arm, async { 2 }, trpl::join(async { 3 }, async { 4 }))
            })
            .0
        }
        "many" => trpl::run(async {
            let tasks: Vec<_> = (0..100).map(|_| trpl::spawn_task(trpl::yield_now())).collect();
            for task in tasks {
                task.await.unwrap();
            }
            100
        }),
        "twice" => trpl::run(async { 3 }) + trpl::run(async { 4 }),
        "panic" => trpl::run(async {
            trpl::yield_now().await;
            panic!("told")
        }),
        other => panic!("no script {other}"),
    };
    println!("<{told}>");
}

fn child_with(script: &str, file: Option<&Path>) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["child", "--exact", "--nocapture"]).env(SCRIPT, script).env("POLYLOOP", "fifo");
    match file {
        Some(file) => child.env("POLYLOOP_TIMELINE", file),
        None => child.env_remove("POLYLOOP_TIMELINE"),
    };
    child.output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("polyloop-trpl-{}-{name}.json", std::process::id()))
}

fn recorded(script: &str) -> (Output, Recording) {
    let file = file(script);
    let output = child_with(script, Some(&file));
    let recording = Recording::read(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    (output, recording)
}

fn labels(recording: &Recording) -> Vec<&str> {
    recording.timeline.lanes.iter().map(|lane| lane.label.as_str()).collect()
}

#[test]
fn what_goes_through_its_hands_has_lanes() {
    let (output, recording) = recorded("tasks");
    assert!(told(&output).contains("<1>"), "{output:?}");
    let task = format!("task 1 (timeline.rs:{})", line_of("let nap = trpl::spawn_task"));
    let expected = ["main", &task, "join 1st", "join 2nd", "join! 1st", "join! 2nd", "join! 3rd"];
    let mut found = labels(&recording);
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let nap = recording.timeline.lanes.iter().find(|lane| lane.label == task).unwrap();
    assert_eq!((nap.polls.len(), nap.wakes_us.len()), (2, 2), "spawned and polled, then due and polled");
    assert_eq!((recording.on.as_str(), recording.unlabelled), ("fifo+mio+wheel", 0));
}

/// The line of this file that has `text`.
fn line_of(text: &str) -> usize {
    1 + include_str!("timeline.rs").lines().position(|line| line.contains(text)).unwrap()
}

#[test]
fn of_more_futures_than_can_be_looked_at_the_rest_is_counted() {
    let (output, recording) = recorded("many");
    assert!(told(&output).contains("<100>"), "{output:?}");
    assert_eq!((recording.timeline.lanes.len(), recording.unlabelled), (64, 37));
}

#[test]
fn the_next_run_of_a_process_is_added_and_a_panic_loses_nothing() {
    assert_eq!(labels(&recorded("twice").1), ["main", "main#2"]);
    let (output, recording) = recorded("panic");
    assert!(!output.status.success());
    assert_eq!((labels(&recording), recording.timeline.lanes[0].polls.len()), (vec!["main"], 2));
}

#[test]
fn a_file_that_cannot_be_written_is_one_line_and_changes_nothing() {
    let nowhere = file("no").join("such").join("folder");
    let output = child_with("tasks", Some(&nowhere));
    assert!(output.status.success() && told(&output).contains("<1>"), "{output:?}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = errors.lines().filter(|line| line.contains("POLYLOOP_TIMELINE")).collect();
    assert_eq!(lines.len(), 1, "{errors}");
    assert!(lines[0].contains("cannot be written: "), "{errors}");
}

#[test]
fn without_the_variable_nothing_is_written() {
    for empty in [None, Some(Path::new(""))] {
        let output = child_with("tasks", empty);
        assert!(told(&output).contains("<1>"), "{output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("POLYLOOP_TIMELINE"), "{output:?}");
    }
}
