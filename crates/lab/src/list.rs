//! What can be run, and on what.

use crate::cell::{CaseInfo, Catalogue, Kind, Subject};
use crate::cli::What;
use crate::plan::Plan;
use polyloop_timeline::draw::{BOLD, DIM};
use polyloop_timeline::text::{clean, wrapped};
use std::fmt::Write as _;

/// A column narrower than this is no easier to read than one that runs over.
const LEAST_ROOM: usize = 24;

/// The whole catalogue, as text or as JSON.
pub(crate) fn render(catalogue: &dyn Catalogue, what: What, json: bool, width: Option<usize>) -> String {
    let mut cases = catalogue.cases();
    cases.retain(|case| match what {
        What::All => true,
        What::Experiments => case.kind == Kind::Experiment,
        What::Benches => case.kind == Kind::Bench,
        What::Subjects => false,
    });
    let mut subjects = catalogue.subjects();
    subjects.retain(|_| matches!(what, What::All | What::Subjects));
    if json {
        let value = serde_json::json!({ "cases": cases, "subjects": subjects });
        return format!("{value:#}\n");
    }
    text(&cases, &subjects, width)
}

/// Which of a task's wishes our executor heeds; peers have none.
fn heeds(subject: &Subject) -> Option<polyloop::Honours> {
    let executor = subject.executor.as_deref()?;
    Some(executor.parse::<polyloop::Combination>().ok()?.honours())
}

/// What a plan chose.
pub(crate) fn of_plan(plan: &Plan, width: Option<usize>) -> String {
    let subjects: Vec<Subject> = plan.entries.iter().map(|entry| entry.subject.clone()).collect();
    text(&plan.cases, &subjects, width)
}

/// The parts of a combination on which a bench depends; on others it is not measured again.
fn depends_on(case: &CaseInfo) -> String {
    if case.kind != Kind::Bench {
        return String::new();
    }
    let axes = [
        ("executor", case.axes.executor),
        ("reactor", case.axes.reactor),
        ("timers", case.axes.timers),
        ("options", case.axes.options),
    ];
    let names: Vec<&str> = axes.iter().filter(|(_, depends)| *depends).map(|(name, _)| *name).collect();
    format!(" [{}]", names.join(" × "))
}

/// Under a terminal's width the last column is broken into lines of its own.
fn text(cases: &[CaseInfo], subjects: &[Subject], width: Option<usize>) -> String {
    let mut out = String::new();
    for (kind, title) in [(Kind::Experiment, "experiments"), (Kind::Bench, "benches")] {
        let of_kind: Vec<&CaseInfo> = cases.iter().filter(|case| case.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{BOLD}{title}{BOLD:#}");
        let widest =
            |part: fn(&CaseInfo) -> &str| of_kind.iter().map(|case| part(case).chars().count()).max();
        let wide = widest(|case| &case.path).unwrap_or(0);
        // Only a bench has a unit.
        let unit = widest(|case| &case.unit).filter(|wide| *wide > 0).map_or(0, |wide| wide + 2);
        for case in of_kind {
            let (path, about) = (clean(&case.path), clean(&case.about) + &depends_on(case));
            let before = wide + unit + 4;
            let room = width.map_or(usize::MAX, |width| width.saturating_sub(before).max(LEAST_ROOM));
            for (line, about) in wrapped(&about, room).into_iter().enumerate() {
                let _ = match line {
                    0 => writeln!(out, "  {path:wide$}  {:unit$}{DIM}{about}{DIM:#}", clean(&case.unit)),
                    _ => writeln!(out, "{:before$}{DIM}{about}{DIM:#}", ""),
                };
            }
        }
    }
    if !subjects.is_empty() {
        let _ = writeln!(out, "{BOLD}subjects{BOLD:#}");
        let head = "kind, workers, version; which of a task's class, weight and deadline its scheduler heeds";
        for line in wrapped(head, width.map_or(usize::MAX, |width| width.saturating_sub(2).max(LEAST_ROOM))) {
            let _ = writeln!(out, "  {DIM}{line}{DIM:#}");
        }
        let wide = subjects.iter().map(|subject| subject.name.chars().count()).max().unwrap_or(0);
        for subject in subjects {
            let kind = format!("{:?}", subject.kind).to_lowercase();
            let workers = polyloop_timeline::text::count(subject.workers, "worker");
            let heeds = heeds(subject).map(|wishes| format!(", heeds {wishes}")).unwrap_or_default();
            let _ = writeln!(
                out,
                "  {:wide$}  {DIM}{kind}, {workers}, {}{heeds}{DIM:#}",
                clean(&subject.name),
                clean(&subject.version)
            );
        }
    }
    out
}
