//! What one cell answered, round by round, and what counts of it.
//!
//! Invariant: nothing that went wrong is forgotten. An answer that a later one replaced stays in sight, and only what other
//! processes beside the cell may have caused can be replaced at all.

use crate::cell::{Better, Outcome, Sample, Status};

/// How often a cell whose process gave no answer in time must pass alone before that counts.
const PASSES_AFTER_A_HANG: usize = 3;

/// What one cell answered in all its rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// The first answer that was not a pass, else the first one.
    shown: Option<Outcome>,
    series: Vec<Series>,
    /// The first answer, if the cell was asked again alone.
    first: Option<Box<Outcome>>,
    /// How often it passed alone since.
    passed_alone: usize,
}

/// What an answer that a cell gave alone means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// It may be asked once more.
    Again,
    /// The record is final.
    Stands,
}

/// One metric over the rounds.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) better: Better,
    pub(crate) values: Vec<f64>,
}

impl Record {
    /// Adds the answer of one round.
    pub(crate) fn add(&mut self, mut outcome: Outcome) {
        for Sample { name, unit, better, value } in std::mem::take(&mut outcome.samples) {
            match self.series.iter_mut().find(|series| series.name == name) {
                Some(series) => series.values.push(value),
                None => self.series.push(Series { name, unit, better, values: vec![value] }),
            }
        }
        let passed = |outcome: &Outcome| outcome.status == Status::Pass;
        if self.shown.as_ref().is_none_or(|shown| passed(shown) && !passed(&outcome)) {
            self.shown = Some(outcome);
        }
    }

    /// Adds what its operations cost, counted in other processes than those that gave its numbers.
    pub(crate) fn add_counted(&mut self, counted: Outcome) {
        if counted.status == Status::Pass {
            let counts = counted.counts.clone();
            self.add(counted);
            if let Some(shown) = &mut self.shown {
                shown.counts = counts;
            }
        }
    }

    /// The answer that counts.
    pub(crate) fn shown(&self) -> Option<&Outcome> {
        self.shown.as_ref()
    }

    /// The numbers of its rounds; the first is the case's own.
    pub(crate) fn series(&self) -> &[Series] {
        &self.series
    }

    /// How it ended so far.
    pub(crate) fn status(&self) -> (Status, Option<&str>) {
        match &self.shown {
            Some(outcome) => (outcome.status, outcome.reason.as_deref()),
            None => (Status::NotRun, None),
        }
    }

    /// Whether another round can change nothing.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.status().0, Status::Pass | Status::NotRun)
    }

    /// How often the cell is asked alone, because other processes beside it may have caused its answer: a mismatch
    /// once, a hang as often as makes a lost wake unlikely. A crash has no such excuse, and stands.
    pub(crate) fn chances(&self) -> usize {
        let first = self.first.as_deref().or(self.shown.as_ref());
        match first.map(|outcome| outcome.status) {
            Some(Status::Fail) => 1,
            Some(Status::Timeout) => PASSES_AFTER_A_HANG,
            _ => 0,
        }
    }

    /// Adds an answer that the cell gave alone. Only as many passes as it has chances replace the first answer, which
    /// is kept beside them; anything else than a pass is added to it.
    pub(crate) fn add_alone(&mut self, outcome: Outcome) -> Alone {
        let chances = self.chances();
        let Some(shown) = &mut self.shown else { return Alone::Stands };
        let first = self.first.get_or_insert_with(|| Box::new(shown.clone()));
        if outcome.status == Status::Pass {
            self.passed_alone += 1;
            if self.passed_alone < chances {
                return Alone::Again;
            }
            *shown = outcome;
            return Alone::Stands;
        }
        let reason = |outcome: &Outcome| outcome.reason.clone().unwrap_or_else(|| "no reason given".into());
        let both = format!("{}; beside another cell {}: {}", reason(&outcome), word(first), reason(first));
        if went_wrong(&outcome) {
            *shown = outcome;
            shown.reason = Some(both);
        } else {
            shown.reason = Some(format!("{}; alone {}: {}", reason(first), word(&outcome), reason(&outcome)));
        }
        Alone::Stands
    }

    /// What it answered first, in words, if it was asked again.
    pub(crate) fn first_answer(&self) -> Option<String> {
        let first = self.first.as_deref()?;
        let mut told = format!("{} beside another cell: ", word(first));
        told += first.reason.as_deref().unwrap_or("no reason given");
        if let Some(observed) = &first.observed {
            told += &format!("; observed {observed}");
        }
        match self.passed_alone {
            0 => {}
            1 => told += "; passed alone",
            passes => told += &format!("; passed {passes} times alone"),
        }
        Some(told)
    }
}

fn went_wrong(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::Fail | Status::Timeout | Status::Crash)
}

fn word(outcome: &Outcome) -> &'static str {
    crate::view::status_word(outcome.status)
}
