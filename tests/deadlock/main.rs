//! Deadlocks: which are found, and what is none.
//!
//! Invariant: each case has a process of its own, whose main thread it runs on, because a thread of a test harness is a
//! stranger who might wake somebody. So the harness runs in another one: called without the variable below, it starts itself
//! once for each combination, all at a time where they sleep, and judges by what they say.

#![forbid(unsafe_code)]

#[path = "../it/subjects.rs"]
mod subjects;

mod found;
mod race;
mod silent;

use libtest_mimic::{Arguments, Failed, Trial};
use polyloop::Builder;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// Names case and combination to a child.
const VARIABLE: &str = "POLYLOOP_DEADLOCK";

/// All looks have been made by then: 20 ms, and twice as long each time, five times, and as much again for a slow machine.
const SILENCE: Duration = Duration::from_millis(1300);

/// Whoever waits for something that comes late waits so long, or until the child is told.
const LATE: Duration = Duration::from_millis(900);

/// Nothing here takes half as long.
const LIMIT: Duration = Duration::from_secs(300);

/// What a case is to say, in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// `ok`, and nothing on stderr.
    Ok,
    /// Nothing at all, for as long as looks are made. Then it is ended.
    Nothing,
    /// One line on stderr, the report, and nothing more. Then it is ended.
    Line,
}

struct Case {
    name: &'static str,
    says: Says,
    run: fn(Builder),
    /// Whether it keeps a core busy, so that no more of them than there are cores run at a time.
    is_busy: bool,
}

const fn case(name: &'static str, says: Says, run: fn(Builder)) -> Case {
    Case { name, says, run, is_busy: false }
}

const fn busy(name: &'static str, says: Says, run: fn(Builder)) -> Case {
    Case { is_busy: true, ..case(name, says, run) }
}

fn cases() -> impl Iterator<Item = &'static Case> {
    found::CASES.iter().chain(silent::CASES).chain(race::CASES)
}

/// What a case says when all is as it should be.
fn ok() {
    println!("ok");
}

fn main() -> ExitCode {
    if let Ok(which) = std::env::var(VARIABLE) {
        let (name, combination) = which.split_once(' ').expect("a case and a combination");
        let case = cases().find(|case| case.name == name).expect("a case of the table");
        (case.run)(subjects::builder(combination));
        return ExitCode::SUCCESS;
    }
    if !cfg!(target_os = "linux") {
        println!("skipped: nothing tells the threads of a process here");
        return ExitCode::SUCCESS;
    }
    let trials = cases().map(|case| Trial::test(case.name, move || on_all_combinations(case)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn on_all_combinations(case: &'static Case) -> Result<(), Failed> {
    let names = subjects::names(&[1, 2]);
    let at_a_time = if case.is_busy { thread::available_parallelism()?.get() } else { names.len() };
    let (names, faults) = (Mutex::new(names.into_iter()), Mutex::new(String::new()));
    let next = || names.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(name) = next() {
                    if let Err(what) = judge(case, &name) {
                        writeln!(faults.lock().unwrap(), "{name}: {what}").unwrap();
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
}

/// A child, ended in any case.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn judge(case: &Case, name: &str) -> Result<(), String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // Some of the cases are long polls, which would be told of, too.
    command.env(VARIABLE, format!("{} {name}", case.name)).env("POLYLOOP_STALLS", "off");
    let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = Running(process.map_err(|error| error.to_string())?);
    let mut input = child.0.stdin.take().unwrap();
    let output = BufReader::new(child.0.stdout.take().unwrap());
    let mut errors = child.0.stderr.take().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let reader = thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    let said = match case.says {
        Says::Nothing | Says::Line => {
            let said = told.recv_timeout(SILENCE).ok();
            let ended = child.0.try_wait().unwrap();
            let _ = child.0.kill();
            match (said, ended) {
                (None, None) => Ok(()),
                (said, ended) => Err(format!("said {said:?} and ended {ended:?}, where it should wait")),
            }
        }
        Says::Ok => {
            let soon = told.recv_timeout(LATE);
            // For those who wait for their input.
            let _ = input.write_all(b"!");
            match soon.or_else(|_| told.recv_timeout(LIMIT)) {
                Ok(line) if line == "ok" => Ok(()),
                other => Err(format!("said {other:?}")),
            }
        }
    };
    if said.is_err() {
        let _ = child.0.kill();
    }
    let _ = child.0.wait();
    let mut complaint = String::new();
    let _ = errors.read_to_string(&mut complaint);
    reader.join().unwrap();
    let said = said.map_err(|what| format!("{what}; stderr: {complaint:?}"));
    if case.says == Says::Line {
        let is_report =
            complaint.lines().count() == 1 && complaint.starts_with("polyloop: deadlock: nobody is left");
        return said.and(if is_report && complaint.contains("`waits`") { Ok(()) } else { Err(complaint) });
    }
    said.and(if complaint.is_empty() { Ok(()) } else { Err(format!("stderr: {complaint:?}")) })
}
