//! From what the cells answered to `results.json`: medians, intervals, ratios.
//!
//! Invariant: correctness before speed. A cell whose result was wrong in any round has no numbers, and below
//! [`ENOUGH_ROUNDS`](crate::stats::ENOUGH_ROUNDS) rounds nothing has an interval.

use crate::cell::{Better, Counts, Kind, Lane, Slice, Status, SubjectKind, Timeline};
use crate::plan::{Plan, Planned, Todo};
use crate::record::{Record, Series};
use crate::results::{Case, Cell, Metric, Results, Run, SCHEMA, peer_beside};
use crate::stats::{self, Estimate};
use std::collections::BTreeMap;

/// An interval wider than this on each side makes a cell noisy.
const NOISY: f64 = 0.10;
/// What a timeline keeps: more cannot be seen.
const LANES: usize = 12;
const SLICES: usize = 2000;

/// Makes the results.
pub(crate) fn collect(plan: &Plan, records: &[Record], mut run: Run) -> Results {
    let mut cells: Vec<Cell> =
        plan.cells.iter().zip(records).map(|(planned, record)| cell(plan, planned, record, &run)).collect();
    let mut cases: Vec<Case> = plan.cases.iter().map(Case::from).collect();
    let kinds = |name: &str| plan.entries.iter().find(|e| e.subject.name == name).map(|e| e.subject.kind);
    for case in &mut cases {
        let of_case: Vec<usize> = (0..cells.len()).filter(|cell| cells[*cell].case == case.path).collect();
        compare(&mut cells, &of_case, &kinds, &|subject| tokio_beside(plan, subject));
        case.noise_floor = floor_of(&cells, &of_case, plan, &case.path);
    }
    let floors: Vec<f64> = cases.iter().filter_map(|case| case.noise_floor).collect();
    run.noise_floor = stats::median(&floors);
    let subjects = plan.entries.iter().map(|entry| entry.subject.clone()).collect();
    Results { schema: SCHEMA, run, subjects, cases, cells }
}

fn cell(plan: &Plan, planned: &Planned, record: &Record, run: &Run) -> Cell {
    let info = &plan.cases[planned.case];
    let (mut status, reason) = record.status();
    let mut reason = reason.map(str::to_owned);
    let mut same_as = None;
    match &planned.todo {
        Todo::Run if status == Status::NotRun => {
            reason = Some(
                if run.complete { "not reached" } else { "the run was stopped before it had ended" }.into(),
            );
        }
        Todo::Run => {}
        Todo::SameAs(other) => {
            let name = plan.entries[*other].subject.name.clone();
            reason = Some(format!(
                "{name} stands for it: the case does not depend on the parts in which they differ (--exhaustive runs it)"
            ));
            same_as = Some(name);
        }
        Todo::Skip(why, text) => {
            status = *why;
            reason = Some(text.clone());
        }
    }
    let series: &[Series] = if status == Status::Pass { record.series() } else { &[] };
    let metrics: BTreeMap<String, Metric> =
        series.iter().filter_map(|series| Some((series.name.clone(), metric(series)?))).collect();
    let own = series.first().map(|series| series.name.clone());
    let noisy = own.as_ref().and_then(|name| width(metrics.get(name)?)).map(|width| width > NOISY);
    let shown = record.shown();
    Cell {
        subject: plan.entries[planned.entry].subject.name.clone(),
        case: info.path.clone(),
        params: info.params.clone(),
        kind: info.kind,
        status,
        reason,
        predicted: shown.and_then(|outcome| outcome.predicted.clone()),
        observed: shown.and_then(|outcome| outcome.observed.clone()),
        first_answer: record.first_answer(),
        open: shown.is_some_and(|outcome| outcome.open),
        metrics,
        metric: own,
        counts: shown.map_or_else(Counts::default, |outcome| outcome.counts.clone()),
        noisy,
        same_as,
        timeline: shown.and_then(|outcome| outcome.timeline.clone()).map(shortened),
    }
}

fn metric(series: &Series) -> Option<Metric> {
    let Estimate { median, interval } = stats::estimate(&series.values)?;
    Some(Metric {
        unit: series.unit.clone(),
        better: series.better,
        median,
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
        ratio_to_best: None,
        ratio_to_tokio_mt: None,
        ratio_to_best_interval: None,
        ratio_to_tokio_mt_interval: None,
        samples: series.values.clone(),
    })
}

fn width(metric: &Metric) -> Option<f64> {
    Estimate { median: metric.median, interval: Some((metric.low?, metric.high?)) }.relative_half_width()
}

/// Fills in the ratios of one case. Floors and twins are compared, and are never the best.
fn compare(
    cells: &mut [Cell],
    of_case: &[usize],
    kind: &impl Fn(&str) -> Option<SubjectKind>,
    tokio_of: &impl Fn(&str) -> Option<String>,
) {
    let names: std::collections::BTreeSet<String> =
        of_case.iter().flat_map(|cell| cells[*cell].metrics.keys().cloned()).collect();
    for name in names {
        let of = |cell: &usize| cells[*cell].metrics.get(&name);
        let races = |cell: &&usize| {
            !matches!(kind(&cells[**cell].subject), Some(SubjectKind::Floor | SubjectKind::Twin))
        };
        let better = |a: &Metric, b: &Metric| match a.better {
            Better::Lower => a.median.total_cmp(&b.median),
            Better::Higher => b.median.total_cmp(&a.median),
        };
        let best = of_case.iter().filter(races).filter_map(of).min_by(|a, b| better(a, b)).cloned();
        let tokios: BTreeMap<String, Metric> = of_case
            .iter()
            .filter(|cell| cells[**cell].subject.starts_with("tokio-mt"))
            .filter_map(|cell| Some((cells[*cell].subject.clone(), of(cell)?.clone())))
            .collect();
        for cell in of_case {
            let tokio = tokio_of(&cells[*cell].subject).and_then(|name| tokios.get(&name));
            let Some(metric) = cells[*cell].metrics.get_mut(&name) else { continue };
            if let Some(ratio) = best.as_ref().and_then(|best| times_worse(metric, best)) {
                metric.ratio_to_best = Some(ratio.median);
                metric.ratio_to_best_interval = ratio.interval;
            }
            if let Some(ratio) = tokio.and_then(|tokio| times_worse(metric, tokio)) {
                metric.ratio_to_tokio_mt = Some(ratio.median);
                metric.ratio_to_tokio_mt_interval = ratio.interval;
            }
        }
    }
}

/// The `tokio-mt` that a subject is compared with: the one with as many workers, if there is one.
fn tokio_beside(plan: &Plan, subject: &str) -> Option<String> {
    let subjects = || plan.entries.iter().map(|entry| &entry.subject);
    let workers = subjects().find(|other| other.name == subject)?.workers;
    peer_beside(subjects(), "tokio-mt", workers).map(|tokio| tokio.name.clone())
}

/// How many times worse one metric is than another, whichever way is good.
pub(crate) fn times_worse(ours: &Metric, theirs: &Metric) -> Option<Estimate> {
    match ours.better {
        Better::Lower => stats::ratio(&ours.samples, &theirs.samples),
        Better::Higher => stats::ratio(&theirs.samples, &ours.samples),
    }
}

/// What the twin differs from its original in this case.
fn floor_of(cells: &[Cell], of_case: &[usize], plan: &Plan, case: &str) -> Option<f64> {
    let info = plan.cases.iter().find(|info| info.path == case)?;
    if info.kind != Kind::Bench {
        return None;
    }
    let twin = plan.entries.iter().find(|entry| entry.subject.kind == SubjectKind::Twin)?;
    let of = |name: &str| of_case.iter().find(|cell| cells[**cell].subject == name);
    let twin = cells[*of(&twin.subject.name)?].own_metric()?;
    let original = cells[*of(&plan.entries[plan.baseline].subject.name)?].own_metric()?;
    stats::noise_floor(&times_worse(twin, original)?)
}

/// A timeline that a page can hold: no more lanes and slices than can be seen. What was left out is said.
fn shortened(mut timeline: Timeline) -> Timeline {
    if timeline.lanes.len() > LANES {
        timeline.why += &format!(" (The first {LANES} of {} lanes are shown.)", timeline.lanes.len());
        timeline.lanes.truncate(LANES);
    }
    let each = SLICES / timeline.lanes.len().max(1);
    let invisible = timeline.total_us / each as f64;
    for lane in &mut timeline.lanes {
        if lane.polls.len() > each {
            join_close(lane, invisible);
            leave_out_after(lane, each);
            let polls = lane.count();
            timeline.why += &match lane.undrawn {
                0 => format!(" (Lane {}: {polls} polls, drawn together.)", lane.label),
                rest => {
                    format!(" (Lane {}: {polls} polls, drawn together, the last {rest} not.)", lane.label)
                }
            };
        }
        lane.wakes_us.truncate(each);
        lane.marks.truncate(each);
    }
    timeline
}

/// Slices of one worker with gaps that cannot be seen become one.
fn join_close(lane: &mut Lane, gap_us: f64) {
    for slice in std::mem::take(&mut lane.polls) {
        match lane.polls.last_mut() {
            Some(last) if last.worker == slice.worker && slice.from_us - last.to_us < gap_us => {
                let since = last.from_us;
                last.join(&slice);
                lane.forget_answered(since, slice.from_us);
            }
            _ => lane.polls.push(slice),
        }
    }
}

/// Of further polls than these only the number is kept.
fn leave_out_after(lane: &mut Lane, most: usize) {
    if lane.polls.len() > most {
        let rest = lane.polls.split_off(most);
        lane.undrawn = rest.iter().map(Slice::polls).fold(lane.undrawn, usize::saturating_add);
        let last_us = rest.iter().map(|poll| poll.from_us).fold(0.0, f64::max);
        if let Some(since) = lane.polls.last().map(|drawn| drawn.from_us) {
            lane.forget_answered(since, last_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyloop_timeline::draw::told;

    /// A lane of so many polls of 1 µs, one every 10 µs, each by the worker that `worker` says.
    fn polled(polls: usize, worker: impl Fn(usize) -> usize) -> Timeline {
        let poll = |at: usize| Slice::new(10.0 * at as f64, 10.0 * at as f64 + 1.0, worker(at));
        let lane = Lane { label: "a".into(), polls: (0..polls).map(poll).collect(), ..Lane::default() };
        Timeline { lanes: vec![lane], total_us: 10.0 * polls as f64 + 1e6, why: "so.".into() }
    }

    #[test]
    fn a_lane_says_how_often_it_was_polled_however_that_is_drawn() {
        let few = shortened(polled(SLICES, |_| 0));
        assert_eq!((few.lanes[0].polls.len(), few.why.as_str()), (SLICES, "so."));
        let many = shortened(polled(3 * SLICES, |_| 0));
        assert_eq!(many.lanes[0].polls.len(), 1);
        assert!(told(&many.lanes[0], many.total_us).starts_with("6000 polls, longest 1 µs"));
        assert_eq!(many.why, "so. (Lane a: 6000 polls, drawn together.)");
        // In turn by two workers, so that no two can be drawn as one.
        let odd = shortened(polled(3 * SLICES, |at| at % 2));
        assert_eq!(odd.lanes[0].polls.len(), SLICES);
        assert!(told(&odd.lanes[0], odd.total_us).starts_with("6000 polls, "));
        assert_eq!(odd.why, "so. (Lane a: 6000 polls, drawn together, the last 4000 not.)");
    }

    #[test]
    fn who_woke_itself_in_polls_that_are_drawn_together_or_not_at_all_waits_for_nothing_afterwards() {
        for workers in [1, 2] {
            let mut awake = polled(3 * SLICES, |at| at % workers);
            let lane = &mut awake.lanes[0];
            lane.wakes_us = lane.polls[1..].iter().map(|poll| poll.from_us - 9.5).collect();
            let short = shortened(awake);
            let waits = short.lanes[0].waits(short.total_us);
            // From the end of the poll in which it was woken, or from a wake beyond those that are kept.
            assert!(waits.iter().all(|(from, to)| to - from <= 10.0), "{workers}: {:?}", waits.last());
        }
    }
}
