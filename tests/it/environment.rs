//! The variable `POLYLOOP`, read by a process of its own: nothing may change the environment of one that has threads.

use polyloop::Runtime;
use polyloop_conformance::skip;
use std::process::Command;

/// Asks for so many workers by [`polyloop::Builder::worker_threads`]. Only the script below knows it.
const ASKED: &str = "POLYLOOP_TEST_WORKERS";

/// Says what `Runtime::from_env` makes, to the tests below, which run it in a process of its own.
#[test]
fn child() {
    match Runtime::from_env() {
        Ok(runtime) => println!("<{}>", runtime.combination()),
        Err(error) => println!("<{error}>"),
    }
}

fn said(value: Option<&str>) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["environment::child", "--exact", "--nocapture"]).env_remove("POLYLOOP");
    if let Some(value) = value {
        child.env("POLYLOOP", value);
    }
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let said = output.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    said.unwrap_or_else(|| panic!("{output}")).0.to_owned()
}

#[test]
fn the_variable_chooses() {
    assert_eq!(said(None), "steal+mio+wheel");
    assert_eq!(said(Some("fifo")), "fifo+mio+wheel");
    assert_eq!(said(Some("steal:3+poll+heap")), "steal:3+poll+heap");
    assert_eq!(said(Some("")), "steal+mio+wheel", "as `POLYLOOP= program` is meant in a shell");
    assert_eq!(
        said(Some("+poll")),
        "POLYLOOP: unknown executor ``; there are fifo, steal, global, percore, fair, edf"
    );
    assert_eq!(
        said(Some("lifo")),
        "POLYLOOP: unknown executor `lifo`; there are fifo, steal, global, percore, fair, edf"
    );
    assert!(said(Some("fifo:2")).starts_with("POLYLOOP: "));
    assert!(said(Some("steal:0")).starts_with("POLYLOOP: "));
    assert!(said(Some("fifo+mio+wheel+x")).starts_with("POLYLOOP: "));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_an_error() {
    use std::os::unix::ffi::OsStrExt;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["environment::child", "--exact", "--nocapture"]);
    child.env("POLYLOOP", std::ffi::OsStr::from_bytes(b"fi\xff"));
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    assert!(output.contains("<POLYLOOP: not valid Unicode>"), "{output}");
}

/// Says how many workers there are, to the tests below, which run it in a process of its own.
#[test]
fn count_workers() {
    let mut builder = polyloop::Builder::from_env();
    if let Ok(asked) = std::env::var(ASKED) {
        builder = builder.worker_threads(asked.parse().unwrap());
    }
    println!("<{}>", builder.build().map_or(0, |runtime| runtime.metrics().num_workers()));
}

/// How many workers there are on these processors, by this variable, when so many are asked for.
#[cfg(target_os = "linux")]
fn workers(processors: Option<&str>, variable: &str, asked: Option<&str>) -> usize {
    let me = std::env::current_exe().unwrap();
    let mut child = match processors {
        Some(processors) => {
            let mut child = Command::new("taskset");
            child.args(["-c", processors]).arg(me);
            child
        }
        None => Command::new(me),
    };
    child.args(["environment::count_workers", "--exact", "--nocapture"]).env("POLYLOOP", variable);
    if let Some(asked) = asked {
        child.env(ASKED, asked);
    }
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let said = output.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    said.unwrap_or_else(|| panic!("{output}")).0.parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_number_by_the_program_wins_then_the_variables_then_the_machines() {
    let machines = std::thread::available_parallelism().unwrap().get();
    assert_eq!(workers(None, "steal", None), machines);
    assert_eq!(workers(None, "steal:3", None), 3);
    assert_eq!(workers(None, "steal:3", Some("2")), 2);
    assert_eq!(workers(None, "steal", Some("5")), 5);
    assert_eq!(workers(None, "fifo", None), 1);
    assert_eq!(workers(None, "fifo", Some("1")), 1);
    // Errors of `build`, all of them.
    assert_eq!(workers(None, "fifo", Some("2")), 0);
    assert_eq!(workers(None, "steal", Some("0")), 0);
    assert_eq!(workers(None, "steal", Some("1025")), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_may_use_one_processor_gets_one_worker() {
    if let Err(error) = Command::new("taskset").arg("--version").output() {
        return skip(&format!("taskset: {error}"));
    }
    assert_eq!(workers(Some("0"), "steal", None), 1);
    assert_eq!(workers(Some("0"), "steal:3", None), 3);
    assert_eq!(workers(Some("0"), "steal", Some("2")), 2);
}
