//! What a timeline is.
//!
//! Invariant: these names are in files (`results.json` of the lab, a program's recording): fields are only added.

use serde::{Deserialize, Serialize};

/// One stretch of time on a lane: a labelled future was being polled, once unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Start, microseconds since the run began.
    pub from_us: f64,
    /// End.
    pub to_us: f64,
    /// Which worker polled: threads are numbered in the order of their first poll.
    pub worker: usize,
    /// Present where several polls are drawn as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Joined>,
}

/// What polls come to that are drawn as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// How many there were.
    pub polls: usize,
    /// How long the longest of them took, in microseconds.
    pub longest_us: f64,
}

impl Slice {
    /// A single poll.
    #[must_use]
    pub const fn new(from_us: f64, to_us: f64, worker: usize) -> Self {
        Self { from_us, to_us, worker, joined: None }
    }

    /// How many polls it is.
    #[must_use]
    pub fn polls(&self) -> usize {
        self.joined.as_ref().map_or(1, |joined| joined.polls)
    }

    /// How long the longest of its polls took, in microseconds.
    #[must_use]
    pub fn longest_us(&self) -> f64 {
        self.joined.as_ref().map_or(self.to_us - self.from_us, |joined| joined.longest_us)
    }

    /// Draws it and a later one of the same worker as one.
    pub fn join(&mut self, later: &Self) {
        let longest_us = self.longest_us().max(later.longest_us());
        self.joined = Some(Joined { polls: self.polls().saturating_add(later.polls()), longest_us });
        self.to_us = later.to_us;
    }
}

/// A moment on a lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When, microseconds since the run began.
    pub at_us: f64,
    /// What happened, as the experiment prints it: `a started`, `i = 2`.
    pub text: String,
}

/// A labelled future's life.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// The label.
    pub label: String,
    /// When it was polled.
    pub polls: Vec<Slice>,
    /// When it was woken, microseconds since the run began.
    pub wakes_us: Vec<f64>,
    /// What it did.
    pub marks: Vec<Mark>,
    /// How many polls are not drawn, because there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undrawn: usize,
    /// When it was over, with its result or because it was dropped; microseconds since the run began. `None` while it is there.
    pub ended_us: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Lane {
    /// How often it was polled, however that is drawn.
    #[must_use]
    pub fn count(&self) -> usize {
        self.polls.iter().map(Slice::polls).fold(self.undrawn, usize::saturating_add)
    }

    /// Forgets the wakes of this stretch: they were answered by a poll, at its end, that has no place of its own on the lane.
    pub fn forget_answered(&mut self, since_us: f64, polled_us: f64) {
        let before = |time: f64| self.wakes_us.partition_point(|wake| *wake < time);
        // Two futures of one label may be polled at once.
        let answered = before(since_us.min(polled_us))..before(polled_us);
        self.wakes_us.drain(answered);
    }

    /// The stretches for which it was ready and not polled: from a wake, or the end of the poll in which it was woken, to the next
    /// poll; after the last one to its end, or to that of the run.
    #[must_use]
    pub fn waits(&self, total_us: f64) -> Vec<(f64, f64)> {
        let end = self.ended_us.unwrap_or(total_us);
        let polls = || self.polls.iter().map(|poll| (poll.from_us, poll.to_us));
        let before = std::iter::once((f64::NEG_INFINITY, f64::NEG_INFINITY)).chain(polls());
        let next = polls().map(|(from, _)| from).chain([end]);
        let waits = before.zip(next).filter_map(|((began, over), next)| {
            let first = self.wakes_us.partition_point(|wake| *wake < began);
            let from = self.wakes_us.get(first)?.max(over);
            (from < next).then_some((from, next))
        });
        waits.collect()
    }
}

/// What happened when, for a person to look at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// One lane for each labelled future, in the order of the labels' first use.
    pub lanes: Vec<Lane>,
    /// Length of the run in microseconds.
    pub total_us: f64,
    /// One sentence that says why it looks so.
    pub why: String,
}

impl Timeline {
    /// What all lanes said, in order: when, in microseconds since the run began, and what.
    #[must_use]
    pub fn said(&self) -> Vec<(f64, &str)> {
        let marks = self.lanes.iter().flat_map(|lane| &lane.marks);
        let mut said: Vec<(f64, &str)> = marks.map(|mark| (mark.at_us, mark.text.as_str())).collect();
        said.sort_by(|a, b| a.0.total_cmp(&b.0));
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(polls: &[(f64, f64)], wakes_us: &[f64], ended_us: Option<f64>) -> Lane {
        let polls = polls.iter().map(|&(from_us, to_us)| Slice::new(from_us, to_us, 0)).collect();
        Lane { polls, wakes_us: wakes_us.to_vec(), ended_us, ..Lane::default() }
    }

    #[test]
    fn it_waits_from_a_wake_to_the_poll_that_answers_it() {
        let polls = [(2.0, 10.0), (40.0, 70.0), (90.0, 91.0)];
        assert_eq!(
            lane(&polls, &[1.0, 5.0, 6.0, 85.0], None).waits(99.0),
            [(1.0, 2.0), (10.0, 40.0), (85.0, 90.0)]
        );
        assert_eq!(lane(&polls, &[2.0, 90.0], Some(90.5)).waits(99.0), [(10.0, 40.0)]);
    }

    #[test]
    fn a_wake_that_no_poll_answers_waits_to_the_end_and_one_after_the_end_is_nothing() {
        assert_eq!(lane(&[], &[3.0], None).waits(99.0), [(3.0, 99.0)]);
        assert_eq!(lane(&[(1.0, 2.0)], &[3.0], None).waits(99.0), [(3.0, 99.0)]);
        assert_eq!(lane(&[(1.0, 2.0)], &[3.0], Some(8.0)).waits(99.0), [(3.0, 8.0)]);
        assert_eq!(lane(&[(1.0, 2.0)], &[3.0], Some(2.0)).waits(99.0), []);
    }
}
