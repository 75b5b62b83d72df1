//! `cargo xtask book …`: the programs of the Rust Book's chapter, and the lab's timeline of the same program.

use crate::exec;
use crate::forward::{self, Peers};
use crate::stop::Stop;
use crate::workspace::Workspace;
use std::process::{Command, ExitStatus};

/// The programs that fetch pages bring TLS and an HTML parser; nobody waits for these who wants another one.
const PAGES: [&str; 2] = ["page-title", "first-page"];

/// The learner's project, which is built as a stranger builds it.
const TEMPLATE: &str = "templates/chapter17";

pub(crate) fn run(arguments: Vec<String>) -> Result<(), Stop> {
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let name = arguments.first().filter(|first| !first.starts_with('-'));
    let with_pages = has("--all") || arguments.is_empty() || PAGES.iter().any(|page| has(page));
    let status = status(book(with_pages).args(&arguments))?;
    if !status.success() {
        std::process::exit(status.code().unwrap_or(1));
    }
    let Some(name) = name.filter(|_| !has("--no-timeline") && !has("--experiment") && !has("--help")) else {
        return Ok(());
    };
    let experiment = exec::output(book(with_pages).args([name, "--experiment"]))?;
    let subjects = subjects(&arguments);
    if let Some(why) = no_timeline(&experiment, &subjects) {
        eprintln!("{why}");
        return Ok(());
    }
    eprintln!("The same program in the lab, which labels its futures; `--no-timeline` leaves it out:");
    let words = ["run", experiment.trim()].map(str::to_owned).into_iter().chain(subjects).collect::<Vec<_>>();
    forward::to_lab_in("dev", "cargo xtask lab", Peers::Without, &words)
}

/// Why there is nothing to see after the output, if there is not.
fn no_timeline(experiment: &str, subjects: &[String]) -> Option<&'static str> {
    if experiment.trim().is_empty() {
        return Some("There is no timeline of this one, because the lab has no experiment like it.");
    }
    subjects.is_empty().then_some("With `--on SUBJECT` you also see the lab's timeline of it.")
}

/// What CI runs: all programs on all combinations, and the learner's project.
pub(crate) fn check() -> Result<(), Stop> {
    exec::check(book(true).arg("--all"))?;
    // As from a fresh clone somewhere else, with its own lock file; that foreign crates are built once for all is cargo's doing.
    let template = Workspace::template(TEMPLATE)?;
    for arguments in
        [&["test", "--quiet"][..], &["clippy", "--all-targets", "--quiet", "--", "-D", "warnings"]]
    {
        exec::check(&mut template.cargo(arguments))?;
    }
    Ok(())
}

fn book(with_pages: bool) -> Command {
    let mut cargo = exec::cargo(&["run", "--package", "polyloop-book"]);
    if with_pages {
        cargo.args(["--features", "pages"]);
    }
    cargo.arg("--");
    cargo
}

fn status(command: &mut Command) -> Result<ExitStatus, Stop> {
    command.status().map_err(|error| Stop::failed(format!("cargo cannot be run: {error}")))
}

/// The `--on` of the arguments, as the lab takes them.
fn subjects(arguments: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = word.strip_prefix("--on=").map(str::to_owned);
        let value = value.or_else(|| (word == "--on").then(|| words.next().cloned()).flatten());
        found.extend(value.into_iter().flat_map(|value| ["--on".to_owned(), value]));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_that_is_not_there_says_why() {
        let on = ["--on".to_owned(), "fifo".to_owned()];
        assert_eq!(no_timeline("sleep/async\n", &on), None);
        assert!(no_timeline("\n", &on).is_some_and(|why| why.contains("no experiment")));
        assert!(no_timeline("sleep/async\n", &[]).is_some_and(|why| why.contains("--on")));
    }

    #[test]
    fn the_lab_gets_the_subjects_alone() {
        let words = "yields --on fifo --no-timeline --on=steal:2 --on".split(' ').map(str::to_owned);
        assert_eq!(subjects(&words.collect::<Vec<_>>()), ["--on", "fifo", "--on", "steal:2"]);
    }
}
