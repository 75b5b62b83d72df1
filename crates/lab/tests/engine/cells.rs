//! Cells that misbehave: each is a shown result, and the run goes on.

use crate::fake::MARKS;
use crate::harness::{AS_LAB, Folder, Ran, command, lab_json};
use polyloop_lab::cell::{Kind, Status};
use polyloop_lab::results::{Cell, Results};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_hang_is_killed_and_shown", a_hang_is_killed_and_shown),
    ("a_crash_a_panic_and_silence_are_told_apart", a_crash_a_panic_and_silence_are_told_apart),
    ("noise_on_stdout_does_not_hide_the_answer", noise_on_stdout_does_not_hide_the_answer),
    ("children_that_hold_the_pipes_are_ended", children_that_hold_the_pipes_are_ended),
    ("an_answer_is_not_the_end_of_a_process", an_answer_is_not_the_end_of_a_process),
    ("too_few_files_make_a_cell_unavailable", too_few_files_make_a_cell_unavailable),
    ("a_peers_mismatch_is_a_warning", a_peers_mismatch_is_a_warning),
    ("a_crash_beside_another_cell_is_never_asked_away", a_crash_beside_another_cell_is_never_asked_away),
    (
        "what_passes_only_alone_keeps_its_first_answer_in_sight",
        what_passes_only_alone_keeps_its_first_answer_in_sight,
    ),
    ("what_hangs_alone_too_stays_a_hang", what_hangs_alone_too_stays_a_hang),
    ("a_build_during_a_run_does_not_reach_its_cells", a_build_during_a_run_does_not_reach_its_cells),
    ("a_wrong_result_has_no_numbers", a_wrong_result_has_no_numbers),
    ("ctrl_c_leaves_a_valid_partial_result", ctrl_c_leaves_a_valid_partial_result),
];

fn only(results: &Results) -> &Cell {
    assert_eq!(results.cells.len(), 1);
    &results.cells[0]
}

fn one(case: &str, more: &[&str]) -> (Cell, i32) {
    let mut arguments = vec!["run", case, "--on", "steal+mio+wheel", "--format", "json"];
    arguments.extend(more);
    let (results, ran) = lab_json(&arguments);
    (only(&results).clone(), ran.code)
}

fn reason(cell: &Cell) -> &str {
    cell.reason.as_deref().expect("a reason")
}

fn a_hang_is_killed_and_shown() {
    let (cell, code) = one("odd/hangs", &["--timeout", "500ms"]);
    assert_eq!((cell.status, code), (Status::Timeout, 1));
    assert!(reason(&cell).starts_with("no result after 500 ms; killed"), "{cell:?}");
    assert!(reason(&cell).contains("about to hang"), "{cell:?}");
    let (cell, _) = one("odd/hangs", &["--timeout", "30ms"]);
    assert!(reason(&cell).starts_with("no result after 30 ms; killed"), "{cell:?}");
}

fn a_crash_a_panic_and_silence_are_told_apart() {
    for (case, words) in [
        ("odd/crashes", "SIGABRT"),
        ("odd/panics", "a panic with a message"),
        ("odd/silent", "ended without a result"),
        ("odd/garbage", "no outcome"),
    ] {
        let (cell, code) = one(case, &[]);
        assert_eq!((cell.status, code), (Status::Crash, 1), "{case}");
        assert!(reason(&cell).contains(words), "{case}: {cell:?}");
    }
}

fn noise_on_stdout_does_not_hide_the_answer() {
    let (cell, code) = one("odd/noisy", &[]);
    assert_eq!((cell.status, code), (Status::Pass, 0));
}

/// The child of the cell would sleep for ten minutes with the pipes in its hands; the lab must not wait for it.
fn children_that_hold_the_pipes_are_ended() {
    let (cell, code) = one("odd/lingers", &["--timeout", "60s"]);
    assert_eq!((cell.status, code), (Status::Pass, 0));
}

fn an_answer_is_not_the_end_of_a_process() {
    let (dead, _) = one("odd/dies-after", &[]);
    assert_eq!(dead.status, Status::Crash);
    assert!(reason(&dead).contains("died after it"), "{dead:?}");
    let (stubborn, _) = one("odd/stubborn", &[]);
    assert_eq!(stubborn.status, Status::Timeout);
    assert!(reason(&stubborn).contains("still there"), "{stubborn:?}");
}

fn too_few_files_make_a_cell_unavailable() {
    let (cell, code) = one("odd/files", &[]);
    assert_eq!((cell.status, code), (Status::Unavailable, 0));
    assert!(reason(&cell).contains("open files"), "{cell:?}");
    let (_, code) = one("odd/unavailable", &["--strict"]);
    assert_eq!(code, 3);
}

fn a_peers_mismatch_is_a_warning() {
    let run =
        |subject| lab_json(&["run", "odd/peer-fails", "odd/fails", "--on", subject, "--format", "json"]);
    let (results, ran) = run("tokio-mt");
    assert!(results.cells.iter().all(|cell| cell.status == Status::Fail));
    assert_eq!(ran.code, 0);
    assert_eq!(run("steal+mio+wheel").1.code, 1);
}

/// A matrix of one case that goes wrong only the first time, with experiments side by side.
fn once(case: &str) -> (Cell, Ran, String) {
    let folder = Folder::new();
    let out = folder.join("out");
    let arguments = ["matrix", "--filter", case, "--on", "steal+mio+wheel", "--jobs", "2"];
    let output = command(&arguments)
        .args(["--timeout", "500ms", "--out", &out])
        .env(MARKS, folder.path())
        .output()
        .expect("the lab starts");
    let results = Results::read(Path::new(&out)).expect("results");
    (only(&results).clone(), output.into(), folder.read("out/results.md") + &folder.read("out/report.html"))
}

fn a_crash_beside_another_cell_is_never_asked_away() {
    let (cell, ran, _) = once("once/crashes");
    assert_eq!((cell.status, ran.code), (Status::Crash, 1), "{}", ran.stderr);
}

fn what_passes_only_alone_keeps_its_first_answer_in_sight() {
    for (case, word, first) in [
        ("once/fails", "FAIL", "observed b before a, once; passed alone"),
        ("once/hangs", "TIMEOUT", "no result after 500 ms; killed; passed 3 times alone"),
    ] {
        let (cell, ran, files) = once(case);
        assert_eq!((cell.status, ran.code), (Status::Pass, 0), "{}", ran.stderr);
        let kept = cell.first_answer.expect("the first answer");
        assert!(kept.starts_with(word) && kept.ends_with(first), "{kept}");
        assert!(ran.stderr.contains("asked again alone"), "{}", ran.stderr);
        assert!(ran.stdout.contains(&kept) && files.matches(&kept).count() >= 2, "{}", ran.stdout);
        assert!(ran.stdout.contains("1 cell did so only when asked again alone."), "{}", ran.stdout);
    }
}

#[cfg(target_os = "linux")]
fn a_build_during_a_run_does_not_reach_its_cells() {
    let folder = Folder::new();
    let copy = folder.path().join("copy-of-the-lab");
    std::fs::copy(std::env::current_exe().expect("own path"), &copy).expect("a copy");
    let output = std::process::Command::new(&copy)
        .args(["run", "odd/replaced", "once/fails", "--on", "steal+mio+wheel", "--format", "json"])
        .env(AS_LAB, "1")
        .env(MARKS, folder.path())
        .output()
        .expect("the lab starts");
    let ran = Ran::from(output);
    assert!(!copy.exists());
    let results: Results = serde_json::from_str(&ran.stdout).expect("results");
    // The second cell ran as the fake does without its file: it fails the first time, and does not crash.
    let statuses: Vec<Status> = results.cells.iter().map(|cell| cell.status).collect();
    assert_eq!(statuses, [Status::Pass, Status::Fail], "{}", ran.stderr);
}

#[cfg(not(target_os = "linux"))]
fn a_build_during_a_run_does_not_reach_its_cells() {}

fn what_hangs_alone_too_stays_a_hang() {
    let (cell, ran, _) = once("odd/hangs");
    assert_eq!((cell.status, ran.code), (Status::Timeout, 1));
    assert_eq!(reason(&cell).matches("no result after").count(), 2, "{cell:?}");
}

fn a_wrong_result_has_no_numbers() {
    let (results, ran) = lab_json(&[
        "matrix",
        "--on",
        "steal+mio+wheel",
        "--filter",
        "nan",
        "--filter",
        "flaky",
        "--rounds",
        "5",
        "--format",
        "json",
        "--out",
        &Folder::new().join("out"),
    ]);
    assert_eq!(ran.code, 1);
    for cell in results.cells.iter().filter(|cell| cell.kind == Kind::Bench) {
        assert_eq!(cell.status, Status::Fail, "{cell:?}");
        assert!(cell.metrics.is_empty());
    }
}

/// The first cell hangs, so that the signal surely finds the run under way, whatever the machine's speed.
fn ctrl_c_leaves_a_valid_partial_result() {
    let folder = Folder::new();
    let out = folder.join("out");
    let mut child = command(&[
        "matrix",
        "--filter",
        "odd/hangs",
        "--filter",
        "spawn_join",
        "--timeout",
        "600s",
        "--jobs",
        "1",
        "--out",
        &out,
    ])
    .stdout(Stdio::null())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the lab starts");
    let mut stderr = child.stderr.take().expect("stderr");
    let mut said = Vec::new();
    let mut byte = [0];
    // The line of the first phase: from here on the handler is in place and a cell runs or is about to.
    while !String::from_utf8_lossy(&said).contains("experiments: ") {
        assert_eq!(stderr.read(&mut byte).expect("stderr"), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal");
    stderr.read_to_end(&mut said).expect("stderr");
    let status = child.wait().expect("an end");
    assert_eq!(status.code(), Some(130), "{}", String::from_utf8_lossy(&said));
    let results = Results::read(std::path::Path::new(&out)).expect("a valid results.json");
    assert!(!results.run.complete);
    assert!(
        results
            .cells
            .iter()
            .all(|cell| cell.status == Status::NotRun && cell.reason.is_some() || cell.same_as.is_some())
    );
    for name in ["out/report.html", "out/results.md"] {
        assert!(folder.read(name).contains("stopped before its end"), "{name}");
    }
}
