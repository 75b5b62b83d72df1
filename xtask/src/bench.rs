//! `cargo xtask bench …`: the matrix, and what changed between two of them.

use crate::args::Args;
use crate::exec;
use crate::forward::{self, Peers};
use crate::stop::Stop;

const HELP: &str = "\
Measures. What comes after the command goes to the lab; each has its own --help.

Usage: cargo xtask bench COMMAND [ARGUMENTS]

  matrix    every experiment and bench on every combination and on tokio and smol
  counts    what an operation costs: instructions, atomics, allocations and system calls, under valgrind
  compare   two runs of the matrix, old and new
  lifo      what each LIFO slot costs and what it does to a trapped task: the tables of docs/lifo.md
  watch     what the watch over polls and the stamps for dumps cost each poll, in instructions, under valgrind
  micro     criterion benches of single parts; the arguments are criterion's

Exit codes: 0 ok; 1 an own verdict failed, a hang, a crash, or --fail-on; 2 usage; 3 a required backend is missing under
--strict; 4 nothing matched; 101 build failed; 130 Ctrl-C.

Example: cargo xtask bench matrix --quick
";

const LIFO: &str = "\
Writes the tables of docs/lifo.md anew: what each LIFO slot of `steal` costs on message chains, in instructions by callgrind and in
nanoseconds, and what it does to a task that is trapped in it. Every number is from processes of its own, which take turns. Without
valgrind the instructions are left out. It takes a few minutes, on a machine that does nothing else.

Usage: cargo xtask bench lifo

Example: cargo xtask bench lifo
";

pub(crate) fn run(arguments: Vec<String>) -> Result<(), Stop> {
    let peers = match arguments.first().map(String::as_str) {
        None | Some("--help" | "-h" | "help") => return Err(Stop::Help(HELP)),
        Some("matrix" | "counts") => Peers::With,
        Some("compare") => Peers::Without,
        Some("micro") => {
            let mut cargo = exec::cargo(&["bench", "--package", "polyloop-benches", "--"]);
            return exec::check(cargo.args(&arguments[1..]));
        }
        Some("lifo") => {
            Args::parse(arguments[1..].to_vec(), LIFO, &[], &[])?.nothing_else()?;
            let example = ["run", "--release", "--package", "polyloop-benches", "--example", "lifo"];
            return exec::check(&mut exec::cargo(&example));
        }
        Some("watch") => return crate::watch::run(arguments[1..].to_vec()),
        Some("gate") => {
            let instead = "cargo xtask bench compare OLD NEW --fail-on 5%";
            return Err(Stop::Usage(format!("`gate` does not exist yet; until then: `{instead}`")));
        }
        Some(other) => {
            return Err(Stop::Usage(format!(
                "there is no `{other}`; there are matrix, counts, compare, lifo, watch, micro"
            )));
        }
    };
    forward::to_lab("cargo xtask bench", peers, &arguments)
}
