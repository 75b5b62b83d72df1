//! `#[polyloop::main]` and `#[polyloop::test]`: what their arguments choose, and one test on every combination.

use polyloop::time::{Instant, sleep};
use polyloop::{Combination, Handle};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn combination() -> String {
    Handle::current().combination().to_string()
}

#[polyloop::test(combination = "fifo+poll+heap")]
async fn a_combination_is_chosen() {
    assert_eq!(combination(), "fifo+poll+heap");
}

#[polyloop::test(flavor = "current_thread")]
async fn one_thread_by_tokios_name() {
    assert_eq!(combination(), "fifo+mio+wheel");
}

#[polyloop::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_by_tokios_names() {
    assert_eq!(combination(), "steal:2+mio+wheel");
}

#[polyloop::test(workers = 3)]
async fn a_number_of_workers_alone_is_of_the_default() {
    assert_eq!(combination(), "steal:3+mio+wheel");
}

#[polyloop::test(all, start_paused = true)]
async fn an_hour_passes_at_once_on_each() {
    let start = Instant::now();
    polyloop::spawn(sleep(HOUR)).await.unwrap();
    assert!(start.elapsed() >= HOUR);
}

/// An attribute above ours holds for each of the tests.
#[should_panic(expected = "as it should")]
#[polyloop::test(all, workers = 2)]
async fn a_panic_is_each_tests_own() {
    let workers = Handle::current().combination().workers();
    assert_eq!(workers.is_none(), combination().starts_with("fifo"));
    panic!("as it should")
}

#[polyloop::test(all)]
async fn an_error_may_be_returned() -> Result<(), polyloop::task::JoinError> {
    polyloop::spawn(async {}).await?;
    Ok(())
}

/// A program's `main`, called as a function: it may have arguments under another name.
#[polyloop::main(crate = polyloop, combination = "fifo")]
async fn sum(one: u32, (two, three): (u32, u32)) -> u32 {
    one + polyloop::spawn(async move { two + three }).await.unwrap()
}

#[polyloop::main(crate = polyloop, combination = "fifo")]
async fn size_of_all<'a, T, const N: usize>(name: &'a str, other: &'a str, _: impl Send) -> (&'a str, usize) {
    (if name.is_empty() { other } else { name }, N * size_of::<T>())
}

#[test]
fn a_generic_function_is_what_its_caller_chose() {
    assert_eq!(size_of_all::<u32, 3>("three", "none", ()), ("three", 12));
}

#[test]
fn a_function_with_arguments_runs_on_a_runtime() {
    assert_eq!(sum(1, (2, 3)), 6);
}

#[test]
fn a_test_is_made_for_each_combination() {
    let exe = std::env::current_exe().unwrap();
    let output = std::process::Command::new(exe)
        .args(["attributes::an_error_may_be_returned::", "--list"])
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    for combination in Combination::ALL {
        let name = combination.to_string().replace('+', "_");
        assert!(listed.contains(&format!("attributes::an_error_may_be_returned::{name}: test")), "{listed}");
    }
}
