//! The table in the terminal.
//!
//! Invariant: without colour it says the same; colour only repeats what the ratio says. Columns that don't fit the width
//! go into a further block, nothing is cut off.

use crate::cell::{Kind, Status, SubjectKind};
use crate::view::{self, Rank, Shown, View};
use anstyle::{AnsiColor, Style};
use polyloop_timeline::draw::{BOLD, DIM};
use polyloop_timeline::text::{clean, count};
use polyloop_timeline::units;
use std::fmt::Write as _;

/// How many reasons why cells did not run are told.
const REASONS: usize = 8;

/// The whole of what the terminal shows of a run.
pub(crate) fn render(view: View<'_>, width: usize) -> String {
    let mut out = String::new();
    experiments(view, width, &mut out);
    scale(view, &mut out);
    benches(view, width, &mut out);
    problems(view, &mut out);
    out
}

/// Says it where sleeps were not as long as the text has them.
fn scale(view: View<'_>, out: &mut String) {
    let scale = view.results.run.scale;
    if scale != 1.0 && !view.cases(Kind::Experiment).is_empty() {
        let _ = writeln!(out, "{DIM}sleeps of 500 ms and more × {scale} (starvation/* verbatim){DIM:#}");
    }
}

/// The benches alone, for a run of named cases.
pub(crate) fn benches_only(view: View<'_>, width: usize) -> String {
    let mut out = String::new();
    benches(view, width, &mut out);
    problems(view, &mut out);
    out
}

/// A piece of text with a style; its width is counted without the escape codes.
#[derive(Clone, Debug, Default)]
struct Piece {
    text: String,
    style: Style,
}

impl Piece {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new() }
    }

    fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

fn experiments(view: View<'_>, width: usize, out: &mut String) {
    let groups = view.experiment_groups();
    if groups.is_empty() {
        return;
    }
    let mut rows = vec![
        std::iter::once(Piece::new("experiments", BOLD))
            .chain(groups.iter().map(|group| Piece::new(*group, BOLD)))
            .collect::<Vec<_>>(),
    ];
    for subject in view.experimenters() {
        let cells = groups.iter().map(|group| experiment_group(view, &subject.name, group));
        rows.push(std::iter::once(Piece::plain(&subject.name)).chain(cells).collect());
    }
    blocks(&rows, width, out);
}

fn experiment_group(view: View<'_>, subject: &str, group: &str) -> Piece {
    let of_group = |cell: &&crate::results::Cell| {
        cell.subject == subject && cell.kind == Kind::Experiment && view::group(&cell.case) == group
    };
    let cells = || view.results.cells.iter().filter(of_group);
    let number = |word: &str| cells().filter(|cell| view::word(cell) == word).count();
    let of = |status: Status| number(view::status_word(status));
    let (passed, bad) = (of(Status::Pass), of(Status::Fail) + of(Status::Timeout) + of(Status::Crash));
    // What this machine lacks, or the run was stopped before, is never left out: the reason stands below the tables.
    let missing: Vec<(usize, &str)> = [Status::Unavailable, Status::NotRun]
        .map(|status| (of(status), view::status_word(status)))
        .into_iter()
        .filter(|(cells, _)| *cells > 0)
        .collect();
    let lacks: String = missing.iter().map(|(cells, word)| format!(" {cells} {word}")).collect();
    match (passed + bad, bad, missing.first()) {
        (0, _, Some((_, word))) => Piece::new(*word, YELLOW),
        (0, ..) if cells().any(|cell| cell.same_as.is_some()) => Piece::new("=", DIM),
        (0, ..) => Piece::new(cells().next().map(view::word).unwrap_or_default(), DIM),
        (judged, 0, _) => Piece::new(format!("{passed}/{judged} ✔{lacks}"), GREEN),
        (judged, ..) => Piece::new(format!("{passed}/{judged} ✘{lacks}"), RED),
    }
}

fn benches(view: View<'_>, width: usize, out: &mut String) {
    let cases = view.cases(Kind::Bench);
    if cases.is_empty() {
        return;
    }
    let _ = writeln!(out);
    let mean = view.subjects().any(|subject| view.geomean(subject).is_some()) && cases.len() > 1;
    let mut head = vec![Piece::new("median, ratio to best", BOLD)];
    if mean {
        head.push(Piece::new("geomean", BOLD));
    }
    head.extend(cases.iter().map(|case| Piece::new(&case.path, BOLD)));
    let mut rows = vec![head];
    for subject in view.subjects() {
        let name_style = if subject.kind == SubjectKind::Twin { DIM } else { Style::new() };
        let mut row = vec![Piece::new(&subject.name, name_style)];
        if mean {
            row.push(Piece::plain(view.geomean(subject).map(view::times).unwrap_or_default()));
        }
        row.extend(cases.iter().map(|case| match view.bench(subject, case) {
            Some(shown) => bench(&shown),
            None => Piece::default(),
        }));
        rows.push(row);
    }
    blocks(&rows, width, out);
    legend(view, out);
    distributions(view, width, out);
}

/// How times are spread: what a median hides.
fn distributions(view: View<'_>, width: usize, out: &mut String) {
    let cases = view.distributions();
    if cases.is_empty() {
        return;
    }
    let _ = writeln!(out);
    let head = |(case, names): &(&crate::results::Case, Vec<&str>)| {
        Piece::new(format!("{}: {}", case.path, names.join(" / ")), BOLD)
    };
    let mut rows: Vec<Vec<Piece>> =
        vec![std::iter::once(Piece::new("quantiles", BOLD)).chain(cases.iter().map(head)).collect()];
    for subject in view.subjects() {
        let told = |(case, names): &(&crate::results::Case, Vec<&str>)| {
            Piece::plain(view.distribution(&subject.name, case, names).unwrap_or_default())
        };
        rows.push(std::iter::once(Piece::plain(&subject.name)).chain(cases.iter().map(told)).collect());
    }
    blocks(&rows, width, out);
}

fn bench(shown: &Shown) -> Piece {
    let mut text = shown.value.clone();
    if !shown.interval.is_empty() {
        let _ = write!(text, " {}", shown.interval.replace(' ', ""));
    }
    if !shown.ratio.is_empty() {
        let _ = write!(text, " {}", shown.ratio);
    }
    if !shown.beside.is_empty() {
        let _ = write!(text, " ({})", shown.beside);
    }
    if shown.same {
        text = format!("= {text}");
    }
    let style = match (shown.status, shown.rank) {
        _ if shown.same => DIM,
        (Status::Fail | Status::Timeout | Status::Crash, _) => RED,
        (Status::Pass, Rank::Best | Rank::Tie) => GREEN,
        (Status::Pass, Rank::Worse(times)) if times >= 2.0 => RED,
        (Status::Pass, Rank::Worse(times)) if times >= 1.25 => YELLOW,
        (Status::Pass, _) => Style::new(),
        _ => DIM,
    };
    Piece::new(text, style)
}

fn legend(view: View<'_>, out: &mut String) {
    let run = &view.results.run;
    let mut line = match run.noise_floor {
        Some(floor) => format!(
            "medians over the rounds, {} intervals; a ratio is the median of those within each round, not the quotient of \
             the medians; ≈ within the noise of the best: each bench has its own, which a copy of a subject shows ({} in the middle)",
            view::confidence(run.rounds).unwrap_or_else(|| "no".into()),
            view::percent(floor)
        ),
        None if run.rounds < crate::stats::ENOUGH_ROUNDS => {
            format!("{}: no intervals, no ratios (5 are needed)", count(run.rounds, "round"))
        }
        None => "noise floor unknown: the copy has too few numbers, so nothing is ranked".into(),
    };
    if view.results.cells.iter().any(|cell| cell.same_as.is_some()) {
        line += "; = measured on a combination that differs only in what the bench does not use";
    }
    let _ = writeln!(out, "{DIM}{line}{DIM:#}");
}

/// Failures with their reasons, then what did not run and why.
fn problems(view: View<'_>, out: &mut String) {
    let failed = view.failed();
    if !failed.is_empty() {
        let _ = writeln!(out);
    }
    for cell in failed {
        let warning = view.results.is_warning(cell);
        let style = if warning { YELLOW } else { RED };
        let warning = if warning { " (a warning: not ours)" } else { "" };
        let _ = writeln!(
            out,
            "{style}{}{style:#} {} · {}{warning}: {}",
            view::status_word(cell.status),
            clean(&cell.subject),
            clean(&cell.case),
            clean(cell.reason.as_deref().unwrap_or("no reason given"))
        );
        for (what, text) in [("predicted", &cell.predicted), ("observed ", &cell.observed)] {
            if let Some(text) = text {
                let _ = writeln!(out, "     {what} {}", clean(text));
            }
        }
    }
    for (cell, first) in view.second_answers() {
        let (subject, case) = (clean(&cell.subject), clean(&cell.case));
        let _ = writeln!(out, "{YELLOW}only alone{YELLOW:#} {subject} · {case}: {}", clean(first));
    }
    let missing = view.missing();
    for (status, reason, cells) in missing.iter().take(REASONS) {
        let _ = writeln!(
            out,
            "{DIM}{} ({}): {}{DIM:#}",
            view::status_word(*status),
            match cells.as_slice() {
                [cell] => format!("{} · {}", clean(&cell.subject), clean(&cell.case)),
                cells => count(cells.len(), "cell"),
            },
            clean(reason)
        );
    }
    if let Some(rest) = missing.get(REASONS..).filter(|rest| !rest.is_empty()) {
        let cells = rest.iter().map(|(_, _, cells)| cells.len()).sum();
        let _ = writeln!(
            out,
            "{DIM}{}, {}: in results.md and the report{DIM:#}",
            count(rest.len(), "more reason"),
            count(cells, "cell")
        );
    }
}

/// Lays rows out in columns, in as many blocks as the width asks for. The first column is repeated.
fn blocks(rows: &[Vec<Piece>], width: usize, out: &mut String) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(Piece::width).max();
    let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let mut from = 1;
    while from < columns {
        let mut to = from;
        let mut used = widths[0];
        while to < columns && (to == from || used + 2 + widths[to] <= width) {
            used += 2 + widths[to];
            to += 1;
        }
        if from > 1 {
            let _ = writeln!(out);
        }
        for row in rows {
            block_row(row, from..to, &widths, out);
        }
        from = to;
    }
}

fn block_row(row: &[Piece], columns: std::ops::Range<usize>, widths: &[usize], out: &mut String) {
    let mut line = String::new();
    for column in std::iter::once(0).chain(columns) {
        let empty = Piece::default();
        let piece = row.get(column).unwrap_or(&empty);
        let padding = " ".repeat(widths[column] - piece.width());
        let text = clean(&piece.text);
        let style = piece.style;
        if column == 0 {
            let _ = write!(line, "{style}{text}{style:#}{padding}");
        } else {
            let _ = write!(line, "  {padding}{style}{text}{style:#}");
        }
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

/// The machine, in one line.
pub(crate) fn machine_line(view: View<'_>) -> String {
    let run = &view.results.run;
    let mut line = run.machine.line();
    if let Some(rustc) = &run.rustc {
        let version: Vec<&str> = rustc.split(' ').take(2).collect();
        line += &format!(" · {}", version.join(" "));
    }
    line
}

/// How long a run took, beside what the plan had said.
pub(crate) fn took(view: View<'_>) -> String {
    let run = &view.results.run;
    let estimated = |seconds| format!(" (estimated {})", units::duration(seconds));
    units::duration(run.seconds) + &run.estimated_seconds.map(estimated).unwrap_or_default()
}

pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const RED: Style = AnsiColor::Red.on_default();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Results;

    fn results(subjects: &str, cases: &str, cells: &[String]) -> Results {
        let text = format!(
            r#"{{"schema": 1, "run": {{"id": "x", "started": "2026-01-01T00:00:00Z", "command": "lab", "seed": 1, "scale": 1.0,
                 "complete": true, "commit": null, "rustc": null, "machine": {{}}, "noise_floor": null}},
                 "subjects": [{subjects}], "cases": [{cases}], "cells": [{}]}}"#,
            cells.join(",")
        );
        serde_json::from_str(&text).unwrap()
    }

    fn cell(case: &str, status: &str, more: &str) -> String {
        format!(
            r#"{{"subject": "smol-1", "case": "{case}", "kind": "experiment", "status": "{status}",
                 "predicted": null, "observed": null{more}}}"#
        )
    }

    #[test]
    fn an_experiment_that_gave_no_verdict_says_why_in_its_place() {
        let subject = r#"{"name": "smol-1", "kind": "peer", "executor": null, "reactor": null, "timers": null, "workers": 1,
                          "version": ""}"#;
        let case = |path: &str| format!(r#"{{"path": "{path}", "kind": "experiment"}}"#);
        let shown = |cells: &[(&str, &str, &str)]| {
            let cases: Vec<String> = cells.iter().map(|(path, ..)| case(path)).collect();
            let cells: Vec<String> =
                cells.iter().map(|(path, status, more)| cell(path, status, more)).collect();
            let results = results(subject, &cases.join(","), &cells);
            anstream::adapter::strip_str(&render(View::new(&results), 80)).to_string()
        };
        let lacks = r#", "reason": "io_uring_setup: EPERM""#;
        let text = shown(&[("echo/a", "unavailable", lacks), ("echo/b", "unavailable", lacks)]);
        assert!(text.contains("smol-1       unavailable\n"), "{text}");
        assert!(text.contains("unavailable (2 cells): io_uring_setup: EPERM"), "{text}");
        let text = shown(&[("echo/a", "pass", ""), ("echo/b", "unavailable", lacks)]);
        assert!(text.contains("1/1 ✔ 1 unavailable\n"), "{text}");
        for (status, more, word) in [
            ("unsupported", lacks, "unsupported"),
            ("not-run", lacks, "not run"),
            ("pass", r#", "open": true"#, "no verdict"),
            ("not-run", r#", "same_as": "smol-n""#, "="),
        ] {
            let text = shown(&[("echo", status, more)]);
            assert!(text.lines().nth(1).unwrap().ends_with(&format!(" {word}")), "{word}: {text}");
        }
    }

    #[test]
    fn of_more_reasons_than_fit_it_is_said_how_many_there_are() {
        let reason = |number: usize| format!(r#", "reason": "reason {number}""#);
        let cells = (0..12).map(|number| cell(&format!("c{number}"), "unavailable", &reason(number)));
        let results = results("", "", &cells.collect::<Vec<_>>());
        let told = render(View::new(&results), 80);
        let shown = (0..12).filter(|number| told.contains(&format!("reason {number}\u{1b}"))).count();
        assert_eq!(shown, REASONS);
        assert!(told.contains("4 more reasons, 4 cells"), "{told}");
    }
}
