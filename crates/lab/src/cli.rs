//! The command line.
//!
//! Invariant: a wrong value is refused here, with what is allowed, before anything runs.

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use polyloop_timeline::text::clean;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The same experiments and benchmarks on every combination and on public peers.
#[derive(Debug, Parser)]
#[command(name = "lab", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 ok; 1 an own verdict failed, a hang, a crash, or --fail-on; 2 usage;
3 a required backend is missing under --strict; 4 nothing matched; 130 Ctrl-C.
stdout carries the data, stderr progress and diagnostics. NO_COLOR switches colours off.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything on everything, in 12 to 13 minutes: table, report.html, results.json, results.md.
    Matrix(MatrixArgs),
    /// What an operation costs: instructions, atomics, allocations and system calls, counted under valgrind.
    Counts(CountsArgs),
    /// Named experiments on named subjects, with their timelines.
    Run(RunArgs),
    /// What can be run, and on what.
    List(ListArgs),
    /// Compares two runs, old and new.
    Compare(CompareArgs),
    /// The machine card, and what would make numbers surer.
    Doctor,
    /// Makes report.html and results.md again from a results.json.
    Report(ReportArgs),
}

/// `matrix`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask bench matrix --quick\n  \
                  cargo xtask bench matrix --exec steal --reactor mio,poll --filter 'tcp_echo*'\n  \
                  cargo xtask bench matrix --budget 5m --out mine")]
pub(crate) struct MatrixArgs {
    /// Under 3 minutes: every experiment with long sleeps × 0.1, and the short list of benches.
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// Every bench, 31 rounds, as long as it takes.
    #[arg(long)]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Keep only these executors.
    #[arg(long, value_delimiter = ',', value_name = "NAME", conflicts_with = "on")]
    pub(crate) exec: Vec<String>,
    /// Keep only these reactors.
    #[arg(long, value_delimiter = ',', value_name = "NAME", conflicts_with = "on")]
    pub(crate) reactor: Vec<String>,
    /// Keep only these timer queues.
    #[arg(long, value_delimiter = ',', value_name = "NAME", conflicts_with = "on")]
    pub(crate) timers: Vec<String>,
    /// Keep only these peers; `none` for none, `all` for all.
    #[arg(long, value_delimiter = ',', value_name = "NAME", conflicts_with = "on")]
    pub(crate) peers: Option<Vec<String>>,
    /// Run every subject that can have several workers with each of these numbers, peers too.
    #[arg(long, value_delimiter = ',', value_name = "N", value_parser = whole(1..=1024), allow_hyphen_values = true)]
    pub(crate) workers: Vec<u64>,
    /// Run everything on every combination, also where it does not depend on what differs, and every combination with every
    /// policy for blocked workers.
    #[arg(long)]
    pub(crate) exhaustive: bool,
    /// Rounds of each bench; below 5 there are no intervals, with 5 they are 93.75 % sure, from 6 on at least 95 %.
    #[arg(long, value_name = "N", value_parser = whole(1..=10_000), allow_hyphen_values = true)]
    pub(crate) rounds: Option<u64>,
    /// Fit the rounds to this: 90s, 5m, 1h30m.
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true, conflicts_with = "rounds")]
    pub(crate) budget: Option<Duration>,
    /// How many experiments run side by side [default: 2, or 1 on one core].
    #[arg(long, value_name = "N", value_parser = whole(1..=64), allow_hyphen_values = true)]
    pub(crate) jobs: Option<u64>,
    /// Where the files go; must not hold a results.json [default: target/lab/RUN].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What stdout carries.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Only list the cases and subjects that were chosen.
    #[arg(long)]
    pub(crate) list: bool,
    /// Only print the plan and its estimate.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// After the rounds, also count each bench's instructions, atomics, allocations and system calls under valgrind.
    #[arg(long)]
    pub(crate) counts: bool,
    /// Exit with 3 if a cell is unavailable.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Exit with 1 if the default combination is slower than tokio-mt by more than this in any bench, interval
    /// included: 20%.
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    pub(crate) fail_on: Option<f64>,
}

/// `counts`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask bench counts\n  \
                  cargo xtask bench counts --on fifo --on tokio-ct --filter timer_cancel --format markdown")]
pub(crate) struct CountsArgs {
    /// A subject; repeatable [default: fifo and steal with one worker, and the one-thread peers].
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) on: Vec<String>,
    /// A pattern on case paths; repeatable [default: spawn, join, yield, wake, timer].
    #[arg(long, value_name = "GLOB")]
    pub(crate) filter: Vec<String>,
    /// How often each is counted; where the counts differ, the least and the most are shown.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = whole(1..=1000), allow_hyphen_values = true)]
    pub(crate) rounds: u64,
    /// Seeds what the cases draw.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(0..=u64::MAX), allow_hyphen_values = true)]
    pub(crate) seed: u64,
    /// Also write results.json, results.md and report.html there; must not hold a results.json.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What stdout carries.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// What `matrix` and `run` choose in the same way.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// A subject: a combination like steal:4+mio+wheel, or a peer. Repeatable.
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) on: Vec<String>,
    /// A pattern on case paths: 'starvation/*', tcp_echo. Repeatable; what any of them names is run.
    #[arg(long, value_name = "GLOB")]
    pub(crate) filter: Vec<String>,
    /// Seeds the order of the cells, the cases and the intervals [default: drawn, and shown].
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX), allow_hyphen_values = true)]
    pub(crate) seed: Option<u64>,
    /// Multiply sleeps of 500 ms and more by this; starvation/* is always verbatim.
    #[arg(long, value_name = "X", value_parser = scale, allow_hyphen_values = true)]
    pub(crate) scale: Option<f64>,
    /// The time limit of one cell [default: 10 s and 5 times what it should take].
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    pub(crate) timeout: Option<Duration>,
}

/// `run`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask lab run starvation --on fifo+mio+heap\n  \
                  cargo xtask lab run sleep --on fifo --on steal --on tokio-mt")]
pub(crate) struct RunArgs {
    /// Experiments by path, leading part or pattern: starvation, sleep/async, '*/seed'.
    #[arg(required = true, value_name = "EXPERIMENT")]
    pub(crate) experiments: Vec<String>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Columns to use [default: the terminal's].
    #[arg(long, value_name = "COLUMNS", value_parser = whole(40..=1000), allow_hyphen_values = true)]
    pub(crate) width: Option<u64>,
    /// Only ASCII characters.
    #[arg(long)]
    pub(crate) ascii: bool,
    /// What stdout carries.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Also write the report there; must not hold a results.json.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 3 if a cell is unavailable.
    #[arg(long)]
    pub(crate) strict: bool,
}

/// `list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// What to list.
    #[arg(value_enum, default_value_t = What::All)]
    pub(crate) what: What,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Cases and subjects.
    All,
    /// Cases with a verdict.
    Experiments,
    /// Cases with numbers.
    Benches,
    /// What they run on.
    Subjects,
}

/// `compare`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  cargo xtask bench compare target/lab/before target/lab/latest --fail-on 5%"
)]
pub(crate) struct CompareArgs {
    /// The old run: a results.json, or the folder that holds it.
    pub(crate) old: PathBuf,
    /// The new run.
    pub(crate) new: PathBuf,
    /// Also show the rows in which nothing changed.
    #[arg(long)]
    pub(crate) all: bool,
    /// Exit with 1 if anything of ours got slower by more than this, interval included, or passed before and is lost: 5%.
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_hyphen_values = true)]
    pub(crate) fail_on: Option<f64>,
}

/// `report`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A results.json, or the folder that holds it.
    pub(crate) results: PathBuf,
    /// Where report.html and results.md go, beside results.json unless said; neither may be there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// What stdout carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For issues.
    Markdown,
    /// results.json.
    Json,
    /// For spreadsheets.
    Csv,
}

impl Cli {
    /// Parses, with the name by which the lab was called in every message.
    pub(crate) fn from_environment() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        if let Some(name) = called_as() {
            command = command.bin_name(name);
        }
        Self::from_arg_matches(&command.try_get_matches()?)
    }
}

/// What is wrong with a command line, and what is allowed, in one line; clap has a tip and the usage on lines of their own.
pub(crate) fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let is_more = |line: &str| line.starts_with("Usage:") || line.starts_with("For more information");
    let lines = text.lines().take_while(|line| !is_more(line)).map(|line| clean(line.trim()));
    let said = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ").replace(":; ", ": ");
    match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue | ErrorKind::ArgumentConflict => said,
        _ => said + " (--help says what is allowed)",
    }
}

/// How the lab was called, if somebody forwards to it: `cargo xtask bench`.
fn called_as() -> Option<String> {
    std::env::var("POLYLOOP_LAB_CALLED_AS").ok().filter(|name| !name.is_empty())
}

/// The command that repeats this run: as it was typed, with the seed, and without the folder, which holds this run now.
pub(crate) fn again(seed: u64) -> String {
    let mut typed = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let program = typed.next().unwrap_or_default();
    let mut arguments = without_folder(typed);
    let program = std::path::Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
    let mut command = called_as().or(program).unwrap_or_else(|| "lab".into());
    let has_seed = arguments.iter().any(|argument| argument == "--seed" || argument.starts_with("--seed="));
    if !has_seed {
        arguments.extend(["--seed".into(), seed.to_string()]);
    }
    for argument in arguments {
        command.push(' ');
        command += &shell_quoted(&argument);
    }
    command
}

fn without_folder(mut arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--out" {
            arguments.next();
        } else if !argument.starts_with("--out=") {
            kept.push(argument);
        }
    }
    kept
}

fn shell_quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,%@".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

/// `90s`, `5m`, `1h30m`, `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time; allowed are forms like 90s, 5m, 1h30m");
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..letters] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
        rest = &rest[letters..];
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && seconds < 1e7 => Ok(duration),
        _ => Err(format!("{text:?} is no time to run in; allowed is more than 0 and less than 100 days")),
    }
}

/// Reads a whole number of this range.
fn whole(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |text: &str| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("allowed are whole numbers from {} to {}", range.start(), range.end())),
    }
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.01..=10.0).contains(&scale) => Ok(scale),
        _ => Err("allowed are numbers from 0.01 to 10; 1 is verbatim".into()),
    }
}

/// `5%` or `5` is 0.05.
fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if percent.is_finite() && percent >= 0.0 => Ok(percent / 100.0),
        _ => Err("allowed are percentages from 0: 5%".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_and_nonsense_is_refused() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "5", "m", "0s", "-1s", "5x", "1..2s", "s5", "99999999h", "é"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn scales_and_percentages() {
        assert_eq!(scale("0.1"), Ok(0.1));
        for wrong in ["0", "-1", "nan", "inf", "x", "1e9"] {
            assert!(scale(wrong).is_err(), "{wrong}");
        }
        assert_eq!(percent("5%"), Ok(0.05));
        assert!(percent("-5%").is_err());
        assert!(percent("NaN").is_err());
    }

    #[test]
    fn the_command_that_repeats_a_run_does_not_name_the_folder_that_is_full_now() {
        let kept = |words: &[&str]| without_folder(words.iter().map(|word| (*word).to_owned())).join(" ");
        assert_eq!(kept(&["matrix", "--out", "a", "--quick"]), "matrix --quick");
        assert_eq!(kept(&["matrix", "--out=a", "--quick", "--out"]), "matrix --quick");
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(shell_quoted("steal:4+mio+wheel"), "steal:4+mio+wheel");
        assert_eq!(shell_quoted("starvation/*"), "'starvation/*'");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
        assert_eq!(shell_quoted(""), "''");
    }
}
