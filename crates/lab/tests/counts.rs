//! What the basic operations cost (C14), asserted by the lab's own counter. It needs valgrind, whose absence is said.
//!
//! On `fifo` all is exact. On `steal:1` two threads wait for each other at the start and the end, which takes a few operations
//! more or less each time: they show as a small part of one.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use polyloop_conformance::skip;
use polyloop_lab::cell::Status;
use polyloop_lab::results::Results;
use std::process::Command;

/// On what, what, and atomics per operation: read-modify-writes and fences.
type Expected = (&'static str, &'static str, f64);

const FIFO: [Expected; 4] = [
    ("fifo+mio+wheel", "spawn_await", 6.0),
    ("fifo+mio+wheel", "yield", 0.0),
    ("fifo+mio+wheel", "wake", 2.0),
    ("fifo+mio+wheel", "timer_cancel", 8.0),
];

const STEAL: [Expected; 4] = [
    ("steal:1+mio+wheel,block=none", "spawn_await", 8.0),
    ("steal:1+mio+wheel,block=none", "yield", 1.0),
    ("steal:1+mio+wheel,block=none", "wake", 4.0),
    ("steal:1+mio+wheel,block=none", "timer_cancel", 8.0),
];

/// What starts, ends and grows once is in both runs of a pair, but for the doubling of a table or two in thousands of operations.
const EXACT: f64 = 0.02;
/// What waits and calls of the second thread may add to an operation on a busy machine.
const WAITS: f64 = 0.5;
/// What they may take from it, if there were more of them in the first run of a pair than in the second.
const WAITED: f64 = 0.1;

#[test]
fn atomics_allocations_and_system_calls_per_operation_on_fifo() {
    are_as_expected(&FIFO);
}

#[test]
fn atomics_allocations_and_system_calls_per_operation_on_steal() {
    are_as_expected(&STEAL);
}

fn are_as_expected(expected: &[Expected]) {
    let installed = Command::new("valgrind").arg("--version").output();
    if !installed.is_ok_and(|output| output.status.success()) {
        return skip("valgrind is not installed");
    }
    // What two threads wait for each other is luck, which may be bad several times where others are at work. On one it is none.
    let (mut left, mut said) = (expected.to_vec(), Vec::new());
    for _ in 0..6 {
        (left, said) = counted_otherwise(&left).into_iter().unzip();
        if left.is_empty() {
            return;
        }
    }
    panic!("atomics, allocations, system calls:\n{}", said.join("\n"));
}

/// What a run counts otherwise than it is expected, and how.
fn counted_otherwise(asked: &[Expected]) -> Vec<(Expected, String)> {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_polyloop-lab"));
    lab.args(["counts", "--rounds", "1", "--format", "json"]);
    for (subject, case, _) in asked {
        lab.args(["--on", subject, "--filter", case]);
    }
    let output = lab.output().expect("the lab runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let results: Results = serde_json::from_slice(&output.stdout).expect("results.json");
    let mut wrong = Vec::new();
    for &(subject, case, atomics) in asked {
        let cell = results.cell(subject, case).expect("a cell");
        assert_eq!(cell.status, Status::Pass, "{cell:?}");
        let counted = ["atomics", "allocations", "syscalls"].map(|name| cell.metrics[name].median);
        let (less, more) = if subject.starts_with("fifo") { (EXACT, EXACT) } else { (WAITED, WAITS) };
        let fits = |(counted, expected): (f64, f64)| (expected - less..=expected + more).contains(&counted);
        if !counted.into_iter().zip([atomics, 0.0, 0.0]).all(fits) {
            let how = format!("{case} on {subject}: {counted:?}, expected {atomics}, 0, 0");
            wrong.push(((subject, case, atomics), how));
        }
        // The whole of the process, in which there is a start.
        assert!(cell.counts.allocations > Some(10) && cell.counts.atomics > Some(10), "{:?}", cell.counts);
    }
    wrong
}
