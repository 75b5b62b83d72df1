//! `results.md`: the table for an issue or a pull request.

use crate::cell::Kind;
use crate::results::Results;
use crate::sentence;
use crate::view::{self, View};
use std::fmt::Write as _;

/// The run in Markdown.
pub(crate) fn render(results: &Results) -> String {
    let view = View::new(results);
    let run = &results.run;
    let mut out = String::new();
    let _ = writeln!(out, "{}\n", escape(&sentence::verdict(results)));
    benches(view, &mut out);
    distributions(view, &mut out);
    out += &crate::costs::markdown(view, escape);
    experiments(view, &mut out);
    problems(view, &mut out);
    let _ = writeln!(out, "- Machine: {}", escape(&crate::table::machine_line(view)));
    if run.scale == 1.0 {
        let _ = writeln!(out, "- Sleeps verbatim");
    } else {
        let _ = writeln!(out, "- Sleeps of 500 ms and more × {} (`starvation/*` verbatim)", run.scale);
    }
    if let Some(sure) = view::confidence(run.rounds) {
        let _ = writeln!(
            out,
            "- Medians over the rounds, intervals of {sure} ({} rounds of {} ms); a ratio is the median of those within each round",
            run.rounds, run.slot_ms
        );
    }
    if let Some(floor) = run.noise_floor {
        let _ =
            writeln!(out, "- Noise floor: {} in the middle; each bench has its own", view::percent(floor));
    }
    let _ = writeln!(out, "- Counts: {}", escape(crate::counted::IN_CELLS));
    let commit = run.commit.as_deref().unwrap_or("unknown");
    let _ = writeln!(
        out,
        "- Run {} of {}, commit {}, {}",
        code(&run.id),
        run.started,
        code(commit),
        crate::table::took(view)
    );
    let _ = writeln!(out, "- Again: {}", code(&run.command));
    out
}

fn benches(view: View<'_>, out: &mut String) {
    let cases = view.cases(Kind::Bench);
    if cases.is_empty() {
        return;
    }
    let heads: Vec<String> = cases.iter().map(|case| escape(&case.path)).collect();
    let _ = writeln!(out, "| median ± interval, ratio to best | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|{}", "---:|".repeat(cases.len()));
    for subject in view.subjects() {
        let cells: Vec<String> = cases
            .iter()
            .map(|case| {
                let Some(shown) = view.bench(subject, case) else { return String::new() };
                let same = if shown.same { "= " } else { "" };
                let beside =
                    if shown.beside.is_empty() { String::new() } else { format!("({})", shown.beside) };
                let parts = [shown.value, shown.interval, shown.ratio, beside];
                let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                format!("{same}{}", parts.join(" "))
            })
            .collect();
        let _ = writeln!(out, "| {} | {} |", escape(&subject.name), cells.join(" | "));
    }
    let _ = writeln!(out);
}

/// How times are spread: what a median hides.
fn distributions(view: View<'_>, out: &mut String) {
    let cases = view.distributions();
    if cases.is_empty() {
        return;
    }
    let heads: Vec<String> =
        cases.iter().map(|(case, names)| format!("{}: {}", escape(&case.path), names.join(" / "))).collect();
    let _ = writeln!(out, "| medians over the rounds of | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|{}", "---:|".repeat(cases.len()));
    for subject in view.subjects() {
        let cells = cases.iter().map(|(case, names)| view.distribution(&subject.name, case, names));
        let cells: Vec<String> = cells.map(Option::unwrap_or_default).collect();
        let _ = writeln!(out, "| {} | {} |", escape(&subject.name), cells.join(" | "));
    }
    let _ = writeln!(out);
}

fn experiments(view: View<'_>, out: &mut String) {
    let cases = view.cases(Kind::Experiment);
    if cases.is_empty() {
        return;
    }
    let subjects = view.experimenters();
    let names: Vec<String> = subjects.iter().map(|subject| escape(&subject.name)).collect();
    let _ = writeln!(out, "| experiment | {} |", names.join(" | "));
    let _ = writeln!(out, "|---|{}", ":---:|".repeat(subjects.len()));
    for case in cases {
        let signs: Vec<&str> = subjects
            .iter()
            .map(|subject| view.results.cell(&subject.name, &case.path).map_or("", view::sign))
            .collect();
        let _ = writeln!(out, "| {} | {} |", escape(&case.path), signs.join(" | "));
    }
    let _ = writeln!(out);
}

fn problems(view: View<'_>, out: &mut String) {
    for cell in view.failed() {
        let warning = if view.results.is_warning(cell) { " (a warning: not ours)" } else { "" };
        let _ = writeln!(
            out,
            "- **{}** {} · {}{warning}: {}",
            view::status_word(cell.status),
            escape(&cell.subject),
            escape(&cell.case),
            escape(cell.reason.as_deref().unwrap_or("no reason given"))
        );
    }
    for (cell, first) in view.second_answers() {
        let (subject, case) = (escape(&cell.subject), escape(&cell.case));
        let _ = writeln!(out, "- **only alone** {subject} · {case}: {}", escape(first));
    }
    for (status, reason, cells) in view.missing() {
        let _ = writeln!(
            out,
            "- {} {}: {}",
            polyloop_timeline::text::count(cells.len(), "cell"),
            view::status_word(status),
            escape(&reason)
        );
    }
}

/// Text that is only text in Markdown and in the HTML that it may hold.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in polyloop_timeline::text::clean(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Text in a code span, whatever backticks it holds.
fn code(text: &str) -> String {
    let text = polyloop_timeline::text::clean(text);
    let mut fence = "`".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence} {text} {fence}")
}
