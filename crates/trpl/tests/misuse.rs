//! Calls in the wrong place say what to do, at the caller's own line.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

const REMEDY: &str = "change that `use` line to `use trpl::Builder`";

/// What it panics with.
fn told<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { panic!("it did not panic") };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn outside_of_a_runtime() {
    for text in [
        told(|| trpl::spawn_task(async {})),
        told(|| trpl::sleep(Duration::ZERO)),
        told(|| trpl::interval(Duration::from_secs(1))),
        told(|| trpl::StreamExt::timeout(trpl::stream_from_iter([1]), Duration::ZERO)),
        told(|| trpl::StreamExt::throttle(trpl::stream_from_iter([1]), Duration::from_secs(1))),
    ] {
        assert!(text.contains("inside `trpl::run(async { … })`") && text.contains(REMEDY), "{text}");
    }
    let error = futures::executor::block_on(trpl::read_to_string("Cargo.toml")).unwrap_err();
    assert!(error.to_string().contains(REMEDY), "{error}");
    // What needs no runtime.
    let (sender, mut receiver) = trpl::channel();
    sender.send(1).unwrap();
    assert_eq!(futures::executor::block_on(receiver.recv()), Some(1));
    futures::executor::block_on(trpl::yield_now());
}

#[test]
fn a_run_within_a_run() {
    let text = told(|| trpl::run(async { trpl::run(async { 1 }) }));
    assert!(text.contains("called from within a runtime") && text.contains("await instead"), "{text}");
    let in_a_task = trpl::run(async { trpl::spawn_task(async { trpl::run(async { 1 }) }).await });
    assert!(in_a_task.unwrap_err().is_panic());
    let in_a_job = trpl::Runtime::new().unwrap();
    let job = in_a_job.spawn_blocking(|| trpl::run(async { 1 }));
    assert_eq!(in_a_job.block_on(job).unwrap(), 1, "a thread that may block may have a runtime of its own");
}

/// The seed's single-threaded test with its `use` line left as it was; run by the test below.
#[test]
fn left_in_place() {
    if std::env::var_os("TRPL_TEST_SCRIPT").is_none() {
        return;
    }
    use tokio::runtime::Builder;
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        trpl::spawn_task(async {}).await.unwrap(); // the line
    });
}

#[test]
fn tokios_builder_left_in_place_is_named_at_the_callers_line() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["left_in_place", "--exact", "--nocapture"]).env("TRPL_TEST_SCRIPT", "1");
    let output = child.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let line = 1 + include_str!("misuse.rs").lines().position(|line| line.ends_with("// the line")).unwrap();
    assert!(!output.status.success());
    assert!(stderr.contains(&format!("misuse.rs:{line}:")) && stderr.contains(REMEDY), "{stderr}");
}
