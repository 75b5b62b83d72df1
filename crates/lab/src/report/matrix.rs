//! The two tables: benches with their numbers, experiments with their verdicts.

use super::html::{breakable, escape, legend};
use super::timelines::Drawn;
use crate::cell::{Kind, Status, SubjectKind};
use crate::view::{self, Rank, Shown, View};
use std::fmt::Write as _;

/// The bench matrix: value ± interval, ratio to the best, colour.
pub(super) fn benches(view: View<'_>, out: &mut String) {
    let cases = view.cases(Kind::Bench);
    if cases.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<section id=matrix><h2>Benches</h2><p class=legend>median ± half its interval{}; below it how many times \
         the best of its column; ≈ within the noise of it; = measured on a combination that differs only in what the \
         bench does not use.{}</p><div class=scroll tabindex=0 role=region aria-label='Bench matrix'>\
         <table class=sortable><caption hidden>Benches by subject</caption><thead><tr><th scope=col>subject</th>",
        view::confidence(view.results.run.rounds).map(|sure| format!(" ({sure})")).unwrap_or_default(),
        legend(&[("r0", "best"), ("r1", "to 1.25×"), ("r2", "to 2×"), ("r3", "to 4×"), ("r4", "beyond")]),
    );
    for case in &cases {
        let floor = case.noise_floor.map_or_else(|| "unknown".into(), view::percent);
        let about = format!("{}; noise floor {floor}", case.about);
        let _ = write!(out, "<th scope=col title='{}'>{}</th>", escape(&about), breakable(&case.path));
    }
    out.push_str(
        "<th scope=col title='geometric mean of the ratios to the best'>geomean</th></tr></thead><tbody>",
    );
    for subject in view.subjects() {
        let class = match subject.kind {
            SubjectKind::Twin => " class=twin",
            SubjectKind::Floor => " class=floor",
            _ => "",
        };
        let _ = write!(out, "<tr{class}><th scope=row>{}</th>", escape(&subject.name));
        for case in &cases {
            match view.bench(subject, case) {
                Some(shown) => bench(view, &subject.name, &case.path, &shown, out),
                None => out.push_str("<td class=n></td>"),
            }
        }
        match view.geomean(subject) {
            Some(mean) => {
                let _ = write!(out, "<td class=n data-v={mean}>{}</td></tr>", view::times(mean));
            }
            None => out.push_str("<td class='n soft' data-v=''>–</td></tr>"),
        }
    }
    out.push_str("</tbody></table></div></section>");
}

fn bench(view: View<'_>, subject: &str, case: &str, shown: &Shown, out: &mut String) {
    let metric = view.standing(subject, case).and_then(|cell| cell.own_metric());
    let value = metric.map(|metric| metric.median.to_string()).unwrap_or_default();
    let mut class = String::from("n");
    match (shown.status, shown.rank) {
        (Status::Fail | Status::Timeout | Status::Crash, _) => class += " bad",
        (_, Rank::Best | Rank::Tie) => class += " r0",
        (_, Rank::Worse(times)) => {
            class.push(' ');
            class += shade(times);
        }
        _ => {}
    }
    if shown.same {
        class += " same";
    }
    let _ = write!(out, "<td class='{class}' data-v='{value}'");
    if !shown.note.is_empty() {
        let _ = write!(out, " title='{}'", escape(&shown.note));
    }
    let _ = write!(out, ">{}{}", if shown.same { "= " } else { "" }, escape(&shown.value));
    if !shown.interval.is_empty() {
        let _ = write!(out, "<small>{}</small>", escape(&shown.interval));
    }
    if !shown.ratio.is_empty() {
        let _ = write!(out, "<em>{}</em>", escape(&shown.ratio));
    }
    if !shown.beside.is_empty() {
        let _ = write!(out, "<small>{}</small>", escape(&shown.beside));
    }
    out.push_str("</td>");
}

/// How times are spread: what a median hides.
pub(super) fn distributions(view: View<'_>, out: &mut String) {
    let cases = view.distributions();
    if cases.is_empty() {
        return;
    }
    out.push_str(
        "<section id=spread><h2>How late</h2><p class=legend>Quantiles of single waits; of each the median over the rounds. \
         Jain's index is 1 if all had the same share.</p><div class=scroll tabindex=0 role=region aria-label='Quantiles'>\
         <table><caption hidden>Quantiles by subject</caption><thead><tr><th scope=col>subject</th>",
    );
    for (case, names) in &cases {
        let (about, path) = (escape(&case.about), breakable(&case.path));
        let _ =
            write!(out, "<th scope=col title='{about}'>{path}<br><small>{}</small></th>", names.join(" / "));
    }
    out.push_str("</tr></thead><tbody>");
    for subject in view.subjects() {
        let _ = write!(out, "<tr><th scope=row>{}</th>", escape(&subject.name));
        for (case, names) in &cases {
            let told = view.distribution(&subject.name, case, names).unwrap_or_default();
            let _ = write!(out, "<td class=n>{}</td>", escape(&told));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div></section>");
}

/// The colour of a ratio.
pub(super) fn shade(times: f64) -> &'static str {
    match times {
        _ if times < 1.25 => "r1",
        _ if times < 2.0 => "r2",
        _ if times < 4.0 => "r3",
        _ => "r4",
    }
}

/// The experiments: a sign for each cell, which leads to its timeline.
pub(super) fn experiments(view: View<'_>, drawn: &Drawn, out: &mut String) {
    let cases = view.cases(Kind::Experiment);
    if cases.is_empty() {
        return;
    }
    let subjects = view.experimenters();
    out.push_str(
        "<section id=experiments><h2>Experiments</h2><p class=legend><span class=good>✔</span> as predicted · \
         <span class=bad>✘</span> not as predicted · ○ ran, but nothing was forced, so it is no verdict · \
         ∞ killed after its time limit · ☠ crashed · – cannot run, the \
         title says why · = not asked, since the experiment does not depend on the option. \
         A sign leads to its timeline.</p><div class=scroll tabindex=0 role=region \
         aria-label='Experiment matrix'><table><caption hidden>Verdicts by experiment and subject</caption><thead><tr>\
         <th scope=col>experiment</th>",
    );
    for subject in &subjects {
        let _ = write!(out, "<th scope=col class=turned><span>{}</span></th>", escape(&subject.name));
    }
    out.push_str("</tr></thead><tbody>");
    for case in cases {
        let _ = write!(out, "<tr><th scope=row title='{}'>{}</th>", escape(&case.about), escape(&case.path));
        for subject in &subjects {
            let Some(cell) = view.results.cell(&subject.name, &case.path) else {
                out.push_str("<td></td>");
                continue;
            };
            let class = match cell.status {
                Status::Pass if cell.open => "soft",
                Status::Pass => "good",
                Status::Fail | Status::Timeout | Status::Crash if view.results.is_ours(&cell.subject) => {
                    "bad"
                }
                Status::Fail | Status::Timeout | Status::Crash => "warn",
                _ => "soft",
            };
            let reason = cell.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let told = escape(&format!("{}, {}: {}{reason}", subject.name, case.path, view::word(cell)));
            let sign = view::sign(cell);
            let _ = write!(out, "<td class='sign {class}' title='{told}'>");
            let _ = match drawn.id(view, cell) {
                Some(id) => write!(out, "<a href='#{id}' aria-label='{told}'>{sign}</a></td>"),
                None => write!(out, "<span role=img aria-label='{told}'>{sign}</span></td>"),
            };
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div></section>");
}
