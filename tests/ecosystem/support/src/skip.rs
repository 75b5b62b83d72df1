//! Tests that want a program which is not installed.

use std::io::Write;

/// Says that the test `name` did not run, and why. `cargo xtask ecosystem` then counts it as skipped, and as failed in CI.
pub fn skip(name: &str, why: &str) {
    eprintln!("{name}: skipped: {why}");
    let Some(path) = std::env::var_os("POLYLOOP_SKIPPED") else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| writeln!(file, "{name}: {why}"))
        .expect("the list of skipped tests can be written");
}
