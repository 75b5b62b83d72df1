//! `cargo xtask bench watch`: what relief and the naming of stalls cost a poll, in instructions.
//!
//! Invariant: a number is a difference of differences. The same program, `benches/examples/poll_cost.rs`, is built as it is and
//! with `--cfg polyloop_without="watch"`; each runs under callgrind twice, the second time with twice the polls. What the second did
//! more, divided, is the cost of a poll, to which start and end of the process add nothing.

use crate::exec;
use crate::stop::Stop;
use std::path::{Path, PathBuf};
use std::process::Command;

const POLLS: u32 = 50_000;

/// Executor and what its tasks do.
const CASES: [(&str, &str); 5] =
    [("fifo", "yield"), ("fifo", "wake"), ("steal:1", "yield"), ("steal:1", "wake"), ("global:1", "yield")];

pub(crate) fn run() -> Result<(), Stop> {
    let with = build(&exec::root().join("target"), None)?;
    let without = build(&exec::root().join("target/without-watch"), Some("watch"))?;
    println!("instructions per poll, by callgrind, driver turns included:\n");
    println!("{:<10} {:<6} {:>8} {:>8} {:>7}", "executor", "task", "without", "with", "watch");
    for (executor, task) in CASES {
        let (less, more) = (per_poll(&without, executor, task)?, per_poll(&with, executor, task)?);
        println!("{executor:<10} {task:<6} {less:>8.1} {more:>8.1} {:>7.1}", more - less);
    }
    Ok(())
}

/// Builds the program, with or without the mechanism of this name; where it lies.
fn build(target: &Path, without: Option<&str>) -> Result<PathBuf, Stop> {
    let mut cargo =
        exec::cargo(&["build", "--release", "--package", "polyloop-benches", "--example", "poll_cost"]);
    cargo.arg("--target-dir").arg(target);
    if let Some(name) = without {
        cargo.env("RUSTFLAGS", format!("--cfg polyloop_without=\"{name}\""));
    }
    exec::check(&mut cargo)?;
    Ok(target.join("release/examples/poll_cost"))
}

fn per_poll(program: &Path, executor: &str, task: &str) -> Result<f64, Stop> {
    let once = instructions(program, executor, task, POLLS)?;
    let twice = instructions(program, executor, task, 2 * POLLS)?;
    Ok((twice as f64 - once as f64) / f64::from(POLLS))
}

/// What the whole process has executed in user space.
fn instructions(program: &Path, executor: &str, task: &str, polls: u32) -> Result<u64, Stop> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--fair-sched=try"]);
    valgrind.arg(program).args([executor, task, &polls.to_string()]);
    let ran = valgrind.output().map_err(|error| {
        Stop::Failed(format!("valgrind cannot be run ({error}); it comes with the package `valgrind`"))
    })?;
    let told = String::from_utf8_lossy(&ran.stderr);
    let total = told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    total.filter(|_| ran.status.success()).ok_or_else(|| {
        Stop::Failed(format!("`{}` under valgrind ended with {}:\n{told}", program.display(), ran.status))
    })
}
