//! Relief: a fresh worker takes the place of one that is stuck in a poll (C6).
//!
//! Invariant: *nothing is taken from a thread that is inside a poll*. What it had queued can be stolen anyway; a seat's
//! duty is all that changes hands, so that it does not matter whether the poll ends in the same moment. Who has which
//! seat is in `roster.rs`, who deserves relief in `polyloop_blocking::judge`; why it is so, in `docs/design/0004-relief.md`.

#[cfg(all(test, polyloop_loom))]
mod loom_tests;
mod roster;

pub(crate) use roster::Mark;

use crate::config::Config;
use crate::policy::BlockPolicy;
use crate::shared::Shared;
use crate::worker;
use parking_lot::Mutex;
use polyloop_blocking::judge::{Seen, Verdict};
use polyloop_blocking::monitor::{Round, TICK, Watched};
use polyloop_blocking::stall::{self, Case};
use polyloop_core::{Scheduler, TaskSpace, Unpark};
use roster::{Hire, Refusal, Roster};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long a thread stays on standby while the pool is at work and has no use for it. In a pool at rest it ends at once
/// when the monitor goes to sleep.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Everybody who works for one pool, and what the monitor needs to know of them.
pub(crate) struct Crew<S: Scheduler> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) space: Arc<TaskSpace>,
    pub(crate) config: Config,
    pub(crate) roster: Roster,
    judgement: Mutex<Judgement>,
    refused: AtomicU64,
    /// Whether it was said that there are no more threads.
    complained: AtomicBool,
    me: Weak<Self>,
}

/// What relief has done and is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relief {
    /// How often a thread took the place of a stuck one, `block_in_place` included.
    pub hand_offs: u64,
    /// How often one was wanted and could not be had: as many as are allowed were there, or the kernel refused.
    pub refused: u64,
    /// Threads that are still in the poll from which they were relieved.
    pub relieved: usize,
    /// Threads that wait to take somebody's place.
    pub standby: usize,
}

/// Why no thread takes this one's place.
#[derive(Debug)]
pub(crate) enum NoRelief {
    /// As many threads as are allowed are there.
    Cap(usize),
    /// The kernel's word.
    Thread(io::Error),
}

/// What the monitor has seen so far.
#[derive(Debug, Default)]
struct Judgement {
    seats: Vec<Seen>,
    /// The same seats, for naming what they are stuck in.
    cases: Vec<Case>,
    /// The seat that was relieved although it computes: there is one at a time.
    computing: Option<usize>,
    /// How much time has passed for those on standby.
    aged: Duration,
}

impl<S: Scheduler> Crew<S> {
    pub(crate) fn new(shared: Arc<Shared<S>>, space: Arc<TaskSpace>, config: Config) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            roster: Roster::new(shared.workers(), shared.seats().len()),
            judgement: Mutex::new(Judgement {
                seats: shared.seats().iter().map(|_| Seen::default()).collect(),
                cases: shared.seats().iter().map(|_| Case::default()).collect(),
                ..Judgement::default()
            }),
            shared,
            space,
            config,
            refused: AtomicU64::new(0),
            complained: AtomicBool::new(false),
            me: Weak::clone(me),
        })
    }

    pub(crate) fn counts(&self) -> Relief {
        // Read first: whoever sees a refusal sees the hand-offs before it.
        let refused = self.refused.load(Relaxed);
        Relief { refused, ..self.roster.relief() }
    }

    /// Puts another thread on duty for seat `index`, unless that has happened or the pool ends.
    pub(crate) fn relieve(&self, index: usize) -> Result<(), NoRelief> {
        let Some(me) = self.me.upgrade().filter(|me| !me.shared.is_closed()) else { return Ok(()) };
        let mut refused = None;
        let mark = &self.shared.seat(index).mark;
        let relieved = self.roster.relieve(index, mark, |hire| match hire {
            Hire::Recall(seat) => {
                self.shared.seat(seat).parking.unpark();
                true
            }
            Hire::Start(seat) => {
                // The program may have a word in how threads are started, and this may be the monitor's.
                let started = catch_unwind(AssertUnwindSafe(|| worker::start(&me, seat)));
                let started = started.unwrap_or_else(|_| Err(io::Error::other("starting a thread panicked")));
                refused = started.err();
                refused.is_none()
            }
        });
        let no_relief = match relieved {
            Ok(()) => {
                // Looks at its mark after its poll.
                self.shared.seat(index).desk.hail();
                // Its poll may have ended in the meantime, and it sleeps: it would be one too many.
                if self.shared.idle.call(index) {
                    self.shared.seat(index).parking.unpark();
                }
                return Ok(());
            }
            Err(Refusal::NotOnDuty) => return Ok(()),
            Err(Refusal::Cap) => NoRelief::Cap(self.config.spare),
            Err(Refusal::NoThread) => {
                NoRelief::Thread(refused.unwrap_or_else(|| io::ErrorKind::Other.into()))
            }
        };
        self.refused.fetch_add(1, Relaxed);
        Err(no_relief)
    }

    /// The worker of seat `index` leaves its place within a poll: whatever it has is for the others to take.
    pub(crate) fn give_away(&self, index: usize) {
        self.shared.scheduler.observe_stuck(index, true);
    }

    /// Relieves the one who needs it most, if anybody does.
    fn relieve_one(&self, judgement: &mut Judgement, after: Duration) {
        let shared = &self.shared;
        // A sleeper will be called for whatever comes, and if it blocks, too, that will be seen.
        if shared.idle.anybody_sleeps() {
            return;
        }
        let on_duty = self.roster.on_duty();
        let suspects = on_duty.iter().copied().filter(|index| judgement.seats[*index].is_suspect(after));
        let (mut candidate, mut proven) = (None, 0);
        for index in suspects.collect::<Vec<_>>() {
            let verdict = judgement.seats[index].judge(shared.seat(index).sample(), after);
            match verdict {
                Verdict::Blocked => candidate = Some((index, verdict)),
                Verdict::Computing => candidate = candidate.or(Some((index, verdict))),
                Verdict::Unsure => continue,
            }
            proven += 1;
        }
        let all_stuck = || on_duty.iter().all(|index| judgement.seats[*index].age() >= after / 2);
        let Some((index, verdict)) = candidate.filter(|_| all_stuck() || shared.scheduler.has_work()) else {
            return;
        };
        if verdict == Verdict::Computing && judgement.computing.is_some() {
            return;
        }
        match self.relieve(index) {
            Ok(()) if verdict == Verdict::Computing => judgement.computing = Some(index),
            Ok(()) => {}
            Err(why) if proven == on_duty.len() => self.complain(&why),
            // Those that are left run the tasks.
            Err(_) => {}
        }
    }

    fn complain(&self, why: &NoRelief) {
        if !self.complained.swap(true, Relaxed) {
            // By somebody else: a blocked poll may have stderr's lock, and a stderr that is closed must not end the pool.
            stall::tell(format!(
                "every worker is stuck in a poll, and none can be replaced: {why}; tasks wait"
            ));
        }
    }

    fn dismiss(&self, age: u32) {
        for index in self.roster.age(age) {
            self.shared.seat(index).parking.unpark();
        }
    }
}

impl<S: Scheduler> Watched for Crew<S> {
    fn tick(&self) -> Duration {
        tick(&self.config)
    }

    /// The scheduler has panicked: as when it does so on a worker, the pool ends, and every joiner hears of it (C10).
    fn give_up(&self) {
        self.shared.close(&self.space);
    }

    fn inspect(&self, round: &Round) -> bool {
        let shared = &self.shared;
        // Tasks are stamped by the coarse clock, which somebody must keep moving while polls are long.
        shared.driver().tell_time();
        let judgement = &mut *self.judgement.lock();
        let mut at_work = false;
        let mut stuck = false;
        for (index, seat) in shared.seats().iter().enumerate() {
            judgement.cases[index]
                .look(&seat.desk, round, &self.config.stalls, || seat.witness(Arc::clone(&self.space)));
            let epoch = seat.desk.epoch();
            let moved = judgement.seats[index].note(epoch, round);
            let is_away = !epoch.is_multiple_of(2);
            let is_stuck = is_away && !moved;
            if !is_away {
                // Between two polls it may rest for as long as it likes.
                judgement.seats[index].rests();
            }
            at_work |= moved || is_away;
            stuck |= is_stuck;
            shared.scheduler.observe_stuck(index, is_stuck);
        }
        // A worker that does not move on may hide work, or have left the driver to nobody.
        if stuck && (shared.scheduler.has_work() || !shared.driver().is_leased()) && shared.call_any() {
            shared.wary.rescues.add(1);
        }
        if shared.wary.note(stuck, round.elapsed) {
            shared.scheduler.observe_blocking(shared.wary.is_on());
        }
        if shared.is_closed() {
            return at_work;
        }
        if let Some(index) = judgement.computing
            && !self.roster.relieved().contains(&index)
        {
            judgement.computing = None;
        }
        if stuck && let BlockPolicy::HandOff { after, .. } = self.config.block {
            self.relieve_one(judgement, after);
        }
        judgement.aged += round.elapsed;
        if judgement.aged >= KEEP_ALIVE / 2 {
            judgement.aged = Duration::ZERO;
            self.dismiss(2);
        }
        at_work
    }

    fn rest(&self) {
        self.dismiss(0);
    }
}

/// How often the monitor must look: so often that who is blocked is relieved within a quarter more than its time.
fn tick(config: &Config) -> Duration {
    let tick = match config.block {
        BlockPolicy::HandOff { after, .. } => TICK.min(after / 4),
        BlockPolicy::None | BlockPolicy::Detect => TICK,
    };
    tick.min(config.stalls.tick())
}

impl fmt::Display for NoRelief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cap(0) => f.write_str("no thread beyond the workers is allowed"),
            Self::Cap(most) => {
                write!(f, "all of the {most} threads beyond the workers are there (max_threads)")
            }
            Self::Thread(error) => write!(f, "a thread could not be started: {error}"),
        }
    }
}

impl<S: Scheduler> fmt::Debug for Crew<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("shared", &self.shared).field("relief", &self.counts()).finish()
    }
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn who_may_be_stuck_for_so_long_is_looked_at_four_times_meanwhile() {
        let config = |block| Config::new(NonZeroUsize::MIN).block(block);
        let after = |after| {
            tick(&config(BlockPolicy::HandOff { after: Duration::from_micros(after), max_threads: 1 }))
        };
        assert_eq!(tick(&config(BlockPolicy::HAND_OFF)), Duration::from_micros(2_500));
        assert_eq!(after(1_000), Duration::from_micros(250));
        assert_eq!(after(1_000_000), TICK, "never less often than any pool");
        assert_eq!(tick(&config(BlockPolicy::None)), TICK);
    }

    #[test]
    fn whoever_wants_to_know_sooner_decides() {
        let mut config = Config::new(NonZeroUsize::MIN).block(BlockPolicy::HAND_OFF);
        config.stalls.threshold = Some(Duration::from_millis(4));
        assert_eq!(tick(&config), Duration::from_millis(1));
        config.stalls.threshold = Some(Duration::from_millis(25));
        assert_eq!(tick(&config), Duration::from_micros(2_500));
    }
}
