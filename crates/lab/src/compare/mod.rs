//! `bench compare`: what changed between two runs.
//!
//! Invariant: two runs share no rounds, so their samples are not paired, and the machine may have been another one that
//! day. A change is shown only if the interval of the ratio excludes 1 **and** it is larger than the noise floor of both
//! runs, which each metric has its own of; everything else is `~`. What had a result before and has none now is a change,
//! and never left out.

mod show;

use crate::cell::{Better, Kind, Status, SubjectKind};
use crate::cli::CompareArgs;
use crate::collect::times_worse;
use crate::command::{Failure, print};
use crate::results::{Cell, Metric, Results};
use crate::say::say;
use crate::stats::{self, ENOUGH_ROUNDS, Estimate};
use crate::view;
use polyloop_timeline::units;

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
    /// From or to a median of 0, which has no ratio: surely worse, or surely better.
    Zero { worse: bool },
    /// It passed before, and now it does not, or is not there.
    Lost(String),
    /// Within the noise.
    Same,
    /// Not to be compared, and why.
    No(String),
}

impl Change {
    fn is_better(&self) -> bool {
        matches!(self, Self::Sure(ratio, _) if *ratio < 1.0) || *self == Self::Zero { worse: false }
    }

    fn is_worse(&self) -> bool {
        matches!(self, Self::Sure(ratio, _) if *ratio > 1.0) || *self == Self::Zero { worse: true }
    }

    /// Whether it is worse by more than a part `limit` for sure.
    fn fails(&self, limit: f64) -> bool {
        match self {
            Self::Sure(_, (low, _)) => *low > 1.0 + limit,
            Self::Zero { worse } => *worse,
            Self::Lost(_) => true,
            Self::Same | Self::No(_) => false,
        }
    }
}

/// Reads both runs, prints the table.
pub(crate) fn execute(args: &CompareArgs) -> Result<(), Failure> {
    let read = |path| Results::read(path).map_err(|error| Failure::Usage(error.to_string()));
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    let rows = rows(&old, &new);
    if rows.is_empty() {
        return Err(Failure::Nothing("the two runs have no bench in common".into()));
    }
    for warning in show::warnings(&old, &new) {
        say!("warning: {warning}");
    }
    print(&show::render(&rows, args.all))?;
    let fails = |limit| rows.iter().any(|row| row.ours && row.change.fails(limit));
    if args.fail_on.is_some_and(fails) { Err(Failure::Verdict) } else { Ok(()) }
}

/// A row for each metric of each bench in either run, and one for each cell that passed before and does not now.
fn rows(old: &Results, new: &Results) -> Vec<Row> {
    let mut rows: Vec<Row> = old.cells.iter().filter_map(|before| lost(before, old, new)).collect();
    for after in new.cells.iter().filter(|after| after.kind == Kind::Bench) {
        let name = |suffix: &str| format!("{} · {}{suffix}", after.subject, after.case);
        let Some(before) = old.cell(&after.subject, &after.case) else {
            let now = shown(after.own_metric(), after);
            let change = Change::No("not in the old run".into());
            rows.push(Row { name: name(""), old: String::new(), new: now, change, ours: false });
            continue;
        };
        let added = after.metrics.keys().filter(|name| !before.metrics.contains_key(*name));
        for metric in before.metrics.keys().chain(added) {
            let first = after.metric.as_ref() == Some(metric) || before.metric.as_ref() == Some(metric);
            let (a, b) = (before.metrics.get(metric), after.metrics.get(metric));
            if after.status != Status::Pass && a.is_some() {
                // Said once, as lost.
                continue;
            }
            rows.push(Row {
                name: name(&if first { String::new() } else { format!(" ({metric})") }),
                old: shown(a, before),
                new: shown(b, after),
                change: change(a, b, floor(old, new, &after.case, metric)),
                ours: new.is_ours(&after.subject),
            });
        }
    }
    rows
}

/// The row of a cell that passed before and does not now. A copy of a subject is no loss, nor is a cell for which
/// another one stands.
fn lost(before: &Cell, old: &Results, new: &Results) -> Option<Row> {
    let is_twin = old.subject(&before.subject).is_some_and(|subject| subject.kind == SubjectKind::Twin);
    if before.status != Status::Pass || is_twin {
        return None;
    }
    let after = new.cell(&before.subject, &before.case);
    let (now, change) = match after {
        Some(after) if after.status == Status::Pass => return None,
        Some(Cell { same_as: Some(other), .. }) => {
            (String::new(), Change::No(format!("{other} stands for it in the new run")))
        }
        Some(after) => {
            let why = after.reason.clone().unwrap_or_else(|| "no reason given".into());
            (view::status_word(after.status).to_owned(), Change::Lost(why))
        }
        None => ("missing".into(), Change::Lost("not in the new run".into())),
    };
    Some(Row {
        name: format!("{} · {}", before.subject, before.case),
        old: shown(before.own_metric(), before),
        new: now,
        change,
        ours: old.is_ours(&before.subject),
    })
}

fn shown(metric: Option<&Metric>, cell: &Cell) -> String {
    let Some(metric) = metric else { return view::status_word(cell.status).to_owned() };
    let estimate = Estimate { median: metric.median, interval: metric.low.zip(metric.high) };
    let half =
        estimate.relative_half_width().map(|half| format!(" {}", view::percent(half))).unwrap_or_default();
    format!("{}{half}", units::value(metric.median, &metric.unit))
}

/// The larger floor of both runs; `None` if one of them doesn't know its noise.
fn floor(old: &Results, new: &Results, case: &str, metric: &str) -> Option<f64> {
    let of = |results: &Results| {
        let known = results.cases.iter().find(|known| known.path == case);
        own_floor(results, case, metric)
            .or_else(|| known.and_then(|case| case.noise_floor))
            .or(results.run.noise_floor)
    };
    Some(f64::max(of(old)?, of(new)?))
}

/// What a copy of a subject differs from it by this metric: a tail strays farther than a median. `None` without a copy, or where
/// its ratio has no interval; then the floor of the case's own metric is the next best.
fn own_floor(results: &Results, case: &str, metric: &str) -> Option<f64> {
    let twin = results.subjects.iter().find(|subject| subject.kind == SubjectKind::Twin)?;
    let of = |subject: &str| results.cell(subject, case)?.metrics.get(metric);
    stats::noise_floor(&times_worse(of(&twin.name)?, of(results.run.baseline.as_deref()?)?)?)
}

fn change(old: Option<&Metric>, new: Option<&Metric>, floor: Option<f64>) -> Change {
    let (Some(old), Some(new)) = (old, new) else { return Change::No("only one of them has it".into()) };
    if old.unit != new.unit || old.better != new.better {
        return Change::No("the units differ".into());
    }
    if old.samples.len().min(new.samples.len()) < ENOUGH_ROUNDS {
        return Change::No(format!("fewer than {ENOUGH_ROUNDS} rounds"));
    }
    let (worse, less) = match new.better {
        Better::Lower => (new, old),
        Better::Higher => (old, new),
    };
    if old.median == 0.0 && new.median == 0.0 {
        return Change::Same;
    }
    if old.median == 0.0 || new.median == 0.0 {
        return from_zero(&worse.samples, &less.samples);
    }
    let Some(floor) = floor else { return Change::No("the noise floor is unknown".into()) };
    let ratio = stats::unpaired_ratio(&worse.samples, &less.samples);
    match ratio.and_then(|ratio| Some((ratio.median, ratio.interval?))) {
        None => Change::No("a value is below zero".into()),
        Some((ratio, (low, high))) if view::within_noise(low, high, ratio, floor) => Change::Same,
        Some((ratio, interval)) => Change::Sure(ratio, interval),
    }
}

/// One median is 0, so there is no ratio: only intervals that lie apart tell which way it went.
fn from_zero(worse_if_larger: &[f64], than: &[f64]) -> Change {
    let interval = |samples| stats::estimate(samples).and_then(|estimate| estimate.interval);
    match (interval(worse_if_larger), interval(than)) {
        (Some((low, _)), Some((_, high))) if low > high => Change::Zero { worse: true },
        (Some((_, high)), Some((low, _))) if high < low => Change::Zero { worse: false },
        _ => Change::No("a median is 0".into()),
    }
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
        let judge = |better| change(Some(&metric(&OLD, better)), Some(&metric(&twice(), better)), Some(0.02));
        assert!(matches!(judge(Better::Lower), Change::Sure(ratio, _) if (ratio - 2.0).abs() < 0.01));
        assert!(matches!(judge(Better::Higher), Change::Sure(ratio, _) if (ratio - 0.5).abs() < 0.01));
    }

    #[test]
    fn a_change_inside_the_noise_floor_is_none() {
        let new: Vec<f64> = OLD.iter().map(|value| value * 1.05).collect();
        let judge = |floor| {
            change(Some(&metric(&OLD, Better::Lower)), Some(&metric(&new, Better::Lower)), Some(floor))
        };
        assert!(matches!(judge(0.01), Change::Sure(..)));
        assert_eq!(judge(0.10), Change::Same);
    }

    /// A run of `steal` and its copy, in which a bench took so long, and so long at worst.
    fn run(middle: f64, tail: f64) -> Results {
        let samples = |factor: f64, strays: f64| {
            let round = |(at, value): (usize, &f64)| value * factor * if at % 2 == 0 { strays } else { 1.0 };
            let samples: Vec<f64> = OLD.iter().enumerate().map(round).collect();
            let median = stats::median(&samples).unwrap();
            serde_json::json!({"unit": "ns", "better": "lower", "median": median, "low": null, "high": null,
                "ratio_to_best": null, "ratio_to_tokio_mt": null, "samples": samples})
        };
        let subject = |name: &str, kind: &str| {
            serde_json::json!({"name": name, "kind": kind, "executor": "steal", "reactor": "mio", "timers": "wheel",
                "workers": 1, "version": ""})
        };
        let cell = |subject: &str, strays: f64| {
            serde_json::json!({"subject": subject, "case": "wake", "kind": "bench", "status": "pass", "reason": null,
                "predicted": null, "observed": null, "metric": "p50",
                "metrics": {"p50": samples(middle, 1.0), "p99": samples(tail, strays)}})
        };
        serde_json::from_value(serde_json::json!({
            "schema": 1,
            "run": {"id": "x", "started": "2026-01-01T00:00:00Z", "command": "lab matrix", "seed": 1, "scale": 1.0,
                "complete": true, "commit": null, "rustc": null, "machine": {}, "noise_floor": 0.01,
                "baseline": "steal"},
            "subjects": [subject("steal", "own"), subject("steal twin", "twin")],
            "cases": [{"path": "wake", "kind": "bench", "noise_floor": 0.01}],
            "cells": [cell("steal", 1.0), cell("steal twin", 1.5)],
        }))
        .unwrap()
    }

    #[test]
    fn each_metric_is_judged_by_its_own_noise() {
        let change = |new: &Results, metric: &str| {
            let rows = rows(&run(1.0, 1.0), new);
            rows.into_iter().find(|row| row.name == format!("steal · wake{metric}")).unwrap().change
        };
        let slower = run(1.2, 1.2);
        assert!(matches!(change(&slower, ""), Change::Sure(..)), "the middle is as good as still");
        assert_eq!(change(&slower, " (p99)"), Change::Same, "the tail of the copy is half as long again");
        assert!(matches!(change(&run(1.0, 2.0), " (p99)"), Change::Sure(..)));
        let mut alone = slower;
        alone.subjects.pop();
        alone.cells.pop();
        assert!(matches!(change(&alone, ""), Change::Sure(..)), "the case's floor stands in");
        assert_eq!(change(&alone, " (p99)"), Change::Same, "the old run knows its own");
    }

    #[test]
    fn few_rounds_and_one_sided_metrics_are_not_compared() {
        let few = metric(&OLD[..4], Better::Lower);
        assert!(matches!(change(Some(&few), Some(&few), Some(0.0)), Change::No(_)));
        assert!(matches!(change(None, Some(&few), Some(0.0)), Change::No(_)));
    }

    #[test]
    fn from_nothing_to_something_is_worse_for_times_and_better_for_rates() {
        let judge = |old: &[f64], new: &[f64], better| {
            change(Some(&metric(old, better)), Some(&metric(new, better)), Some(0.02))
        };
        assert_eq!(judge(&[0.0; 7], &[5.0; 7], Better::Lower), Change::Zero { worse: true });
        assert_eq!(judge(&[5.0; 7], &[0.0; 7], Better::Lower), Change::Zero { worse: false });
        assert_eq!(judge(&[0.0; 7], &[5.0; 7], Better::Higher), Change::Zero { worse: false });
        assert_eq!(judge(&[0.0; 7], &[0.0; 7], Better::Lower), Change::Same);
        let mostly = [0.0, 0.0, 0.0, 5.0, 5.0, 5.0, 5.0];
        assert_eq!(judge(&[0.0; 7], &mostly, Better::Lower), Change::No("a median is 0".into()));
        assert!(Change::Zero { worse: true }.fails(0.05) && !Change::Zero { worse: false }.fails(0.05));
    }

    #[test]
    fn without_a_noise_floor_nothing_is_told_apart() {
        let judge =
            |floor| change(Some(&metric(&OLD, Better::Lower)), Some(&metric(&twice(), Better::Lower)), floor);
        assert_eq!(judge(None), Change::No("the noise floor is unknown".into()));
    }
}
