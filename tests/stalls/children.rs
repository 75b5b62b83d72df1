//! Programs that are started from here with a part to play.

use crate::{alarms, said};
use polyloop_conformance::skip;
use std::process::{Child, Command, Stdio};

/// Says to a child which part.
const VARIABLE: &str = "POLYLOOP_TEST_STALLS";

/// The children's side; without the variable it does nothing.
#[test]
fn child() {
    let Ok(part) = std::env::var(VARIABLE) else { return };
    match part.strip_prefix("busy ") {
        Some(length) => alarms::play(length),
        None => said::play(&part),
    }
}

/// A child behind the words of another command, unless there is none of that name.
pub(crate) fn start(part: &str, words: &[&str], variable: Option<&str>) -> Option<Child> {
    let own = std::env::current_exe().unwrap();
    let words: Vec<_> = words.iter().copied().chain([own.to_str().unwrap()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["children::child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(VARIABLE, part).env("RUST_BACKTRACE", "0").env_remove("POLYLOOP_STALLS");
    if let Some(variable) = variable {
        command.env("POLYLOOP_STALLS", variable);
    }
    match command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => Some(child),
        Err(error) => {
            skip(&format!("{}: {error}", words[0]));
            None
        }
    }
}

/// What the child says between `<` and `>`, and the lines of ours on its stderr.
pub(crate) fn said(child: Child) -> (String, Vec<String>) {
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Shown if the test fails.
    println!("{out:?}\n{err:?}");
    let said = out.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let said = said.unwrap_or_else(|| panic!("{out}\n{err}")).0.to_owned();
    (said, err.lines().filter(|line| line.starts_with("polyloop: ")).map(str::to_owned).collect())
}
