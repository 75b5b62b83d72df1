//! The table of a comparison, and what to know before one believes it.

use super::{Change, Row};
use crate::results::Results;
use crate::table::{GREEN, RED, YELLOW};
use polyloop_timeline::draw::{BOLD, DIM};
use polyloop_timeline::text::clean;
use std::fmt::Write as _;

/// The rows, all of them or those in which something changed, and their number.
pub(super) fn render(rows: &[Row], all: bool) -> String {
    let mut out = String::new();
    let shown: Vec<&Row> = rows.iter().filter(|row| all || row.change != Change::Same).collect();
    let wide =
        |of: fn(&Row) -> &str| shown.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(3);
    let (name, old, new) = (wide(|row| &row.name), wide(|row| &row.old), wide(|row| &row.new));
    if !shown.is_empty() {
        let _ = writeln!(out, "{BOLD}{:name$}  {:>old$}  {:>new$}  change{BOLD:#}", "", "old", "new");
    }
    for row in &shown {
        let _ =
            write!(out, "{:name$}  {:>old$}  {:>new$}  ", clean(&row.name), clean(&row.old), clean(&row.new));
        let _ = match &row.change {
            Change::Same => writeln!(out, "{DIM}~{DIM:#}"),
            Change::Lost(why) => {
                let style = if row.ours { RED } else { YELLOW };
                writeln!(out, "{style}lost{style:#}: {}", clean(why))
            }
            Change::Zero { worse: true } => writeln!(out, "{RED}worse{RED:#} {DIM}(a median is 0){DIM:#}"),
            Change::Zero { worse: false } => {
                writeln!(out, "{GREEN}better{GREEN:#} {DIM}(a median is 0){DIM:#}")
            }
            Change::No(why) => writeln!(out, "{DIM}? ({}){DIM:#}", clean(why)),
            Change::Sure(ratio, (low, high)) => {
                let (style, word) = if *ratio > 1.0 { (RED, "worse") } else { (GREEN, "better") };
                let percent = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
                writeln!(
                    out,
                    "{style}{} {word}{style:#} {DIM}[{} … {}]{DIM:#}",
                    percent(*ratio),
                    percent(*low),
                    percent(*high)
                )
            }
        };
    }
    let number = |is: fn(&Change) -> bool| rows.iter().filter(|row| is(&row.change)).count();
    let _ = writeln!(
        out,
        "{} better, {} worse, {} lost, {} within the noise, {} not comparable",
        number(Change::is_better),
        number(Change::is_worse),
        number(|change| matches!(change, Change::Lost(_))),
        number(|change| matches!(change, Change::Same)),
        number(|change| matches!(change, Change::No(_))),
    );
    out
}

/// What makes two runs hard to compare.
pub(super) fn warnings(old: &Results, new: &Results) -> Vec<String> {
    let (a, b) = (&old.run, &new.run);
    let mut warnings = Vec::new();
    if (&a.machine.cpu, a.machine.cores) != (&b.machine.cpu, b.machine.cores) {
        warnings.push("the runs are from different machines".into());
    }
    if a.machine.kernel != b.machine.kernel {
        warnings.push("the kernels differ".into());
    }
    if a.rustc != b.rustc {
        warnings.push("the compilers differ".into());
    }
    if a.scale != b.scale {
        warnings.push("the scale of the sleeps differs".into());
    }
    if a.slot_ms != b.slot_ms {
        warnings.push("the length of a round differs".into());
    }
    for (name, results) in [("old", old), ("new", new)] {
        if !results.run.complete {
            warnings.push(format!("the {name} run was stopped early"));
        }
    }
    warnings.into_iter().map(|warning: String| clean(&warning)).collect()
}
