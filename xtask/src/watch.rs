//! `cargo xtask bench watch`: what relief and the naming of stalls cost a poll, and what the stamps for dumps, in instructions.
//!
//! Invariant: a number is a difference of differences. The same program, `benches/src/bin/poll_cost.rs`, is built as it is and
//! with `--cfg polyloop_without="watch"` or `"stamps"`; each runs under callgrind twice, the second time with twice the polls.
//! What the second did more, divided, is the cost of a poll, to which start and end of the process add nothing. Where there are
//! other threads, whose sleeps and wakes fall as they like, it is the median of three such pairs.

use crate::args::Args;
use crate::exec;
use crate::stop::Stop;
use crate::workspace::Workspace;
use crate::wrapper;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const HELP: &str = "\
Counts what each poll pays for being watched (relief and the naming of stalls), and for the stamps that dumps read. A figure is
in instructions per poll, by callgrind: the same program, built with the part and without it, and each of the two run with N
polls and with twice as many, every time in a process of its own. Where there are other threads it is the median of three.

Usage: cargo xtask bench watch [--short] [--polls N]

  --short      only what is promised and only on `fifo`, where two runs count the same: as CI asks
  --polls N    how many polls the shorter run makes (default 50000)

Exit codes: 0 ok; 1 the watch costs a poll more than 6 instructions, or a run failed; 2 usage; 3 there is no valgrind here; 101
the program cannot be built.

Example: cargo xtask bench watch
";

/// What can be left out of a build, and the most that it may cost a poll, where that is promised for the whole of it.
const PARTS: [(&str, Option<f64>); 2] = [("watch", Some(6.0)), ("stamps", None)];

/// Executor and what its tasks do.
const CASES: [(&str, &str); 6] = [
    ("fifo", "yield"),
    ("fifo", "wake"),
    ("steal:1", "yield"),
    ("steal:1", "wake"),
    ("global:1", "yield"),
    ("global:1", "wake"),
];

/// How many pairs of runs there are where the runs differ.
const PAIRS: usize = 3;

/// What each part has of an executor's poll.
struct Row {
    case: (&'static str, &'static str),
    parts: Vec<f64>,
}

pub(crate) fn run(raw: Vec<String>) -> Result<(), Stop> {
    let args = Args::parse(raw, HELP, &["--short"], &["--polls"])?;
    args.nothing_else()?;
    let is_short = args.flag("--short");
    let polls = args.number("--polls", 50_000)?;
    let Some(twice) = polls.checked_mul(2) else {
        return Err(Stop::Usage(format!(
            "`--polls` wants a number of which there is a double, not `{polls}`"
        )));
    };
    probe()?;
    let target = Workspace::load()?.target;
    let parts = PARTS.iter().filter(|(_, promised)| promised.is_some() || !is_short);
    let mut without = Vec::new();
    for (name, _) in parts.clone() {
        without.push(build(&target, Some(name))?);
    }
    let all = build(&target, None)?;
    println!("instructions per poll, driver turns included, and what of them is paid for each part:\n");
    let names: String = parts.map(|(name, _)| format!(" {name:>8}")).collect();
    println!("{:<10} {:<6} {:>8}{names}", "executor", "task", "all");
    let mut rows = Vec::new();
    for case in CASES.into_iter().filter(|(executor, _)| *executor == "fifo" || !is_short) {
        let cost = |program: &Path| -> Result<f64, Stop> {
            let mut costs = Vec::new();
            for _ in 0..if case.0 == "fifo" { 1 } else { PAIRS } {
                let once = instructions(program, case, polls)?;
                costs.push((instructions(program, case, twice)? as f64 - once as f64) / f64::from(polls));
            }
            costs.sort_by(f64::total_cmp);
            Ok(costs[costs.len() / 2])
        };
        let total = cost(&all)?;
        let parts =
            without.iter().map(|program| Ok(total - cost(program)?)).collect::<Result<Vec<_>, _>>()?;
        let costs: String = parts.iter().map(|cost| format!(" {cost:>8.1}")).collect();
        let (executor, task) = case;
        println!("{executor:<10} {task:<6} {total:>8.1}{costs}");
        rows.push(Row { case, parts });
    }
    verdict(&rows)
}

/// Whether every part costs at most what is promised, to the tenth that is shown.
fn verdict(rows: &[Row]) -> Result<(), Stop> {
    let mut broken = Vec::new();
    for Row { case: (executor, task), parts } in rows {
        for ((name, most), cost) in PARTS.iter().zip(parts) {
            if let Some(most) = most.filter(|most| *cost >= most + 0.05) {
                broken
                    .push(format!("{name} costs {cost:.1} for {executor} {task}, where {most} are allowed"));
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Stop::Failed(broken.join("; "))) }
}

/// Whether there is a valgrind that runs, and a processor for which it was measured.
fn probe() -> Result<(), Stop> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Stop::OutOfReach("the figures are for Linux on x86-64".into()));
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match valgrind.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::Missing(format!("`valgrind --version` failed ({status})"))),
        Err(error) => Err(Stop::Missing(format!(
            "valgrind cannot be run ({error}); it comes with the package `valgrind`"
        ))),
    }
}

/// Builds the program, with or without the part of this name; where it lies.
fn build(target: &Path, without: Option<&str>) -> Result<PathBuf, Stop> {
    let folder = target.join("watch");
    let mut cargo =
        exec::cargo(&["build", "--release", "--package", "polyloop-benches", "--bin", "poll_cost"]);
    cargo.arg("--target-dir").arg(target);
    if let Some(part) = without {
        wrapper::add_cfg(&mut cargo, &folder.join("without"), "polyloop_without", part)?;
    }
    exec::build(&mut cargo)?;
    // The next build puts its own there.
    let built = target.join("release/poll_cost");
    let kept = folder.join(without.map_or("all".into(), |part| format!("without-{part}")));
    let keep = || fs::create_dir_all(&folder).and_then(|()| fs::copy(&built, &kept));
    keep().map_err(|error| Stop::Failed(format!("{}: {error}", kept.display())))?;
    Ok(kept)
}

/// What a process has executed in user space.
fn instructions(program: &Path, (executor, task): (&str, &str), polls: u32) -> Result<u64, Stop> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--fair-sched=try"]);
    valgrind.arg(program).args([executor, task, &polls.to_string()]);
    // What the person's own programs are told would be counted here.
    for name in ["VALGRIND_OPTS", "POLYLOOP", "POLYLOOP_STALLS", "POLYLOOP_SCHEDTRACE"] {
        valgrind.env_remove(name);
    }
    let ran = valgrind.output().map_err(|error| Stop::Failed(format!("valgrind cannot be run: {error}")))?;
    let told = String::from_utf8_lossy(&ran.stderr);
    collected(&told).filter(|_| ran.status.success()).ok_or_else(|| {
        Stop::Failed(format!("`{}` under valgrind ended with {}:\n{told}", program.display(), ran.status))
    })
}

/// The total, by what callgrind says at the end.
fn collected(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_what_callgrind_says() {
        let told =
            "==7== Events    : Ir\n==7== Collected : 12345678\n==7== \n==7== I   refs:      12,345,678\n";
        assert_eq!(collected(told), Some(12_345_678));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }

    #[test]
    fn a_figure_above_what_is_promised_is_named() {
        let row = |watch| Row { case: ("fifo", "wake"), parts: vec![watch, 9.0] };
        assert_eq!(verdict(&[row(5.9), row(6.04)]), Ok(()));
        let broken = verdict(&[row(2.0), row(7.0)]);
        let expected = "watch costs 7.0 for fifo wake, where 6 are allowed";
        assert_eq!(broken, Err(Stop::Failed(expected.into())));
    }

    #[test]
    fn bad_input_is_refused_before_anything_is_built() {
        let run = |line: &str| run(line.split_whitespace().map(str::to_owned).collect());
        for line in ["fifo", "--poll 3", "--polls", "--polls 0", "--polls many", "--polls 4294967295"] {
            assert!(matches!(run(line), Err(Stop::Usage(_))), "{line}");
        }
        assert_eq!(run("--help"), Err(Stop::Help(HELP)));
    }
}
