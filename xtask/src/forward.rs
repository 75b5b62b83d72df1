//! Builds the lab and becomes it: its output, its exit code and its Ctrl-C are the lab's own.
//!
//! Cargo says what it builds, and ends with 101 if it cannot. The peers are built only for a command that needs them,
//! so that a first look from a fresh clone doesn't wait for runtimes that it won't run. Once they were built, every command has
//! them: one that needs none runs as well with them, and to build the lab a second time would take longer.

use crate::exec;
use crate::stop::Stop;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Which runtimes besides ours are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peers {
    With,
    Without,
}

/// The variable that names another profile than the one for measuring: CI's smoke asks for verdicts, not for speed.
pub(crate) const PROFILE: &str = "POLYLOOP_LAB_PROFILE";

/// The profile that is measured.
pub(crate) const MEASURING: &str = "bench";

/// Runs the lab with these arguments. `called_as` is how the lab names itself in its help and in `again`.
pub(crate) fn to_lab(called_as: &str, peers: Peers, arguments: &[String]) -> Result<(), Stop> {
    to_lab_in(MEASURING, called_as, peers, arguments)
}

/// The same, built in another profile unless the variable says which: a picture of who waits for whom asks for no speed.
pub(crate) fn to_lab_in(
    profile: &str,
    called_as: &str,
    peers: Peers,
    arguments: &[String],
) -> Result<(), Stop> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let profile = std::env::var(PROFILE).unwrap_or_else(|_| profile.into());
    cargo.args(["run", "--profile", &profile, "--package", "polyloop-lab"]);
    // From where the person stands: relative paths in the arguments are theirs.
    cargo.arg("--manifest-path").arg(exec::root().join("Cargo.toml"));
    if !has_peers(peers, &exec::root().join("target").join("lab-has-peers")) {
        cargo.arg("--no-default-features");
    }
    cargo.arg("--").args(arguments);
    cargo.env("POLYLOOP_LAB_CALLED_AS", called_as);
    cargo.env("POLYLOOP_LAB_DIR", exec::root().join("target").join("lab"));
    become_it(cargo)
}

/// Whether the peers are built in: because this command needs them, which is noted in the file `memory` for those that come, or
/// because one before did. `cargo clean` forgets it.
fn has_peers(peers: Peers, memory: &Path) -> bool {
    match peers {
        Peers::With => {
            // Who cannot note it builds once more.
            let _ = memory.parent().map(fs::create_dir_all);
            let _ = fs::write(memory, "");
            true
        }
        Peers::Without => memory.exists(),
    }
}

/// Whether an argument may name a peer, alone or after `--on=`.
pub(crate) fn names_a_peer(arguments: &[String]) -> bool {
    let peers = ["tokio", "smol"];
    arguments.iter().any(|argument| peers.iter().any(|peer| argument.contains(peer)))
}

/// On Unix the process is replaced, so that there is one receiver of signals and one exit code.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<(), Stop> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(Stop::failed(format!("cargo cannot be run: {error}")))
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<(), Stop> {
    let status = command.status().map_err(|error| Stop::failed(format!("cargo cannot be run: {error}")))?;
    std::process::exit(status.code().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_the_peers_are_built_every_command_has_them() {
        let folder = std::env::temp_dir().join(format!("polyloop-xtask-{}", std::process::id()));
        let memory = folder.join("target").join("lab-has-peers");
        assert!(!has_peers(Peers::Without, &memory));
        assert!(has_peers(Peers::With, &memory));
        assert!(has_peers(Peers::Without, &memory));
        fs::remove_dir_all(folder).unwrap();
        assert!(!has_peers(Peers::Without, &memory));
    }

    #[test]
    fn a_peer_is_found_wherever_it_is_named() {
        let names =
            |words: &[&str]| names_a_peer(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert!(names(&["run", "sleep", "--on", "tokio-mt"]));
        assert!(names(&["run", "sleep", "--on=smol-1"]));
        assert!(!names(&["run", "sleep", "--on", "steal+mio+wheel"]));
    }
}
