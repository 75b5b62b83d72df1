//! Cases whose clients are other processes: this executable plays both roles, as the lab's own does.
//!
//! It speaks as much of libtest's protocol as a test runner needs: `--list`, and names to choose by.

#![forbid(unsafe_code)]

use polyloop_lab::catalogue::{Standard, hidden};
use polyloop_lab::cell::{Catalogue, Request, Status};
use std::process::ExitCode;

const CASES: [&str; 4] =
    ["echo/once", "echo/load", "tcp_echo/conns=1/bytes=64", "tcp_echo/conns=64/bytes=16384"];
const SUBJECTS: [&str; 7] =
    ["fifo+mio+wheel", "steal+polling+wheel", "steal+poll+heap", "tokio-ct", "tokio-mt", "smol-1", "smol-n"];

fn main() -> ExitCode {
    if let Some(code) = hidden(std::env::args().skip(1)) {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let all = CASES.iter().flat_map(|case| SUBJECTS.iter().map(move |subject| (*case, *subject)));
    let name = |case: &str, subject: &str| format!("{case}::{subject}");
    if given("--list") {
        // None of them is ignored.
        if !given("--ignored") {
            all.for_each(|(case, subject)| println!("{}: test", name(case, subject)));
        }
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let mut run = 0;
    for (case, subject) in all.filter(|(case, subject)| chosen(&name(case, subject))) {
        let (path, on) = (case.to_owned(), subject.to_owned());
        let request =
            Request { subject: on, case: path, seed: 1, scale: 0.1, slot_ms: 20, rounds: None, trace: false };
        let outcome = Standard::new().run(&request);
        assert_eq!(outcome.status, Status::Pass, "{case} on {subject}: {outcome:#?}");
        println!("test {} ... ok", name(case, subject));
        run += 1;
    }
    println!("\ntest result: ok. {run} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    ExitCode::SUCCESS
}
