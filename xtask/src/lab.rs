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
Only what is measured waits for the optimizer: an experiment's sleeps take as long without. POLYLOOP_LAB_PROFILE=bench asks for it.

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
    let profile = if measures(&arguments) { forward::MEASURING } else { "dev" };
    forward::to_lab_in(profile, "cargo xtask lab", peers, &arguments)
}

/// The families of experiments, as the lab keeps them.
const EXPERIMENTS: &str = include_str!("../../crates/lab/experiments.txt");

/// Whether these are the arguments of a run of something else than experiments, which show who waits for whom. What a pattern
/// stands for only the lab knows.
fn measures(arguments: &[String]) -> bool {
    let is_experiment = |name: &str| EXPERIMENTS.lines().any(|family| name.split('/').next() == Some(family));
    let is_option = |word: &str| word.starts_with('-');
    // What stands behind an option may be its value.
    let mut names = arguments.windows(2).filter(|pair| !is_option(&pair[0]) && !is_option(&pair[1]));
    arguments.first().is_some_and(|command| command == "run") && !names.all(|pair| is_experiment(&pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_measured_waits_for_the_optimizer() {
        let measures = |words: &str| measures(&words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(!measures("run starvation --on fifo"));
        assert!(!measures("run sleep/blocking blocked/k-of-n/* --on fifo+poll+heap"));
        assert!(measures("run yield --on fifo"));
        assert!(measures("run sleep yield"));
        assert!(measures("run s*"));
        assert!(measures("run sleep --on fifo yield"));
        assert!(!measures("run sleep --on=fifo"));
        for words in ["list", "list --format json", "doctor", "report some/folder", "run", "run --help"] {
            assert!(!measures(words), "{words}");
        }
    }
}
