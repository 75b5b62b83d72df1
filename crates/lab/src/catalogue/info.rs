//! How a case describes itself.
//!
//! Invariant: parameters are in the path and nowhere else, so a path alone says exactly what is run.

use crate::cell::{Axes, CaseInfo, Kind};
use std::collections::BTreeMap;

/// The executor alone matters.
pub(super) const EXECUTOR: Axes = Axes { executor: true, reactor: false, timers: false, options: false };
/// Executor and reactor matter.
pub(super) const EXECUTOR_REACTOR: Axes =
    Axes { executor: true, reactor: true, timers: false, options: false };
/// Executor and timers matter.
pub(super) const EXECUTOR_TIMERS: Axes =
    Axes { executor: true, reactor: false, timers: true, options: false };
/// Everything matters.
pub(super) const ALL: Axes = Axes { executor: true, reactor: true, timers: true, options: false };

/// An experiment: every combination runs it, so that every combination is looked at.
pub(super) fn experiment(path: impl Into<String>, seconds: f64, about: &str) -> CaseInfo {
    case(path.into(), Kind::Experiment, about, "", ALL, seconds)
}

/// A bench whose first metric has this unit. It takes its slot, unless it declares more.
pub(super) fn bench(path: impl Into<String>, unit: &str, axes: Axes, about: &str) -> CaseInfo {
    case(path.into(), Kind::Bench, about, unit, axes, 0.05)
}

fn case(path: String, kind: Kind, about: &str, unit: &str, axes: Axes, seconds: f64) -> CaseInfo {
    let pairs = path.split('/').filter_map(|part| part.split_once('='));
    let params: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    CaseInfo {
        path,
        kind,
        params,
        about: about.to_owned(),
        unit: unit.to_owned(),
        axes,
        quick: true,
        default: true,
        seconds,
        files: 64,
    }
}

/// What a case may change about itself.
pub(super) trait Adjust {
    /// Not part of a quick run.
    fn not_quick(self) -> Self;
    /// Part of a full run only.
    fn full_only(self) -> Self;
    /// How long a run takes at least, in seconds: for a bench, with the shortest slot.
    fn takes(self, seconds: f64) -> Self;
    /// What follows a combination's comma matters.
    fn with_options(self) -> Self;
    /// How many open files it needs.
    fn files(self, files: u64) -> Self;
}

impl Adjust for CaseInfo {
    fn not_quick(mut self) -> Self {
        self.quick = false;
        self
    }

    fn full_only(mut self) -> Self {
        (self.quick, self.default) = (false, false);
        self
    }

    fn takes(mut self, seconds: f64) -> Self {
        self.seconds = seconds;
        self
    }

    fn with_options(mut self) -> Self {
        self.axes.options = true;
        self
    }

    fn files(mut self, files: u64) -> Self {
        self.files = files;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_from_the_path() {
        let case = bench("tcp_echo/conns=64/bytes=16384", "req/s", EXECUTOR_REACTOR, "…").files(200);
        assert_eq!(case.params["conns"], "64");
        assert_eq!(case.params["bytes"], "16384");
        assert_eq!((case.files, case.quick, case.default), (200, true, true));
        assert!(!case.full_only().default);
    }
}
