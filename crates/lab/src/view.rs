//! What every rendering of a run shows, decided once: the table in the terminal, in Markdown and on the page differ in
//! form, never in what they say.
//!
//! Invariant: a colour or an order is shown only where an interval carries it.

use crate::cell::{Kind, Status, Subject, SubjectKind};
use crate::results::{Case, Cell, Results};
use crate::stats;
use polyloop_timeline::units;

/// The metrics that are shown beside a case's own: what a server's processor does, and what a reactor of ours asks of the kernel.
const PER_CPU: &str = "requests_per_cpu";
const CALLS: &str = "reactor_syscalls";
/// The names of quantiles, the smallest first.
const QUANTILES: [&str; 4] = ["p50", "p99", "p99.9", "max"];
/// How even shares were: Jain's index.
const JAIN: &str = "jain";

/// A run, arranged for showing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) results: &'a Results,
}

/// What a ratio to the best means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rank {
    /// It is the best.
    Best,
    /// Its interval holds 1, or it is inside the noise floor.
    Tie,
    /// Worse, so many times.
    Worse(f64),
    /// Better than the best that races: a floor.
    Limit,
    /// Not comparable: too few rounds, no number, or an unknown noise floor.
    Unknown,
}

/// A cell as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The value, or a word for why there is none.
    pub(crate) value: String,
    /// Half the interval: `±2 %`.
    pub(crate) interval: String,
    /// A second number that belongs to the first: requests for each second of the server's CPU time.
    pub(crate) beside: String,
    /// The ratio to the best: `1.08`, `≈`.
    pub(crate) ratio: String,
    /// What the ratio means.
    pub(crate) rank: Rank,
    /// How the cell ended.
    pub(crate) status: Status,
    /// Whether another subject stands for this one.
    pub(crate) same: bool,
    /// What a reader who wonders should know.
    pub(crate) note: String,
}

impl<'a> View<'a> {
    pub(crate) fn new(results: &'a Results) -> Self {
        Self { results }
    }

    /// The cases of a kind that have cells, in their order.
    pub(crate) fn cases(self, kind: Kind) -> Vec<&'a Case> {
        self.results.cases.iter().filter(|case| case.kind == kind).collect()
    }

    /// The subjects, in their order.
    pub(crate) fn subjects(self) -> impl Iterator<Item = &'a Subject> + Clone {
        self.results.subjects.iter()
    }

    /// The subjects that have experiments.
    pub(crate) fn experimenters(self) -> Vec<&'a Subject> {
        self.subjects().filter(|subject| subject.kind != SubjectKind::Twin).collect()
    }

    /// The cell that holds the numbers for a subject: its own, or of the one that stands for it.
    pub(crate) fn standing(self, subject: &str, case: &str) -> Option<&'a Cell> {
        let cell = self.results.cell(subject, case)?;
        match &cell.same_as {
            Some(other) => self.results.cell(other, case),
            None => Some(cell),
        }
    }

    /// The benches that measured how times are spread, each with the names of its quantiles, the smallest first.
    pub(crate) fn distributions(self) -> Vec<(&'a Case, Vec<&'static str>)> {
        let of = |case: &'a Case| {
            let cells = || self.results.cells.iter().filter(|cell| cell.case == case.path);
            let measured = |name: &&'static str| cells().any(|cell| cell.metrics.contains_key(*name));
            let names: Vec<_> = QUANTILES.into_iter().filter(measured).collect();
            (names.last() == Some(&"max")).then_some((case, names))
        };
        self.cases(Kind::Bench).into_iter().filter_map(of).collect()
    }

    /// How a subject's times are spread: `80 µs / 1.2 ms / 20 ms`, and how even the shares were, where that was measured.
    pub(crate) fn distribution(self, subject: &str, case: &Case, names: &[&str]) -> Option<String> {
        let cell = self.standing(subject, &case.path)?;
        if cell.metrics.is_empty() {
            return Some(status_word(cell.status).to_owned());
        }
        let value = |name: &&str| {
            let metric = cell.metrics.get(*name);
            metric.map_or_else(|| "–".to_owned(), |metric| units::value(metric.median, &metric.unit))
        };
        let mut told = names.iter().map(value).collect::<Vec<_>>().join(" / ");
        if let Some(jain) = cell.metrics.get(JAIN) {
            told += &format!(", Jain {:.3}", jain.median);
        }
        Some(told)
    }

    /// A bench's cell.
    pub(crate) fn bench(self, subject: &Subject, case: &Case) -> Option<Shown> {
        let same = self.results.cell(&subject.name, &case.path)?.same_as.is_some();
        let cell = self.standing(&subject.name, &case.path)?;
        let mut note = match &cell.same_as {
            _ if same => format!("as {}", cell.subject),
            _ => cell.reason.clone().unwrap_or_default(),
        };
        let Some(metric) = cell.own_metric() else {
            let value = status_word(cell.status).to_owned();
            let (interval, beside, ratio) = Default::default();
            return Some(Shown {
                value,
                interval,
                beside,
                ratio,
                rank: Rank::Unknown,
                status: cell.status,
                same,
                note,
            });
        };
        let half = stats::Estimate { median: metric.median, interval: metric.low.zip(metric.high) };
        let interval = half.relative_half_width().map(percent).unwrap_or_default();
        if cell.noisy == Some(true) {
            note.push_str(if note.is_empty() { "noisy" } else { "; noisy" });
        }
        let rank = self.rank(cell, case);
        let ratio = match (rank, metric.ratio_to_best) {
            (Rank::Tie, _) => "≈".into(),
            (Rank::Unknown, _) | (_, None) => String::new(),
            (_, Some(ratio)) => times(ratio),
        };
        let value = units::value(metric.median, &metric.unit);
        let per_cpu = |metric: &crate::results::Metric| {
            format!("{} per CPU s", units::value(metric.median, &metric.unit).trim_end_matches("/s"))
        };
        let calls = |metric: &crate::results::Metric| format!("{:.2} reactor calls each", metric.median);
        let beside = [cell.metrics.get(PER_CPU).map(per_cpu), cell.metrics.get(CALLS).map(calls)];
        let beside = beside.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Some(Shown { value, interval, beside, ratio, rank, status: cell.status, same, note })
    }

    /// What a cell's ratio to the best means.
    pub(crate) fn rank(self, cell: &Cell, case: &Case) -> Rank {
        let Some(metric) = cell.own_metric() else { return Rank::Unknown };
        let (Some(ratio), Some((low, high))) = (metric.ratio_to_best, metric.ratio_to_best_interval) else {
            return Rank::Unknown;
        };
        let Some(floor) = case.noise_floor else { return Rank::Unknown };
        if self.is_best(cell) {
            Rank::Best
        } else if within_noise(low, high, ratio, floor) {
            Rank::Tie
        } else if ratio < 1.0 {
            Rank::Limit
        } else {
            Rank::Worse(ratio)
        }
    }

    /// The best compares with itself as exactly 1, in every round; a floor and a twin are never it.
    fn is_best(self, cell: &Cell) -> bool {
        let exact = |metric: &crate::results::Metric| metric.ratio_to_best_interval == Some((1.0, 1.0));
        let races = self
            .results
            .subject(&cell.subject)
            .is_some_and(|subject| !matches!(subject.kind, SubjectKind::Floor | SubjectKind::Twin));
        races && cell.own_metric().is_some_and(exact)
    }

    /// The geometric mean of a subject's ratios to the best; only for one that has them all, because means over
    /// different benches don't compare.
    pub(crate) fn geomean(self, subject: &Subject) -> Option<f64> {
        let ratio = |case: &&Case| {
            let metric = self.standing(&subject.name, &case.path)?.own_metric()?;
            metric.ratio_to_best_interval.and(metric.ratio_to_best)
        };
        let ratios: Option<Vec<f64>> = self.cases(Kind::Bench).iter().map(ratio).collect();
        stats::geometric_mean(&ratios?)
    }

    /// How many cells of a kind ended in each way.
    pub(crate) fn tally(self, kind: Kind) -> Tally {
        let mut tally = Tally::default();
        for cell in self.results.cells.iter().filter(|cell| cell.kind == kind && cell.same_as.is_none()) {
            match cell.status {
                Status::Pass if cell.open => tally.open += 1,
                Status::Pass => tally.passed += 1,
                Status::Fail | Status::Timeout | Status::Crash if self.results.is_ours(&cell.subject) => {
                    tally.ours_failed += 1;
                }
                Status::Fail | Status::Timeout | Status::Crash => tally.others_failed += 1,
                Status::Unavailable => tally.unavailable += 1,
                Status::Unsupported => tally.unsupported += 1,
                Status::NotRun => tally.not_run += 1,
            }
        }
        tally
    }

    /// The cells that did not end well, ours first.
    pub(crate) fn failed(self) -> Vec<&'a Cell> {
        let failed = |cell: &&Cell| matches!(cell.status, Status::Fail | Status::Timeout | Status::Crash);
        let mut cells: Vec<&Cell> = self.results.cells.iter().filter(failed).collect();
        cells.sort_by_key(|cell| !self.results.is_ours(&cell.subject));
        cells
    }

    /// The cells that came out as predicted only when they were asked again alone.
    pub(crate) fn second_answers(self) -> impl Iterator<Item = (&'a Cell, &'a str)> {
        let passed = self.results.cells.iter().filter(|cell| cell.status == Status::Pass);
        passed.filter_map(|cell| Some((cell, cell.first_answer.as_deref()?)))
    }

    /// The reasons why cells did not run, each with the cells that gave it, most first. A reason that names its own
    /// subject is the same for all subjects.
    pub(crate) fn missing(self) -> Vec<(Status, String, Vec<&'a Cell>)> {
        let mut reasons: Vec<(Status, String, Vec<&Cell>)> = Vec::new();
        for cell in self.results.cells.iter().filter(|cell| cell.same_as.is_none()) {
            if !matches!(cell.status, Status::Unavailable | Status::Unsupported | Status::NotRun) {
                continue;
            }
            let reason = cell.reason.as_deref().unwrap_or("no reason given").replace(&cell.subject, "it");
            match reasons.iter_mut().find(|(status, known, _)| *status == cell.status && *known == reason) {
                Some((_, _, cells)) => cells.push(cell),
                None => reasons.push((cell.status, reason, vec![cell])),
            }
        }
        reasons.sort_by_key(|(_, _, cells)| std::cmp::Reverse(cells.len()));
        reasons
    }

    /// The groups of experiments (the first part of the path) in order.
    pub(crate) fn experiment_groups(self) -> Vec<&'a str> {
        distinct(self.cases(Kind::Experiment).into_iter().map(|case| group(&case.path)))
    }

    /// What is compared on one time scale, in order.
    pub(crate) fn comparisons(self) -> Vec<(&'a str, Option<&'a str>)> {
        distinct(self.cases(Kind::Experiment).into_iter().map(|case| compared(&case.path)))
    }

    /// The time scale that a case shares with what it is compared with, in microseconds; above zero.
    pub(crate) fn scale_us(self, path: &str) -> f64 {
        let beside = |cell: &&Cell| compared(&cell.case) == compared(path);
        let timelines = self.results.cells.iter().filter(beside).filter_map(|cell| cell.timeline.as_ref());
        timelines.map(|timeline| timeline.total_us).fold(1.0, f64::max)
    }
}

/// Each once, in the order of the first.
fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

/// How many cells ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    /// Ran where nothing is forced.
    pub(crate) open: usize,
    pub(crate) ours_failed: usize,
    pub(crate) others_failed: usize,
    pub(crate) unavailable: usize,
    pub(crate) unsupported: usize,
    pub(crate) not_run: usize,
}

impl Tally {
    /// How many gave a verdict.
    pub(crate) fn judged(self) -> usize {
        self.passed + self.ours_failed + self.others_failed
    }
}

/// Whether a ratio says nothing: its interval holds 1, or the difference is one that a copy of a subject shows too.
pub(crate) fn within_noise(low: f64, high: f64, ratio: f64, floor: f64) -> bool {
    (low <= 1.0 && high >= 1.0) || ratio.max(1.0 / ratio) - 1.0 <= floor
}

/// What is compared on one time scale: the first part of a path and, of a long one, the last: the arms between them
/// are what differs, as in `starvation/{race,spawn}/{no-yields,yields}/seed`.
pub(crate) fn compared(path: &str) -> (&str, Option<&str>) {
    let last = if path.matches('/').count() > 1 { path.rsplit('/').next() } else { None };
    (group(path), last)
}

/// The first part of a path.
pub(crate) fn group(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// A status as a word.
pub(crate) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "FAIL",
        Status::Unavailable => "unavailable",
        Status::Unsupported => "unsupported",
        Status::Timeout => "TIMEOUT",
        Status::Crash => "CRASH",
        Status::NotRun => "not run",
    }
}

/// A cell's verdict as one sign.
pub(crate) fn sign(cell: &Cell) -> &'static str {
    match cell.status {
        Status::Pass if cell.open => "○",
        _ if cell.same_as.is_some() => "=",
        status => status_sign(status),
    }
}

/// A cell's verdict in words.
pub(crate) fn word(cell: &Cell) -> &'static str {
    match cell.status {
        Status::Pass if cell.open => "no verdict",
        _ if cell.same_as.is_some() => "not asked",
        status => status_word(status),
    }
}

/// A status as one sign.
fn status_sign(status: Status) -> &'static str {
    match status {
        Status::Pass => "✔",
        Status::Fail => "✘",
        Status::Timeout => "∞",
        Status::Crash => "☠",
        Status::Unavailable | Status::Unsupported | Status::NotRun => "–",
    }
}

/// A ratio: two digits after the point while they say something.
pub(crate) fn times(ratio: f64) -> String {
    if ratio >= 99.5 {
        format!("{ratio:.0}×")
    } else if ratio >= 9.95 {
        format!("{ratio:.1}×")
    } else {
        format!("{ratio:.2}×")
    }
}

/// How sure the intervals of so many rounds are; `None` if there are none.
pub(crate) fn confidence(rounds: usize) -> Option<String> {
    let percent = format!("{:.2}", stats::confidence(rounds)? * 100.0);
    Some(format!("{} %", percent.trim_end_matches('0').trim_end_matches('.')))
}

/// A part as a percentage with its sign.
pub(crate) fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent >= 999.5 {
        "±>999 %".to_owned()
    } else if percent >= 9.95 {
        format!("±{percent:.0} %")
    } else {
        format!("±{percent:.1} %")
    }
}
