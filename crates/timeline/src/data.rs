//! What a timeline is.
//!
//! Invariant: these names are in files (`results.json` of the lab, a program's recording): fields are only added.

use serde::{Deserialize, Serialize};

/// One stretch of time on a lane: a labelled future was being polled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Start, microseconds since the run began.
    pub from_us: f64,
    /// End.
    pub to_us: f64,
    /// Which worker polled: threads are numbered in the order of their first poll.
    pub worker: usize,
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
