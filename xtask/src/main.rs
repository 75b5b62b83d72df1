//! Every check of the workspace is one command here, and each command is one file.
//!
//! `cargo xtask` lists the commands; `cargo xtask COMMAND --help` explains one. This file only picks.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod book;
mod ci;
mod docs;
mod ecosystem;
mod exec;
mod forward;
mod lab;
mod loom;
mod miri;
mod models;
mod nightly;
mod stop;
mod test;
mod tidy;
mod toml;
mod tsan;
mod watch;
mod workspace;
mod wrapper;

use std::process::ExitCode;

use stop::Stop;

/// Name, one line about it, and what runs it.
type Command = (&'static str, &'static str, fn(Vec<String>) -> Result<(), Stop>);

const COMMANDS: &[Command] = &[
    ("bench", "the matrix of experiments and benches; what operations cost; compare two runs", bench::run),
    (
        "book",
        "the Rust Book's async programs: list them, run one and see it, or all on everything",
        book::run,
    ),
    ("ci", "all checks in order, as CI runs them; ends with the total of the tests", ci::run),
    ("docs", "build the documentation without a warning; check the links between files", docs::run),
    ("ecosystem", "run foreign crates through the adapters on every combination", ecosystem::run),
    ("lab", "named experiments with their timelines, lists, the machine card", lab::run),
    ("loom", "run the loom models; with --mutants, prove that each of them can fail", loom::run),
    ("miri", "run the tests of core, time and fifo under Miri", miri::run),
    ("test", "run the tests of the workspace and print their total", test::run),
    ("tidy", "check layering, manifests, sources, loom models and documents", tidy::run),
    ("tsan", "run the tests of the threaded crates under ThreadSanitizer", tsan::run),
];

/// Names that docs/contracts.md has for what is still to come.
const NOT_YET: [&str; 1] = ["new"];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(name) = args.next() else {
        print!("{}", overview());
        return ExitCode::SUCCESS;
    };
    if matches!(name.as_str(), "--help" | "-h" | "help") {
        print!("{}", overview());
        return ExitCode::SUCCESS;
    }
    if NOT_YET.contains(&name.as_str()) {
        eprintln!("xtask: `{name}` does not exist yet; `cargo xtask` lists what does");
        return ExitCode::from(2);
    }
    let Some((_, _, run)) = COMMANDS.iter().find(|command| command.0 == name) else {
        let known: Vec<_> = COMMANDS.iter().map(|command| command.0).collect();
        eprintln!("xtask: there is no command `{name}`; there are {}", known.join(", "));
        return ExitCode::from(2);
    };
    stop::report(&name, run(args.collect()))
}

fn overview() -> String {
    let mut text = String::from("Usage: cargo xtask COMMAND [ARGUMENTS]\n\n");
    for (name, about, _) in COMMANDS {
        text.push_str(&format!("  {name:<10}{about}\n"));
    }
    text.push_str("\n`cargo xtask COMMAND --help` explains one. Example: cargo xtask tidy\n");
    text
}
