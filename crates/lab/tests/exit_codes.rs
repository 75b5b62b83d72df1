//! What the lab's own executable ends with, code by code; 101 is the build's, and tested where the build is started, in `xtask`.

#![forbid(unsafe_code)]
#![cfg(unix)]

#[cfg(target_os = "linux")]
use polyloop_conformance::skip;
use polyloop_lab::results::Results;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const LAB: &str = env!("CARGO_BIN_EXE_polyloop-lab");

fn lab(arguments: &[&str]) -> Output {
    Command::new(LAB).args(arguments).stdin(Stdio::null()).output().expect("the lab starts")
}

/// The code, and what was said about it.
#[track_caller]
fn ends(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("exit-{name}-{}", std::process::id()));
    // It may be left from a run that was stopped, whose number this process has by chance.
    let _ = std::fs::remove_dir_all(&path);
    path.to_str().expect("a plain path").to_owned()
}

#[test]
fn all_is_well_is_0() {
    let output = lab(&["run", "select-bias", "--on", "fifo", "--on", "steal:2"]);
    ends(&output, 0, "experiments: 4/4");
}

#[test]
fn a_policy_that_one_thread_cannot_keep_is_0_and_says_why() {
    let output = lab(&["run", "lifo-trap", "--on", "fifo,block=handoff"]);
    ends(&output, 0, "");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("unsupported: one thread, !Send"), "{told}");
}

/// The bench ran twice as slow as before, surely.
#[test]
fn a_limit_that_is_exceeded_is_1() {
    let (old, new) = (folder("old"), folder("new"));
    let bench = ["matrix", "--on", "fifo", "--filter", "yield", "--rounds", "5", "--out"];
    ends(&lab(&[&bench[..], &[&old]].concat()), 0, "results.json");
    let mut results = Results::read(Path::new(&old)).expect("results");
    for metric in results.cells.iter_mut().flat_map(|cell| cell.metrics.values_mut()) {
        // All equal, so that the interval is narrow on a busy machine, too.
        let (median, rounds) = (metric.median, metric.samples.len());
        metric.samples = vec![median; rounds];
    }
    // Nor may its copy differ from it, as it does on a busy machine.
    results.cases.iter_mut().for_each(|case| case.noise_floor = Some(0.0));
    results.run.noise_floor = Some(0.0);
    let write = |folder: &str, results: &Results| {
        std::fs::create_dir_all(folder).expect("a folder");
        let file = Path::new(folder).join("results.json");
        std::fs::write(file, results.to_json().expect("JSON")).expect("a file");
    };
    write(&old, &results);
    for metric in results.cells.iter_mut().flat_map(|cell| cell.metrics.values_mut()) {
        metric.samples.iter_mut().for_each(|sample| *sample *= 2.0);
        metric.median *= 2.0;
    }
    write(&new, &results);
    let output = lab(&["compare", &old, &new, "--fail-on", "5%"]);
    ends(&output, 1, "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("+100.0 % worse"), "{output:?}");
    ends(&lab(&["compare", &old, &old, "--fail-on", "5%"]), 0, "");
    for folder in [old, new] {
        std::fs::remove_dir_all(folder).expect("removed");
    }
}

#[test]
fn a_wrong_name_is_2() {
    let output = lab(&["run", "select-bias", "--on", "steal+uring+heap"]);
    ends(&output, 2, "unknown reactor `uring`; there are mio, polling, poll");
}

/// 200 clients cannot be had with 64 files.
#[test]
fn what_this_machine_lacks_is_3_if_strict() {
    let limited = |strict: &str| {
        let script = format!("ulimit -n 64 && exec {LAB} run echo/load --on fifo {strict}");
        Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).output().expect("a shell")
    };
    ends(&limited("--strict"), 3, "needs 500 open files, the limit is 64");
    let output = limited("");
    ends(&output, 0, "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("needs 500 open files"), "{output:?}");
}

/// Beside the results unless said, and never in the place of one that is there.
#[test]
fn a_report_is_made_again_where_its_results_lie() {
    let folder = folder("again");
    let run = ["matrix", "--on", "fifo", "--filter", "select-bias", "--out", &folder];
    ends(&lab(&run), 0, "results.json");
    ends(&lab(&["report", &folder]), 2, "already holds report.html");
    for made in ["report.html", "results.md"] {
        std::fs::remove_file(Path::new(&folder).join(made)).expect("it was made");
    }
    ends(&lab(&["report", &folder]), 0, "report.html");
    assert!(Path::new(&folder).join("report.html").exists());
    let file = format!("{folder}/results.json");
    ends(&lab(&["report", &file, "--out", &file]), 2, "is a file, where a folder is wanted");
    std::fs::remove_dir_all(folder).expect("removed");
}

/// Whoever read the progress has had enough, as `2>&1 >/dev/null | head -1` has.
#[test]
fn a_stderr_that_nobody_reads_ends_no_run() {
    let folder = folder("unread");
    let run = [
        "matrix",
        "--on",
        "fifo",
        "--filter",
        "select-bias",
        "--filter",
        "yield",
        "--rounds",
        "1",
        "--out",
        &folder,
    ];
    let mut child = Command::new(LAB);
    let child = child.args(run).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the lab starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert!(Results::read(Path::new(&folder)).expect("results").run.complete);
    std::fs::remove_dir_all(folder).expect("removed");
}

/// Whoever read the progress leaves while experiments run, some of them side by side.
#[test]
fn a_stderr_that_is_closed_during_the_experiments_loses_no_run() {
    let (mut child, said, out) = under_way("left", "select-bias", &[], Stdio::null());
    drop(said);
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert!(Results::read(Path::new(&out)).expect("results").run.complete);
    assert!(Path::new(&out).join("report.html").exists());
    std::fs::remove_dir_all(out).expect("removed");
}

#[test]
fn nothing_that_matches_is_4() {
    ends(
        &lab(&["run", "sleeep", "--on", "fifo"]),
        4,
        "no case matches \"sleeep\" (did you mean `sleep`?); there are delay, sleep",
    );
}

/// The folder has what there is, and is told.
#[test]
fn ctrl_c_is_130() {
    stopped_by("ctrl-c", &[Signal::INT], &[], Stdio::null());
}

/// Once by the shell and once by the kernel. The test itself may ignore it, and what it starts then does, too.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_is_closed_stops_a_run_as_ctrl_c_does() {
    let words = ["env", "--default-signal=HUP"];
    if Command::new(words[0]).args([words[1], "true"]).status().is_ok_and(|status| status.success()) {
        stopped_by("hup", &[Signal::HUP, Signal::HUP], &words, Stdio::null());
    } else {
        skip("env --default-signal: wants GNU coreutils 8.31 or newer");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_stopped_ends_as_that_also_where_nothing_can_be_shown() {
    stopped_by("shown-to-nobody", &[Signal::INT], &[], full().into());
}

/// Where nothing can be written.
#[cfg(target_os = "linux")]
fn full() -> std::fs::File {
    std::fs::File::options().write(true).open("/dev/full").expect("a device that is full")
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let (mut child, mut said, out) = under_way("nohup", "select-bias", &["nohup"], Stdio::null());
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::HUP).expect("a signal");
    assert!(said.any(|line| line.expect("stderr").starts_with("data ")));
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert!(Results::read(Path::new(&out)).expect("results").run.complete);
    std::fs::remove_dir_all(out).expect("removed");
}

type Said = std::io::Lines<BufReader<std::process::ChildStderr>>;

/// A matrix of an experiment and a bench behind the words of another command, in its experiments, and its folder.
fn under_way(name: &str, experiment: &str, words: &[&str], stdout: Stdio) -> (Child, Said, String) {
    let out = folder(name);
    let run = [LAB, "matrix", "--on", "fifo", "--filter", experiment, "--filter", "yield", "--rounds", "1"];
    let line = [words, &run, &["--out", &out]].concat();
    let mut command = Command::new(line[0]);
    command.args(&line[1..]).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the lab starts");
    let mut said = BufReader::new(child.stderr.take().expect("stderr")).lines();
    // The handlers are in place before the first one begins.
    assert!(said.any(|line| line.expect("stderr").starts_with("experiments: ")));
    (child, said, out)
}

#[track_caller]
fn stopped_by(name: &str, signals: &[Signal], words: &[&str], stdout: Stdio) {
    // The experiment sleeps for six seconds.
    let (mut child, said, out) = under_way(name, "channel", words, stdout);
    for signal in signals {
        kill_process(Pid::from_child(&child), *signal).expect("a signal");
    }
    let rest: Vec<String> = said.map(|line| line.expect("stderr")).collect();
    assert_eq!(child.wait().expect("an end").code(), Some(130), "{rest:?}");
    assert!(!Results::read(Path::new(&out)).expect("a valid results.json").run.complete);
    assert!(Path::new(&out).join("report.html").exists() && Path::new(&out).join("results.md").exists());
    std::fs::remove_dir_all(out).expect("removed");
}

/// What was measured is in the folder, whatever becomes of what is shown.
#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_is_full_loses_nothing() {
    for format in ["table", "json"] {
        let out = folder(&format!("full-{format}"));
        let run = ["matrix", "--on", "fifo", "--filter", "select-bias", "--format", format, "--out", &out];
        let output =
            Command::new(LAB).args(run).stdin(Stdio::null()).stdout(full()).output().expect("the lab");
        ends(&output, 2, "error: stdout cannot be written: ");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("data ") && !said.contains("panicked"), "{said}");
        assert!(Results::read(Path::new(&out)).expect("results").run.complete);
        assert!(Path::new(&out).join("report.html").exists() && Path::new(&out).join("results.md").exists());
        std::fs::remove_dir_all(out).expect("removed");
    }
}
