//! `cargo xtask bench watch`: what relief and the naming of stalls cost a poll, and what the stamps for dumps, in instructions.
//!
//! Invariant: a number is a difference of differences. The same program, `benches/examples/poll_cost.rs`, is built as it is and
//! with `--cfg polyloop_without="watch"` or `"stamps"`; each runs under callgrind twice, the second time with twice the polls.
//! What the second did more, divided, is the cost of a poll, to which start and end of the process add nothing.

use crate::exec;
use crate::stop::Stop;
use std::path::{Path, PathBuf};
use std::process::Command;

const POLLS: u32 = 50_000;

/// What can be left out of a build.
const PARTS: [&str; 2] = ["watch", "stamps"];

/// Executor and what its tasks do.
const CASES: [(&str, &str); 5] =
    [("fifo", "yield"), ("fifo", "wake"), ("steal:1", "yield"), ("steal:1", "wake"), ("global:1", "yield")];

pub(crate) fn run() -> Result<(), Stop> {
    let all = build(&exec::root().join("target"), None)?;
    let mut without = Vec::new();
    for name in PARTS {
        without.push(build(&exec::root().join(format!("target/without-{name}")), Some(name))?);
    }
    println!(
        "instructions per poll, by callgrind, driver turns included; what each part adds to the rest:\n"
    );
    println!("{:<10} {:<6} {:>8} {:>8} {:>8}", "executor", "task", "all", PARTS[0], PARTS[1]);
    for (executor, task) in CASES {
        let whole = per_poll(&all, executor, task)?;
        print!("{executor:<10} {task:<6} {whole:>8.1}");
        for program in &without {
            print!(" {:>8.1}", whole - per_poll(program, executor, task)?);
        }
        println!();
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
