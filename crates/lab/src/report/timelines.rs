//! Every experiment's timelines, below each other on one scale.

use super::html::{escape, legend};
use super::svg;
use crate::cell::{Kind, Status, Timeline};
use crate::results::{Case, Cell};
use crate::view::{self, View};
use polyloop_timeline::{draw, text, units};
use std::fmt::Write as _;

/// The page stays below 1.5 MB: beyond this, further timelines are left to `results.json`.
const MOST: usize = 1_150_000;

/// The section, and whose timelines are in it.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub(super) html: String,
    left_out: Vec<String>,
}

impl Drawn {
    /// The address of a cell's timeline on the page, if it is there.
    pub(super) fn id(&self, view: View<'_>, cell: &Cell) -> Option<String> {
        id(view, cell).filter(|_| !self.left_out.contains(&cell.case))
    }
}

fn id(view: View<'_>, cell: &Cell) -> Option<String> {
    cell.timeline.as_ref()?;
    let case = view.results.cases.iter().position(|case| case.path == cell.case)?;
    let subject = view.results.subjects.iter().position(|subject| subject.name == cell.subject)?;
    Some(format!("t{case}-{subject}"))
}

/// The section. The experiments about starvation and sleep come first, so that they are never left out.
pub(super) fn section(view: View<'_>) -> Drawn {
    let mut drawn = Drawn::default();
    let out = &mut drawn.html;
    let mut cases = view.cases(Kind::Experiment);
    cases.retain(|case| !cells(view, case).is_empty());
    if cases.is_empty() {
        return drawn;
    }
    cases.sort_by_key(|case| match view::group(&case.path) {
        "starvation" => 0,
        "sleep" => 1,
        _ => 2,
    });
    out.push_str(
        "<section id=timelines><h2>Timelines</h2><p class=legend>A lane is a labelled future, a bar a poll, its colour \
         the worker that polled it: ",
    );
    out.push_str(&legend(&[
        ("k0", "worker 0"),
        ("k1", "1"),
        ("k2", "2"),
        ("k3", "3"),
        ("kready", "woken, waits"),
        ("kidle", "not polled"),
    ]));
    out.push_str(". A lane ends with its future. What is compared shares one scale.</p>");
    for (at, case) in cases.iter().enumerate() {
        let mut timelines = String::new();
        one_case(view, case, at == 0, &mut timelines);
        if out.len() + timelines.len() > MOST {
            drawn.left_out.push(case.path.clone());
        } else {
            out.push_str(&timelines);
        }
    }
    if !drawn.left_out.is_empty() {
        let names: Vec<String> = drawn.left_out.iter().map(|path| escape(path)).collect();
        let _ = write!(
            out,
            "<p>To keep this page small, the timelines of these are in results.json alone: {}.</p>",
            names.join(", ")
        );
    }
    out.push_str("</section>");
    drawn
}

fn one_case(view: View<'_>, case: &Case, open: bool, out: &mut String) {
    let cells = cells(view, case);
    let judged: Vec<&&Cell> = cells.iter().filter(|cell| !cell.open || cell.status != Status::Pass).collect();
    let passed = judged.iter().filter(|cell| cell.status == Status::Pass).count();
    let _ = write!(
        out,
        "<details{}><summary>{} <small>{passed} of {} as predicted</small></summary><p class=about>{}</p>",
        if open { " open" } else { "" },
        escape(&case.path),
        judged.len(),
        escape(&case.about)
    );
    let total = view.scale_us(&case.path);
    for cell in cells {
        if let (Some(timeline), Some(id)) = (&cell.timeline, id(view, cell)) {
            one(cell, timeline, &id, total, out);
        }
    }
    out.push_str("</details>");
}

fn one(cell: &Cell, timeline: &Timeline, id: &str, total_us: f64, out: &mut String) {
    let class = if cell.status == Status::Pass { "good" } else { "bad" };
    let mut facts = vec![escape(&units::value(timeline.total_us, "µs"))];
    let counts = [(cell.counts.polls, "poll"), (cell.counts.syscalls, "system call")];
    facts.extend(counts.iter().filter_map(|(n, what)| Some(text::count((*n)? as usize, what))));
    let _ = write!(
        out,
        "<div class=timeline id={id}><h4>{} <span class={class}>{}</span> <small>{}{}</small></h4>",
        escape(&cell.subject),
        view::sign(cell),
        facts.join(" · "),
        if cell.counts.syscalls.is_some() { " of the reactor" } else { "" },
    );
    let name = format!("{}, {}", cell.subject, cell.case);
    for lane in &timeline.lanes {
        let _ = write!(
            out,
            "<div class=lane><span>{}</span>{}<span>{}</span></div>",
            escape(&lane.label),
            svg::lane(lane, timeline.total_us, total_us, svg::SEEN, &name),
            escape(&draw::told(lane, timeline.total_us)),
        );
    }
    let _ = write!(
        out,
        "<div class=lane><span></span><span class=axis><span>0</span><span>{}</span></span><span></span></div>",
        escape(&units::value(total_us, "µs"))
    );
    said(timeline, out);
    if !timeline.why.is_empty() {
        let _ = write!(out, "<p class=why>{}</p>", escape(&timeline.why));
    }
    if cell.status != Status::Pass {
        for (what, text) in
            [("predicted", &cell.predicted), ("observed", &cell.observed), ("reason", &cell.reason)]
        {
            if let Some(text) = text {
                let _ = write!(out, "<p class=why><b class=bad>{what}</b> {}</p>", escape(text));
            }
        }
    }
    out.push_str("</div>");
}

/// What it printed, in order.
fn said(timeline: &Timeline, out: &mut String) {
    let mut marks = timeline.said();
    let more = marks.len().saturating_sub(16);
    marks.truncate(16);
    if marks.is_empty() {
        return;
    }
    let told: Vec<String> =
        marks.iter().map(|(at, text)| escape(&format!("{} {text}", units::value(*at, "µs")))).collect();
    let more = if more > 0 { format!(" · and {more} more") } else { String::new() };
    let _ = write!(out, "<p class=said>{}{more}</p>", told.join(" · "));
}

fn cells<'a>(view: View<'a>, case: &Case) -> Vec<&'a Cell> {
    let of_case = |cell: &&Cell| cell.case == case.path && cell.timeline.is_some();
    view.results.cells.iter().filter(of_case).collect()
}

#[cfg(test)]
mod tests {
    use crate::results::Results;
    use std::collections::HashSet;

    /// More than fits: forty experiments on ten subjects, each with lanes of sixty polls.
    fn large() -> Results {
        let run = r#"{"id": "x", "started": "", "command": "lab", "seed": 1, "scale": 1.0, "complete": true,
                      "commit": null, "rustc": null, "machine": {}, "noise_floor": null}"#;
        let subject = |n: usize| {
            format!(
                r#"{{"name": "s{n}", "kind": "own", "executor": null, "reactor": null, "timers": null, "workers": 1, "version": ""}}"#
            )
        };
        let case = |n: usize| format!(r#"{{"path": "c{n}", "kind": "experiment"}}"#);
        let polls = vec![r#"{"from_us": 1.0, "to_us": 2.0, "worker": 0}"#; 60].join(",");
        let lanes = format!(r#"[{{"label": "a", "polls": [{polls}], "wakes_us": [], "marks": []}}]"#);
        let cell = |case: usize, subject: usize| {
            format!(
                r#"{{"subject": "s{subject}", "case": "c{case}", "kind": "experiment", "status": "pass", "reason": null,
                     "predicted": null, "observed": null, "timeline": {{"lanes": {lanes}, "total_us": 9.0, "why": ""}}}}"#
            )
        };
        let all = |items: Vec<String>| items.join(",");
        let text = format!(
            r#"{{"schema": 1, "run": {run}, "subjects": [{}], "cases": [{}], "cells": [{}]}}"#,
            all((0..10).map(subject).collect()),
            all((0..40).map(case).collect()),
            all((0..400).map(|n| cell(n / 10, n % 10)).collect()),
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_page_stays_small_and_no_sign_leads_nowhere() {
        let page = crate::report::render(&large());
        assert!(page.len() < 1_500_000, "{}", page.len());
        let after = |mark: &str| -> HashSet<String> {
            let part = |rest: &str| {
                rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().map(str::to_owned)
            };
            page.split(mark).skip(1).filter_map(part).collect()
        };
        let (there, asked) = (after("class=timeline id="), after("<a href='#"));
        assert!(there.len() < 400 && there.len() > 50, "{}", there.len());
        assert_eq!(there, asked);
        assert!(page.contains("in results.json alone: "));
    }
}
