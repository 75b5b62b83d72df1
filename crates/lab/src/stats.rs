//! Medians and honest intervals.
//!
//! Invariant: nothing is called a difference unless its interval says so. The centre is the median, the interval a
//! seeded percentile bootstrap at 95 %, and two subjects are compared by the ratio of what they measured **in the same
//! round**, so that a machine that was slow for a minute was slow for both.

use crate::random::Random;

/// Below this many rounds there is no interval and no comparison.
pub const ENOUGH_ROUNDS: usize = 5;

/// Resamples of one bootstrap; the ends of the interval then move by less than their own width's percent.
const RESAMPLES: usize = 2000;

/// A centre and, where there were enough rounds, its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// The interval's ends.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// Half the interval's width as a part of the median: 0.02 is ±2 %.
    #[must_use]
    pub fn relative_half_width(&self) -> Option<f64> {
        let (low, high) = self.interval?;
        (self.median != 0.0).then(|| ((high - low) / 2.0 / self.median).abs())
    }
}

/// The median; `None` for no samples.
#[must_use]
pub fn median(samples: &[f64]) -> Option<f64> {
    median_in_place(&mut samples.to_vec())
}

fn median_in_place(samples: &mut [f64]) -> Option<f64> {
    let middle = samples.len() / 2;
    if samples.is_empty() {
        return None;
    }
    let even = samples.len().is_multiple_of(2);
    let (below, &mut upper, _) = samples.select_nth_unstable_by(middle, f64::total_cmp);
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(lower.midpoint(upper))
}

/// The median with a percentile bootstrap interval.
#[must_use]
pub fn estimate(samples: &[f64], seed: u64) -> Option<Estimate> {
    let median = median(samples)?;
    let interval = (samples.len() >= ENOUGH_ROUNDS).then(|| bootstrap(samples, seed));
    Some(Estimate { median, interval })
}

/// How many times `ours` is `theirs`, paired by round: the median of the ratios, with the interval of the median of
/// their logarithms. `None` if there is no common round, or a value that is not above zero.
#[must_use]
pub fn ratio(ours: &[f64], theirs: &[f64], seed: u64) -> Option<Estimate> {
    let pairs = ours.iter().zip(theirs);
    if pairs.clone().any(|(a, b)| !(*a > 0.0 && *b > 0.0)) {
        return None;
    }
    let logs: Vec<f64> = pairs.map(|(a, b)| (a / b).ln()).collect();
    let logs = estimate(&logs, seed)?;
    Some(Estimate {
        median: logs.median.exp(),
        interval: logs.interval.map(|(low, high)| (low.exp(), high.exp())),
    })
}

/// How far an A/A ratio strays from 1, as a part: the larger end of its interval. `None` without an interval.
#[must_use]
pub fn noise_floor(twin: &Estimate) -> Option<f64> {
    let (low, high) = twin.interval?;
    Some((high - 1.0).max(1.0 / low - 1.0).max(0.0))
}

/// The geometric mean of positive numbers; `None` for none.
#[must_use]
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|value| *value <= 0.0) {
        return None;
    }
    Some((values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp())
}

fn bootstrap(samples: &[f64], seed: u64) -> (f64, f64) {
    let mut random = Random::for_purpose(seed, "bootstrap");
    let mut resample = vec![0.0; samples.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            for slot in &mut resample {
                *slot = samples[random.below(samples.len())];
            }
            median_in_place(&mut resample).unwrap_or(f64::NAN)
        })
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    // 2.5 % on each side.
    let cut = RESAMPLES / 40;
    (medians[cut], medians[RESAMPLES - 1 - cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_one_and_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn fewer_than_five_rounds_have_no_interval() {
        assert_eq!(estimate(&[1.0, 2.0, 3.0, 4.0], 1).unwrap().interval, None);
        assert!(estimate(&[1.0, 2.0, 3.0, 4.0, 5.0], 1).unwrap().interval.is_some());
        assert_eq!(noise_floor(&ratio(&[1.0; 4], &[1.0; 4], 1).unwrap()), None);
    }

    /// For nine distinct values the bootstrap median is the k-th value with a known probability: below the second
    /// smallest 0.2 %, at or below it 2.8 %. The 95 % interval of a large bootstrap is therefore 2..8 or 3..7.
    #[test]
    fn the_interval_of_nine_values_is_where_combinatorics_puts_it() {
        let samples: Vec<f64> = (1..=9).map(f64::from).collect();
        let (low, high) = estimate(&samples, 42).unwrap().interval.unwrap();
        assert!((2.0..=3.0).contains(&low), "low {low}");
        assert!((7.0..=8.0).contains(&high), "high {high}");
    }

    /// Coverage, counted: the interval of 21 uniform numbers holds the true median in about 95 of 100 experiments.
    #[test]
    fn the_interval_covers_the_true_median_as_often_as_it_says() {
        let mut random = Random::new(3);
        let covered = (0..400)
            .filter(|experiment| {
                let samples: Vec<f64> = (0..21).map(|_| random.next() as f64 / u64::MAX as f64).collect();
                let (low, high) = estimate(&samples, *experiment).unwrap().interval.unwrap();
                (low..=high).contains(&0.5)
            })
            .count();
        assert!((360..=396).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn a_slow_minute_that_hits_both_does_not_change_their_ratio() {
        let theirs = [10.0, 11.0, 40.0, 10.5, 10.0, 39.0, 10.2];
        let ours: Vec<f64> = theirs.iter().map(|value| value * 1.5).collect();
        let ratio = ratio(&ours, &theirs, 9).unwrap();
        assert!((ratio.median - 1.5).abs() < 1e-12);
        let (low, high) = ratio.interval.unwrap();
        assert!((low - 1.5).abs() < 1e-12 && (high - 1.5).abs() < 1e-12);
    }

    #[test]
    fn ratios_need_positive_numbers_and_a_common_round() {
        assert_eq!(ratio(&[1.0, 0.0], &[1.0, 1.0], 1), None);
        assert_eq!(ratio(&[], &[1.0], 1), None);
        assert_eq!(ratio(&[f64::NAN], &[1.0], 1), None);
    }

    #[test]
    fn the_noise_floor_is_the_far_end_of_the_twins_interval() {
        let twin = Estimate { median: 1.0, interval: Some((0.8, 1.1)) };
        assert!((noise_floor(&twin).unwrap() - 0.25).abs() < 1e-12);
    }

    #[test]
    fn geometric_means() {
        assert!((geometric_mean(&[1.0, 4.0]).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[]), None);
        assert_eq!(geometric_mean(&[1.0, 0.0]), None);
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let samples = [1.0, 5.0, 2.0, 8.0, 3.0, 9.0, 4.0];
        assert_eq!(estimate(&samples, 5), estimate(&samples, 5));
    }
}
