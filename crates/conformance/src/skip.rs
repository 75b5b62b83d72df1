//! Tests that want a program which is not installed.

use std::io::Write;

/// Says that the calling test shows nothing here, and `why`. `cargo xtask test` then counts it as skipped, and as failed where `CI` is set.
///
/// # Panics
///
/// If the list of skipped tests cannot be written.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let why = why.lines().next().unwrap_or_default();
    eprintln!("{test}: skipped: {why}");
    let Some(list) = std::env::var_os("POLYLOOP_SKIPPED") else { return };
    let list = std::fs::File::options().append(true).create(true).open(list);
    list.and_then(|mut list| writeln!(list, "{test}: {why}"))
        .expect("the list of skipped tests can be written");
}
