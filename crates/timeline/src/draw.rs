//! Timelines in the terminal: a lane for each labelled future, a shade for each worker, one time scale for all that is
//! compared.
//!
//! Invariant: the scale is given, never taken from the timeline itself; a poll that took place leaves a sign, however
//! short it was.

use crate::text::{clean, count, packed, wrapped};
use crate::{Lane, Slice, Timeline, units};
use anstyle::Style;
use std::fmt::Write as _;

/// Headings.
pub const BOLD: Style = Style::new().bold();
/// What is said beside.
pub const DIM: Style = Style::new().dimmed();

/// Longer labels are cut.
pub const LONGEST_LABEL: usize = 24;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Only ASCII.
    pub ascii: bool,
}

impl Look {
    /// Whether lanes beside labels of `names` characters need the room more than the facts beside them.
    fn is_narrow(self, names: usize) -> bool {
        self.width < 100 || self.width.saturating_sub(names + FRAME + FACTS) < ROOM
    }
}

/// What stands between and around labels, lanes and facts.
const FRAME: usize = 6;

/// So many columns a lane should have.
const ROOM: usize = 36;

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
struct Facts {
    polls: usize,
    longest_us: f64,
    /// The longest time for which it was ready and not polled; before a first poll that no wake came before: since the run began.
    worst_wait_us: f64,
}

/// Explains the signs, once: those of the workers that were there.
#[must_use]
pub fn legend<'a>(timelines: impl IntoIterator<Item = &'a Timeline>, look: Look) -> String {
    let signs = signs(look);
    let lanes = timelines.into_iter().flat_map(|timeline| &timeline.lanes);
    let last = lanes.flat_map(|lane| &lane.polls).map(|poll| poll.worker).max().unwrap_or(0);
    let workers = signs.workers.iter().enumerate().take(last.saturating_add(1));
    let mut entries: Vec<String> = workers.map(|(worker, sign)| format!("{sign} worker {worker}")).collect();
    let others = [
        (signs.short, "a short poll"),
        (signs.ready, "woken, waits for its poll"),
        (signs.idle, "not polled"),
    ];
    entries.extend(others.map(|(sign, what)| format!("{sign} {what}")));
    entries.push("blank: over".to_owned());
    packed(&entries, "  ", look.width).join("\n")
}

/// Draws `timeline` under `title`, which may have colours, on a scale of `total_us`. The answer is by how much its lines are
/// indented beside the lanes.
pub fn one(title: &str, timeline: &Timeline, total_us: f64, look: Look, out: &mut String) -> usize {
    let lengths = timeline.lanes.iter().map(|lane| clean(&lane.label).chars().count());
    let names = lengths.max().unwrap_or(0).min(LONGEST_LABEL);
    let columns = columns(look, names);
    let _ = writeln!(
        out,
        "{title}  {DIM}{}, one column is {}{DIM:#}",
        units::value(timeline.total_us, "µs"),
        units::value(total_us / columns as f64, "µs")
    );
    for lane in &timeline.lanes {
        let label: String = clean(&lane.label).chars().take(names).collect();
        let line = lane_line(lane, timeline.total_us, total_us, columns, signs(look));
        let facts = if look.is_narrow(names) {
            briefly(lane, timeline.total_us)
        } else {
            told(lane, timeline.total_us)
        };
        let _ = writeln!(out, "  {label:>names$} |{line}| {DIM}{facts}{DIM:#}");
    }
    for line in said(timeline, look, look.width.saturating_sub(names + 5)) {
        let _ = writeln!(out, "  {:>names$}  {DIM}{line}{DIM:#}", "");
    }
    let why = clean(&timeline.why);
    for (nth, line) in wrapped(&why, look.width.saturating_sub(names + 9)).iter().enumerate() {
        let _ = writeln!(out, "  {:>names$}  {} {line}", "", if nth == 0 { "why:" } else { "    " });
    }
    names + 4
}

/// Columns for the lanes: what is left beside the labels and the facts.
fn columns(look: Look, names: usize) -> usize {
    let facts = if look.is_narrow(names) { BRIEF_FACTS } else { FACTS };
    look.width.saturating_sub(names + FRAME + facts).clamp(20, 160)
}

/// How wide `told` gets at most.
const FACTS: usize = 48;

/// How wide `briefly` gets at most.
const BRIEF_FACTS: usize = 22;

/// What each column of a lane shows. Beyond the lane's own end, and the timeline's, it is blank.
fn lane_line(lane: &Lane, own_us: f64, total_us: f64, columns: usize, signs: &Signs) -> String {
    let step = total_us / columns as f64;
    let (end, waits) = (lane.ended_us.unwrap_or(own_us), lane.waits(own_us));
    let is_ready = |at: f64| waits.iter().any(|&(from, to)| (from..to).contains(&at));
    let sign = |column: usize| {
        let (from, to) = (column as f64 * step, (column + 1) as f64 * step);
        if from >= end {
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
            None if is_ready(f64::midpoint(from, to.min(end))) => signs.ready,
            None => signs.idle,
        }
    };
    (0..columns).map(sign).collect()
}

/// The facts of a lane.
fn facts(lane: &Lane, total_us: f64) -> Facts {
    let longest_us = lane.polls.iter().map(Slice::longest_us).fold(0.0, f64::max);
    let first = lane.polls.first().map_or(0.0, |first| first.from_us);
    let since_the_beginning = if lane.wakes_us.iter().any(|wake| *wake <= first) { 0.0 } else { first };
    let waits = lane.waits(total_us).into_iter().map(|(from, to)| to - from);
    let worst_wait_us = waits.fold(since_the_beginning, f64::max);
    Facts { polls: lane.count(), longest_us, worst_wait_us }
}

/// The facts in words.
#[must_use]
pub fn told(lane: &Lane, total_us: f64) -> String {
    let facts = facts(lane, total_us);
    if facts.polls == 0 {
        return format!("never polled in {}", units::value(total_us, "µs"));
    }
    format!(
        "{}, longest {}, worst wait {}",
        count(facts.polls, "poll"),
        units::value(facts.longest_us, "µs"),
        units::value(facts.worst_wait_us, "µs")
    )
}

/// The facts for a narrow terminal; how long the longest poll was can be seen.
fn briefly(lane: &Lane, total_us: f64) -> String {
    let facts = facts(lane, total_us);
    match facts.polls {
        0 => "never polled".to_owned(),
        polls => {
            format!("{}, wait {}", count(polls, "poll"), units::value(facts.worst_wait_us, "µs"))
        }
    }
}

/// What the program printed, in order, as far as two lines hold it.
fn said(timeline: &Timeline, look: Look, room: usize) -> Vec<String> {
    let (separator, more) = if look.ascii { (" | ", "...") } else { (" · ", "…") };
    let mut lines: Vec<String> = Vec::new();
    for (at, text) in timeline.said() {
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

fn signs(look: Look) -> &'static Signs {
    if look.ascii { &ASCII } else { &UNICODE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(polls: &[(f64, f64, usize)], wakes: &[f64]) -> Lane {
        let polls =
            polls.iter().map(|&(from_us, to_us, worker)| Slice::new(from_us, to_us, worker)).collect();
        Lane { label: "a".into(), polls, wakes_us: wakes.to_vec(), ..Lane::default() }
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
    fn who_is_ready_to_the_end_is_drawn_so_and_who_is_over_is_blank() {
        let mut lane = lane(&[(0.0, 9.0, 0)], &[45.0]);
        assert_eq!(lane_line(&lane, 80.0, 100.0, 10, &ASCII), "#...~~~~  ");
        assert_eq!(facts(&lane, 80.0).worst_wait_us, 35.0);
        lane.ended_us = Some(62.0);
        assert_eq!(lane_line(&lane, 80.0, 100.0, 10, &ASCII), "#...~~~   ");
        lane.ended_us = Some(9.0);
        assert_eq!(lane_line(&lane, 80.0, 100.0, 10, &ASCII), "#         ");
        assert_eq!(facts(&lane, 80.0).worst_wait_us, 0.0);
    }

    #[test]
    fn the_worst_wait_counts_from_the_wake_to_the_poll() {
        let three = lane(&[(1.0, 10.0, 0), (40.0, 70.0, 0), (90.0, 91.0, 0)], &[5.0, 85.0]);
        assert_eq!(facts(&three, 99.0), Facts { polls: 3, longest_us: 30.0, worst_wait_us: 30.0 });
        let late = lane(&[(50.0, 51.0, 0)], &[]);
        assert_eq!(facts(&late, 99.0).worst_wait_us, 50.0, "since the run began");
    }

    #[test]
    fn polls_that_are_drawn_as_one_or_not_at_all_are_told_all_the_same() {
        let mut lane = lane(&[(0.0, 10.0, 0), (60.0, 90.0, 0)], &[]);
        lane.polls[0].join(&Slice::new(12.0, 50.0, 0));
        lane.undrawn = 7;
        assert_eq!(told(&lane, 100.0), "10 polls, longest 38 µs, worst wait 0 ns");
    }

    #[test]
    fn long_labels_take_room_from_the_facts_and_not_from_the_lanes() {
        let look = |width| Look { width, ascii: true };
        assert_eq!(
            [(80, 3), (100, 3), (100, 19), (120, 19)].map(|(width, names)| look(width).is_narrow(names)),
            [true, false, true, false]
        );
        assert!([(100, 19), (120, 24)].into_iter().all(|(width, names)| columns(look(width), names) >= ROOM));
    }

    #[test]
    fn a_future_that_never_ran_says_so() {
        assert_eq!(briefly(&lane(&[], &[]), 60_000.0), "never polled");
        assert_eq!(told(&lane(&[], &[]), 60_000.0), "never polled in 60 ms");
    }
}
