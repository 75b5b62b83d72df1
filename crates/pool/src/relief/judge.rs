//! Whether a worker that does not move on is blocked, computes, or has just not been let run.
//!
//! Invariant: time alone condemns nobody. A thread is blocked if it was seen asleep twice with hardly any processor time in
//! between, and computes if it was seen to use the processor.

use polyloop_blocking::monitor::Round;
use polyloop_blocking::probe::{Sample, State};
use std::time::Duration;

/// What was seen of one seat. It starts anew with every step of its worker.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    epoch: u64,
    /// For how long the present poll has been seen.
    age: Duration,
    /// The first look at the thread in this poll.
    first: Option<Sample>,
    /// The last look, if it was asleep then, and the age at that moment.
    asleep: Option<(Sample, Duration)>,
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is to be done about it, or nothing is known yet.
    Unsure,
    /// Its thread waits in the kernel.
    Blocked,
    /// Its thread uses the processor, or nobody can tell.
    Computing,
}

/// The part of the time that a thread may be awake and still count as blocked: some wait in small slices.
const AWAKE_SHARE: u32 = 8;

impl Seen {
    /// Takes note of the worker's epoch; whether it has moved since the last look.
    pub(crate) fn note(&mut self, epoch: u64, round: &Round) -> bool {
        if epoch != self.epoch {
            *self = Self { epoch, ..Self::default() };
            return true;
        }
        if round.gap {
            self.rests();
        } else {
            self.age += round.elapsed;
        }
        false
    }

    /// Whatever it does, it does from now on: its worker is in no poll, or nothing is known of the time before.
    pub(crate) fn rests(&mut self) {
        *self = Self { epoch: self.epoch, ..Self::default() };
    }

    /// For how long the present poll has been seen.
    pub(crate) fn age(&self) -> Duration {
        self.age
    }

    /// Judges by one more look at the thread.
    pub(crate) fn judge(&mut self, sample: Sample, after: Duration) -> Verdict {
        let first = *self.first.get_or_insert(sample);
        let ran = sample.ran.saturating_sub(first.ran);
        let is_late = self.age >= after;
        match sample.state {
            State::Asleep => {
                if let Some((before, at)) = self.asleep.replace((sample, self.age))
                    && sample.ran.saturating_sub(before.ran) * AWAKE_SHARE <= self.age - at
                    && is_late
                {
                    return Verdict::Blocked;
                }
            }
            State::Running => self.asleep = None,
            State::Stopped => {
                self.rests();
                return Verdict::Unsure;
            }
            State::Unknown => return if is_late { Verdict::Computing } else { Verdict::Unsure },
        }
        if is_late && ran >= after / 2 { Verdict::Computing } else { Verdict::Unsure }
    }
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_millis(10);
    const TICK: Round = Round { elapsed: Duration::from_micros(2_500), gap: false };

    /// The verdicts on a thread whose state and time on the processor, in µs, are these at the looks.
    fn verdicts(looks: &[(State, u64)]) -> Vec<Verdict> {
        let mut seen = Seen::default();
        assert!(seen.note(1, &TICK));
        let judge = |(state, ran): &(State, u64)| {
            assert!(!seen.note(1, &TICK));
            seen.judge(Sample { state: *state, ran: Duration::from_micros(*ran) }, AFTER)
        };
        looks.iter().map(judge).collect()
    }

    use State::{Asleep, Running, Stopped, Unknown};
    use Verdict::{Blocked, Computing, Unsure};

    #[test]
    fn a_thread_that_sleeps_is_blocked_once_it_is_late() {
        let seen = verdicts(&[(Asleep, 40); 5]);
        assert_eq!(seen, [Unsure, Unsure, Unsure, Blocked, Blocked]);
    }

    #[test]
    fn a_thread_that_sleeps_in_small_slices_is_blocked() {
        let seen = verdicts(&[(Asleep, 100), (Asleep, 220), (Asleep, 300), (Asleep, 420)]);
        assert_eq!(seen.last(), Some(&Blocked));
    }

    #[test]
    fn a_thread_that_was_not_let_run_is_neither() {
        assert_eq!(verdicts(&[(Running, 40); 20]), [Unsure; 20]);
    }

    #[test]
    fn a_thread_that_runs_computes_once_it_has_had_the_time() {
        let looks: Vec<_> = (0..6).map(|at| (Running, at * 2_500)).collect();
        assert_eq!(verdicts(&looks), [Unsure, Unsure, Unsure, Computing, Computing, Computing]);
    }

    #[test]
    fn one_sleep_between_stretches_of_work_is_no_block() {
        let looks = [(Running, 0), (Asleep, 1_000), (Running, 1_500), (Asleep, 2_000), (Running, 2_500)];
        assert_eq!(verdicts(&looks), [Unsure; 5]);
    }

    #[test]
    fn a_thread_that_was_stopped_begins_anew() {
        let looks = [(Asleep, 0), (Asleep, 0), (Stopped, 0), (Asleep, 0), (Asleep, 0), (Asleep, 0)];
        assert_eq!(verdicts(&looks), [Unsure; 6]);
    }

    #[test]
    fn where_nobody_can_tell_it_counts_as_computing() {
        assert_eq!(verdicts(&[(Unknown, 0); 4]), [Unsure, Unsure, Unsure, Computing]);
    }

    #[test]
    fn a_gap_in_the_monitors_own_ticks_cancels_what_was_seen() {
        let mut seen = Seen::default();
        let asleep = Sample { state: Asleep, ran: Duration::ZERO };
        seen.note(1, &TICK);
        for _ in 0..3 {
            seen.note(1, &TICK);
            assert_eq!(seen.judge(asleep, AFTER), Unsure);
        }
        seen.note(1, &Round { gap: true, ..TICK });
        assert_eq!(seen.age(), Duration::ZERO);
        assert_eq!(seen.judge(asleep, AFTER), Unsure);
    }
}
