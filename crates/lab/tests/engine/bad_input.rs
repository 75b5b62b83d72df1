//! Bad input: one clear line with what is wrong and what is allowed, the right exit code, nothing lost.

use crate::harness::{Folder, lab};
use std::fs;

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("wrong_names_and_numbers_are_usage_errors", wrong_names_and_numbers_are_usage_errors),
    ("a_filter_that_matches_nothing_is_exit_4", a_filter_that_matches_nothing_is_exit_4),
    (
        "an_output_folder_that_cannot_be_used_is_refused_first",
        an_output_folder_that_cannot_be_used_is_refused_first,
    ),
    ("nothing_is_overwritten", nothing_is_overwritten),
    ("a_corrupt_results_file_is_said_to_be_so", a_corrupt_results_file_is_said_to_be_so),
    ("a_reader_that_goes_away_is_no_panic", a_reader_that_goes_away_is_no_panic),
];

fn wrong_names_and_numbers_are_usage_errors() {
    for (arguments, expected) in [
        (&["run", "starvation", "--on", "fifi+mio+wheel"][..], "allowed are"),
        (&["matrix", "--exec", "fifi"], "there are fifo, steal"),
        (&["matrix", "--reactor", "uring"], "there are mio, poll"),
        (&["matrix", "--peers", "glommio"], "smol-n, tokio-mt"),
        (&["matrix", "--budget", "soon"], "90s, 5m"),
        (&["matrix", "--scale", "0"], "0.01 to 10"),
        (&["matrix", "--rounds", "0"], "allowed are whole numbers from 1 to 10000"),
        (&["matrix", "--exec", "fifo", "--workers", "4"], "--workers 4: fifo cannot have so many"),
        (&["matrix", "--on", "fifo+mio+heap", "--workers", "1,4"], "--workers 4: fifo cannot have so many"),
        (
            &["matrix", "--rounds", "x"],
            "invalid value 'x' for '--rounds <N>': allowed are whole numbers from 1 to 10000",
        ),
        (
            &["matrix", "--rounds", "-5"],
            "invalid value '-5' for '--rounds <N>': allowed are whole numbers from 1 to 10000",
        ),
        (&["matrix", "--jobs", "-1"], "allowed are whole numbers from 1 to 64"),
        (&["matrix", "--workers", "-1"], "allowed are whole numbers from 1 to 1024"),
        (&["matrix", "--workers", "2,"], "allowed are whole numbers from 1 to 1024"),
        (&["matrix", "--seed", "-1"], "allowed are whole numbers from 0 to 18446744073709551615"),
        (&["matrix", "--scale", "-1"], "0.01 to 10"),
        (&["matrix", "--timeout", "-1s"], "90s, 5m"),
        (&["matrix", "--budget", "-5m"], "90s, 5m"),
        (&["matrix", "--fail-on", "-5%"], "percentages from 0"),
        (&["run", "sleep", "--width", "-80"], "allowed are whole numbers from 40 to 1000"),
        (&["counts", "--rounds", "-1"], "allowed are whole numbers from 1 to 1000"),
        (&["counts", "--seed", "1.5"], "allowed are whole numbers from 0"),
        (&["compare", "a", "b", "--fail-on", "-5%"], "percentages from 0"),
        (&["matrix", "--rouns", "5"], "a similar argument exists: '--rounds'"),
        (&["matrix", "--quick", "--full"], "cannot be used with"),
        (&["matrix", "--on", "steal+mio+wheel", "--exec", "fifi"], "cannot be used with"),
        (&["matrix", "--on", "steal+mio+wheel", "--reactor", "mio"], "cannot be used with"),
        (&["matrix", "--on", "steal+mio+wheel", "--timers", "heap"], "cannot be used with"),
        (&["matrix", "--on", "steal+mio+wheel", "--peers", "none"], "cannot be used with"),
        (&["matrix", "--no-such-flag"], "unexpected argument"),
        (&["matrix", "--format", "xml"], "possible values"),
        (&["dance"], "unrecognized subcommand"),
        (&["run"], "EXPERIMENT"),
    ] {
        let ran = lab(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{arguments:?}: {}", ran.stderr);
    }
}

fn a_filter_that_matches_nothing_is_exit_4() {
    let ran = lab(&["run", "starvatoin", "--on", "fifo+mio+wheel"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("there are starvation, sleep"), "{}", ran.stderr);
    // One that matches does not hide one that does not.
    let ran = lab(&["matrix", "--filter", "spawn_join", "--filter", "spwan_await", "--dry-run"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("no case matches \"spwan_await\""), "{}", ran.stderr);
}

fn an_output_folder_that_cannot_be_used_is_refused_first() {
    let folder = Folder::new();
    fs::write(folder.path().join("file"), "mine").expect("a file");
    let ran = lab(&["matrix", "--filter", "odd/hangs", "--out", &folder.join("file/below")]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot be made"), "{}", ran.stderr);
    assert_eq!(folder.read("file"), "mine");
}

fn nothing_is_overwritten() {
    let folder = Folder::new();
    fs::write(folder.path().join("results.json"), "precious").expect("a file");
    let ran = lab(&["matrix", "--filter", "sleep", "--out", &folder.join("")]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("already holds results.json"), "{}", ran.stderr);
    assert_eq!(folder.read("results.json"), "precious");
}

/// A cell of nobody, whose name would be a line of its own.
const SENSELESS: &str = r#"[{"subject": "no\nbody", "case": "sleep", "kind": "experiment", "status": "pass",
    "reason": null, "predicted": null, "observed": null}]"#;

fn run(rounds: &str, cells: &str) -> String {
    format!(
        r#"{{"schema": 1, "run": {{"id": "x", "started": "", "command": "lab", "seed": 1, "scale": 1.0, "complete": true,
            "commit": null, "rustc": null, "machine": {{}}, "noise_floor": null, "rounds": {rounds}}},
            "subjects": [], "cells": {cells}}}"#
    )
}

fn a_corrupt_results_file_is_said_to_be_so() {
    let folder = Folder::new();
    let path = folder.join("results.json");
    for (text, expected) in [
        ("{\"schema\": 1, \"run\": {", "not a results.json of schema 1"),
        ("{\"schema\": 7}", "has schema 7"),
        ("[]", "not a results.json"),
        ("", "not a results.json"),
        (&*run("-3", "[]"), "not a results.json"),
        (&*run("null", "[]"), "not a results.json"),
        (&*run("3", "[]"), "no run leaves such results: it has no cells"),
        (&*run("3", SENSELESS), "is of a subject that is not among its subjects"),
    ] {
        fs::write(&path, text).expect("a file");
        for arguments in [&["compare", &path, &path][..], &["report", &path, "--out", &folder.join("new")]] {
            let ran = lab(arguments);
            assert_eq!(ran.code, 2, "{text}: {}", ran.stderr);
            assert!(ran.stderr.contains(expected), "{text}: {}", ran.stderr);
            assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        }
        assert_eq!(folder.read("results.json"), text);
    }
    let ran = lab(&["compare", &folder.join("none"), &path]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("cannot be read"), "{}", ran.stderr);
}

fn a_reader_that_goes_away_is_no_panic() {
    use crate::harness::command;
    use std::process::Stdio;
    let mut child =
        command(&["list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the lab");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
