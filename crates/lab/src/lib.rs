//! The lab: the same experiments and benchmarks on every combination and on public peers.
//!
//! A [`Catalogue`] knows the subjects and the cases and can run one cell. [`main`] is everything around
//! it: the command line, the plan, a process for each cell, statistics, tables, timelines and the report. A plug-in
//! hands its own catalogue to [`main`] and has all of it.

#![forbid(unsafe_code)]

mod calendar;
mod callgrind;
pub mod catalogue;
pub mod cell;
mod cli;
mod collect;
mod command;
mod compare;
mod costs;
mod counted;
mod csv;
mod doctor;
mod folder;
mod glob;
mod interrupt;
mod limits;
mod list;
pub mod machine;
mod markdown;
pub mod plan;
mod process;
mod progress;
mod random;
mod record;
mod report;
pub mod results;
mod run;
mod say;
mod sense;
mod sentence;
pub mod stats;
mod subjects;
mod table;
mod timeline;
mod view;

use cell::Catalogue;
use clap::error::ErrorKind;
use std::process::ExitCode;

/// The whole command line, for the lab and for plug-ins: call it first thing in `main` and return what it returns.
///
/// A process whose first argument is `__cell` runs one cell instead and answers on stdout; this is how the lab runs
/// every cell in a fresh process of the same binary.
pub fn main(catalogue: &dyn Catalogue) -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == process::ARGUMENT) {
        let request = arguments.next();
        return process::serve(
            catalogue,
            request.as_ref().map(|request| request.to_string_lossy()).as_deref(),
        );
    }
    match cli::Cli::from_environment() {
        Ok(cli) => command::execute(catalogue, cli),
        Err(error)
            if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
        {
            say::say!("{}", cli::in_one_line(&error));
            ExitCode::from(2)
        }
        Err(help) => match help.print() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                say::say!("error: the help cannot be written: {error}");
                ExitCode::from(2)
            }
            _ => ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(2)),
        },
    }
}
