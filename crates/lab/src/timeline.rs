//! Timelines in the terminal: a lane for each labelled future, a shade for each worker, one time scale for all that is
//! compared.
//!
//! Invariant: the scale is given, never taken from the timeline itself; a poll that took place leaves a sign, however
//! short it was.

use crate::cell::{Lane, Status, Timeline};
use crate::results::Cell;
use crate::table::{BOLD, DIM, GREEN, RED, clean};
use crate::units;
use crate::view;
use std::fmt::Write as _;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Columns of the terminal.
    pub(crate) width: usize,
    /// Only ASCII.
    pub(crate) ascii: bool,
}

impl Style {
    /// Whether the lanes need the room more than the facts beside them.
    fn is_narrow(self) -> bool {
        self.width < 100
    }
}

/// The signs, in Unicode and in ASCII.
struct Signs {
    workers: &'static [char],
    short: char,
    ready: char,
    idle: char,
}

const UNICODE: Signs =
    Signs { workers: &['█', '▓', '▒', '░'], short: '▏', ready: '╌', idle: '·' };
const ASCII: Signs = Signs { workers: &['#', '=', '%', '+'], short: '!', ready: '~', idle: '.' };

/// What a lane's life comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) polls: usize,
    pub(crate) longest_us: f64,
    /// The longest time from a wake to the poll that answered it; before the first poll: since the run began.
    pub(crate) worst_wait_us: f64,
}

/// Timelines on one scale of `total_us`.
pub(crate) fn render(cells: &[&Cell], total_us: f64, style: Style) -> String {
    let mut out = String::new();
    for cell in cells {
        one(cell, total_us, style, &mut out);
    }
    out
}

/// Explains the signs, once: those of the workers that were there.
pub(crate) fn legend(cells: &[Cell], style: Style) -> String {
    let signs = signs(style);
    let lanes = cells.iter().filter_map(|cell| cell.timeline.as_ref()).flat_map(|timeline| &timeline.lanes);
    let last = lanes.flat_map(|lane| &lane.polls).map(|poll| poll.worker).max().unwrap_or(0);
    let workers: Vec<String> = signs
        .workers
        .iter()
        .enumerate()
        .take(last + 1)
        .map(|(worker, sign)| format!("{sign} worker {worker}"))
        .collect();
    format!(
        "{}  {} a short poll  {} woken, waits for its poll  {} not polled",
        workers.join("  "),
        signs.short,
        signs.ready,
        signs.idle
    )
}

fn one(cell: &Cell, total_us: f64, style: Style, out: &mut String) {
    let colour = if cell.status == Status::Pass { GREEN } else { RED };
    let sign = match (style.ascii, cell.open) {
        (false, _) => view::sign(cell).to_owned(),
        (true, _) => view::word(cell).to_owned(),
    };
    let _ = write!(
        out,
        "{BOLD}{}{BOLD:#}  {}  {colour}{sign}{colour:#}",
        clean(&cell.case),
        clean(&cell.subject)
    );
    let Some(timeline) = cell.timeline.as_ref() else {
        let reason = cell.reason.as_deref().unwrap_or("no timeline");
        let _ = writeln!(out, "  {}: {}\n", view::status_word(cell.status), clean(reason));
        return;
    };
    let names =
        timeline.lanes.iter().map(|lane| clean(&lane.label).chars().count()).max().unwrap_or(0).min(24);
    let columns = columns(style, names);
    let _ = writeln!(
        out,
        "  {DIM}{}, one column is {}{DIM:#}",
        units::value(timeline.total_us, "µs"),
        units::value(total_us / columns as f64, "µs")
    );
    for lane in &timeline.lanes {
        let label: String = clean(&lane.label).chars().take(names).collect();
        let line = lane_line(lane, timeline.total_us, total_us, columns, signs(style));
        let facts = if style.is_narrow() { briefly(lane) } else { told(lane, timeline.total_us) };
        let _ = writeln!(out, "  {label:>names$} |{line}| {DIM}{facts}{DIM:#}");
    }
    for line in said(timeline, style, style.width.saturating_sub(names + 5)) {
        let _ = writeln!(out, "  {:>names$}  {DIM}{line}{DIM:#}", "");
    }
    let why = clean(&timeline.why);
    for (nth, line) in wrapped(&why, style.width.saturating_sub(names + 9)).iter().enumerate() {
        let _ = writeln!(out, "  {:>names$}  {} {line}", "", if nth == 0 { "why:" } else { "    " });
    }
    if cell.status != Status::Pass {
        for (what, text) in
            [("predicted:", &cell.predicted), ("observed:", &cell.observed), ("reason:", &cell.reason)]
        {
            if let Some(text) = text {
                let _ = writeln!(out, "  {:>names$}  {RED}{what}{RED:#} {}", "", clean(text));
            }
        }
    }
    let _ = writeln!(out);
}

/// Columns for the lanes: what is left beside the labels and the facts.
fn columns(style: Style, names: usize) -> usize {
    let facts = if style.is_narrow() { BRIEF_FACTS } else { FACTS };
    style.width.saturating_sub(names + 2 + 2 + 2 + facts).clamp(20, 160)
}

/// How wide `told` gets at most.
const FACTS: usize = 48;

/// How wide `briefly` gets at most.
const BRIEF_FACTS: usize = 22;

/// What each column of a lane shows. Beyond the timeline's own end it is blank.
fn lane_line(lane: &Lane, own_us: f64, total_us: f64, columns: usize, signs: &Signs) -> String {
    let step = total_us / columns as f64;
    let sign = |column: usize| {
        let (from, to) = (column as f64 * step, (column + 1) as f64 * step);
        if from >= own_us {
            return ' ';
        }
        let mut covered: Vec<(usize, f64)> = Vec::new();
        for slice in lane.polls.iter().filter(|slice| slice.from_us < to && slice.to_us >= from) {
            // A poll that ends exactly where the column begins was drawn in the one before.
            if slice.to_us == from && slice.from_us < from {
                continue;
            }
            let overlap = slice.to_us.min(to) - slice.from_us.max(from);
            match covered.iter_mut().find(|(worker, _)| *worker == slice.worker) {
                Some((_, sum)) => *sum += overlap,
                None => covered.push((slice.worker, overlap)),
            }
        }
        match covered.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((worker, overlap)) if overlap >= step * 0.4 => signs.workers[worker % signs.workers.len()],
            Some(_) => signs.short,
            None if is_ready(lane, f64::midpoint(from, to)) => signs.ready,
            None => signs.idle,
        }
    };
    (0..columns).map(sign).collect()
}

/// Whether at this moment it was woken and not yet polled again.
fn is_ready(lane: &Lane, at_us: f64) -> bool {
    let last_wake = lane.wakes_us.iter().copied().filter(|wake| *wake <= at_us).fold(f64::NAN, f64::max);
    let last_poll =
        lane.polls.iter().map(|poll| poll.from_us).filter(|from| *from <= at_us).fold(f64::NAN, f64::max);
    let polled_later = lane.polls.iter().any(|poll| poll.from_us > at_us);
    polled_later && !last_wake.is_nan() && (last_poll.is_nan() || last_wake >= last_poll)
}

/// The facts of a lane.
pub(crate) fn facts(lane: &Lane) -> Facts {
    let longest_us = lane.polls.iter().map(|poll| poll.to_us - poll.from_us).fold(0.0, f64::max);
    let mut worst_wait_us = lane.polls.first().map_or(0.0, |first| first.from_us);
    for pair in lane.polls.windows(2) {
        let woken = |wake: &f64| (pair[0].from_us..=pair[1].from_us).contains(wake);
        if let Some(wake) = lane.wakes_us.iter().copied().find(woken) {
            // A wake during a poll waits from that poll's end.
            worst_wait_us = f64::max(worst_wait_us, pair[1].from_us - wake.max(pair[0].to_us));
        }
    }
    Facts { polls: lane.polls.len(), longest_us, worst_wait_us }
}

/// The facts in words.
pub(crate) fn told(lane: &Lane, total_us: f64) -> String {
    let facts = facts(lane);
    if facts.polls == 0 {
        return format!("never polled in {}", units::value(total_us, "µs"));
    }
    format!(
        "{}, longest {}, worst wait {}",
        crate::plan::count(facts.polls, "poll"),
        units::value(facts.longest_us, "µs"),
        units::value(facts.worst_wait_us, "µs")
    )
}

/// The facts for a narrow terminal; how long the longest poll was can be seen.
fn briefly(lane: &Lane) -> String {
    let facts = facts(lane);
    match facts.polls {
        0 => "never polled".to_owned(),
        polls => {
            format!("{}, wait {}", crate::plan::count(polls, "poll"), units::value(facts.worst_wait_us, "µs"))
        }
    }
}

/// The text in lines of at most `room` characters, broken between words.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                *line += " ";
                *line += word;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What the program printed, in order, as far as two lines hold it.
fn said(timeline: &Timeline, style: Style, room: usize) -> Vec<String> {
    let mut marks: Vec<(f64, &str)> = timeline
        .lanes
        .iter()
        .flat_map(|lane| lane.marks.iter().map(|mark| (mark.at_us, mark.text.as_str())))
        .collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (separator, more) = if style.ascii { (" | ", "...") } else { (" · ", "…") };
    let mut lines: Vec<String> = Vec::new();
    for (at, text) in marks {
        let next = format!("{} {}", units::value(at, "µs"), clean(text));
        let full = lines.len() == 2;
        match lines.last_mut() {
            Some(line) if line.chars().count() + next.chars().count() + 6 <= room => {
                *line += &format!("{separator}{next}");
            }
            Some(line) if full => {
                *line += &format!("{separator}{more}");
                break;
            }
            _ => lines.push(next),
        }
    }
    lines
}

fn signs(style: Style) -> &'static Signs {
    if style.ascii { &ASCII } else { &UNICODE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Slice;

    fn lane(polls: &[(f64, f64, usize)], wakes: &[f64]) -> Lane {
        let polls = polls.iter().map(|&(from_us, to_us, worker)| Slice { from_us, to_us, worker }).collect();
        Lane { label: "a".into(), polls, wakes_us: wakes.to_vec(), marks: Vec::new() }
    }

    #[test]
    fn shades_are_workers_and_the_scale_is_given() {
        let line =
            |own, total| lane_line(&lane(&[(0.0, 50.0, 0), (50.0, 100.0, 1)], &[]), own, total, 10, &ASCII);
        assert_eq!(line(100.0, 100.0), "#####=====");
        // Half as long on the same width; the column that both share goes to the later worker.
        assert_eq!(line(100.0, 200.0), "##===     ");
    }

    #[test]
    fn a_short_poll_leaves_a_sign_and_a_wake_makes_it_ready() {
        let lane = lane(&[(5.0, 5.1, 0), (75.0, 75.0, 0)], &[45.0]);
        assert_eq!(lane_line(&lane, 100.0, 100.0, 10, &ASCII), "!...~~~!..");
    }

    #[test]
    fn the_worst_wait_counts_from_the_wake_to_the_poll() {
        let facts = facts(&lane(&[(0.0, 10.0, 0), (40.0, 70.0, 0), (90.0, 91.0, 0)], &[5.0, 85.0]));
        assert_eq!(facts, Facts { polls: 3, longest_us: 30.0, worst_wait_us: 30.0 });
    }

    #[test]
    fn a_reason_is_broken_between_words() {
        assert_eq!(wrapped("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrapped("longer than room", 3), ["longer", "than", "room"]);
        assert_eq!(wrapped("", 3), [""; 0]);
    }

    #[test]
    fn a_future_that_never_ran_says_so() {
        assert_eq!(briefly(&lane(&[], &[])), "never polled");
        assert_eq!(told(&lane(&[], &[]), 60_000.0), "never polled in 60 ms");
    }
}
