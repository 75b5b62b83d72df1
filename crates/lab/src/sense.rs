//! Whether results can be of a run: what JSON allows, and no run leaves.
//!
//! Invariant: only what would be shown as something else than it is, or not at all, is refused. Where a file of another version
//! may differ, it is not.

use crate::results::{Cell, Metric, Results};
use polyloop_timeline::Timeline;
use std::collections::{HashMap, HashSet};

/// What makes no sense, in words that follow the file's name.
pub(crate) fn check(results: &Results) -> Result<(), String> {
    run(results)?;
    let mut names = HashSet::new();
    for subject in &results.subjects {
        let name = &subject.name;
        if name.is_empty() {
            return Err("a subject has no name".into());
        }
        if subject.workers == 0 {
            return Err(format!("the subject {name:?} has no worker"));
        }
        if !names.insert(name.as_str()) {
            return Err(format!("the subject {name:?} is there twice"));
        }
    }
    let mut kinds = HashMap::new();
    for case in &results.cases {
        let path = &case.path;
        if path.is_empty() {
            return Err("a case has no path".into());
        }
        not_below_zero(&format!("the noise floor of {path:?}"), case.noise_floor)?;
        if kinds.insert(path.as_str(), case.kind).is_some() {
            return Err(format!("the case {path:?} is there twice"));
        }
    }
    if let Some(baseline) = results.run.baseline.as_deref().filter(|name| !names.contains(name)) {
        return Err(format!("the baseline {baseline:?} is none of its subjects"));
    }
    if results.cells.is_empty() {
        return Err("it has no cells".into());
    }
    let mut cells = HashSet::new();
    for cell in &results.cells {
        let (subject, case) = (cell.subject.as_str(), cell.case.as_str());
        let wrong = |what: String| Err(format!("the cell {subject:?} · {case:?} {what}"));
        if !names.contains(subject) {
            return wrong("is of a subject that is not among its subjects".into());
        }
        match kinds.get(case) {
            // Files of the first days have no cases at all.
            None if results.cases.is_empty() => {}
            Some(kind) if *kind == cell.kind => {}
            Some(_) => return wrong("is of another kind than its case".into()),
            None => return wrong("is of a case that is not among its cases".into()),
        }
        if !cells.insert((subject, case)) {
            return wrong("is there twice".into());
        }
        if let Err(what) = numbers(cell) {
            return wrong(what);
        }
    }
    let stood_for = results.cells.iter().filter(|cell| cell.same_as.is_some());
    for cell in stood_for.clone() {
        cells.remove(&(cell.subject.as_str(), cell.case.as_str()));
    }
    for cell in stood_for {
        let other = cell.same_as.as_deref().unwrap_or_default();
        if !cells.contains(&(other, &cell.case)) {
            return Err(format!(
                "{other:?} has no cell that could stand for {:?} · {:?}",
                cell.subject, cell.case
            ));
        }
    }
    Ok(())
}

fn run(results: &Results) -> Result<(), String> {
    let run = &results.run;
    if run.scale <= 0.0 {
        return Err(format!("sleeps cannot have been multiplied by {}", run.scale));
    }
    not_below_zero("its length in seconds", Some(run.seconds))?;
    not_below_zero("its estimate in seconds", run.estimated_seconds)?;
    not_below_zero("its noise floor", run.noise_floor)
}

fn not_below_zero(what: &str, number: Option<f64>) -> Result<(), String> {
    match number.filter(|number| *number < 0.0) {
        Some(number) => Err(format!("{what} is {number}")),
        None => Ok(()),
    }
}

fn numbers(cell: &Cell) -> Result<(), String> {
    if let Some(own) =
        cell.metric.as_deref().filter(|own| !cell.metrics.contains_key(*own) && !cell.metrics.is_empty())
    {
        return Err(format!("has no metric {own:?}, which is its own"));
    }
    for (name, metric) in &cell.metrics {
        metric_is_one(metric).map_err(|what| format!("has a metric {name:?} {what}"))?;
    }
    cell.timeline.as_ref().map_or(Ok(()), goes_forward)
}

fn metric_is_one(metric: &Metric) -> Result<(), String> {
    let (least, most) =
        metric.samples.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), sample| {
            (least.min(*sample), most.max(*sample))
        });
    if metric.samples.is_empty() {
        return Err("without a sample".into());
    }
    if !(least..=most).contains(&metric.median) {
        return Err(format!("whose median {} is beyond its samples, {least} to {most}", metric.median));
    }
    let ends = metric.low.zip(metric.high);
    if ends.is_none() && (metric.low.is_some() || metric.high.is_some()) {
        return Err("of whose interval one end is missing".into());
    }
    let intervals = [ends, metric.ratio_to_best_interval, metric.ratio_to_tokio_mt_interval];
    if let Some((low, high)) = intervals.into_iter().flatten().find(|(low, high)| low > high) {
        return Err(format!("with an interval from {low} to {high}"));
    }
    let ratios = [metric.ratio_to_best, metric.ratio_to_tokio_mt];
    match ratios.into_iter().flatten().find(|ratio| *ratio < 0.0) {
        Some(ratio) => Err(format!("that is {ratio} times as large as another one")),
        None => Ok(()),
    }
}

fn goes_forward(timeline: &Timeline) -> Result<(), String> {
    let polls = || timeline.lanes.iter().flat_map(|lane| &lane.polls);
    if polls().any(|poll| poll.joined.as_ref().is_some_and(|joined| joined.polls < 2)) {
        return Err("has polls drawn as one that are not even two".into());
    }
    match polls().find(|poll| poll.from_us < 0.0 || poll.from_us > poll.to_us) {
        Some(poll) => Err(format!("has a poll from {} to {} µs", poll.from_us, poll.to_us)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// One bench and one experiment on one subject and its copy.
    fn sound() -> Value {
        let subject = |name: &str, kind: &str| {
            json!({"name": name, "kind": kind, "executor": "fifo", "reactor": "mio", "timers": "wheel", "workers": 1,
                "version": ""})
        };
        let metric = json!({"unit": "ns", "better": "lower", "median": 2.0, "low": 1.0, "high": 3.0, "ratio_to_best": 1.0,
            "ratio_to_tokio_mt": null, "ratio_to_best_interval": [1.0, 1.0], "samples": [1.0, 2.0, 3.0]});
        let timeline = json!({"lanes": [{"label": "a", "polls": [{"from_us": 0.0, "to_us": 1.0, "worker": 0}],
            "wakes_us": [], "marks": []}], "total_us": 2.0, "why": ""});
        let cell = |subject: &str, case: &str, kind: &str| {
            json!({"subject": subject, "case": case, "kind": kind, "status": "pass", "reason": null, "predicted": null,
                "observed": null})
        };
        let mut cells = json!([
            cell("fifo", "yield", "bench"),
            cell("twin", "yield", "bench"),
            cell("fifo", "sleep", "experiment")
        ]);
        for bench in 0..2 {
            cells[bench]["metric"] = "time".into();
            cells[bench]["metrics"] = json!({"time": metric});
        }
        cells[2]["timeline"] = timeline;
        json!({
            "schema": 1,
            "run": {"id": "x", "started": "2026-01-01T00:00:00Z", "command": "lab matrix", "seed": 1, "scale": 1.0,
                "complete": true, "commit": null, "rustc": null, "machine": {}, "noise_floor": 0.01, "baseline": "fifo"},
            "subjects": [subject("fifo", "own"), subject("twin", "twin")],
            "cases": [{"path": "yield", "kind": "bench"}, {"path": "sleep", "kind": "experiment"}],
            "cells": cells,
        })
    }

    #[test]
    fn what_no_run_leaves_is_told_and_what_one_leaves_is_not() {
        let checked = |value: Value| check(&serde_json::from_value(value).unwrap());
        assert_eq!(checked(sound()), Ok(()));
        let mut early = sound();
        early["cases"] = json!([]);
        assert_eq!(checked(early), Ok(()));
        for (at, value, told) in [
            ("/run/scale", json!(0.0), "sleeps cannot have been multiplied by 0"),
            ("/run/seconds", json!(-1.0), "its length in seconds is -1"),
            ("/run/noise_floor", json!(-0.5), "its noise floor is -0.5"),
            ("/run/baseline", json!("steal"), "the baseline \"steal\" is none of its subjects"),
            ("/subjects/0/name", json!(""), "a subject has no name"),
            ("/subjects/0/workers", json!(0), "the subject \"fifo\" has no worker"),
            ("/subjects/1/name", json!("fifo"), "the subject \"fifo\" is there twice"),
            ("/cases/0/path", json!(""), "a case has no path"),
            ("/cases/0/path", json!("sleep"), "the case \"sleep\" is there twice"),
            ("/cases/0/noise_floor", json!(-1.0), "the noise floor of \"yield\" is -1"),
            ("/cells", json!([]), "it has no cells"),
            (
                "/cells/0/subject",
                json!("steal"),
                "the cell \"steal\" · \"yield\" is of a subject that is not among its subjects",
            ),
            (
                "/cells/0/case",
                json!("wake"),
                "the cell \"fifo\" · \"wake\" is of a case that is not among its cases",
            ),
            (
                "/cells/0/kind",
                json!("experiment"),
                "the cell \"fifo\" · \"yield\" is of another kind than its case",
            ),
            ("/cells/1/subject", json!("fifo"), "the cell \"fifo\" · \"yield\" is there twice"),
            (
                "/cells/0/same_as",
                json!("steal"),
                "\"steal\" has no cell that could stand for \"fifo\" · \"yield\"",
            ),
            (
                "/cells/0/same_as",
                json!("fifo"),
                "\"fifo\" has no cell that could stand for \"fifo\" · \"yield\"",
            ),
            (
                "/cells/0/metric",
                json!("space"),
                "the cell \"fifo\" · \"yield\" has no metric \"space\", which is its own",
            ),
            (
                "/cells/0/metrics/time/samples",
                json!([]),
                "the cell \"fifo\" · \"yield\" has a metric \"time\" without a sample",
            ),
            (
                "/cells/0/metrics/time/median",
                json!(-3.5),
                "the cell \"fifo\" · \"yield\" has a metric \"time\" whose median -3.5 is beyond its samples, 1 to 3",
            ),
            (
                "/cells/0/metrics/time/low",
                json!(null),
                "the cell \"fifo\" · \"yield\" has a metric \"time\" of whose interval one end is missing",
            ),
            (
                "/cells/0/metrics/time/low",
                json!(4.0),
                "the cell \"fifo\" · \"yield\" has a metric \"time\" with an interval from 4 to 3",
            ),
            (
                "/cells/0/metrics/time/ratio_to_best",
                json!(-2.0),
                "the cell \"fifo\" · \"yield\" has a metric \"time\" that is -2 times as large as another one",
            ),
            (
                "/cells/2/timeline/lanes/0/polls/0/from_us",
                json!(1.5),
                "the cell \"fifo\" · \"sleep\" has a poll from 1.5 to 1 µs",
            ),
        ] {
            let mut senseless = sound();
            if let Some(there) = senseless.pointer_mut(at) {
                *there = value;
            } else {
                let (parent, name) = at.rsplit_once('/').unwrap();
                senseless.pointer_mut(parent).unwrap()[name] = value;
            }
            assert_eq!(checked(senseless), Err(told.to_owned()), "{at}");
        }
    }
}
