//! `cargo xtask book …`: the programs of the Rust Book's chapter, each with the timeline of that very run; on a peer the lab runs it.

use crate::exec;
use crate::forward::{self, Peers};
use crate::stop::Stop;
use crate::workspace::Workspace;
use std::process::{Command, ExitStatus};

/// The programs that fetch pages bring TLS and an HTML parser; nobody waits for these who wants another one.
const PAGES: [&str; 2] = ["page-title", "first-page"];

/// The runtimes that are not ours, which only the lab runs.
const PEERS: [&str; 4] = ["tokio-ct", "tokio-mt", "smol-1", "smol-n"];

/// The learner's project, which is built as a stranger builds it.
const TEMPLATE: &str = "templates/chapter17";

pub(crate) fn run(arguments: Vec<String>) -> Result<(), Stop> {
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let with_pages = has("--all") || arguments.is_empty() || PAGES.iter().any(|page| has(page));
    let (own, peers) = without_peers(&arguments);
    if peers.is_empty() || has("--help") || has("-h") {
        return ends_well(status(book(with_pages).args(&arguments))?);
    }
    let refused = |why: String| {
        let peers = peers.join(", ");
        Stop::Usage(format!("--on {peers}: on other runtimes than ours the lab runs it, {why}"))
    };
    let name = for_the_lab(&own).map_err(refused)?;
    let asked = book(with_pages).args([name, "--experiment"]).output().map_err(cannot_run)?;
    if !asked.status.success() {
        eprint!("{}", String::from_utf8_lossy(&asked.stderr));
        return ends_well(asked.status);
    }
    let experiment = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    if experiment.is_empty() {
        return Err(refused(format!("and has no experiment like `{name}`")));
    }
    if own.iter().any(|word| word == "--on" || word.starts_with("--on=")) {
        ends_well(status(book(with_pages).args(&own))?)?;
    }
    eprintln!("On other runtimes than ours the lab runs it, as its experiment `{experiment}`:");
    let on = peers.into_iter().flat_map(|peer| ["--on".to_owned(), peer]);
    let words: Vec<String> = ["run".to_owned(), experiment].into_iter().chain(on).collect();
    forward::to_lab_in("dev", "cargo xtask lab", Peers::With, &words)
}

/// What CI runs: all programs on all combinations, and the learner's project.
pub(crate) fn check() -> Result<(), Stop> {
    exec::check(exec::not_incremental(book(true).arg("--all")))?;
    // As from a fresh clone somewhere else, with its own lock file; that foreign crates are built once for all is cargo's doing.
    let template = Workspace::template(TEMPLATE)?;
    for arguments in
        [&["test", "--quiet"][..], &["clippy", "--all-targets", "--quiet", "--", "-D", "warnings"]]
    {
        exec::check(&mut template.cargo(arguments))?;
    }
    Ok(())
}

/// The book, run from where the person stands: relative paths in the arguments are theirs.
fn book(with_pages: bool) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--package", "polyloop-book", "--manifest-path"]);
    cargo.arg(exec::root().join("Cargo.toml"));
    if with_pages {
        cargo.args(["--features", "pages"]);
    }
    cargo.arg("--");
    cargo
}

fn status(command: &mut Command) -> Result<ExitStatus, Stop> {
    command.status().map_err(cannot_run)
}

fn cannot_run(error: std::io::Error) -> Stop {
    Stop::failed(format!("cargo cannot be run: {error}"))
}

/// Whatever it said, its code is ours.
fn ends_well(status: ExitStatus) -> Result<(), Stop> {
    if !status.success() {
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}

/// The arguments without those that name a peer, and these peers.
fn without_peers(arguments: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut own, mut peers) = (Vec::new(), Vec::new());
    let mut words = arguments.iter().peekable();
    while let Some(word) = words.next() {
        if let Some(peer) = word.strip_prefix("--on=").filter(|subject| is_peer(subject)) {
            peers.push(peer.to_owned());
        } else if let Some(peer) = words.next_if(|next| word == "--on" && is_peer(next)) {
            peers.push(peer.clone());
        } else {
            own.push(word.clone());
        }
    }
    (own, peers)
}

/// The program's name, of words that name no peer. The lab runs its own form of a program, to which nothing more can be said.
fn for_the_lab(words: &[String]) -> Result<&String, String> {
    let has_own = words.iter().any(|word| word == "--on" || word.starts_with("--on="));
    let (mut name, mut words) = (None, words.iter());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--on" => _ = words.next(),
            // The lab shows nothing else.
            "--no-timeline" if has_own => {}
            word if word.starts_with("--on=") => {}
            _ if name.is_none() && !word.starts_with('-') => name = Some(word),
            _ => return Err(format!("which takes its name alone, and no `{word}`")),
        }
    }
    name.ok_or_else(|| "and wants the name of one program".to_owned())
}

/// Whether this names a peer, with or without a number of workers.
fn is_peer(subject: &str) -> bool {
    PEERS.contains(&subject.split(':').next().unwrap_or(subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lab_gets_the_peers_and_the_book_the_rest() {
        let words = "yields --on fifo --on tokio-mt:4 --no-timeline --on=steal:2 --on=smol-1 --on";
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let (own, peers) = without_peers(&words);
        assert_eq!(own.join(" "), "yields --on fifo --no-timeline --on=steal:2 --on");
        assert_eq!(peers, ["tokio-mt:4", "smol-1"]);
        assert!(!is_peer("tokio") && !is_peer("fifo+tokio-mt"));
    }

    #[test]
    fn the_lab_takes_a_programs_name_and_refuses_what_it_would_pass_over() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for line in ["yields", "--on fifo --no-timeline yields", "yields --on=steal:2 --on"] {
            assert_eq!(for_the_lab(&words(line)).map(String::as_str), Ok("yields"), "{line}");
        }
        for (line, refused) in [
            ("yields 5", "no `5`"),
            ("yields --timeline mine.json", "no `--timeline`"),
            ("--timeline=mine.json", "no `--timeline=mine.json`"),
            ("yields --no-timeline", "no `--no-timeline`"),
            ("--all", "no `--all`"),
            ("yields -- 5", "no `--`"),
            ("--on fifo", "the name of one program"),
        ] {
            let why = for_the_lab(&words(line)).unwrap_err();
            assert!(why.contains(refused), "{line}: {why}");
        }
    }
}
