//! What operations cost in counts, as the terminal, Markdown and the page show it.
//!
//! Invariant: one number is shown where every run counted the same, else the least and the most; never a mean.

use crate::cell::Kind;
use crate::counted::METRICS;
use crate::results::Metric;
use crate::view::View;
use std::fmt::Write as _;

/// The heads of the columns.
pub(crate) const HEADS: [&str; 6] =
    ["operation of", "subject", "instructions", "atomics", "allocations", "system calls"];

/// A row for each cell that was counted.
pub(crate) fn rows(view: View<'_>) -> Vec<[String; 6]> {
    let mut rows = Vec::new();
    for case in view.cases(Kind::Bench) {
        for cell in view.results.cells.iter().filter(|cell| cell.case == case.path) {
            let counted = METRICS.map(|name| cell.metrics.get(name));
            if let [Some(a), Some(b), Some(c), Some(d)] = counted {
                let [a, b, c, d] =
                    [(a, 1), (b, 2), (c, 2), (d, 2)].map(|(metric, places)| span(metric, places));
                rows.push([cell.case.clone(), cell.subject.clone(), a, b, c, d]);
            }
        }
    }
    rows
}

/// `12`, or `12–14` where the runs differ. Rounded: a table that grows now and then is a small part of each operation.
fn span(metric: &Metric, places: usize) -> String {
    let shown = |value: f64| {
        let text = format!("{value:.places$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        if text == "-0" { "0".to_owned() } else { text.to_owned() }
    };
    let least = metric.samples.iter().copied().reduce(f64::min).map(shown).unwrap_or_default();
    let most = metric.samples.iter().copied().reduce(f64::max).map(shown).unwrap_or_default();
    if least == most { least } else { format!("{least}–{most}") }
}

/// For the terminal; empty if nothing was counted.
pub(crate) fn text(view: View<'_>) -> String {
    let rows = rows(view);
    if rows.is_empty() {
        return String::new();
    }
    let lines: Vec<[String; 6]> = std::iter::once(HEADS.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut out = String::new();
    for line in &lines {
        let mut shown = String::new();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            let _ = if column < 2 { write!(shown, "{cell}{pad}  ") } else { write!(shown, "{pad}{cell}  ") };
        }
        let _ = writeln!(out, "{}", polyloop_timeline::text::clean(shown.trim_end()));
    }
    out
}

/// For `results.md`, with `escape` for the names.
pub(crate) fn markdown(view: View<'_>, escape: impl Fn(&str) -> String) -> String {
    let rows = rows(view);
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!("| {} |\n|---|---|---:|---:|---:|---:|\n", HEADS.join(" | "));
    for row in rows {
        let _ = writeln!(out, "| {} |", row.map(|cell| escape(&cell)).join(" | "));
    }
    let _ = writeln!(out, "\nCounted {}.\n", crate::counted::METHOD);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Better;

    #[test]
    fn equal_runs_are_one_number_and_others_a_span() {
        let of = |samples: &[f64]| Metric {
            unit: String::new(),
            better: Better::Lower,
            median: 0.0,
            low: None,
            high: None,
            ratio_to_best: None,
            ratio_to_tokio_mt: None,
            ratio_to_best_interval: None,
            ratio_to_tokio_mt_interval: None,
            samples: samples.to_vec(),
        };
        assert_eq!(span(&of(&[5.0, 5.001]), 2), "5");
        assert_eq!(span(&of(&[5.5, 7.0, 6.0]), 2), "5.5–7");
        assert_eq!(span(&of(&[-0.001]), 2), "0");
        assert_eq!(span(&of(&[300.2]), 0), "300");
    }
}
