//! A command ends well or with one `Stop`; the stop decides the exit code.

use std::process::ExitCode;

/// Why a command did not end well.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    /// The help was asked for and is printed; no error.
    Help(&'static str),
    /// The command line was wrong: exit code 2.
    Usage(String),
    /// A tool is not installed; the text says how to get it. CI may skip the step, a person gets exit code 3.
    Missing(String),
    /// This machine has no way to the tool. CI says that the step was not run, a person gets exit code 3.
    OutOfReach(String),
    /// What was to be run cannot be built, as the compiler has said: exit code 101, cargo's own.
    Build(String),
    /// A check is red: exit code 1.
    Failed(String),
    /// A check is red and has said so; its last line stays the last one. Exit code 1.
    Said,
}

impl Stop {
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }
}

/// Prints what there is to say and turns the result into an exit code.
pub(crate) fn report(command: &str, result: Result<(), Stop>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Help(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(Stop::Usage(text)) => {
            eprintln!("{command}: {text}; see `cargo xtask {command} --help`");
            ExitCode::from(2)
        }
        Err(Stop::Missing(text) | Stop::OutOfReach(text)) => {
            eprintln!("{command}: {text}");
            ExitCode::from(3)
        }
        Err(Stop::Build(text)) => {
            eprintln!("{command}: {text}");
            ExitCode::from(101)
        }
        Err(Stop::Said) => ExitCode::from(1),
        Err(Stop::Failed(text)) => {
            eprintln!("{command}: {text}");
            ExitCode::from(1)
        }
    }
}
