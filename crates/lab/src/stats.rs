//! Medians and honest intervals.
//!
//! Invariant: nothing is called a difference unless its interval says so, and an interval is as sure as it says, however
//! few rounds there are. It is the **sign interval** of the median: the k-th smallest and the k-th largest value, with k
//! from the binomial distribution. It asks nothing of the values but that rounds are independent; a bootstrap of the
//! median holds too little below some twenty rounds.
//!
//! Two subjects of one run are compared by the ratio of what they measured **in the same round**, so that a machine that
//! was slow for a minute was slow for both; the sign interval of these ratios is that of their median. Two runs share no
//! rounds: [`unpaired_ratio`] compares each value of one with each of the other.

/// Below this many rounds there is no interval and no comparison.
pub const ENOUGH_ROUNDS: usize = 5;
/// How often an interval misses at most. Five rounds cannot be that sure; they say how sure they are.
const MISSES: f64 = 0.05;
/// Of longer series that share no rounds the first so many values are compared: all pairs have to be looked at.
const MOST_UNPAIRED: usize = 1000;

/// A centre and, where there were enough rounds, its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// The interval's ends; [`confidence`] says how sure it is.
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
    median_of_sorted(&sorted(samples))
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    // Equal neighbours may be infinite, and have no middle.
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(if lower == upper { upper } else { lower.midpoint(upper) })
}

/// The median with its sign interval.
#[must_use]
pub fn estimate(samples: &[f64]) -> Option<Estimate> {
    let sorted = sorted(samples);
    let median = median_of_sorted(&sorted)?;
    let interval = sign_rank(sorted.len()).map(|(rank, _)| (sorted[rank], sorted[sorted.len() - 1 - rank]));
    Some(Estimate { median, interval })
}

/// How sure the interval of so many rounds is: at least 0.95, except for five rounds, which come to 0.9375. `None` below.
#[must_use]
pub fn confidence(rounds: usize) -> Option<f64> {
    sign_rank(rounds).map(|(_, confidence)| confidence)
}

/// How many values lie outside the interval on each side, and how sure it is. A median is below the smallest value of
/// `n` as seldom as `n` coins all show heads, below the second smallest if at most one shows tails, and so on.
fn sign_rank(n: usize) -> Option<(usize, f64)> {
    if n < ENOUGH_ROUNDS {
        return None;
    }
    if n > 1_000 {
        return Some(far_sign_rank(n));
    }
    let mut term = 0.5_f64.powi(n as i32);
    let mut outside = term;
    let mut rank = 0;
    loop {
        term *= (n - rank) as f64 / (rank + 1) as f64;
        if 2.0 * (outside + term) > MISSES {
            return Some((rank, 1.0 - 2.0 * outside));
        }
        outside += term;
        rank += 1;
    }
}

/// Beyond a thousand rounds the binomial is the normal distribution to more digits than are shown.
fn far_sign_rank(n: usize) -> (usize, f64) {
    let rank = (n as f64 / 2.0 - 1.96 * (n as f64).sqrt() / 2.0 - 1.0).floor();
    (rank as usize, 1.0 - MISSES)
}

/// How many times `ours` is `theirs`, paired by round: the median of the ratios with its sign interval. `None` if there
/// is no common round, or a value that is not above zero.
#[must_use]
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Option<Estimate> {
    let pairs = ours.iter().zip(theirs);
    if pairs.clone().any(|(a, b)| !(*a > 0.0 && *b > 0.0)) {
        return None;
    }
    // Logarithms, so that the middle of two ratios turned around is the middle turned around.
    let logs: Vec<f64> = pairs.map(|(a, b)| (a / b).ln()).collect();
    estimate(&logs).map(from_logs)
}

fn from_logs(logs: Estimate) -> Estimate {
    Estimate { median: logs.median.exp(), interval: logs.interval.map(|(low, high)| (low.exp(), high.exp())) }
}

/// How many times `ours` is `theirs`, where they share no rounds: the median of the ratios of all pairs, and the
/// Mann-Whitney interval of at least 95 %. It asks that the two differ by a factor, and otherwise nothing of their
/// distribution. `None` with fewer than [`ENOUGH_ROUNDS`] on a side or a value below zero.
#[must_use]
pub fn unpaired_ratio(ours: &[f64], theirs: &[f64]) -> Option<Estimate> {
    let ours = &ours[..ours.len().min(MOST_UNPAIRED)];
    let theirs = &theirs[..theirs.len().min(MOST_UNPAIRED)];
    let enough = ours.len().min(theirs.len()) >= ENOUGH_ROUNDS;
    if !enough || ours.iter().chain(theirs).any(|value| value.is_nan() || *value < 0.0) {
        return None;
    }
    let equal_or_times = |a: f64, b: f64| if a == b { 0.0 } else { (a / b).ln() };
    let pairs: Vec<f64> =
        ours.iter().flat_map(|a| theirs.iter().map(move |b| equal_or_times(*a, *b))).collect();
    let logs = sorted(&pairs);
    let rank = mann_whitney_rank(ours.len(), theirs.len());
    let interval = Some((logs[rank], logs[logs.len() - 1 - rank]));
    Some(from_logs(Estimate { median: median_of_sorted(&logs)?, interval }))
}

/// How many of the sorted pairs lie outside the interval on each side.
fn mann_whitney_rank(n: usize, m: usize) -> usize {
    let pairs = n * m;
    if pairs > 2_500 {
        let spread = ((pairs * (n + m + 1)) as f64 / 12.0).sqrt();
        return (pairs as f64 / 2.0 - 1.96 * spread - 1.0).max(0.0) as usize;
    }
    // The probability of each number of pairs in which ours is smaller, for j of ours and all of theirs so far: the
    // largest of all is one of ours, which is smaller in no pair, or one of theirs, which is larger in j.
    let mut table = vec![vec![1.0]; n + 1];
    for i in 1..=m {
        for j in 1..=n {
            let (total, ours, theirs) = ((i + j) as f64, &table[j - 1], &table[j]);
            let at = |list: &Vec<f64>, u: usize| list.get(u).copied().unwrap_or(0.0);
            let row = (0..=i * j).map(|u| {
                let below = u.checked_sub(j).map_or(0.0, |u| at(theirs, u));
                (j as f64 * at(ours, u) + i as f64 * below) / total
            });
            table[j] = row.collect();
        }
    }
    let mut outside = 0.0;
    let misses = |probability: &&f64| {
        outside += **probability;
        2.0 * outside <= MISSES
    };
    // So many numbers of pairs are significant; the largest of them lies outside.
    table[n].iter().take_while(misses).count().saturating_sub(1)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn medians_of_odd_even_one_and_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn fewer_than_five_rounds_have_no_interval() {
        assert_eq!(estimate(&[1.0, 2.0, 3.0, 4.0]).unwrap().interval, None);
        assert_eq!(confidence(4), None);
        assert_eq!(noise_floor(&ratio(&[1.0; 4], &[1.0; 4]).unwrap()), None);
        assert_eq!(unpaired_ratio(&[1.0; 4], &[1.0; 9]), None);
    }

    /// The ends are those of the tables for the sign test, and so is how sure they are.
    #[test]
    fn the_interval_is_where_the_binomial_puts_it() {
        for (rounds, low, percent) in
            [(5, 1, 93.75), (6, 1, 96.88), (7, 1, 98.44), (8, 1, 99.22), (9, 2, 96.09), (21, 6, 97.34)]
        {
            let samples: Vec<f64> = (1..=rounds).map(f64::from).collect();
            let interval = estimate(&samples).unwrap().interval;
            assert_eq!(interval, Some((f64::from(low), f64::from(rounds + 1 - low))), "{rounds} rounds");
            let sure = confidence(rounds as usize).unwrap() * 100.0;
            assert!((sure - percent).abs() < 0.005, "{rounds} rounds: {sure}");
        }
    }

    #[test]
    fn thousands_of_rounds_have_an_interval_too() {
        for rounds in [999, 1_000, 1_001, 10_000] {
            let (rank, confidence) = sign_rank(rounds).unwrap();
            let spread = (rounds as f64).sqrt() / 2.0;
            let off = (rounds as f64 / 2.0 - rank as f64) / spread;
            assert!((1.9..2.15).contains(&off) && confidence >= 0.95, "{rounds}: {rank}, {off}");
        }
    }

    #[test]
    fn critical_numbers_of_pairs_are_those_of_the_tables() {
        // The largest U that is significant at 5 % on two sides: so many pairs lie outside.
        for (n, m, critical) in
            [(5, 5, 2), (6, 6, 5), (7, 7, 8), (8, 8, 13), (9, 9, 17), (10, 10, 23), (5, 8, 6)]
        {
            assert_eq!(mann_whitney_rank(n, m), critical, "{n} and {m}");
            assert_eq!(mann_whitney_rank(m, n), critical, "{m} and {n}");
        }
        assert_eq!(mann_whitney_rank(20, 20), 127);
        let (exact, rough) = (mann_whitney_rank(50, 50), mann_whitney_rank(50, 51));
        assert!((960..=985).contains(&exact) && rough.abs_diff(exact) < 30, "{exact} {rough}");
    }

    /// A skewed distribution with median 1.
    fn skewed(random: &mut Random) -> f64 {
        let uniform = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (3.0 * (uniform - 0.5) + 20.0 * (uniform - 0.5).powi(3).max(0.0)).exp()
    }

    /// Coverage, counted: an interval holds the true median as often as it says, of few rounds as of many.
    #[test]
    fn an_interval_covers_the_true_median_as_often_as_it_says() {
        const TIMES: usize = 20_000;
        let mut random = Random::new(3);
        for rounds in [5, 7, 9, 21] {
            let mut held = 0;
            for _ in 0..TIMES {
                let samples: Vec<f64> = (0..rounds).map(|_| skewed(&mut random)).collect();
                let (low, high) = estimate(&samples).unwrap().interval.unwrap();
                held += usize::from((low..=high).contains(&1.0));
            }
            let (held, said) = (held as f64 / TIMES as f64, confidence(rounds).unwrap());
            assert!((held - said).abs() < 0.006, "{rounds} rounds: {held}, said {said}");
        }
    }

    /// The same for what two subjects share: a machine whose speed changes from round to round.
    #[test]
    fn a_paired_ratio_is_covered_as_often_as_it_says() {
        const TIMES: usize = 20_000;
        let mut random = Random::new(4);
        for rounds in [5, 7, 9, 21] {
            let mut held = 0;
            for _ in 0..TIMES {
                let machine: Vec<f64> = (0..rounds).map(|_| skewed(&mut random)).collect();
                let mut of = |times: f64| -> Vec<f64> {
                    machine.iter().map(|slow| slow * times * skewed(&mut random)).collect()
                };
                // The logarithm of a ratio of two that are distributed alike is symmetric about that of 1.5.
                let (ours, theirs) = (of(1.5), of(1.0));
                let (low, high) = ratio(&ours, &theirs).unwrap().interval.unwrap();
                held += usize::from((low..=high).contains(&1.5));
            }
            let (held, said) = (held as f64 / TIMES as f64, confidence(rounds).unwrap());
            assert!((held - said).abs() < 0.006, "{rounds} rounds: {held}, said {said}");
        }
    }

    /// With five rounds on each side the interval holds 96.8 %, with seven 96.2 %: what the ranks' counts come to.
    #[test]
    fn an_unpaired_ratio_is_covered_as_often_as_its_ranks_say() {
        const TIMES: usize = 20_000;
        let mut random = Random::new(5);
        for (rounds, said) in [(5, 1.0 - 2.0 * 4.0 / 252.0), (7, 0.962), (9, 0.9606)] {
            let mut held = 0;
            for _ in 0..TIMES {
                let mut of =
                    |times: f64| -> Vec<f64> { (0..rounds).map(|_| times * skewed(&mut random)).collect() };
                let (low, high) = unpaired_ratio(&of(1.5), &of(1.0)).unwrap().interval.unwrap();
                held += usize::from((low..=high).contains(&1.5));
            }
            let held = held as f64 / TIMES as f64;
            assert!((held - said).abs() < 0.006, "{rounds} rounds: {held}, said {said}");
        }
    }

    #[test]
    fn a_slow_minute_that_hits_both_does_not_change_their_ratio() {
        let theirs = [10.0, 11.0, 40.0, 10.5, 10.0, 39.0, 10.2];
        let ours: Vec<f64> = theirs.iter().map(|value| value * 1.5).collect();
        let ratio = ratio(&ours, &theirs).unwrap();
        assert!((ratio.median - 1.5).abs() < 1e-12);
        let (low, high) = ratio.interval.unwrap();
        assert!((low - 1.5).abs() < 1e-12 && (high - 1.5).abs() < 1e-12);
    }

    #[test]
    fn ratios_need_positive_numbers_and_a_common_round() {
        assert_eq!(ratio(&[1.0, 0.0], &[1.0, 1.0]), None);
        assert_eq!(ratio(&[], &[1.0]), None);
        assert_eq!(ratio(&[f64::NAN], &[1.0]), None);
        assert_eq!(unpaired_ratio(&[1.0, 1.0, 1.0, 1.0, -1.0], &[1.0; 5]), None);
        let zeros = unpaired_ratio(&[0.0; 5], &[0.0; 5]).unwrap();
        assert_eq!((zeros.median, zeros.interval), (1.0, Some((1.0, 1.0))));
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
}
