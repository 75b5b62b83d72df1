//! `results.json`, schema 1: what a run leaves behind.
//!
//! Invariant: fields are only ever added. An absent value is `null`, a field that this version does not know is
//! ignored, and a file is either the old one or the new one, never half of each.

use crate::cell::{CaseInfo, Counts, Kind, Status, Subject, SubjectKind, Timeline};
use crate::machine::Machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The schema that is written.
pub const SCHEMA: u32 = 1;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The version of this layout.
    pub schema: u32,
    /// What was run, where and how.
    pub run: Run,
    /// What was measured.
    pub subjects: Vec<Subject>,
    /// What it was measured with.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// One for each subject and case, also where nothing ran: then the status and the reason say why.
    pub cells: Vec<Cell>,
}

/// What was run, where and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The name of the run, and of its folder.
    pub id: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// The command that repeats it.
    pub command: String,
    /// The seed of the order of the cells, and of what programs draw.
    pub seed: u64,
    /// Sleeps of 500 ms and more were multiplied by this (`starvation/*` never).
    pub scale: f64,
    /// `false` if it was stopped early.
    pub complete: bool,
    /// The commit of the sources that the lab was built from, if there was a repository; `-dirty` if files were changed.
    pub commit: Option<String>,
    /// The compiler that built the lab.
    pub rustc: Option<String>,
    /// The machine.
    pub machine: Machine,
    /// The median over the benches of what a copy of a subject differs from it, as a part: 0.02 is ±2 %.
    pub noise_floor: Option<f64>,
    /// Rounds of each bench.
    #[serde(default)]
    pub rounds: usize,
    /// Length of one round of a bench in milliseconds.
    #[serde(default)]
    pub slot_ms: u64,
    /// How long the run took in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// How long the plan said that it would take, in seconds.
    #[serde(default)]
    pub estimated_seconds: Option<f64>,
    /// The subject that comparisons with peers are made for.
    #[serde(default)]
    pub baseline: Option<String>,
}

/// A case, as far as a reader of the results needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its path.
    pub path: String,
    /// Experiment or bench.
    pub kind: Kind,
    /// What is done, and what one operation is.
    #[serde(default)]
    pub about: String,
    /// What a copy of a subject differs from it in this bench, as a part.
    #[serde(default)]
    pub noise_floor: Option<f64>,
}

impl From<&CaseInfo> for Case {
    fn from(info: &CaseInfo) -> Self {
        Self { path: info.path.clone(), kind: info.kind, about: info.about.clone(), noise_floor: None }
    }
}

/// A subject in a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The subject's name.
    pub subject: String,
    /// The case's path.
    pub case: String,
    /// The case's parameters.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Experiment or bench.
    pub kind: Kind,
    /// How it ended.
    pub status: Status,
    /// Why, if it did not pass.
    pub reason: Option<String>,
    /// What was predicted.
    pub predicted: Option<String>,
    /// What was observed.
    pub observed: Option<String>,
    /// What it answered first, if that did not count: beside another cell it failed or hung, and was asked again alone.
    #[serde(default)]
    pub first_answer: Option<String>,
    /// Whether nothing was forced: its pass is no verdict.
    #[serde(default)]
    pub open: bool,
    /// The numbers by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, Metric>,
    /// The name of the case's own metric among them.
    #[serde(default)]
    pub metric: Option<String>,
    /// What was counted.
    #[serde(default)]
    pub counts: Counts,
    /// Whether the interval of its own metric is wider than ±10 %; `null` without an interval.
    #[serde(default)]
    pub noisy: Option<bool>,
    /// The subject that stands for this one, where the case depends on none of the parts in which they differ.
    #[serde(default)]
    pub same_as: Option<String>,
    /// What happened when (experiments).
    #[serde(default)]
    pub timeline: Option<Timeline>,
}

/// A number over all rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its unit.
    pub unit: String,
    /// Which way is good.
    pub better: crate::cell::Better,
    /// The median of the samples.
    pub median: f64,
    /// Lower end of the median's sign interval, which is at least 95 % sure, with 5 rounds 93.75 %; `null` below.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// How many times worse than the best subject, paired by round: 1 is the best, 2 is half as good.
    pub ratio_to_best: Option<f64>,
    /// How many times worse than `tokio-mt`, the one with as many workers if there is one: below 1 is better than it.
    pub ratio_to_tokio_mt: Option<f64>,
    /// The sign interval of `ratio_to_best`.
    #[serde(default)]
    pub ratio_to_best_interval: Option<(f64, f64)>,
    /// The sign interval of `ratio_to_tokio_mt`.
    #[serde(default)]
    pub ratio_to_tokio_mt_interval: Option<(f64, f64)>,
    /// One value for each round, in their order.
    #[serde(default)]
    pub samples: Vec<f64>,
}

impl Cell {
    /// The case's own metric.
    #[must_use]
    pub fn own_metric(&self) -> Option<&Metric> {
        self.metrics.get(self.metric.as_deref()?)
    }
}

impl Results {
    /// The cell of this subject and case.
    #[must_use]
    pub fn cell(&self, subject: &str, case: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.subject == subject && cell.case == case)
    }

    /// The subject of this name.
    #[must_use]
    pub fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// Whether a subject's verdict is ours to answer for.
    #[must_use]
    pub fn is_ours(&self, subject: &str) -> bool {
        self.subject(subject).is_some_and(|subject| {
            matches!(subject.kind, SubjectKind::Own | SubjectKind::Plugin | SubjectKind::Twin)
        })
    }

    /// Whether a cell that went wrong is only a warning: a peer's or a floor's mismatch. A hang or a crash never is.
    #[must_use]
    pub fn is_warning(&self, cell: &Cell) -> bool {
        cell.status == Status::Fail && !self.is_ours(&cell.subject)
    }

    /// The file as text: a line for each subject, case and cell, so that it can be searched and compared by line.
    ///
    /// # Errors
    ///
    /// If a number cannot be written, which a checked run never has.
    pub fn to_json(&self) -> io::Result<String> {
        let lines = |items: Vec<serde_json::Result<String>>| -> io::Result<String> {
            Ok(items.into_iter().collect::<Result<Vec<_>, _>>()?.join(",\n"))
        };
        Ok(format!(
            "{{\"schema\": {},\n\"run\": {},\n\"subjects\": [\n{}\n],\n\"cases\": [\n{}\n],\n\"cells\": [\n{}\n]}}\n",
            self.schema,
            serde_json::to_string_pretty(&self.run)?,
            lines(self.subjects.iter().map(serde_json::to_string).collect())?,
            lines(self.cases.iter().map(serde_json::to_string).collect())?,
            lines(self.cells.iter().map(serde_json::to_string).collect())?,
        ))
    }

    /// Reads `results.json`, or the one in a folder.
    ///
    /// # Errors
    ///
    /// [`ReadError`] says which file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let file = if path.is_dir() { path.join("results.json") } else { path.to_path_buf() };
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) => return Err(ReadError { file, why: Why::Unreadable(error) }),
        };
        Self::parse(&text).map_err(|why| ReadError { file, why })
    }

    fn parse(text: &[u8]) -> Result<Self, Why> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let version: Version = serde_json::from_slice(text).map_err(Why::Corrupt)?;
        if version.schema != SCHEMA {
            return Err(Why::Schema(version.schema));
        }
        let results = serde_json::from_slice(text).map_err(Why::Corrupt)?;
        crate::sense::check(&results).map_err(Why::Senseless)?;
        Ok(results)
    }
}

/// The peer of this name that is compared with a subject of so many workers: the one with as many, else the one with the
/// peer's own number.
pub(crate) fn peer_beside<'a>(
    subjects: impl Iterator<Item = &'a Subject> + Clone,
    peer: &str,
    workers: usize,
) -> Option<&'a Subject> {
    let of_that_name =
        subjects.filter(|subject| subject.kind == SubjectKind::Peer && subject.base_name() == peer);
    let equal = of_that_name.clone().find(|subject| subject.workers == workers);
    equal.or_else(|| of_that_name.clone().find(|subject| subject.name == peer))
}

/// Why a `results.json` could not be read.
#[derive(Debug)]
pub struct ReadError {
    file: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unreadable(io::Error),
    Corrupt(serde_json::Error),
    Schema(u32),
    Senseless(String),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = self.file.display();
        match &self.why {
            Why::Unreadable(error) => write!(f, "{file}: cannot be read: {error}"),
            Why::Corrupt(error) => write!(f, "{file}: not a results.json of schema {SCHEMA}: {error}"),
            Why::Schema(found) => {
                write!(f, "{file}: has schema {found}; this version reads schema {SCHEMA}")
            }
            Why::Senseless(what) => write!(f, "{file}: no run leaves such results: {what}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Writes a file as a whole or not at all: first beside its place, then moved there.
///
/// # Errors
///
/// The file system's word.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Half a file is of no use, and a disk that is full needs the room.
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{
        "schema": 1, "a field of the future": [1, 2],
        "run": {"id": "x", "started": "2026-01-01T00:00:00Z", "command": "lab matrix", "seed": 1, "scale": 1.0,
                "complete": true, "commit": null, "rustc": null, "machine": {"tomorrow": 1}, "noise_floor": null},
        "subjects": [{"name": "fifo", "kind": "own", "executor": "fifo", "reactor": "mio", "timers": "wheel", "workers": 1,
                      "version": ""}],
        "cells": [{"subject": "fifo", "case": "sleep", "kind": "experiment", "status": "pass", "reason": null, "predicted": null,
                   "observed": null}]
    }"#;

    #[test]
    fn unknown_fields_are_ignored_and_later_fields_may_be_missing() {
        let results = Results::parse(SMALL.as_bytes()).unwrap();
        assert_eq!(results.run.id, "x");
        assert!(results.cases.is_empty());
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let results = Results::parse(SMALL.as_bytes()).unwrap();
        assert_eq!(Results::parse(results.to_json().unwrap().as_bytes()).unwrap(), results);
    }

    #[test]
    fn a_corrupt_file_a_wrong_schema_and_a_missing_file_each_say_so() {
        let corrupt = Results::parse(&SMALL.as_bytes()[..60]).unwrap_err();
        assert!(matches!(corrupt, Why::Corrupt(_)));
        let later = Results::parse(SMALL.replace("\"schema\": 1", "\"schema\": 2").as_bytes()).unwrap_err();
        let shown = ReadError { file: "a.json".into(), why: later }.to_string();
        assert_eq!(shown, "a.json: has schema 2; this version reads schema 1");
        let missing = Results::read(Path::new("/nonexistent/results.json")).unwrap_err().to_string();
        assert!(missing.starts_with("/nonexistent/results.json: cannot be read"), "{missing}");
    }
}
