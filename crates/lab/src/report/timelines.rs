//! Every experiment's timelines, below each other on one scale.

use super::html::escape;
use super::svg;
use crate::cell::{Kind, Status, Timeline};
use crate::results::{Case, Cell};
use crate::view::{self, View};
use crate::{timeline, units};
use std::fmt::Write as _;

/// The page stays below 1.5 MB: beyond this, further timelines are left to `results.json`.
const MOST: usize = 1_400_000;

/// The address of a cell's timeline on the page, if it has one.
pub(super) fn id(view: View<'_>, cell: &Cell) -> Option<String> {
    cell.timeline.as_ref()?;
    let case = view.results.cases.iter().position(|case| case.path == cell.case)?;
    let subject = view.results.subjects.iter().position(|subject| subject.name == cell.subject)?;
    Some(format!("t{case}-{subject}"))
}

/// The section. The experiments about starvation and sleep come first, so that they are never left out.
pub(super) fn section(view: View<'_>, out: &mut String) {
    let mut cases = view.cases(Kind::Experiment);
    cases.retain(|case| !cells(view, case).is_empty());
    if cases.is_empty() {
        return;
    }
    cases.sort_by_key(|case| match view::group(&case.path) {
        "starvation" => 0,
        "sleep" => 1,
        _ => 2,
    });
    out.push_str(
        "<section id=timelines><h2>Timelines</h2><p class=legend>A lane is a labelled future, a bar a poll, its colour \
         the worker that polled it.<i class=k0></i>worker 0<i class=k1></i>1<i class=k2></i>2<i class=k3></i>3\
         <i class=kready></i>woken, waits<i class=kidle></i>not polled. What is compared shares one scale.</p>",
    );
    let mut left_out = 0;
    for (at, case) in cases.iter().enumerate() {
        let mut timelines = String::new();
        one_case(view, case, at == 0, &mut timelines);
        if out.len() + timelines.len() > MOST {
            left_out += 1;
        } else {
            out.push_str(&timelines);
        }
    }
    if left_out > 0 {
        let _ = write!(
            out,
            "<p>The timelines of {left_out} more experiments are in results.json, to keep this page small.</p>"
        );
    }
    out.push_str("</section>");
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
    let _ = write!(
        out,
        "<div class=timeline id={id}><h4>{} <span class={class}>{}</span> <small>{}</small></h4>",
        escape(&cell.subject),
        view::sign(cell),
        escape(&units::value(timeline.total_us, "µs")),
    );
    let counts = [(cell.counts.polls, "polls"), (cell.counts.syscalls, "system calls of the reactor")];
    let counts: Vec<String> =
        counts.iter().filter_map(|(n, what)| Some(format!("{} {what}", (*n)?))).collect();
    if !counts.is_empty() {
        let _ = write!(out, "<p class=why>{}</p>", counts.join(" · "));
    }
    let name = format!("{}, {}", cell.subject, cell.case);
    for lane in &timeline.lanes {
        let _ = write!(
            out,
            "<div class=lane><span>{}</span>{}<span>{}</span></div>",
            escape(&lane.label),
            svg::lane(lane, timeline.total_us, total_us, svg::SEEN, &name),
            escape(&timeline::told(lane, timeline.total_us)),
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
    let mut marks: Vec<(f64, &str)> = timeline
        .lanes
        .iter()
        .flat_map(|lane| lane.marks.iter().map(|mark| (mark.at_us, mark.text.as_str())))
        .collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
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
