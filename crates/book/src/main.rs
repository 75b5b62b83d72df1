//! The book at the command line: list the programs, run one and see it, run all and be told.

#![forbid(unsafe_code)]

mod lanes;

use clap::Parser;
use lanes::Watching;
use polyloop::Combination;
use polyloop_book::{How, PROGRAMS, Program, Ran, judge, run_child, run_here};
use polyloop_timeline::Recording;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// So many programs run at a time with `--all`: nearly all of their time they sleep.
const AT_A_TIME: usize = 4;

/// The programs of the Rust Book's chapter on async, on any combination.
#[derive(Parser)]
#[command(
    name = "book",
    bin_name = "cargo xtask book",
    after_help = "Without a name the programs are listed. Example: cargo xtask book sleep-blocking-run --on fifo --on steal"
)]
struct Cli {
    /// The program.
    name: Option<String>,
    /// Arguments of the program, in place of the book's own.
    arguments: Vec<String>,
    /// The combination to run on; repeatable. On a peer (tokio-ct, tokio-mt, smol-1, smol-n) the lab runs it, if it has it as an
    /// experiment.
    #[arg(long, value_name = "SUBJECT")]
    on: Vec<String>,
    /// Runs all programs, on all combinations unless `--on` names some; sleeps take no time where that changes nothing.
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Shows no timeline afterwards.
    #[arg(long)]
    no_timeline: bool,
    /// Draws what a program of yours wrote there, by trpl's feature `timeline` and POLYLOOP_TIMELINE=FILE; repeatable.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "all", "on", "no_timeline"])]
    timeline: Vec<PathBuf>,
    /// Says which experiment of the lab is the same program.
    #[arg(long, hide = true, requires = "name")]
    experiment: bool,
}

/// Why the book was not as predicted, as exit codes.
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NOTHING_MATCHED: u8 = 4;

fn main() -> ExitCode {
    if run_here() {
        return ExitCode::SUCCESS;
    }
    let code = tell(&Cli::parse()).unwrap_or_else(|error| {
        // Whoever reads may have had enough.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return 0;
        }
        eprintln!("book: {error}");
        FAILED
    });
    ExitCode::from(code)
}

fn tell(cli: &Cli) -> io::Result<u8> {
    let mut combinations = Vec::new();
    for name in &cli.on {
        match name.parse::<Combination>() {
            Ok(combination) => combinations.push(combination),
            Err(error) => {
                let peers = if is_known_executor(name) { "" } else { PEERS };
                eprintln!("book: --on {name}: {error}{peers}");
                return Ok(USAGE);
            }
        }
    }
    if !cli.timeline.is_empty() {
        return drawn(&cli.timeline);
    }
    let executable = std::env::current_exe()?;
    if cli.all {
        if combinations.is_empty() {
            combinations.extend(Combination::ALL);
        }
        return all(&executable, &combinations);
    }
    let Some(name) = &cli.name else { return list().map(|()| 0) };
    let Some(program) = PROGRAMS.iter().find(|program| program.name == name) else {
        eprintln!("book: there is no program `{name}`; `cargo xtask book` lists them");
        return Ok(NOTHING_MATCHED);
    };
    if cli.experiment {
        writeln!(io::stdout(), "{}", program.experiment.unwrap_or_default())?;
        return Ok(0);
    }
    if combinations.is_empty() {
        match Combination::from_env() {
            Ok(combination) => combinations.push(combination),
            Err(error) => {
                eprintln!("book: {error}");
                return Ok(USAGE);
            }
        }
    }
    let watching = if cli.no_timeline { None } else { Some(Watching::begin()?) };
    let (mut code, mut seen) = (0, Vec::new());
    for combination in &combinations {
        let (ended, recording) = one(&executable, program, combination, &cli.arguments, watching.as_ref())?;
        code = code.max(ended);
        seen.extend(recording.map(|recording| (program.name.to_owned(), recording)));
    }
    lanes::show(&seen)?;
    Ok(code)
}

/// What is said after a name that begins with no executor of ours.
const PEERS: &str = "; of other runtimes the lab has tokio-ct, tokio-mt, smol-1 and smol-n";

fn is_known_executor(name: &str) -> bool {
    name.split([':', '+', ',']).next().is_some_and(|executor| executor.parse::<Combination>().is_ok())
}

/// What is said of a file that is not there.
const NOT_WRITTEN: &str =
    "; a program writes it at its end if it has trpl's feature `timeline` and POLYLOOP_TIMELINE names it";

/// Draws recordings of other programs.
fn drawn(files: &[PathBuf]) -> io::Result<u8> {
    let mut seen = Vec::new();
    for file in files {
        match Recording::read(file) {
            Ok(recording) => seen.push((file.display().to_string(), recording)),
            Err(error) => {
                let hint = if error.kind() == io::ErrorKind::NotFound { NOT_WRITTEN } else { "" };
                eprintln!("book: --timeline {}: {error}{hint}", file.display());
                return Ok(USAGE);
            }
        }
    }
    lanes::show(&seen).map(|()| 0)
}

fn list() -> io::Result<()> {
    let mut section = "";
    let mut out = io::stdout().lock();
    for program in PROGRAMS {
        if program.section != section {
            section = program.section;
            writeln!(out, "{section}")?;
        }
        writeln!(out, "  {:<20}{}", program.name, program.about)?;
    }
    writeln!(out, "\n`cargo xtask book NAME --on SUBJECT` runs one, `cargo xtask book --all` all of them.")
}

/// Runs one at its own pace, and shows what it says as it says it. With the exit code comes what was seen, if somebody watches.
fn one(
    executable: &Path,
    program: &Program,
    combination: &Combination,
    arguments: &[String],
    watching: Option<&Watching>,
) -> io::Result<(u8, Option<Recording>)> {
    eprintln!("{} on {combination}", program.name);
    let mut printed = Vec::new();
    let shown = |line: &str| {
        printed.push(lanes::Printed::now(line));
        // The end of a pipe is seen when the lines are over.
        let _ = writeln!(io::stdout(), "{line}");
    };
    let name = combination.to_string();
    let timeline = watching.map(Watching::file);
    let how = How { combination: &name, paused: false, arguments, timeline };
    let ran = run_child(executable, program, how, shown)?;
    let code = match verdict(program, combination, &ran, arguments) {
        Ok(said) => {
            eprintln!("{said}\n");
            0
        }
        Err(why) => {
            eprint!("{}", ran.errors);
            eprintln!("not as the chapter says: {why}\n");
            FAILED
        }
    };
    let recording = watching.and_then(|watching| match watching.seen(&printed) {
        Ok(recording) => Some(recording),
        Err(error) => {
            eprintln!("no timeline on {combination}: {error}");
            None
        }
    });
    Ok((code, recording))
}

fn verdict(
    program: &Program,
    combination: &Combination,
    ran: &Ran,
    arguments: &[String],
) -> Result<&'static str, String> {
    if !ran.status.success() {
        return Err(format!("it ended with {}", ran.status));
    }
    if !arguments.is_empty() {
        return Ok("with arguments of yours, so nothing was predicted");
    }
    judge(&(program.predicted)(combination.executor()), &ran.output)
        .map(|()| "as the chapter says")
        .map_err(|mismatch| mismatch.to_string())
}

/// Runs all on all, several at a time, and says what differs.
fn all(executable: &Path, combinations: &[Combination]) -> io::Result<u8> {
    let pairs: Vec<(&Program, &Combination)> =
        PROGRAMS.iter().flat_map(|program| combinations.iter().map(move |on| (program, on))).collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let executable: PathBuf = executable.to_owned();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((program, on)) = pairs.get(next.fetch_add(1, Relaxed)) {
                    let paused = !program.real_time;
                    let name = on.to_string();
                    let how = How { combination: &name, paused, arguments: &[], timeline: None };
                    let ran = run_child(&executable, program, how, |_| {});
                    let judged = ran.map_err(|error| error.to_string());
                    let judged = judged.and_then(|ran| {
                        verdict(program, on, &ran, &[]).map(drop).map_err(|why| why + "\n" + &ran.errors)
                    });
                    if let Ok(mut found) = found.lock() {
                        found.push((program.name, judged.map_err(|why| format!("{on}: {why}"))));
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_default();
    let mut out = io::stdout().lock();
    for program in PROGRAMS {
        let of = || found.iter().filter(|(name, _)| *name == program.name);
        let good = of().filter(|(_, judged)| judged.is_ok()).count();
        writeln!(out, "{:<20}{good} of {}", program.name, combinations.len())?;
        for why in of().filter_map(|(_, judged)| judged.as_ref().err()) {
            writeln!(out, "  {}", why.trim_end())?;
        }
    }
    let good = found.iter().filter(|(_, judged)| judged.is_ok()).count();
    writeln!(
        out,
        "{} programs on {} combinations: {good} of {} as the chapter says",
        PROGRAMS.len(),
        combinations.len(),
        pairs.len()
    )?;
    Ok(if good == pairs.len() { 0 } else { FAILED })
}
