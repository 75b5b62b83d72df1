//! The lab's timelines in the terminal: each cell's verdict, then its lanes.

use crate::cell::Status;
use crate::results::Cell;
use crate::table::{GREEN, RED};
use crate::view;
use polyloop_timeline::draw::{self, BOLD, Look};
use polyloop_timeline::text::clean;
use std::fmt::Write as _;

/// Timelines on one scale of `total_us`.
pub(crate) fn render(cells: &[&Cell], total_us: f64, look: Look) -> String {
    let mut out = String::new();
    for cell in cells {
        one(cell, total_us, look, &mut out);
    }
    out
}

fn one(cell: &Cell, total_us: f64, look: Look, out: &mut String) {
    let colour = if cell.status == Status::Pass { GREEN } else { RED };
    let sign = match (look.ascii, cell.open) {
        (false, _) => view::sign(cell).to_owned(),
        (true, _) => view::word(cell).to_owned(),
    };
    let (case, subject) = (clean(&cell.case), clean(&cell.subject));
    let title = format!("{BOLD}{case}{BOLD:#}  {subject}  {colour}{sign}{colour:#}");
    let Some(timeline) = cell.timeline.as_ref() else {
        let reason = cell.reason.as_deref().unwrap_or("no timeline");
        let _ = writeln!(out, "{title}  {}: {}\n", view::status_word(cell.status), clean(reason));
        return;
    };
    let indent = draw::one(&title, timeline, total_us, look, out);
    if cell.status != Status::Pass {
        for (what, text) in
            [("predicted:", &cell.predicted), ("observed:", &cell.observed), ("reason:", &cell.reason)]
        {
            if let Some(text) = text {
                let _ = writeln!(out, "{:indent$}{RED}{what}{RED:#} {}", "", clean(text));
            }
        }
    }
    let _ = writeln!(out);
}
