//! A bench in counts: what one operation costs in instructions, atomics, allocations and system calls.
//!
//! Invariant: the same program runs twice under callgrind, the second time with twice the rounds. What the second did more,
//! divided by how many operations it did more, is what one costs; start, warm-up and end are the same in both and cancel.

use crate::callgrind::{self, Cost};
use crate::cell::{Better, Counts, Outcome, Request, Sample, Status};
use crate::interrupt::Interrupt;
use crate::process;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The sample in which a bench that was given a number of rounds says how many operations those were.
pub(crate) const OPERATIONS: &str = "operations";
/// The metrics, in the order in which they are shown.
pub(crate) const METRICS: [&str; 4] = ["instructions", "atomics", "allocations", "syscalls"];

/// How many operations the shorter run does at least: enough that a growing table is a hundredth of an operation.
const LEAST: u64 = 2_000;
/// How much slower than alone a process may be under callgrind.
const SLOWER: u32 = 20;

/// How each number came about, for whoever shows them.
pub(crate) const METHOD: &str = "by callgrind, two runs of which one does twice the rounds, subtracted and divided by the \
     operations: instructions of user space; atomics are executed instructions with a lock prefix, exchanges with memory and \
     fences; allocations are calls of malloc, calloc, realloc, posix_memalign and aligned_alloc; system calls are all of the \
     process's but those that read the clock, which are none without valgrind. Ours run on a clock that stands still, so that \
     their drivers turn after so many polls, however slow valgrind is, and nobody watches for stalls. \
     One number: the same in every run; two: the least and the most";

/// What the counts of a cell are that nobody counted by [`METHOD`], and why some of them are null.
pub(crate) const IN_CELLS: &str = "in the whole of a cell, polls of labelled futures in traced experiments, and the system \
     calls that a reactor of ours makes itself (waits, registrations, its doorbell; not the reads and writes of sockets); \
     peers don't tell theirs. Allocations and atomics are never counted in a timed process, because that would cost what is \
     measured, so they are null; with --counts, and by “cargo xtask bench counts”, they are counted in processes of their own, \
     by callgrind";

/// Whether there is a valgrind that runs, and a processor whose instructions it can tell apart.
///
/// # Errors
///
/// What is missing.
pub(crate) fn probe() -> Result<(), String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("counting needs Linux on x86-64".into());
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match valgrind.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`valgrind --version` failed ({status})")),
        Err(error) => Err(format!("valgrind cannot be run ({error}); it comes with the package `valgrind`")),
    }
}

/// Counts one bench on one subject. `None`: stopped by Ctrl-C.
pub(crate) fn run(request: &Request, limit: Duration, interrupt: &Interrupt) -> Option<Outcome> {
    // By its path: what is a link to this program here is a link to valgrind there.
    let program = &match std::env::current_exe() {
        Ok(path) => path,
        Err(error) => {
            let why = format!("this binary does not know its own path: {error}");
            return Some(process::outcome(Status::Crash, why));
        }
    };
    let with = |rounds| Request { rounds: Some(rounds), ..request.clone() };
    // One round without callgrind says how many operations a round has.
    let first = process::run(program, &with(1), limit, interrupt)?;
    let each = match operations(&first) {
        Ok(each) => each,
        Err(outcome) => return Some(*outcome),
    };
    let rounds = LEAST.div_ceil(each);
    let mut pair = Vec::new();
    for rounds in [rounds, 2 * rounds] {
        match one(program, &with(rounds), limit * SLOWER, interrupt)? {
            Ok(counted) => pair.push(counted),
            Err(outcome) => return Some(*outcome),
        }
    }
    let [(less, few), (more, many)] = pair[..] else { return None };
    Some(per_operation(more - less, (many - few) as f64, more))
}

/// One run under callgrind: what it cost, and how many operations it did.
fn one(
    program: &Path,
    request: &Request,
    limit: Duration,
    interrupt: &Interrupt,
) -> Option<Result<(Cost, u64), Box<Outcome>>> {
    let file = scratch();
    let mut wrapper: Vec<OsString> = vec!["valgrind".into()];
    wrapper.extend(callgrind::ARGUMENTS.map(OsString::from));
    let mut out = OsString::from("--callgrind-out-file=");
    out.push(&file);
    wrapper.push(out);
    let outcome = process::run_under(&wrapper, program, request, limit, interrupt);
    let written = fs::read_to_string(&file);
    // It may not exist; what is left is a file in the system's folder for such files.
    let _ = fs::remove_file(&file);
    let operations = match operations(&outcome?) {
        Ok(operations) => operations,
        Err(outcome) => return Some(Err(outcome)),
    };
    let cost = written.map_err(|error| error.to_string()).and_then(|text| callgrind::read(&text));
    Some(match cost {
        Ok(cost) => Ok((cost, operations)),
        Err(error) => Err(Box::new(process::outcome(Status::Crash, format!("not counted: {error}")))),
    })
}

fn operations(outcome: &Outcome) -> Result<u64, Box<Outcome>> {
    if outcome.status != Status::Pass {
        return Err(Box::new(outcome.clone()));
    }
    let said = outcome.samples.iter().find(|sample| sample.name == OPERATIONS);
    said.map(|sample| sample.value as u64).filter(|operations| *operations > 0).ok_or_else(|| {
        let why = "this bench measures times and is no number of operations";
        Box::new(process::outcome(Status::Unsupported, why.into()))
    })
}

fn per_operation(cost: Cost, operations: f64, whole: Cost) -> Outcome {
    let values = [cost.instructions, cost.atomics, cost.allocations, cost.syscalls];
    let sample = |(name, value): (&str, i64)| Sample {
        name: name.to_owned(),
        unit: String::new(),
        better: Better::Lower,
        value: value as f64 / operations,
    };
    let count = |value: i64| u64::try_from(value).ok();
    Outcome {
        samples: METRICS.into_iter().zip(values).map(sample).collect(),
        counts: Counts {
            polls: None,
            atomics: count(whole.atomics),
            allocations: count(whole.allocations),
            syscalls: count(whole.syscalls),
        },
        reason: None,
        ..process::outcome(Status::Pass, String::new())
    }
}

/// A file that nobody else uses.
fn scratch() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("polyloop-callgrind-{}-{number}", std::process::id()))
}
