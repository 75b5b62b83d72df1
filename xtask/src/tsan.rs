//! ThreadSanitizer runs the tests of the threaded crates, with std built in, so that no race hides in a dependency.

use std::process::Command;

use crate::args::Args;
use crate::exec;
use crate::nightly;
use crate::stop::Stop;
use crate::test;
use crate::workspace::Workspace;

const HELP: &str = "\
Runs the unit and integration tests of blocking, pool, steal and polyloop under ThreadSanitizer. Needs the nightly component rust-src.

Usage: cargo xtask tsan [CRATE]… [--short] [--rounds N]

  --short     one round (CI)
  --rounds N  repeat the tests N times (default 5)

Example: cargo xtask tsan steal --rounds 20
";

/// The threaded crates, and the facade, whose tests run pool and steal as a whole.
const CRATES: &[&str] = &["blocking", "pool", "steal", "polyloop"];

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &["--short"], &["--rounds"])?;
    let rounds = if args.flag("--short") { 1 } else { args.number("--rounds", 5)? };
    nightly::probe(&["rust-src"])?;
    let workspace = Workspace::load()?;
    let names: Vec<&str> = match args.free.as_slice() {
        [] => CRATES.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    // With an explicit target the flags do not reach build scripts and procedural macros, which must stay as they are.
    let target = host()?;
    let mut words = vec!["test", "-Zbuild-std", "--target", target.as_str(), "--lib", "--tests"];
    for name in names {
        words.extend(["-p", workspace.member(name)?.name.as_str()]);
    }
    let suppressions = exec::root().join("xtask/tsan-suppressions.txt");
    for _ in 0..rounds {
        let mut cargo = nightly::cargo(&words);
        cargo.env("CARGO_TARGET_DIR", workspace.target.join("tsan"));
        cargo.env("RUSTFLAGS", "-Zsanitizer=thread");
        cargo.env("TSAN_OPTIONS", format!("halt_on_error=1 suppressions={}", suppressions.display()));
        test::instrumented(&mut cargo)?;
    }
    Ok(())
}

/// The target triple of this machine.
fn host() -> Result<String, Stop> {
    let text = exec::output(Command::new("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Stop::failed("`rustc -vV` names no host"))
}
