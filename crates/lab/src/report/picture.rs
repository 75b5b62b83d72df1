//! The picture that the page opens with: one program, all workers blocked, on each runtime beside the others.
//!
//! Invariant: it shows cells that stand further down with everything else about them, chosen by what the subjects are and never
//! by how they did; all on one time scale.

use super::html::{breakable, escape, legend};
use super::svg;
use crate::cell::{Lane, Subject, SubjectKind, Timeline};
use crate::results::Cell;
use crate::view::{self, View};
use polyloop_timeline::text::count;
use polyloop_timeline::units;
use std::fmt::Write as _;

/// What is shown.
const CASE: &str = "blocked/k-of-n/sleep/k=n";
/// A panel is a fifth of the page wide, and a poll is to be seen in it.
const SEEN: f64 = 12.0;

/// The section, if the run has enough of it to compare.
pub(super) fn section(view: View<'_>, out: &mut String) {
    let panels = panels(view);
    if panels.len() < 2 {
        return;
    }
    let total_us = panels.iter().map(|(_, _, timeline)| timeline.total_us).fold(1.0, f64::max);
    let total = escape(&units::value(total_us, "µs"));
    let _ = write!(
        out,
        "<section id=picture><h2>One program, all workers blocked</h2><p class=legend>All workers sleep in \
         <code>thread::sleep</code> at the same moment, beside a task that is ready, a timer and a socket. A bar is a poll, \
         its colour the thread, in the order in which they came:"
    );
    let keys = [
        ("k0", "first"),
        ("k1", "second"),
        ("k2", "third"),
        ("k3", "fourth"),
        ("kready", "ready, and waits"),
        ("kidle", "no event yet"),
    ];
    out.push_str(&legend(&keys));
    let _ = write!(out, ". All have one time scale of {total}.</p><div class=panels>");
    for (subject, cell, timeline) in panels {
        panel(subject, cell, timeline, total_us, out);
    }
    out.push_str("</div></section>");
}

/// Who is in it: what relieves, the same without relief, what cannot, and the peers with several workers.
fn panels<'a>(view: View<'a>) -> Vec<(&'a Subject, &'a Cell, &'a Timeline)> {
    let drawn = |subject: &'a Subject| {
        let cell = view.results.cell(&subject.name, CASE)?;
        Some((subject, cell, cell.timeline.as_ref()?))
    };
    let candidates: Vec<_> = view.subjects().filter_map(drawn).collect();
    let own = |executor: &'static str, options: Option<&'static str>| {
        move |subject: &Subject| {
            subject.kind == SubjectKind::Own
                && subject.executor.as_deref() == Some(executor)
                && subject.options() == options
        }
    };
    let peer = |name: &'static str| {
        move |subject: &Subject| subject.kind == SubjectKind::Peer && subject.base_name() == name
    };
    let wanted: [&dyn Fn(&Subject) -> bool; 5] = [
        &own("steal", None),
        &own("steal", Some("block=none")),
        &own("fifo", None),
        &peer("tokio-mt"),
        &peer("smol-n"),
    ];
    let usual = |subject: &Subject| {
        subject.reactor.as_deref() == Some("mio") && subject.timers.as_deref() == Some("wheel")
    };
    let first = |wanted: &&dyn Fn(&Subject) -> bool| {
        let matching = || candidates.iter().filter(|(subject, _, _)| wanted(subject));
        matching().find(|(subject, _, _)| usual(subject)).or_else(|| matching().next()).copied()
    };
    wanted.iter().filter_map(first).collect()
}

fn panel(subject: &Subject, cell: &Cell, timeline: &Timeline, total_us: f64, out: &mut String) {
    let class = if cell.status == crate::cell::Status::Pass { "good" } else { "bad" };
    let _ = write!(
        out,
        "<figure class=panel><figcaption><b>{}</b><br><small>{}, {}</small><p>{}</p></figcaption>",
        breakable(&subject.name),
        count(subject.workers, "worker"),
        format_args!("<span class={class}>{}</span>", escape(told(cell))),
        escape(&sentence(&timeline.why)),
    );
    // Who blocks stands above whom that holds up.
    let (blockers, others): (Vec<&Lane>, Vec<&Lane>) =
        timeline.lanes.iter().partition(|lane| lane.label.starts_with("blocker"));
    let name = format!("{}, {}", cell.subject, cell.case);
    for lane in blockers.into_iter().chain(others) {
        let _ = write!(
            out,
            "<div class=lane><span>{}</span>{}</div>",
            escape(&lane.label),
            svg::lane(lane, timeline.total_us, total_us, SEEN, &name)
        );
    }
    let _ = write!(
        out,
        "<div class=lane><span></span><span class=axis><span>0</span><span>{}</span></span></div></figure>",
        escape(&units::value(total_us, "µs"))
    );
}

fn told(cell: &Cell) -> &'static str {
    if cell.status == crate::cell::Status::Pass && !cell.open { "as predicted" } else { view::word(cell) }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_becomes_a_sentence() {
        assert_eq!(sentence("all 2 workers were blocked"), "All 2 workers were blocked.");
        assert_eq!(sentence(""), "");
    }
}
