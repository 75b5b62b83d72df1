//! The engine from its command line to its files, on a fake catalogue that passes, fails, hangs, crashes and lies.
//!
//! This test binary is also the lab under test: it re-executes itself, first as the lab, which then re-executes it for
//! every cell. Therefore it has its own `main`.

mod fake;
mod harness;

mod bad_input;
mod browser;
mod cells;
mod outputs;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::var_os(harness::AS_LAB).is_some() {
        return polyloop_lab::main(&fake::Fake);
    }
    let tests: Vec<(&str, fn())> = [cells::TESTS, bad_input::TESTS, outputs::TESTS, browser::TESTS].concat();
    harness::run_all(&tests)
}
