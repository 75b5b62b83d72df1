//! Whether a thread that does not move on is blocked, computes, or has just not been let run.
//!
//! Invariant: time alone condemns nobody. A thread is blocked if it was seen asleep twice with hardly any processor time in
//! between, and computes if it was seen to use the processor, at several looks: a single one is believed only so much. Time in which
//! it was ready and not let run, or stopped, is held against nobody, as far as the kernel tells it from time on the processor.

use crate::monitor::Round;
use crate::probe::{Sample, State};
use std::time::Duration;

/// What was seen of one thread. It starts anew with every step of the thread.
#[derive(Debug, Default)]
pub struct Seen {
    epoch: u64,
    /// For how long the present poll has been seen.
    seen_age: Duration,
    /// The same with the time in which the monitor waited for a processor and could not look.
    age: Duration,
    /// The last look, if it was asleep then, and the age at that moment, with what was not seen.
    asleep: Option<(Sample, Duration)>,
    /// How long it was asleep, as far as that was seen.
    slept: Duration,
    /// How long it was on the processor between looks, as far as that is to be believed.
    ran: Duration,
    /// Whether it was asleep at the last two looks, with hardly any time on the processor in between.
    is_asleep: bool,
    /// The seen age without what it was ready and not let run between two looks.
    held: Duration,
    /// How much of that came since the last look, and how long it had been on the processor at that look, if that is known.
    since_look: Duration,
    ran_before: Option<Duration>,
    /// How long it may have run, by the time that has passed, beyond what it is believed to have run and slept.
    credit: Duration,
    /// Whether the system did not tell at the last look what the thread does.
    is_unknown: bool,
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is to be done about it, or nothing is known yet.
    Unsure,
    /// Its thread waits in the kernel.
    Blocked,
    /// Its thread uses the processor, or nobody can tell.
    Computing,
}

/// The part of the time that a thread may be awake and still count as blocked: some wait in small slices.
const AWAKE_SHARE: u32 = 8;

/// One look proves no more than this part of the time after which a worker is relieved, and than that part of the one after which a
/// poll is a stall.
const RELIEF_SHARE: u32 = 4;
pub(crate) const STALL_SHARE: u32 = 2;

/// But so much it may prove: `/proc` tells what a thread that nobody disturbs had run at the kernel's last clock tick, of which there
/// are 250 in a second or more. Where there are fewer, who computes is found later.
const CLOCK_TICK: Duration = Duration::from_millis(4);

impl Seen {
    /// Takes note of the thread's epoch; whether it has moved since the last look.
    pub fn note(&mut self, epoch: u64, round: &Round) -> bool {
        if epoch != self.epoch {
            *self = Self { epoch, ..Self::default() };
            return true;
        }
        self.credit += if round.gap { round.elapsed + round.waited } else { round.passed };
        if round.gap {
            // Whether it was asleep or stopped with the rest of the process, nobody knows.
            self.seen_age = Duration::ZERO;
            self.held = Duration::ZERO;
            self.since_look = Duration::ZERO;
            self.age = Duration::ZERO;
            self.slept = Duration::ZERO;
            self.asleep = None;
            self.is_asleep = false;
        } else {
            self.seen_age += round.elapsed;
            self.held += round.elapsed;
            self.since_look += round.elapsed;
            self.age += round.elapsed + round.waited;
        }
        false
    }

    /// Whatever it does, it does from now on: it is in no poll, or nothing is known of the time before.
    pub fn rests(&mut self) {
        *self = Self { epoch: self.epoch, ..Self::default() };
    }

    /// For how long the present poll has lasted, as far as the process was not stopped.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Whether its poll is old enough for a look, if one that is stuck for so long is to be judged in time. Most are over before.
    pub fn is_suspect(&self, after: Duration) -> bool {
        self.age >= after / 8
    }

    /// Judges by one more look at the thread, which is late after so long.
    pub fn judge(&mut self, sample: Sample, after: Duration) -> Verdict {
        self.look(sample, after / RELIEF_SHARE);
        // On a busy machine two looks may be enough.
        if self.is_asleep && (self.slept >= after || self.held >= after) {
            Verdict::Blocked
        } else if self.seen_age < after || self.is_asleep {
            Verdict::Unsure
        } else if self.is_unknown || self.ran >= after * 3 / 4 {
            Verdict::Computing
        } else {
            Verdict::Unsure
        }
    }

    /// Takes one more look at the thread into account. It proves no more than `most` as time on the processor, or a clock tick: a
    /// virtual machine that is not let run may charge that at once to whichever thread it was about to run. 34 ms between two readings
    /// of a thread's own clock were seen.
    pub fn look(&mut self, sample: Sample, most: Duration) {
        self.is_asleep = false;
        self.is_unknown = sample.state == State::Unknown;
        match sample.state {
            State::Asleep => {
                if let Some((before, at)) = self.asleep.replace((sample, self.age)) {
                    let (awake, passed) = (sample.ran.saturating_sub(before.ran), self.age - at);
                    self.is_asleep = awake * AWAKE_SHARE <= passed;
                    if self.is_asleep {
                        let ready = sample.waited.saturating_sub(before.waited);
                        let slept = passed.saturating_sub(awake + ready);
                        self.slept += slept;
                        self.credit = self.credit.saturating_sub(slept);
                    }
                }
            }
            State::Stopped => return self.rests(),
            State::Running | State::Unknown => self.asleep = None,
        }
        let since = std::mem::take(&mut self.since_look);
        let now = (!self.is_unknown).then_some(sample.ran);
        let before = std::mem::replace(&mut self.ran_before, now);
        self.credit = self.credit.min(most.max(CLOCK_TICK));
        if let Some(before) = before {
            let ran = sample.ran.saturating_sub(before);
            if sample.state == State::Running {
                let not_let_run = since.saturating_sub(ran);
                self.held = self.held.saturating_sub(not_let_run);
            }
            let proven = ran.min(self.credit);
            self.credit -= proven;
            self.ran += proven;
        }
    }

    /// How much of the present poll was time asleep or on the processor, for certain. Where the system does not tell, its
    /// age.
    pub fn proven(&self) -> Duration {
        if self.is_unknown { self.seen_age } else { self.slept + self.ran }
    }

    /// What most of the proven time was; `Unsure` where the system does not tell.
    pub fn mostly(&self) -> Verdict {
        if self.is_unknown {
            Verdict::Unsure
        } else if self.slept >= self.ran {
            Verdict::Blocked
        } else {
            Verdict::Computing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_millis(10);
    const TICK: Round = tick(Duration::from_micros(2_500));

    const fn tick(passed: Duration) -> Round {
        Round { passed, elapsed: passed, waited: Duration::ZERO, gap: false }
    }

    /// A look that may come after a stop of the whole process, or of the machine.
    fn gap_if(gap: bool) -> Round {
        if gap { Round { passed: Duration::from_millis(400), gap, ..TICK } } else { TICK }
    }

    /// One for which the monitor waited so long.
    fn late(milliseconds: u64) -> Round {
        let waited = Duration::from_millis(milliseconds);
        Round { passed: TICK.passed + waited, waited, ..TICK }
    }

    fn sample(state: State, ran: u64) -> Sample {
        Sample { state, ran: Duration::from_micros(ran), waited: Duration::ZERO }
    }

    /// The verdicts on a thread whose state and time on the processor, in µs, are these at the looks.
    fn verdicts(looks: &[(State, u64)]) -> Vec<Verdict> {
        let mut seen = Seen::default();
        assert!(seen.note(1, &TICK));
        let judge = |(state, ran): &(State, u64)| {
            assert!(!seen.note(1, &TICK));
            seen.judge(sample(*state, *ran), AFTER)
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
    fn a_thread_that_was_not_let_run_and_sleeps_then_is_blocked_once_it_has_slept() {
        let mut looks = vec![(Running, 40); 20];
        looks.extend([(Asleep, 50); 5]);
        let seen = verdicts(&looks);
        assert_eq!(
            seen[20..],
            [Unsure, Unsure, Blocked, Blocked, Blocked],
            "what came before the first look may count"
        );
        // What it has run counts, as before.
        let looks = [(Running, 0), (Running, 2_500), (Running, 5_000), (Asleep, 5_100), (Asleep, 5_100)];
        assert_eq!(verdicts(&looks).last(), Some(&Blocked));
    }

    #[test]
    fn a_thread_that_runs_computes_once_it_has_had_the_time() {
        let looks: Vec<_> = (0..6).map(|at| (Running, at * 2_500)).collect();
        assert_eq!(verdicts(&looks), [Unsure, Unsure, Unsure, Computing, Computing, Computing]);
    }

    /// Nobody was asleep, and the monitor waited for the same processor: there is nothing but the thread's own clock, which is wrong.
    #[test]
    fn a_machine_that_was_not_let_run_for_a_moment_is_no_computing() {
        let late = late(27);
        let mut seen = Seen::default();
        seen.note(1, &TICK);
        let mut look = |ran, round: &Round| {
            seen.note(1, round);
            (seen.judge(sample(Running, ran), AFTER), seen.proven())
        };
        let us = Duration::from_micros;
        for at in 0..5 {
            assert_eq!(look(at * 800, &TICK), (Unsure, us(at * 800)));
        }
        assert_eq!(
            look(30_200, &late),
            (Unsure, us(7_200)),
            "as much as one look proves, and not seven times that"
        );
        for _ in 0..9 {
            assert_eq!(look(30_200, &TICK), (Unsure, us(7_200)));
        }
        assert_eq!(look(30_600, &TICK).0, Computing, "that it has run 3.6 ms it has shown");
    }

    /// A thread that nobody disturbs: what it has run is brought up to date with each tick of the kernel's clock alone.
    #[test]
    fn whoever_computes_is_found_in_time_although_the_kernel_counts_in_steps() {
        let ms = Duration::from_millis;
        for after in [1_000, 2_000, 4_000, 5_000, 8_500, 10_000, 11_000, 20_000, 25_000, 100_000] {
            let after = Duration::from_micros(after);
            let round = tick((after / 4).min(ms(4)));
            for (step, phase) in
                [1, 4, 10].iter().flat_map(|step| (0..8).map(move |at| (ms(*step), ms(*step) * at / 8)))
            {
                let sample = |time: Duration| {
                    let steps = (time + phase).as_micros() / step.as_micros();
                    sample(Running, u64::try_from(steps * step.as_micros()).unwrap())
                };
                let (mut relief, mut stall) = (Seen::default(), Seen::default());
                let (mut relieved, mut named) = (None, None);
                // The first look comes up to a tick after the poll has begun.
                for at in 1..1_000 {
                    let time = round.passed * at;
                    relief.note(1, &round);
                    if stall.note(1, &round) {
                        continue;
                    }
                    if relief.is_suspect(after) && relief.judge(sample(time), after) == Computing {
                        relieved.get_or_insert(time);
                    }
                    stall.look(sample(time), after / STALL_SHARE);
                    if stall.proven() >= after {
                        named.get_or_insert(time);
                    }
                }
                let (relieved, named) = (relieved.unwrap(), named.unwrap());
                let case = format!("{after:?}, {step:?}, {phase:?}: relieved {relieved:?}, named {named:?}");
                let with_steps = after + step * 5 / 2;
                assert!((after..=with_steps.max(after * 3 / 2)).contains(&relieved), "{case}");
                assert!((after.saturating_sub(step)..=with_steps.max(after * 2)).contains(&named), "{case}");
            }
        }
    }

    #[test]
    fn what_it_ran_before_anybody_could_tell_is_not_held_against_it() {
        let looks = [
            (Unknown, 0),
            (Running, 70_000),
            (Running, 70_100),
            (Unknown, 0),
            (Running, 70_200),
            (Running, 70_300),
        ];
        assert_eq!(proven(&looks), Duration::from_micros(200));
        let late = [(Unknown, 0), (Unknown, 0), (Unknown, 0), (Running, 70_000), (Running, 70_100)];
        assert_eq!(verdicts(&late), [Unsure; 5]);
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
        let asleep = sample(Asleep, 0);
        seen.note(1, &TICK);
        for _ in 0..3 {
            seen.note(1, &TICK);
            assert_eq!(seen.judge(asleep, AFTER), Unsure);
        }
        seen.note(1, &Round { gap: true, ..TICK });
        assert_eq!(seen.age(), Duration::ZERO);
        assert_eq!(seen.judge(asleep, AFTER), Unsure);
    }

    #[test]
    fn on_a_busy_machine_two_looks_are_enough_for_one_that_slept_all_the_time() {
        let late = late(30);
        let ms = Duration::from_millis;
        let mut seen = Seen::default();
        seen.note(1, &TICK);
        seen.note(1, &late);
        assert_eq!(seen.judge(sample(Asleep, 40), AFTER), Unsure, "nobody saw what it did before");
        seen.note(1, &late);
        assert_eq!(seen.judge(sample(Asleep, 40), AFTER), Blocked);
        assert_eq!(seen.proven(), Duration::from_micros(32_500));
        // Another one was woken, and has waited for a processor most of the time.
        let mut seen = Seen::default();
        seen.note(1, &TICK);
        seen.note(1, &late);
        assert_eq!(seen.judge(sample(Asleep, 40), AFTER), Unsure);
        seen.note(1, &late);
        assert_eq!(seen.judge(Sample { waited: ms(25), ..sample(Asleep, 540) }, AFTER), Unsure);
        assert_eq!(seen.proven(), Duration::from_millis(7) + Duration::from_micros(500));
    }

    #[test]
    fn what_the_monitor_waited_says_nothing_of_one_that_computes() {
        let late = late(30);
        let mut seen = Seen::default();
        seen.note(1, &TICK);
        for ran in [0, 2_000, 4_400] {
            seen.note(1, &late);
            assert_eq!(seen.judge(sample(Running, ran), AFTER), Unsure);
        }
        assert_eq!(seen.proven(), Duration::from_micros(4_400));
    }

    #[test]
    fn time_asleep_is_none_in_which_it_may_have_run() {
        let mut seen = Seen::default();
        seen.note(1, &TICK);
        for (state, ran) in [(Asleep, 0), (Asleep, 0), (Asleep, 0), (Running, 27_000)] {
            seen.note(1, &TICK);
            seen.look(sample(state, ran), Duration::from_secs(60));
        }
        assert_eq!(seen.proven(), Duration::from_millis(10), "four ticks have passed");
    }

    /// What is proven after looks, one per tick, at such states and times on the processor, in µs.
    fn proven(looks: &[(State, u64)]) -> Duration {
        let mut seen = Seen::default();
        seen.note(1, &TICK);
        for (state, ran) in looks {
            seen.note(1, &TICK);
            seen.look(sample(*state, *ran), AFTER / RELIEF_SHARE);
        }
        seen.proven()
    }

    #[test]
    fn only_time_asleep_and_on_the_processor_is_proven() {
        let us = Duration::from_micros;
        assert_eq!(proven(&[(Running, 40); 20]), Duration::ZERO, "it was not let run");
        assert_eq!(proven(&[(Asleep, 40); 5]), us(10_000));
        assert_eq!(proven(&[(Running, 0), (Running, 2_000), (Running, 2_500)]), us(2_500));
        assert_eq!(proven(&[(Running, 0), (Running, 2_000), (Asleep, 2_100), (Asleep, 2_100)]), us(4_600));
        assert_eq!(proven(&[(Asleep, 0), (Stopped, 0), (Asleep, 0)]), Duration::ZERO);
        assert_eq!(proven(&[(Unknown, 0); 4]), us(10_000), "there is nothing but time to go by");
    }

    /// A virtual machine that was paused: the monitor comes late, and was not ready meanwhile; the thread that was on the processor
    /// seems to have run all the time.
    #[test]
    fn a_machine_that_stood_still_has_let_nobody_run() {
        let mut seen = Seen::default();
        let look = |seen: &mut Seen, ran, gap| {
            seen.note(1, &gap_if(gap));
            seen.judge(sample(Running, ran), AFTER)
        };
        seen.note(1, &TICK);
        assert_eq!(look(&mut seen, 100, false), Unsure);
        assert_eq!(look(&mut seen, 2_600, false), Unsure);
        assert_eq!(look(&mut seen, 402_600, true), Unsure);
        assert_eq!(
            seen.proven(),
            Duration::from_micros(6_500),
            "no more than a clock tick, on top of what it had run"
        );
        // What it runs afterwards counts as before.
        let verdicts: Vec<_> = (1..=4).map(|at| look(&mut seen, 402_600 + at * 2_500, false)).collect();
        assert_eq!(verdicts, [Unsure, Unsure, Unsure, Computing]);
        assert_eq!(seen.proven(), Duration::from_micros(16_500));
    }

    /// As with relief, which looks at the thread only once its poll is old.
    #[test]
    fn a_machine_that_stood_still_between_two_looks_far_apart_has_let_nobody_run() {
        let mut seen = Seen::default();
        seen.note(1, &TICK);
        seen.look(sample(Running, 0), Duration::from_secs(60));
        for gap in [false, true, false, false] {
            seen.note(1, &gap_if(gap));
        }
        seen.look(sample(Running, 300_000), Duration::from_secs(60));
        assert_eq!(seen.proven(), Duration::from_millis(10));
    }

    #[test]
    fn a_gap_takes_back_what_it_slept_and_not_what_it_ran() {
        let mut seen = Seen::default();
        let look = |seen: &mut Seen, state, ran, gap| {
            seen.note(1, &gap_if(gap));
            seen.look(sample(state, ran), AFTER / RELIEF_SHARE);
        };
        seen.note(1, &TICK);
        look(&mut seen, Running, 0, false);
        look(&mut seen, Asleep, 2_000, false);
        look(&mut seen, Asleep, 2_000, false);
        assert_eq!((seen.proven(), seen.mostly()), (Duration::from_micros(4_500), Blocked));
        look(&mut seen, Asleep, 2_000, true);
        assert_eq!((seen.proven(), seen.mostly()), (Duration::from_micros(2_000), Computing));
    }
}
