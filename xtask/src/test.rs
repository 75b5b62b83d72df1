//! Every test of the workspace counts exactly once, and the last line printed is the total.
//!
//! A test that finds its optional tool missing appends `name: reason` to the file that `POLYLOOP_SKIPPED` names and
//! returns. The runner saw it pass; here it is counted as skipped, or as failed where `CI` is set. In front of what no tool would help,
//! because the machine does not allow it, stands `unable: `; that is skipped everywhere.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::AddAssign;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

use crate::args::Args;
use crate::exec;
use crate::stop::Stop;
use crate::workspace::{Package, Workspace};

const HELP: &str = "\
Runs the unit, integration and documentation tests of the workspace, through cargo-nextest if it is there and `cargo test`
if not. Foreign crates have a workspace and a command of their own, `cargo xtask ecosystem`, and with them trpl's heavy half.
The last line is `N passed, N failed, N skipped`.

Usage: cargo xtask test [-p CRATE]… [--repeat N] [--long]

  -p CRATE    only this crate, `core` or `polyloop-core`; repeatable
  --repeat N  run unit and integration tests N times, to find the one that fails sometimes
  --long      let tests that repeat a race do so for minutes, on busy cores for hours: with `-p steal`,
              100,000 hand-offs; with `-p tests`, as many races of each kind for a deadlock, 10,000 runtimes that
              leave nothing behind, and on every combination each order in which what belongs to a runtime can be dropped

Example: cargo xtask test -p time -p core --repeat 20
";

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Totals {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Totals {
    /// Whether no test failed.
    pub(crate) fn is_green(self) -> bool {
        self.failed == 0
    }

    /// The same, if there was any test: a choice that no test meets any more must not look green.
    pub(crate) fn of_some(self, chosen: &str) -> Result<Self, Stop> {
        match self {
            Self { passed: 0, failed: 0, skipped: 0 } => {
                Err(Stop::Failed(format!("no test is among {chosen}, so nothing is shown")))
            }
            some => Ok(some),
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &["--long"], &["-p", "--repeat"])?;
    args.nothing_else()?;
    let workspace = Workspace::load()?;
    let wanted = args.values("-p").map(|name| workspace.member(name)).collect::<Result<Vec<_>, _>>()?;
    let rounds = Rounds { times: args.number("--repeat", 1)?, are_long: args.flag("--long") };
    let totals = totals(&workspace, &wanted, rounds)?;
    println!("{totals}");
    if totals.is_green() { Ok(()) } else { Err(Stop::Said) }
}

/// How often the unit and integration tests run.
pub(crate) struct Rounds {
    times: u32,
    /// Whether tests that repeat a race do so for minutes.
    are_long: bool,
}

impl Rounds {
    pub(crate) const ONE: Self = Self { times: 1, are_long: false };
}

/// Runs the tests of `wanted`, or of all members if that is empty.
pub(crate) fn totals(workspace: &Workspace, wanted: &[&Package], rounds: Rounds) -> Result<Totals, Stop> {
    let chosen: Vec<&Package> = match wanted {
        [] => workspace.packages.iter().collect(),
        some => some.to_vec(),
    };
    let selection: Vec<&str> = match wanted {
        [] => vec!["--workspace"],
        some => some.iter().flat_map(|package| ["-p", package.name.as_str()]).collect(),
    };
    let lean = Workspace::lean(&chosen);
    let selection: Vec<&str> = selection.into_iter().chain(lean.iter().map(String::as_str)).collect();
    let mut totals = Totals::default();
    let has_library = chosen.iter().any(|package| package.has(&["lib", "rlib", "proc-macro"]));
    let words = runner(&selection, has_library);
    let cargo = |words: &[&str]| {
        let mut command = workspace.cargo(words);
        // Whoever names a crate is at work on it, and gains from incremental compilation. The price: after a run of everything those of
        // our own crates that he needs are built once more.
        if wanted.is_empty() {
            exec::not_incremental(&mut command);
        }
        command
    };
    // Whoever says how many run at a time may want it quiet.
    let may_halve = words[0] == "test" && std::env::var_os("RUST_TEST_THREADS").is_none();
    let halves = may_halve.then(|| halves(workspace, wanted)).flatten();
    let run = |words: &[&str]| {
        let mut command = cargo(words);
        if rounds.are_long {
            command.env("POLYLOOP_STRESS", "long");
        }
        command
    };
    for _ in 0..rounds.times {
        totals += match &halves {
            Some(halves) => side_by_side(workspace, halves, &selection, run)?,
            None => counted(workspace, run(&words), &words)?,
        };
    }
    // Only libraries have documentation tests, and cargo refuses to look for them if there is none.
    if has_library {
        // With the same selection, and so the same features, as above: else everything would be built again.
        let words: Vec<&str> =
            ["test", "--doc", "--no-fail-fast"].into_iter().chain(selection.iter().copied()).collect();
        totals += counted(workspace, cargo(&words), &words)?;
    }
    Ok(totals)
}

/// Runs a `cargo test` of some instrument (Miri, a sanitizer). No test at all is no proof, so it is an error.
pub(crate) fn instrumented(command: &mut Command) -> Result<(), Stop> {
    let mut totals = Totals::default();
    let status = exec::watch(command, |line| totals += count_libtest(line).unwrap_or_default())?;
    match totals {
        _ if !status.success() => Err(Stop::Failed(format!("{totals}; the run ended with {status}"))),
        Totals { passed: 0, .. } => Err(Stop::failed("no test ran, so nothing is shown")),
        _ => {
            println!("{totals}");
            Ok(())
        }
    }
}

fn runner<'a>(selection: &[&'a str], has_library: bool) -> Vec<&'a str> {
    let mut words = if exec::works(&mut exec::cargo(&["nextest", "--version"])) {
        vec!["nextest", "run", "--no-fail-fast", "--no-tests=pass", "--bins", "--tests"]
    } else {
        eprintln!(
            "test: cargo-nextest is not installed, so `cargo test` runs: `cargo install cargo-nextest --locked`"
        );
        vec!["test", "--no-fail-fast", "--bins", "--tests"]
    };
    // Cargo refuses to look for what none of them has.
    words.extend(has_library.then_some("--lib"));
    words.extend(selection);
    words
}

/// The names of the test programs of `tests/` that no crate's has, and those of all the others; nothing if there are not both. Only for
/// a run of everything: for a program that is named cargo wants the features it requires to be on, and they may not be with a few crates.
fn halves(workspace: &Workspace, wanted: &[&Package]) -> Option<[Vec<String>; 2]> {
    if !wanted.is_empty() {
        return None;
    }
    let names = |of_system: bool| -> BTreeSet<String> {
        let packages = workspace.packages.iter().filter(|package| (package.name == SYSTEM) == of_system);
        let targets = packages.flat_map(|package| &package.targets).filter(|target| target.kind == "test");
        targets.map(|target| target.name.clone()).collect()
    };
    let (system, others) = (names(true), names(false));
    let alone: Vec<String> = system.difference(&others).cloned().collect();
    let rest: Vec<String> = others.into_iter().collect();
    (!alone.is_empty() && !rest.is_empty()).then_some([alone, rest])
}

/// The package of the tests of the whole system.
const SYSTEM: &str = "polyloop-tests";

/// `cargo test` runs one program after the other, and many wait most of the time. So one half of them runs beside the other one, and is
/// shown after it: first what it has said until then, then each line as it comes, so that one sees where it hangs.
fn side_by_side(
    workspace: &Workspace,
    [alone, rest]: &[Vec<String>; 2],
    selection: &[&str],
    run: impl Fn(&[&str]) -> Command + Sync,
) -> Result<Totals, Stop> {
    let test = ["test", "--no-fail-fast"];
    let built = {
        let build = ["--no-run", "--lib", "--bins", "--tests"];
        let words: Vec<&str> = test.into_iter().chain(build).chain(selection.iter().copied()).collect();
        exec::check(&mut run(&words))
    };
    if let Err(Stop::Failed(why)) = built {
        eprintln!("test: {why}; it counts as one");
        return Ok(Totals { failed: 1, ..Totals::default() });
    }
    built?;
    let words = |kinds: &[&'static str], names: &[String]| -> Vec<String> {
        let names = names.iter().flat_map(|name| ["--test", name.as_str()]);
        let words =
            test.into_iter().chain(kinds.iter().copied()).chain(names).chain(selection.iter().copied());
        words.map(str::to_owned).collect()
    };
    let (beside, here) = (words(&[], alone), words(&["--lib", "--bins"], rest));
    eprintln!("test: beside these run {}, which are shown afterwards", alone.join(", "));
    let part = |words: &[String], said: &str, show: &mut dyn FnMut(bool, &str)| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = run(&words);
        // Three a core in both together.
        set_threads(&mut command, 3);
        counted_by(workspace, command, count_libtest, said, show)
    };
    let (send, lines) = mpsc::channel();
    let (beside, here) = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            // Dropped at the end, which ends the lines.
            let send = send;
            let mut keep = |is_stdout: bool, line: &str| drop(send.send((is_stdout, line.to_owned())));
            part(&beside, "skipped-beside.txt", &mut keep)
        });
        eprintln!("$ cargo {}", here.join(" "));
        let here = part(&here, "skipped-tests.txt", &mut print);
        eprintln!("$ cargo {}", beside.join(" "));
        lines.iter().for_each(|(is_stdout, line)| print(is_stdout, &line));
        (running.join(), here)
    });
    let mut totals = beside.map_err(|_| Stop::failed("counting the tests panicked"))??;
    totals += here?;
    Ok(totals)
}

fn print(is_stdout: bool, line: &str) {
    if is_stdout { println!("{line}") } else { eprintln!("{line}") }
}

/// Runs one `cargo test` or `cargo nextest` in this workspace, and counts.
pub(crate) fn one_round(workspace: &Workspace, words: &[&str]) -> Result<Totals, Stop> {
    let mut command = workspace.cargo(words);
    exec::not_incremental(&mut command);
    counted(workspace, command, words)
}

fn counted(workspace: &Workspace, mut command: Command, words: &[&str]) -> Result<Totals, Stop> {
    // Many tests sleep, wait for a child, or give a machine that is busy its time; beside each of them another may run.
    set_threads(&mut command, 4);
    let count = if words[0] == "nextest" { count_nextest } else { count_libtest };
    eprintln!("$ cargo {}", words.join(" "));
    counted_by(workspace, command, count, "skipped-tests.txt", &mut print)
}

/// Runs `command`, whose lines `count` understands, gives them all to `show`, and has tests that skip themselves listed in the file
/// called `list`.
fn counted_by(
    workspace: &Workspace,
    mut command: Command,
    count: fn(&str) -> Option<Totals>,
    list: &str,
    show: &mut dyn FnMut(bool, &str),
) -> Result<Totals, Stop> {
    std::fs::create_dir_all(&workspace.target).map_err(|error| cannot_write(&workspace.target, &error))?;
    let skips = workspace.target.join(list);
    std::fs::write(&skips, "").map_err(|error| cannot_write(&skips, &error))?;
    command.env("POLYLOOP_SKIPPED", &skips);
    let mut totals = Totals::default();
    let status = exec::overhear(&mut command, |is_stdout, line| {
        show(is_stdout, line);
        totals += count(line).unwrap_or_default();
    })?;
    if !status.success() && totals.failed == 0 {
        // It did not build, or the runner itself broke: no test says so, and the total must not look green.
        eprintln!("test: the run failed without a failed test; it counts as one");
        totals.failed = 1;
    }
    let said = std::fs::read_to_string(&skips).map_err(|error| cannot_write(&skips, &error))?;
    Ok(with_skips(totals, &said, exec::in_ci()))
}

/// So many tests run at a time for every two cores, unless somebody has said how many.
fn set_threads(command: &mut Command, for_two_cores: usize) {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let tests = (cores * for_two_cores / 2).max(1);
    for variable in ["RUST_TEST_THREADS", "NEXTEST_TEST_THREADS"] {
        if std::env::var_os(variable).is_none() {
            command.env(variable, tests.to_string());
        }
    }
}

/// A test that cannot even be built, because `what` is missing.
pub(crate) fn missing(what: &str) -> Totals {
    with_skips(Totals { passed: 1, ..Totals::default() }, what, exec::in_ci())
}

/// Moves tests that skipped themselves from the passed to the skipped, or to the failed where nothing may be missing.
fn with_skips(mut totals: Totals, said: &str, strict: bool) -> Totals {
    for line in said.lines().filter(|line| !line.is_empty()).collect::<BTreeSet<_>>() {
        let unable = line.strip_prefix("unable: ");
        let fails = strict && unable.is_none();
        let line = unable.unwrap_or(line);
        eprintln!("{}: {line}", if fails { "missing, and CI is set" } else { "skipped" });
        totals.passed = totals.passed.saturating_sub(1);
        if fails {
            totals.failed += 1;
        } else {
            totals.skipped += 1;
        }
    }
    totals
}

/// Reads the closing line of nextest. Only that one: it shows the closing lines of failed test programs too.
fn count_nextest(line: &str) -> Option<Totals> {
    let line = without_colour(line);
    let rest = line.trim_start().strip_prefix("Summary [")?;
    let list = rest.split_once("tests run: ").or_else(|| rest.split_once("test run: "))?.1;
    Some(sum(list, ", "))
}

/// Reads the closing line of a test program that `cargo test` runs.
fn count_libtest(line: &str) -> Option<Totals> {
    let line = without_colour(line);
    let list = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    Some(sum(list, "; "))
}

/// Adds up `3 passed, 1 failed`.
fn sum(list: &str, separator: &str) -> Totals {
    let mut totals = Totals::default();
    for part in without_parentheses(list).split(separator) {
        let Some((number, word)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<usize>() else { continue };
        match word.trim() {
            "passed" => totals.passed += number,
            "skipped" | "ignored" => totals.skipped += number,
            "failed" | "timed out" | "exec failed" => totals.failed += number,
            _ => {}
        }
    }
    totals
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0;
    let outside = text.chars().filter(|&c| {
        depth += i32::from(c == '(');
        let keep = depth == 0;
        depth -= i32::from(c == ')');
        keep
    });
    outside.collect()
}

fn without_colour(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Stop {
    Stop::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(passed: usize, failed: usize, skipped: usize) -> Totals {
        Totals { passed, failed, skipped }
    }

    #[test]
    fn each_test_program_is_in_one_half() {
        let workspace = Workspace::load().unwrap();
        let [alone, rest] = halves(&workspace, &[]).unwrap();
        assert!(
            alone.contains(&"stalls".to_owned()) && rest.contains(&"it".to_owned()),
            "{alone:?} {rest:?}"
        );
        let targets = workspace.packages.iter().flat_map(|package| &package.targets);
        for test in targets.filter(|target| target.kind == "test") {
            assert!(alone.contains(&test.name) != rest.contains(&test.name), "{}", test.name);
        }
    }

    #[test]
    fn no_program_is_named_unless_everything_is_built() {
        let workspace = Workspace::load().unwrap();
        let some = ["tests", "trpl"].map(|name| workspace.member(name).unwrap());
        assert_eq!(halves(&workspace, &some), None, "nobody switches on what trpl's `timeline` requires");
        assert_eq!(halves(&workspace, &some[..1]), None);
    }

    #[test]
    fn reads_nextest() {
        let line = "     Summary [   0.003s] 12 tests run: 8 passed (1 slow, 1 flaky), 2 failed, 2 timed out, 3 skipped";
        assert_eq!(count_nextest(line), Some(totals(8, 4, 3)));
        assert_eq!(
            count_nextest("     Summary [   0.001s] 1 test run: 1 passed, 0 skipped"),
            Some(totals(1, 0, 0))
        );
        let coloured =
            "\u{1b}[32;1m     Summary\u{1b}[0m [   0.003s] 1 test run: \u{1b}[1m1\u{1b}[0m passed, 0 skipped";
        assert_eq!(count_nextest(coloured), Some(totals(1, 0, 0)));
        assert_eq!(count_nextest("        PASS [   0.001s] a b::c"), None);
        // What a failed test printed is shown indented, its program's closing line among it.
        assert_eq!(count_nextest("    test result: FAILED. 0 passed; 1 failed; 0 ignored"), None);
    }

    #[test]
    fn reads_libtest() {
        let line = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 9 filtered out; finished in 0.00s";
        assert_eq!(count_libtest(line), Some(totals(3, 1, 2)));
        assert_eq!(count_libtest("test a::b ... ok"), None);
    }

    #[test]
    fn a_choice_that_no_test_meets_is_no_pass() {
        assert!(totals(0, 0, 0).of_some("a::").is_err());
        for some in [totals(1, 0, 0), totals(0, 1, 0), totals(0, 0, 1)] {
            assert!(some.of_some("a::").is_ok_and(|same| same == some));
        }
    }

    #[test]
    fn a_test_that_skipped_itself_is_no_pass() {
        let said = "a: no strace\nb: no chromium\na: no strace\n";
        assert_eq!(with_skips(totals(5, 0, 1), said, false), totals(3, 0, 3));
        assert_eq!(with_skips(totals(5, 0, 1), said, true), totals(3, 2, 1));
    }

    #[test]
    fn what_the_machine_does_not_allow_is_skipped_also_where_nothing_may_be_missing() {
        let said = "unable: a: no control group can be made\nb: no strace\n";
        assert_eq!(with_skips(totals(5, 0, 0), said, false), totals(3, 0, 2));
        assert_eq!(with_skips(totals(5, 0, 0), said, true), totals(3, 1, 1));
    }
}
