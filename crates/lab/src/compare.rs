//! `bench compare`: what changed between two runs.
//!
//! Invariant: two runs share no rounds, so their samples are not paired, and the machine may have been another one that
//! day. A change is shown only if the interval of the ratio of medians excludes 1 **and** it is larger than the noise
//! floor of both runs; everything else is `~`.

use crate::cell::{Better, Status};
use crate::cli::CompareArgs;
use crate::command::{Failure, print};
use crate::random::Random;
use crate::results::{Cell, Metric, Results};
use crate::stats::{self, ENOUGH_ROUNDS, Estimate};
use crate::table::{BOLD, DIM, GREEN, RED, clean};
use crate::{units, view};
use std::fmt::Write as _;

/// One row.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    old: String,
    new: String,
    /// How many times worse the new one is.
    change: Change,
    ours: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    /// Surely so many times worse (above 1) or better, with the interval.
    Sure(f64, (f64, f64)),
    /// Within the noise.
    Same,
    /// Not to be compared, and why.
    No(String),
}

/// Reads both runs, prints the table.
pub(crate) fn execute(args: &CompareArgs) -> Result<(), Failure> {
    let read = |path| Results::read(path).map_err(|error| Failure::Usage(error.to_string()));
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    let rows = rows(&old, &new);
    if rows.is_empty() {
        return Err(Failure::Nothing("the two runs have no bench in common".into()));
    }
    for warning in warnings(&old, &new) {
        eprintln!("warning: {warning}");
    }
    print(&render(&rows, args.all))?;
    let limit = args.fail_on.unwrap_or(f64::INFINITY);
    let slower = |row: &Row| row.ours && matches!(row.change, Change::Sure(_, (low, _)) if low > 1.0 + limit);
    if rows.iter().any(slower) { Err(Failure::Verdict) } else { Ok(()) }
}

fn rows(old: &Results, new: &Results) -> Vec<Row> {
    let mut rows = Vec::new();
    for after in &new.cells {
        let Some(before) = old.cell(&after.subject, &after.case) else { continue };
        for name in before
            .metrics
            .keys()
            .chain(after.metrics.keys().filter(|name| !before.metrics.contains_key(*name)))
        {
            let first = after.metric.as_ref() == Some(name) || before.metric.as_ref() == Some(name);
            let suffix = if first { String::new() } else { format!(" ({name})") };
            let (a, b) = (before.metrics.get(name), after.metrics.get(name));
            rows.push(Row {
                name: format!("{} · {}{suffix}", after.subject, after.case),
                old: shown(a, before),
                new: shown(b, after),
                change: change(a, b, floor(old, new, &after.case), new.run.seed),
                ours: new.is_ours(&after.subject),
            });
        }
    }
    rows
}

fn shown(metric: Option<&Metric>, cell: &Cell) -> String {
    let Some(metric) = metric else { return view::status_word(cell.status).to_owned() };
    let estimate = Estimate { median: metric.median, interval: metric.low.zip(metric.high) };
    let half =
        estimate.relative_half_width().map(|half| format!(" {}", view::percent(half))).unwrap_or_default();
    format!("{}{half}", units::value(metric.median, &metric.unit))
}

fn floor(old: &Results, new: &Results, case: &str) -> f64 {
    let of = |results: &Results| {
        let case = results.cases.iter().find(|known| known.path == case);
        case.and_then(|case| case.noise_floor).or(results.run.noise_floor).unwrap_or(0.0)
    };
    f64::max(of(old), of(new))
}

fn change(old: Option<&Metric>, new: Option<&Metric>, floor: f64, seed: u64) -> Change {
    let (Some(old), Some(new)) = (old, new) else { return Change::No("only one of them has it".into()) };
    if old.unit != new.unit || old.better != new.better {
        return Change::No("the units differ".into());
    }
    if old.samples.len().min(new.samples.len()) < ENOUGH_ROUNDS {
        return Change::No(format!("fewer than {ENOUGH_ROUNDS} rounds"));
    }
    let (mut ratio, (low, high)) = ratio_of_medians(&new.samples, &old.samples, seed);
    let mut interval = (low, high);
    if new.better == Better::Higher {
        ratio = 1.0 / ratio;
        interval = (1.0 / high, 1.0 / low);
    }
    if !ratio.is_finite() || view::within_noise(interval.0, interval.1, ratio, Some(floor)) {
        return Change::Same;
    }
    Change::Sure(ratio, interval)
}

/// The ratio of the medians of two sets that share no rounds, each resampled on its own.
fn ratio_of_medians(a: &[f64], b: &[f64], seed: u64) -> (f64, (f64, f64)) {
    const RESAMPLES: usize = 2000;
    let mut random = Random::for_purpose(seed, "compare");
    let median = |samples: &[f64]| stats::median(samples).unwrap_or(f64::NAN);
    let mut draw = |samples: &[f64]| {
        let resample: Vec<f64> = samples.iter().map(|_| samples[random.below(samples.len())]).collect();
        median(&resample)
    };
    let mut ratios: Vec<f64> = (0..RESAMPLES).map(|_| draw(a) / draw(b)).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    (median(a) / median(b), (ratios[RESAMPLES / 40], ratios[RESAMPLES - 1 - RESAMPLES / 40]))
}

fn render(rows: &[Row], all: bool) -> String {
    let mut out = String::new();
    let shown: Vec<&Row> = rows.iter().filter(|row| all || row.change != Change::Same).collect();
    let wide =
        |of: fn(&Row) -> &str| shown.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(3);
    let (name, old, new) = (wide(|row| &row.name), wide(|row| &row.old), wide(|row| &row.new));
    if !shown.is_empty() {
        let _ = writeln!(out, "{BOLD}{:name$}  {:>old$}  {:>new$}  change{BOLD:#}", "", "old", "new");
    }
    for row in &shown {
        let _ =
            write!(out, "{:name$}  {:>old$}  {:>new$}  ", clean(&row.name), clean(&row.old), clean(&row.new));
        let _ = match &row.change {
            Change::Same => writeln!(out, "{DIM}~{DIM:#}"),
            Change::No(why) => writeln!(out, "{DIM}? ({}){DIM:#}", clean(why)),
            Change::Sure(ratio, (low, high)) => {
                let (style, word) = if *ratio > 1.0 { (RED, "worse") } else { (GREEN, "better") };
                let percent = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
                writeln!(
                    out,
                    "{style}{} {word}{style:#} {DIM}[{} … {}]{DIM:#}",
                    percent(*ratio),
                    percent(*low),
                    percent(*high)
                )
            }
        };
    }
    let number = |is: fn(&Change) -> bool| rows.iter().filter(|row| is(&row.change)).count();
    let _ = writeln!(
        out,
        "{} better, {} worse, {} within the noise, {} not comparable",
        number(|change| matches!(change, Change::Sure(ratio, _) if *ratio < 1.0)),
        number(|change| matches!(change, Change::Sure(ratio, _) if *ratio > 1.0)),
        number(|change| matches!(change, Change::Same)),
        number(|change| matches!(change, Change::No(_))),
    );
    out
}

/// What makes two runs hard to compare.
fn warnings(old: &Results, new: &Results) -> Vec<String> {
    let (a, b) = (&old.run, &new.run);
    let mut warnings = Vec::new();
    if (&a.machine.cpu, a.machine.cores) != (&b.machine.cpu, b.machine.cores) {
        warnings.push("the runs are from different machines".into());
    }
    if a.machine.kernel != b.machine.kernel {
        warnings.push("the kernels differ".into());
    }
    if a.rustc != b.rustc {
        warnings.push("the compilers differ".into());
    }
    if a.scale != b.scale || a.slot_ms != b.slot_ms {
        warnings.push("the scale or the length of a round differs".into());
    }
    for (name, results) in [("old", old), ("new", new)] {
        if !results.run.complete {
            warnings.push(format!("the {name} run was stopped early"));
        }
    }
    let verdicts = new.cells.iter().filter(|after| {
        let before = old.cell(&after.subject, &after.case);
        after.status != Status::Pass && before.is_some_and(|before| before.status == Status::Pass)
    });
    warnings.extend(verdicts.take(20).map(|after| {
        format!(
            "{} · {} passed before and is now {}",
            after.subject,
            after.case,
            view::status_word(after.status)
        )
    }));
    warnings.into_iter().map(|warning: String| clean(&warning)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(samples: &[f64], better: Better) -> Metric {
        Metric {
            unit: "ns".into(),
            better,
            median: stats::median(samples).unwrap(),
            low: None,
            high: None,
            ratio_to_best: None,
            ratio_to_tokio_mt: None,
            ratio_to_best_interval: None,
            ratio_to_tokio_mt_interval: None,
            samples: samples.to_vec(),
        }
    }

    const OLD: [f64; 7] = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2, 99.8];

    fn twice() -> Vec<f64> {
        OLD.iter().map(|value| value * 2.0).collect()
    }

    #[test]
    fn twice_the_time_is_worse_and_twice_the_rate_is_better() {
        let judge = |better| change(Some(&metric(&OLD, better)), Some(&metric(&twice(), better)), 0.02, 1);
        assert!(matches!(judge(Better::Lower), Change::Sure(ratio, _) if (ratio - 2.0).abs() < 0.01));
        assert!(matches!(judge(Better::Higher), Change::Sure(ratio, _) if (ratio - 0.5).abs() < 0.01));
    }

    #[test]
    fn a_change_inside_the_noise_floor_is_none() {
        let new: Vec<f64> = OLD.iter().map(|value| value * 1.05).collect();
        let judge =
            |floor| change(Some(&metric(&OLD, Better::Lower)), Some(&metric(&new, Better::Lower)), floor, 1);
        assert!(matches!(judge(0.01), Change::Sure(..)));
        assert_eq!(judge(0.10), Change::Same);
    }

    #[test]
    fn few_rounds_and_one_sided_metrics_are_not_compared() {
        let few = metric(&OLD[..4], Better::Lower);
        assert!(matches!(change(Some(&few), Some(&few), 0.0, 1), Change::No(_)));
        assert!(matches!(change(None, Some(&few), 0.0, 1), Change::No(_)));
    }
}
