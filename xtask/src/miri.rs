//! Miri runs the tests of the crates that need no network: no undefined behaviour, no leak, under many schedules.

use crate::args::Args;
use crate::nightly;
use crate::stop::Stop;
use crate::test;
use crate::workspace::Workspace;

const HELP: &str = "\
Runs the unit tests of core, time and fifo under Miri. Needs the nightly components miri and rust-src.

Usage: cargo xtask miri [CRATE]… [--short] [--seeds N]

  --short    one schedule (CI)
  --seeds N  so many schedules (default 8)

Example: cargo xtask miri core --seeds 64
";

const CRATES: &[&str] = &["core", "time", "fifo"];

/// For our own crates. Provenance is permissive because a contended lock of `parking_lot` turns integers into pointers.
const STRICT: &str = "-Zmiri-permissive-provenance -Zmiri-symbolic-alignment-check";
/// For others that one names: crossbeam needs tree borrows, and a reactor needs the system.
const LENIENT: &str = "-Zmiri-permissive-provenance -Zmiri-tree-borrows -Zmiri-symbolic-alignment-check -Zmiri-disable-isolation";

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &["--short"], &["--seeds"])?;
    let seeds = if args.flag("--short") { 1 } else { args.number("--seeds", 8)? };
    nightly::probe(&["miri", "rust-src"])?;
    let workspace = Workspace::load()?;
    let names: Vec<&str> = match args.free.as_slice() {
        [] => CRATES.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let flags = if names.iter().all(|name| CRATES.contains(name)) { STRICT } else { LENIENT };
    let mut cargo = nightly::cargo(&["miri", "test", "--lib"]);
    for name in names {
        cargo.args(["-p", &workspace.member(name)?.name]);
    }
    let many = if seeds > 1 { format!(" -Zmiri-many-seeds=0..{seeds}") } else { String::new() };
    cargo.env("MIRIFLAGS", format!("{flags}{many}"));
    // A backtrace costs Miri half a minute, and panics that are meant have no use for one.
    cargo.env("RUST_BACKTRACE", "0");
    test::instrumented(&mut cargo)
}
