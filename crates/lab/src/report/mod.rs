//! `report.html`: one file, no network, whole without scripts.
//!
//! Invariant: everything a reader needs is in the HTML as rendered here. The script at its end only sorts, copies and
//! switches the theme, and a page whose script never ran says the same. Every text from outside goes through
//! [`html::escape`].

mod html;
mod matrix;
mod picture;
mod svg;
mod timelines;

use crate::cell::Kind;
use crate::results::Results;
use crate::view::{self, View};
use crate::{sentence, table};
use html::escape;
use polyloop_timeline::{text, units};
use std::fmt::Write as _;

/// The page.
pub(crate) fn render(results: &Results) -> String {
    let view = View::new(results);
    let drawn = timelines::section(view);
    let mut body = String::new();
    head(view, &mut body);
    picture::section(view, &mut body);
    matrix::benches(view, &mut body);
    matrix::distributions(view, &mut body);
    matrix::experiments(view, &drawn, &mut body);
    costs(view, &mut body);
    where_we_lose(view, &mut body);
    problems(view, &mut body);
    body.push_str(&drawn.html);
    machine(view, &mut body);
    method(view, &mut body);
    html::page(&format!("Polyloop lab · {}", results.run.id), &body)
}

fn head(view: View<'_>, out: &mut String) {
    let run = &view.results.run;
    let _ = write!(
        out,
        "<header><h1>Polyloop lab</h1><p class=run>run {} · {} · commit {} · took {}\
         <button type=button id=theme hidden>dark / light</button></p></header>\
         <p class=verdict>{}</p><ul class=facts>",
        escape(&run.id),
        escape(&run.started),
        escape(run.commit.as_deref().unwrap_or("unknown")),
        escape(&table::took(view)),
        escape(&sentence::verdict(view.results)),
    );
    let experiments = view.tally(Kind::Experiment);
    if experiments.judged() > 0 {
        let all = experiments.judged();
        fact(
            out,
            "as predicted",
            &format!("{} of {}", experiments.passed, text::count(all, "experiment cell")),
        );
    }
    if !view.cases(Kind::Bench).is_empty() {
        fact(out, "rounds", &format!("{} of {} ms", run.rounds, run.slot_ms));
        let floor = run.noise_floor.map_or_else(
            || "unknown".into(),
            |floor| format!("{} in the middle, each bench has its own", view::percent(floor)),
        );
        fact(out, "noise floor", &floor);
    }
    fact(out, "long sleeps", &long_sleeps(run.scale));
    fact(out, "seed", &run.seed.to_string());
    fact(out, "complete", if run.complete { "yes" } else { "no: stopped early" });
    let _ = write!(
        out,
        "</ul><p class=command><code id=command>{}</code> <button type=button id=copy hidden>copy</button></p>",
        escape(&run.command)
    );
    let cautions = run.machine.cautions_of(!view.cases(Kind::Bench).is_empty());
    if !cautions.is_empty() {
        out.push_str("<ul class=cautions>");
        for caution in cautions {
            let _ = write!(out, "<li>{}</li>", escape(&caution));
        }
        out.push_str("</ul>");
    }
}

fn long_sleeps(scale: f64) -> String {
    if scale == 1.0 { "verbatim".into() } else { format!("× {scale} (starvation/* verbatim)") }
}

fn fact(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "<li><b>{}</b> {}</li>", escape(name), escape(value));
}

fn costs(view: View<'_>, out: &mut String) {
    let rows = crate::costs::rows(view);
    if rows.is_empty() {
        return;
    }
    out.push_str(
        "<section id=costs><h2>What an operation costs</h2><div class=scroll tabindex=0 role=region \
         aria-label='What an operation costs'><table><thead><tr>",
    );
    for head in crate::costs::HEADS {
        let _ = write!(out, "<th scope=col>{head}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for [case, subject, numbers @ ..] in rows {
        let _ = write!(out, "<tr><th scope=row>{}</th><td>{}</td>", escape(&case), escape(&subject));
        for number in numbers {
            let _ = write!(out, "<td class=n>{number}</td>");
        }
        out.push_str("</tr>");
    }
    let _ = write!(out, "</tbody></table></div><p>Counted {}.</p></section>", crate::counted::METHOD);
}

fn where_we_lose(view: View<'_>, out: &mut String) {
    if !view.cases(Kind::Bench).iter().any(|case| case.noise_floor.is_some()) {
        return;
    }
    let baseline = view.results.run.baseline.as_deref().unwrap_or("");
    let lost = sentence::where_we_lose(view);
    let _ = write!(out, "<section id=losses><h2>Where we lose</h2>");
    if lost.is_empty() {
        let _ = write!(
            out,
            "<p>In this run no peer was faster than {} by more than the noise, in any bench that both ran.</p></section>",
            escape(baseline)
        );
        return;
    }
    let _ = write!(
        out,
        "<p>{} against every peer, paired by round; only differences outside their interval and the noise floor.</p>\
         <div class=scroll tabindex=0 role=region aria-label='Where we lose'><table><thead><tr><th scope=col>bench</th>\
         <th scope=col>peer</th><th scope=col>behind by</th></tr></thead><tbody>",
        escape(baseline)
    );
    for (peer, case, by) in lost {
        let _ = write!(
            out,
            "<tr><th scope=row>{}</th><td>{}</td><td class='n {}'>{}</td></tr>",
            escape(&case),
            escape(&peer),
            matrix::shade(by),
            view::times(by)
        );
    }
    out.push_str("</tbody></table></div></section>");
}

fn problems(view: View<'_>, out: &mut String) {
    let failed = view.failed();
    let missing = view.missing();
    let second: Vec<_> = view.second_answers().collect();
    if failed.is_empty() && missing.is_empty() && second.is_empty() {
        return;
    }
    out.push_str("<section id=problems><h2>What went wrong, and what did not run</h2>");
    if failed.len() + second.len() > 0 {
        out.push_str("<ul>");
    }
    for cell in &failed {
        let warning = view.results.is_warning(cell);
        let _ = write!(
            out,
            "<li><b class={}>{}</b> {} · {}{}: {}",
            if warning { "warn" } else { "bad" },
            view::status_word(cell.status),
            escape(&cell.subject),
            escape(&cell.case),
            if warning { " (a warning: not ours)" } else { "" },
            escape(cell.reason.as_deref().unwrap_or("no reason given")),
        );
        for (what, text) in [("predicted", &cell.predicted), ("observed", &cell.observed)] {
            if let Some(text) = text {
                let _ = write!(out, "<br><i>{what}</i> {}", escape(text));
            }
        }
        out.push_str("</li>");
    }
    for (cell, first) in &second {
        let (subject, case, first) = (escape(&cell.subject), escape(&cell.case), escape(first));
        let _ = write!(out, "<li><b class=warn>only alone</b> {subject} · {case}: {first}</li>");
    }
    if failed.len() + second.len() > 0 {
        out.push_str("</ul>");
    }
    for (status, reason, cells) in missing {
        let _ = write!(
            out,
            "<details><summary>{} {}: {}</summary><p>",
            text::count(cells.len(), "cell"),
            view::status_word(status),
            escape(&reason)
        );
        for cell in cells {
            let _ = write!(out, "{} · {}<br>", escape(&cell.subject), escape(&cell.case));
        }
        out.push_str("</p></details>");
    }
    out.push_str("</section>");
}

fn machine(view: View<'_>, out: &mut String) {
    let run = &view.results.run;
    let machine = &run.machine;
    out.push_str("<section id=machine><h2>Machine and versions</h2><dl>");
    let yes_no = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let rows = [
        ("processor", machine.cpu.clone()),
        ("cores", machine.cores.map(|cores| cores.to_string())),
        ("virtual machine", machine.virtual_machine.map(yes_no)),
        ("memory", machine.memory.map(|bytes| units::value(bytes as f64, "bytes"))),
        ("system", machine.system.clone()),
        ("kernel", machine.kernel.clone()),
        ("load at the start", machine.load.map(|load| format!("{load:.2}"))),
        ("frequency governor", machine.governor.clone()),
        ("clock source", machine.clocksource.clone()),
        ("open files allowed", machine.open_files.map(|files| files.to_string())),
        ("optimised build", machine.optimised.map(yes_no)),
        ("compiler", run.rustc.clone()),
    ];
    for (name, value) in rows {
        let value = value.unwrap_or_else(|| "not told".into());
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    out.push_str("</dl><div class=scroll tabindex=0 role=region aria-label=Subjects><table><thead><tr>");
    for head in ["subject", "kind", "executor", "reactor", "timers", "workers", "version"] {
        let _ = write!(out, "<th scope=col>{head}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for subject in view.subjects() {
        let _ = write!(out, "<tr><th scope=row>{}</th>", escape(&subject.name));
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "–".into());
        let cells = [
            format!("{:?}", subject.kind).to_lowercase(),
            part(&subject.executor),
            part(&subject.reactor),
            part(&subject.timers),
            subject.workers.to_string(),
            subject.version.clone(),
        ];
        for cell in cells {
            let _ = write!(out, "<td>{}</td>", escape(&cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div></section>");
}

fn method(view: View<'_>, out: &mut String) {
    let run = &view.results.run;
    out.push_str(
        "<section id=method><h2>Method and limits</h2><ul>\
         <li>Every cell runs in a fresh process of one binary, with a time limit. A hang or a crash is a result.</li>\
         <li>An experiment predicts a partial order of events; its verdict does not depend on how fast the machine is. \
         Its timeline is recorded in the same run, its speed is not judged.</li>",
    );
    if !view.cases(Kind::Bench).is_empty() {
        benches_method(view, out);
    }
    let _ = write!(
        out,
        "<li>Counts: {}.</li>\
         <li>Long sleeps, of 500 ms and more: {}.</li>\
         <li>One run on one machine. Another machine, load or version may turn any of it around; a bench is not your \
         program.</li></ul><p>The same numbers, with every sample: <a href=results.json>results.json</a>; the table for \
         an issue: <a href=results.md>results.md</a>.</p></section>",
        escape(crate::counted::IN_CELLS),
        escape(&long_sleeps(run.scale)),
    );
}

fn benches_method(view: View<'_>, out: &mut String) {
    let run = &view.results.run;
    let _ = write!(
        out,
        "<li>A bench runs {} rounds of {} ms. Each round visits all cells in an order drawn from seed {}. No timeline \
         is recorded then. A cell with a wrong result in any round has no numbers.</li>\
         <li>Shown are the median over the rounds and its sign interval, which is {} sure: the k-th \
         smallest to the k-th largest round, with k from the binomial distribution. Subjects are compared by the \
         median of their ratios within each round, with its sign interval. Below {} rounds there is no interval and no colour.</li>\
         <li>The twin is a subject entered a second time. What it differs from itself in a bench is the noise floor of \
         that bench (the title of its column says it); a smaller difference between two subjects is shown as ≈.</li>\
         <li>“=” is a number measured on a combination that differs only in parts that the bench does not use.</li>",
        run.rounds,
        run.slot_ms,
        run.seed,
        view::confidence(run.rounds).unwrap_or_else(|| "not".into()),
        crate::stats::ENOUGH_ROUNDS,
    );
}
