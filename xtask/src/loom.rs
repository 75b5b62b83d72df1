//! A model that cannot fail proves nothing: each model holds on the code, and fails on each of its mutants.
//!
//! The code is built once as it is and once per mutant, each time only the crate whose models they are: a mutant is beside the
//! code that it breaks, in the same crate. While the models run on one build, the next one is made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::args::Args;
use crate::exec::{self, End};
use crate::models::{self, Pair};
use crate::stop::Stop;
use crate::workspace::{Package, Workspace};

const HELP: &str = "\
Runs the loom models: the tests named `loom_…` in the libraries that have a `loom.toml`. With --mutants, every model
also runs on each mutant that `loom.toml` pairs it with, and must fail there by a panic.

Usage: cargo xtask loom [CRATE]… [--mutants] [--preemptions N] [--timeout SECONDS]

  --mutants          also run the models on their mutants
  --preemptions N    how often loom may interrupt a thread (default 2; 3 takes much longer)
  --timeout SECONDS  for one model; more is an error, never a proof (default 300)

Example: cargo xtask loom core --mutants
";

/// What one run of a model showed.
#[derive(Debug, PartialEq)]
enum Outcome {
    Holds,
    /// With the first words of the panic.
    Fails(String),
    /// Neither holds nor fails: too long, too many branches, killed, not found.
    Unclear(String),
}

/// The models of one crate.
struct Suite<'a> {
    package: &'a Package,
    pairs: Vec<Pair>,
}

impl Suite<'_> {
    fn mutants(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.pairs.iter().map(|pair| pair.mutant.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A line of the table, and whether it is as it must be.
struct Row {
    model: String,
    mutant: String,
    text: String,
    seconds: f64,
    good: bool,
}

impl Row {
    /// That a model does not run says nothing for it, on the code as it is and on a mutant.
    fn without_test(suite: &Suite<'_>, pair: &Pair, mutant: &str) -> Self {
        Self {
            model: format!("{}::{}", suite.package.short(), pair.model),
            mutant: mutant.to_owned(),
            text: "ERROR: loom.toml names it, but there is no such test".into(),
            seconds: 0.0,
            good: false,
        }
    }
}

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &["--mutants"], &["--preemptions", "--timeout"])?;
    let preemptions = args.number("--preemptions", 2)?;
    let limit = Duration::from_secs(args.number("--timeout", 300)?.into());
    let workspace = Workspace::load()?;
    let wanted = args.free.iter().map(|name| workspace.member(name)).collect::<Result<Vec<_>, _>>()?;
    let suites = suites(&workspace, &wanted)?;
    if suites.is_empty() {
        println!("loom: no crate has models yet");
        return Ok(());
    }
    let runner = Runner { workspace: &workspace, preemptions, limit };
    let rows = runner.all(&suites, args.flag("--mutants"))?;
    print_table(&rows);
    match rows.iter().filter(|row| !row.good).count() {
        0 => Ok(()),
        bad => Err(Stop::Failed(format!("{bad} of {} runs are not as they must be", rows.len()))),
    }
}

fn suites<'a>(workspace: &'a Workspace, wanted: &[&Package]) -> Result<Vec<Suite<'a>>, Stop> {
    let mut suites = Vec::new();
    for package in &workspace.packages {
        let path = format!("{}loom.toml", package.folder());
        let asked = wanted.is_empty() || wanted.iter().any(|other| other.name == package.name);
        let Ok(text) = fs::read_to_string(workspace.root.join(&path)) else { continue };
        if asked {
            let pairs =
                models::read(&text).map_err(|(line, what)| Stop::Failed(format!("{path}:{line}: {what}")))?;
            suites.push(Suite { package, pairs });
        }
    }
    Ok(suites)
}

/// Builds and runs.
struct Runner<'a> {
    workspace: &'a Workspace,
    preemptions: u32,
    limit: Duration,
}

impl Runner<'_> {
    /// Every model on the code as it is, and on its mutants if that is wanted.
    fn all(&self, suites: &[Suite<'_>], with_mutants: bool) -> Result<Vec<Row>, Stop> {
        let (send, built) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                for suite in suites {
                    let mutants = suite.mutants().into_iter().filter(|_| with_mutants);
                    for mutant in std::iter::once(None).chain(mutants.map(Some)) {
                        let binary = self.build(suite.package, mutant);
                        let failed = binary.is_err();
                        // Nobody listens any more if a run could not start.
                        if send.send((suite, mutant, binary)).is_err() || failed {
                            return;
                        }
                    }
                }
            });
            let mut rows = Vec::new();
            for (suite, mutant, binary) in built {
                rows.extend(match mutant {
                    None => self.models(suite, &binary?)?,
                    Some(mutant) => self.mutant(suite, mutant, &binary?)?,
                });
            }
            Ok(rows)
        })
    }

    /// Every model on the code as it is.
    fn models(&self, suite: &Suite<'_>, binary: &Path) -> Result<Vec<Row>, Stop> {
        let listed = list(binary)?;
        let mut rows = Vec::new();
        for test in &listed {
            rows.push(self.row(binary, suite, test, None)?);
        }
        // A name without a test would be a model that never runs.
        for pair in &suite.pairs {
            if !listed.iter().any(|test| last_part(test) == pair.model) {
                rows.push(Row::without_test(suite, pair, "-"));
            }
        }
        Ok(rows)
    }

    /// The models that must fail on this mutant.
    fn mutant(&self, suite: &Suite<'_>, mutant: &str, binary: &Path) -> Result<Vec<Row>, Stop> {
        let listed = list(binary)?;
        let mut rows = Vec::new();
        for pair in suite.pairs.iter().filter(|pair| pair.mutant == mutant) {
            match listed.iter().find(|test| last_part(test) == pair.model) {
                Some(test) => rows.push(self.row(binary, suite, test, Some(mutant))?),
                None => rows.push(Row::without_test(suite, pair, mutant)),
            }
        }
        Ok(rows)
    }

    fn row(&self, binary: &Path, suite: &Suite<'_>, test: &str, mutant: Option<&str>) -> Result<Row, Stop> {
        let start = exec::now();
        let mut command = Command::new(binary);
        command.args(["--exact", test, "--test-threads=1", "--nocapture"]).current_dir(&self.workspace.root);
        command.env("LOOM_MAX_PREEMPTIONS", self.preemptions.to_string()).env("RUST_BACKTRACE", "0");
        // Either of these would let loom stop early and call it a pass.
        command.env_remove("LOOM_MAX_DURATION").env_remove("LOOM_MAX_PERMUTATIONS");
        let end = exec::bounded(&mut command, self.limit)?;
        let (outcome, output) = match end {
            // It panicked, and hung while it unwound.
            End::TimedOut(output) if output.contains("panicked at") => (judge(false, &output), output),
            End::TimedOut(output) => {
                (Outcome::Unclear(format!("no end within {} s", self.limit.as_secs())), output)
            }
            End::Exit(status, output) => (judge(status.success(), &output), output),
        };
        let (text, good) = match (&outcome, mutant) {
            (Outcome::Holds, None) => ("holds".to_owned(), true),
            (Outcome::Holds, Some(_)) => ("SURVIVED: the model does not see this mutant".to_owned(), false),
            (Outcome::Fails(panic), None) => (format!("FAILED: {panic}"), false),
            (Outcome::Fails(panic), Some(_)) => (format!("caught: {panic}"), true),
            (Outcome::Unclear(why), _) => (format!("ERROR: {why}"), false),
        };
        if !good && !output.is_empty() {
            eprintln!("---- {test}, mutant {}\n{}", mutant.unwrap_or("-"), tail(&output, 40));
        }
        let model = format!("{}::{}", suite.package.short(), last_part(test));
        let mutant = mutant.unwrap_or("-").to_owned();
        Ok(Row { model, mutant, text, seconds: start.elapsed().as_secs_f64(), good })
    }

    /// Builds the unit tests of a library for loom; gives the test binary.
    fn build(&self, package: &Package, mutant: Option<&str>) -> Result<PathBuf, Stop> {
        let folder = self.workspace.target.join("loom");
        // `rustc --profile=test` builds the unit tests, and hands what comes after `--` to this crate alone.
        let mut cargo =
            exec::cargo(&["rustc", "--lib", "--profile=test", "--message-format=json", "--quiet"]);
        cargo.args(["-p", &package.name]);
        cargo.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", "--cfg polyloop_loom");
        // loom is optimised, because it runs a model a hundred thousand times. A mutant is soon caught, and so built as fast as
        // can be. Both have assertions, because they are what fails.
        cargo.args(["--config", "profile.dev.package.'*'.opt-level=3"]);
        cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", if mutant.is_some() { "0" } else { "1" });
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_DEV_INCREMENTAL", "false");
        if let Some(mutant) = mutant {
            cargo.args(["--", "--cfg", &format!("polyloop_mutant=\"{mutant}\"")]);
        }
        eprintln!(
            "loom: building {} with {}",
            package.name,
            mutant.map_or("no mutant".into(), |m| format!("mutant {m}"))
        );
        let messages = exec::output(&mut cargo)?;
        executable(&messages)
            .ok_or_else(|| Stop::Failed(format!("cargo built no unit tests for {}", package.name)))
    }
}

/// The test binary named in cargo's JSON messages.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut binaries = messages.filter(|message| message["profile"]["test"] == true);
    binaries.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The models in a test binary, with their full paths.
fn list(binary: &Path) -> Result<Vec<String>, Stop> {
    let text = exec::output(Command::new(binary).args(["--list", "--format=terse"]))?;
    let tests = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(tests.filter(|test| last_part(test).starts_with("loom_")).map(str::to_owned).collect())
}

fn last_part(test: &str) -> &str {
    test.rsplit("::").next().unwrap_or(test)
}

/// A panic is a failure; loom's own limits and a silent end are not.
fn judge(success: bool, output: &str) -> Outcome {
    if success && output.contains("test result: ok. 1 passed") {
        return Outcome::Holds;
    }
    if success {
        return Outcome::Unclear("the test did not run".into());
    }
    if output.contains("Model exceeded maximum number of") {
        return Outcome::Unclear("loom gave up: too many branches".into());
    }
    let mut lines = output.lines().skip_while(|line| !line.contains("panicked at"));
    match lines.next() {
        Some(head) => {
            // The message is on the next line; old toolchains put it on the same.
            let text = lines.next().filter(|text| !text.is_empty()).unwrap_or(head);
            Outcome::Fails(text.trim().chars().take(60).collect())
        }
        None => Outcome::Unclear("it ended badly without a panic".into()),
    }
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn print_table(rows: &[Row]) {
    let width =
        |of: fn(&Row) -> &str, head: usize| rows.iter().map(|row| of(row).len()).fold(head, usize::max);
    let (model, mutant) = (width(|row| &row.model, 5), width(|row| &row.mutant, 6));
    let mut table = format!("{:model$}  {:mutant$}  {:>8}  outcome", "model", "mutant", "seconds");
    for row in rows {
        let line =
            format!("\n{:model$}  {:mutant$}  {:>8.1}  {}", row.model, row.mutant, row.seconds, row.text);
        table.push_str(&line);
    }
    // In one piece: in CI others print at the same time.
    println!("{table}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_panic_is_a_failure() {
        assert_eq!(judge(true, "test result: ok. 1 passed; 0 failed"), Outcome::Holds);
        let panic = "thread 't' panicked at src/a.rs:1:2:\nassertion failed: woken\nnote: …\n";
        assert_eq!(judge(false, panic), Outcome::Fails("assertion failed: woken".into()));
        assert!(matches!(judge(true, "test result: ok. 0 passed"), Outcome::Unclear(_)));
        assert!(matches!(judge(false, "signal"), Outcome::Unclear(_)));
        let limit = "thread 't' panicked at loom:\nModel exceeded maximum number of branches.";
        assert!(matches!(judge(false, limit), Outcome::Unclear(_)));
    }

    #[test]
    fn the_test_binary_is_found_among_the_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"profile\":{\"test\":false},\"executable\":\"no\"}\nnoise\n\
                        {\"reason\":\"compiler-artifact\",\"profile\":{\"test\":true},\"executable\":\"yes\"}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("yes")));
        assert_eq!(executable("{}"), None);
    }
}
