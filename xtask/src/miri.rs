//! Miri runs the tests of the crates that need no network: no undefined behaviour, no leak, under many schedules.

use crate::args::Args;
use crate::exec;
use crate::nightly;
use crate::stop::Stop;
use crate::test;
use crate::workspace::Workspace;
use std::thread;

const HELP: &str = "\
Runs the unit tests of core and time, and all tests of fifo, under Miri. Needs the nightly components miri and rust-src.

Usage: cargo xtask miri [CRATE]… [--short] [--seeds N]

  --short    one schedule (CI)
  --seeds N  so many schedules (default 8)

Example: cargo xtask miri core --seeds 64
";

/// A crate of ours, which of its tests run, and under which flags.
type Part<'a> = (&'a str, &'a str, &'a str);

/// Provenance is permissive because a contended lock of `parking_lot` turns integers into pointers.
const STRICT: &str = "-Zmiri-permissive-provenance -Zmiri-symbolic-alignment-check";
/// For others that one names: crossbeam needs tree borrows, and a reactor needs the system.
const LENIENT: &str = "-Zmiri-permissive-provenance -Zmiri-tree-borrows -Zmiri-symbolic-alignment-check -Zmiri-disable-isolation";

const PARTS: &[Part<'_>] =
    &[("core", "--lib", STRICT), ("time", "--lib", STRICT), ("fifo", "--tests", STRICT)];

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &["--short"], &["--seeds"])?;
    let seeds = if args.flag("--short") { 1 } else { args.number("--seeds", 8)? };
    nightly::probe(&["miri", "rust-src"])?;
    let workspace = Workspace::load()?;
    let known = |name: &str| PARTS.iter().copied().find(|part| part.0 == name);
    let parts: Vec<Part<'_>> = match args.free.as_slice() {
        [] => PARTS.to_vec(),
        some => some.iter().map(|name| known(name).unwrap_or((name, "--lib", LENIENT))).collect(),
    };
    exec::check(&mut nightly::cargo(&["miri", "setup"]))?;
    // Miri runs a program on one thread, so there are processors for several parts at once.
    thread::scope(|scope| {
        let run = |&(name, tests, flags): &Part<'_>| {
            let mut cargo = nightly::cargo(&["miri", "test", tests, "-p", &workspace.member(name)?.name]);
            let many = if seeds > 1 { format!(" -Zmiri-many-seeds=0..{seeds}") } else { String::new() };
            cargo.env("MIRIFLAGS", format!("{flags}{many}"));
            // A backtrace costs Miri half a minute, and panics that are meant have no use for one.
            cargo.env("RUST_BACKTRACE", "0");
            test::instrumented(&mut cargo)
        };
        let running: Vec<_> = parts.iter().map(|part| scope.spawn(move || run(part))).collect();
        let results = running
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|_| Err(Stop::failed("a part panicked"))));
        results.collect::<Vec<_>>().into_iter().collect()
    })
}
