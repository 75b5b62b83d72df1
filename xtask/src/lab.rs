//! `cargo xtask lab …`: experiments, lists, the machine card.

use crate::forward::{self, Peers};
use crate::stop::Stop;

const HELP: &str = "\
Runs the lab. What comes after the command goes to it; each has its own --help.

Usage: cargo xtask lab COMMAND [ARGUMENTS]

  run       named experiments on named subjects, with their timelines
  list      what can be run, and on what
  doctor    the machine card, and what would make numbers surer
  report    report.html and results.md again from a results.json

The whole matrix: cargo xtask bench matrix. tokio and smol are built only where one is named; once they are, they stay.

Example: cargo xtask lab run starvation --on fifo+mio+heap --on steal+mio+heap
";

pub(crate) fn run(arguments: Vec<String>) -> Result<(), Stop> {
    let peers = match arguments.first().map(String::as_str) {
        None | Some("--help" | "-h" | "help") => return Err(Stop::Help(HELP)),
        Some("run") if forward::names_a_peer(&arguments) => Peers::With,
        Some("run" | "list" | "doctor" | "report") => Peers::Without,
        Some(name @ ("matrix" | "compare" | "counts")) => {
            return Err(Stop::Usage(format!("that is `cargo xtask bench {name}`")));
        }
        Some(name @ ("step" | "advise")) => {
            return Err(Stop::Usage(format!(
                "`{name}` does not exist yet; there are run, list, doctor, report"
            )));
        }
        Some(other) => {
            return Err(Stop::Usage(format!("there is no `{other}`; there are run, list, doctor, report")));
        }
    };
    forward::to_lab("cargo xtask lab", peers, &arguments)
}
