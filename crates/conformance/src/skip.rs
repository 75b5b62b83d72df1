//! Tests that cannot show anything here: they want a program which is not installed, or what the machine does not allow.

use std::io::Write;

/// Says that the calling test shows nothing here, and `why`: a program is missing, which somebody could install. `cargo xtask test` then
/// counts it as skipped, and as failed where `CI` is set.
///
/// # Panics
///
/// If the list of skipped tests cannot be written.
pub fn skip(why: &str) {
    note("", why);
}

/// The same for what nobody can install, because this kernel does not have it or the process may not do it: it counts as skipped
/// everywhere.
///
/// # Panics
///
/// As [`skip`].
pub fn unable(why: &str) {
    note("unable: ", why);
}

fn note(kind: &str, why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let why = why.lines().next().unwrap_or_default();
    eprintln!("{test}: skipped: {why}");
    let Some(list) = std::env::var_os("POLYLOOP_SKIPPED") else { return };
    let list = std::fs::File::options().append(true).create(true).open(list);
    list.and_then(|mut list| writeln!(list, "{kind}{test}: {why}"))
        .expect("the list of skipped tests can be written");
}
