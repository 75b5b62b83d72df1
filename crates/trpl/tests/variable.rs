//! The variable `POLYLOOP`, read by a process of its own: nothing may change the environment of one that has threads.

use std::process::{Command, Output};
use trpl::{Builder, Runtime};

/// What a child does; without it the tests that are scripts do nothing.
const SCRIPT: &str = "TRPL_TEST_SCRIPT";

#[test]
fn child() {
    let Ok(script) = std::env::var(SCRIPT) else { return };
    let shown = |runtime: std::io::Result<Runtime>| match runtime {
        Ok(runtime) => runtime.combination().to_string(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    };
    let said = match script.as_str() {
        "run" => trpl::run(async { polyloop::Handle::current().combination().to_string() }),
        "runtime" => shown(Runtime::new()),
        "one" => shown(Builder::new_current_thread().enable_all().build()),
        "several" => shown(Builder::new_multi_thread().enable_all().build()),
        "three" => shown(Builder::new_multi_thread().worker_threads(3).build()),
        "ignored" => shown(Builder::new_current_thread().worker_threads(3).build()),
        "twice" => {
            trpl::run(async {});
            trpl::run(async { String::new() })
        }
        "hour" => trpl::run(async {
            let begin = polyloop::time::Instant::now();
            trpl::sleep(std::time::Duration::from_secs(3600)).await;
            format!("{:?}", begin.elapsed())
        }),
        "none" => shown(Builder::new_multi_thread().worker_threads(0).build()),
        other => panic!("no script {other}"),
    };
    println!("<{said}>");
}

fn output(script: &str, value: Option<&str>) -> Output {
    with_clock(script, value, "system")
}

fn with_clock(script: &str, value: Option<&str>, clock: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["child", "--exact", "--nocapture"]).env(SCRIPT, script).env_remove("POLYLOOP");
    child.env("POLYLOOP_CLOCK", clock);
    if let Some(value) = value {
        child.env("POLYLOOP", value);
    }
    child.output().unwrap()
}

fn said(script: &str, value: Option<&str>) -> String {
    let output = String::from_utf8(output(script, value).stdout).unwrap();
    let said = output.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    said.unwrap_or_else(|| panic!("{output}")).0.to_owned()
}

#[test]
fn the_variable_names_the_backend() {
    for script in ["run", "runtime"] {
        assert_eq!(said(script, None), "steal+mio+wheel");
        for combination in polyloop::Combination::ALL.map(|combination| combination.to_string()) {
            assert_eq!(said(script, Some(&combination)), combination);
        }
        assert_eq!(said(script, Some("steal:3+poll,block=none")), "steal:3+poll+wheel,block=none");
    }
}

#[test]
fn one_thread_fixes_the_executor_only() {
    assert_eq!(said("one", None), "fifo+mio+wheel");
    assert_eq!(said("one", Some("steal:4+poll+heap")), "fifo+poll+heap");
    assert_eq!(said("one", Some("fair+polling")), "fifo+polling+wheel");
    assert_eq!(said("one", Some("fifo+poll+heap,block=detect")), "fifo+poll+heap,block=detect");
    // Options of the executor that does not run.
    assert_eq!(said("one", Some("steal+poll+heap,block=handoff,lifo=off")), "fifo+poll+heap");
    assert_eq!(said("ignored", Some("steal:4")), "fifo+mio+wheel");
}

#[test]
fn several_threads_leave_the_choice_among_those_that_have_them() {
    assert_eq!(said("several", None), "steal+mio+wheel");
    assert_eq!(said("several", Some("fifo+poll+heap")), "steal+poll+heap");
    assert_eq!(said("several", Some("edf:2+poll+heap")), "edf:2+poll+heap");
    assert_eq!(said("three", Some("fifo+poll+heap")), "steal:3+poll+heap");
    assert_eq!(said("three", Some("global:7")), "global:3+mio+wheel");
    assert!(said("none", None).contains("1 to 1024 are allowed"));
}

#[test]
fn a_wrong_variable_is_one_line_and_code_2_or_an_error() {
    let fault = "POLYLOOP: unknown executor `tokio`; there are fifo, steal, global, percore, fair, edf";
    let output = output("run", Some("tokio"));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{fault}\n"));
    for script in ["runtime", "one", "several"] {
        assert_eq!(said(script, Some("tokio")), format!("InvalidInput: {fault}"));
    }
}

/// `cargo xtask ecosystem` tests this crate as most build it.
#[cfg(not(feature = "timeline"))]
#[test]
fn who_asks_for_a_timeline_of_a_program_that_was_built_without_is_told_once() {
    let said = |value: &str| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["child", "--exact", "--nocapture"]).env(SCRIPT, "twice").env("POLYLOOP_TIMELINE", value);
        String::from_utf8(child.output().unwrap().stderr).unwrap()
    };
    let line = "POLYLOOP_TIMELINE: nothing is noted without trpl's feature `timeline`: cargo run --features trpl/timeline\n";
    assert_eq!(said("mine.json"), line);
    assert_eq!(said(""), "");
}

#[test]
fn a_paused_clock_takes_no_time_and_a_wrong_one_is_an_error() {
    for combination in polyloop::Combination::ALL.map(|combination| combination.to_string()) {
        let output = String::from_utf8(with_clock("hour", Some(&combination), "paused").stdout).unwrap();
        assert!(output.contains("<3600s>"), "{combination}: {output}");
    }
    let output = with_clock("hour", None, "sundial");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "POLYLOOP_CLOCK: unknown clock `sundial`; there are system, paused\n");
}
