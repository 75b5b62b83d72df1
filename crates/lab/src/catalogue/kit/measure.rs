//! Timing: as many operations as fill a slot, and what is said about many times.
//!
//! Invariant: what is reported was measured in one go after the number of operations was found; the runs that found it
//! are thrown away.

use super::clock;
use crate::cell::{Better, Sample};
use crate::counted::OPERATIONS;
use std::time::Duration;

/// How much a bench does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As many rounds as fill this time.
    Fill(Duration),
    /// So many rounds, not measured: somebody counts what they cost.
    Rounds(u64),
}

/// One timed run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timed {
    /// How many operations.
    pub(crate) operations: u64,
    /// Wall time of all of them.
    pub(crate) wall: Duration,
    /// CPU time of the process meanwhile.
    pub(crate) cpu: Duration,
    /// Whether the number of rounds was given, so that times mean nothing.
    given: bool,
}

/// Runs `work`, which does so many operations and says how long they took, as often as `effort` says.
///
/// # Errors
///
/// What `work` found wrong with its own result.
pub(crate) fn timed(
    effort: Effort,
    work: impl FnMut(u64) -> Result<Duration, String>,
) -> Result<Timed, String> {
    timed_by(effort, 1, work)
}

/// The same for `work` that does so many rounds of `each` operations.
///
/// # Errors
///
/// What `work` found wrong with its own result.
pub(crate) fn timed_by(
    effort: Effort,
    each: u64,
    mut work: impl FnMut(u64) -> Result<Duration, String>,
) -> Result<Timed, String> {
    let (rounds, given) = match effort {
        Effort::Fill(slot) => (calibrate(slot, &mut work)?, false),
        Effort::Rounds(rounds) => (rounds, true),
    };
    measured(rounds, given, each, work)
}

/// The same for `work` of which one round takes longer than any slot, so that there is nothing to calibrate. The caller
/// warms up.
///
/// # Errors
///
/// What `work` found wrong with its own result.
pub(crate) fn timed_once(
    effort: Effort,
    each: u64,
    work: impl FnMut(u64) -> Result<Duration, String>,
) -> Result<Timed, String> {
    match effort {
        Effort::Fill(_) => measured(1, false, each, work),
        Effort::Rounds(rounds) => measured(rounds, true, each, work),
    }
}

fn measured(
    rounds: u64,
    given: bool,
    each: u64,
    mut work: impl FnMut(u64) -> Result<Duration, String>,
) -> Result<Timed, String> {
    let cpu = clock::cpu();
    let wall = work(rounds)?;
    Ok(Timed { operations: rounds * each, wall, cpu: clock::cpu().saturating_sub(cpu), given })
}

/// How many rounds fill the slot: grows until a run takes a quarter of it, then extrapolates once.
fn calibrate(slot: Duration, work: &mut impl FnMut(u64) -> Result<Duration, String>) -> Result<u64, String> {
    let mut rounds = 1u64;
    loop {
        let wall = work(rounds)?.max(Duration::from_nanos(1));
        let fills = (slot.as_secs_f64() / wall.as_secs_f64() * rounds as f64).max(1.0);
        if wall * 4 >= slot {
            return Ok(fills as u64);
        }
        // A first run pays for cold caches and page faults, so it is not trusted to be eight times too slow.
        rounds = (fills as u64 / 2).clamp(rounds * 2, rounds * 8);
    }
}

impl Timed {
    /// How much was done, for who counts what it cost.
    fn operations(&self) -> Vec<Sample> {
        vec![sample(OPERATIONS, "", Better::Higher, self.operations as f64)]
    }

    fn per_operation(&self, time: Duration) -> f64 {
        time.as_nanos() as f64 / self.operations as f64
    }

    /// Nanoseconds per operation, by the wall and in CPU time.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        if self.given {
            return self.operations();
        }
        vec![
            sample("time", "ns", Better::Lower, self.per_operation(self.wall)),
            sample("cpu", "ns", Better::Lower, self.per_operation(self.cpu)),
        ]
    }

    /// CPU nanoseconds per operation first: for what mostly waits.
    pub(crate) fn cpu_samples(&self) -> Vec<Sample> {
        if self.given {
            return self.operations();
        }
        vec![sample("cpu", "ns", Better::Lower, self.per_operation(self.cpu))]
    }
}

/// One number.
pub(crate) fn sample(name: &str, unit: &str, better: Better, value: f64) -> Sample {
    Sample { name: name.to_owned(), unit: unit.to_owned(), better, value }
}

/// The median and the 99th percentile in microseconds, with the largest; `times` must not be empty.
pub(crate) fn distribution(times: Vec<Duration>) -> Vec<Sample> {
    quantiles(times, &[("p50", 0.5), ("p99", 0.99), ("max", 1.0)])
}

/// Any quantiles in microseconds, by name; the first is the case's own.
///
/// # Errors
///
/// That there are no times.
pub(crate) fn distribution_by(times: Vec<Duration>, wanted: &[(&str, f64)]) -> Result<Vec<Sample>, String> {
    if times.is_empty() {
        return Err("nobody measured a time".to_owned());
    }
    Ok(quantiles(times, wanted))
}

fn quantiles(mut times: Vec<Duration>, wanted: &[(&str, f64)]) -> Vec<Sample> {
    times.sort_unstable();
    let one =
        |&(name, q): &(&str, f64)| sample(name, "µs", Better::Lower, quantile(&times, q).as_secs_f64() * 1e6);
    wanted.iter().map(one).collect()
}

/// Jain's index of fairness: 1 if all have the same share, 1/n if one has all.
pub(crate) fn jain(shares: &[usize]) -> f64 {
    let sum: f64 = shares.iter().map(|share| *share as f64).sum();
    let squares: f64 = shares.iter().map(|share| (*share as f64).powi(2)).sum();
    if squares == 0.0 { 1.0 } else { sum.powi(2) / (shares.len() as f64 * squares) }
}

/// The smallest of the sorted `times` that at least a share `q` of them does not exceed.
pub(crate) fn quantile(times: &[Duration], q: f64) -> Duration {
    let rank = (times.len() as f64 * q).ceil() as usize;
    times[rank.clamp(1, times.len()) - 1]
}

/// The bench's own check: `Err` with both numbers if they differ.
pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found:?}, not {wanted:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_filled_with_operations_of_known_cost() {
        let each = Duration::from_nanos(50);
        let mut runs = Vec::new();
        let timed = timed(Effort::Fill(Duration::from_millis(10)), |n| {
            runs.push(n);
            Ok(each * u32::try_from(n).unwrap())
        });
        assert_eq!(timed.unwrap().operations, 200_000);
        assert!(runs.len() < 12, "few runs to find it: {runs:?}");
    }

    #[test]
    fn a_slow_operation_is_done_once() {
        let timed = timed(Effort::Fill(Duration::from_millis(10)), |n| Ok(Duration::from_secs(n)));
        assert_eq!(timed.unwrap().operations, 1);
    }

    #[test]
    fn what_is_longer_than_a_slot_is_done_once_and_not_calibrated() {
        let mut runs = Vec::new();
        let mut once = |effort| {
            timed_once(effort, 7, |n| {
                runs.push(n);
                Ok(Duration::from_nanos(1))
            })
        };
        assert_eq!(once(Effort::Fill(Duration::from_secs(1))).unwrap().operations, 7);
        assert_eq!(once(Effort::Rounds(3)).unwrap().operations, 21);
        assert_eq!(runs, [1, 3]);
    }

    #[test]
    fn an_operation_without_measurable_cost_ends_too() {
        let slot = Duration::from_nanos(1_000);
        assert!(calibrate(slot, &mut |n| Ok(Duration::from_nanos(n / 64))).is_ok());
    }

    #[test]
    fn a_wrong_result_ends_the_timing() {
        let failed = timed(Effort::Fill(Duration::from_millis(1)), |_| {
            expect("the sum", 3, 4).map(|()| Duration::ZERO)
        });
        assert_eq!(failed.unwrap_err(), "the sum is 3, not 4");
    }

    #[test]
    fn jains_index_is_one_for_equal_shares_and_small_for_a_hoarder() {
        assert_eq!(jain(&[7, 7, 7, 7]), 1.0);
        assert_eq!(jain(&[9, 0, 0, 0]), 0.25);
        assert!((jain(&[1, 3]) - 0.8).abs() < 1e-9);
        assert_eq!(jain(&[]), 1.0);
    }

    #[test]
    fn no_times_have_no_quantiles() {
        assert!(distribution_by(Vec::new(), &[("p99", 0.99)]).is_err());
    }

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let times: Vec<_> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!(quantile(&times, 0.5), Duration::from_micros(50));
        assert_eq!(quantile(&times, 0.99), Duration::from_micros(99));
        assert_eq!(quantile(&times[..1], 0.99), Duration::from_micros(1));
        let reversed = distribution(times.into_iter().rev().collect());
        assert_eq!(reversed.iter().map(|s| s.value).collect::<Vec<_>>(), [50.0, 99.0, 100.0]);
    }
}
