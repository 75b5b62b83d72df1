//! The monitor: one thread of the process that looks at every pool while work is going on.
//!
//! Invariant: *while a watched pool is at work, somebody looks at it once per [tick](Watched::tick)*. The monitor goes on for
//! [`LINGER`] after the last work, so that a busy program does not wake it again and again; then it sleeps until
//! [`kick`]ed, and an idle process has no timer wake-ups (C11). Only where reports of stalls have found no thread, it tries them again
//! in its sleep, for a minute.
//!
//! It is a thread like any other, so that it may come late. A pool is told how much of the time to count: a tick, and what the
//! monitor itself is known to have waited for a processor, because then the process did not stand still; of the rest nothing, and
//! if that is long, the process was stopped or traced, and nothing at all counts.
//!
//! Who goes to work is seen by the monitor's last look before it sleeps, or wakes it: see `bell.rs`.

mod bell;

use crate::probe::Probe;
use crate::remains::{self, Remains};
use crate::stall::look_after_reports;
use bell::Bell;
use parking_lot::Mutex;
use polyloop_core::deadlock::AtRest;
use polyloop_core::task::contain;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

/// How often a pool at work is looked at, unless it wants to be looked at more often.
pub const TICK: Duration = Duration::from_millis(4);

/// How long the monitor goes on when nothing is at work any more.
pub const LINGER: Duration = Duration::from_secs(1);

/// How often, and how many times, reports for which no thread was to be had are tried again when the monitor sleeps.
const RETRY: Duration = LINGER;
const RETRIES: u32 = 60;

/// A look that comes so late, and not because the monitor waited for a processor, says that the process was stopped or traced.
/// Not a number of ticks: where these are short and nobody tells what a thread has waited, a busy machine would make a gap of
/// every look, and nobody would ever be found to be stuck.
const GAP: Duration = Duration::from_millis(16);

/// A look that comes so late is one on a busy machine, and for a second of ticks the monitor watches what it waits itself.
const LATE: Duration = Duration::from_millis(1);
const BUSY_LOOKS: u32 = 256;

/// What the monitor looks at. It is kept during a look, and not in between; the last one of it is never dropped on the monitor's
/// thread.
pub trait Watched: Send + Sync + 'static {
    /// How long there may be between two looks. [`TICK`] at most.
    fn tick(&self) -> Duration {
        TICK
    }

    /// Looks, and does what is to be done. Whether work is going on. Runs on the monitor's thread and must not block.
    fn inspect(&self, round: &Round) -> bool;

    /// The monitor goes to sleep: nothing has been at work for [`LINGER`]. A panic is counted, as one of a look, and contained.
    fn rest(&self) {}

    /// A look has panicked. The panic is counted ([`contained_panics`](polyloop_core::contained_panics)), and there will be
    /// no more looks.
    fn give_up(&self) {}
}

/// One look at everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// How much time has passed since the last look.
    pub passed: Duration,
    /// How much time to count since the last look: what the monitor was late by is not in it.
    pub elapsed: Duration,
    /// So much of what it was late by, it was ready and waited for a processor: in that time nobody was stopped. Others may
    /// have waited as well, so that it tells of those alone who were asleep.
    pub waited: Duration,
    /// The monitor itself stood still for a long time. Whatever seems to have lasted since before tells nothing.
    pub gap: bool,
}

impl Round {
    /// The first one after a rest.
    const FIRST: Self =
        Self { passed: Duration::ZERO, elapsed: Duration::ZERO, waited: Duration::ZERO, gap: false };

    /// The look that comes `passed` after the last one, between which `tick` was to pass and the monitor has waited for a
    /// processor as long as `waited`.
    fn after(passed: Duration, tick: Duration, waited: Duration) -> Self {
        let elapsed = passed.min(tick);
        let waited = waited.min(passed - elapsed);
        Self { passed, elapsed, waited, gap: passed - elapsed - waited > GAP }
    }
}

/// Something watched, which the monitor does not keep.
trait Entry: Send + Sync {
    fn is_there(&self) -> bool;

    /// Calls `f` with it, if it is there. What is left of it, if all others have let it go meanwhile.
    fn visit(&self, f: &mut dyn FnMut(&dyn Watched)) -> Option<Remains>;
}

impl<T: Watched> Entry for Weak<T> {
    fn is_there(&self) -> bool {
        self.strong_count() > 0
    }

    fn visit(&self, f: &mut dyn FnMut(&dyn Watched)) -> Option<Remains> {
        let watched = self.upgrade()?;
        f(&*watched);
        // Not a look at the count before a drop: two who let go at once would each take the other one for the last.
        Arc::into_inner(watched).map(|last| Box::new(last) as Remains)
    }
}

/// Everything watched, for the length of a look.
type Pools = Vec<Arc<dyn Entry>>;

struct Monitor {
    bell: Bell,
    watched: Mutex<Pools>,
    /// Odd while the monitor runs code of a pool.
    looks: AtomicU64,
}

static MONITOR: OnceLock<Arc<Monitor>> = OnceLock::new();

/// Has the monitor look at `watched` from now on, for as long as it lives. Starts the monitor if need be.
///
/// # Errors
///
/// The kernel's word, if the monitor's thread cannot be started. Nothing is watched then.
pub fn watch<T: Watched>(watched: Weak<T>) -> std::io::Result<()> {
    let monitor = match MONITOR.get() {
        Some(monitor) => monitor,
        None => start()?,
    };
    monitor.watched.lock().push(Arc::new(watched));
    kick();
    Ok(())
}

/// Wakes the monitor if it sleeps. Called by a pool when it goes from rest to work, after that can be seen.
pub fn kick() {
    if let Some(monitor) = MONITOR.get() {
        monitor.bell.kick();
    }
}

/// Whether the monitor, if there is one, is between two looks; `None` if it does not come to an end with one.
pub fn at_rest() -> Option<AtRest> {
    let Some(monitor) = MONITOR.get() else { return Some(AtRest::default()) };
    // A look takes microseconds.
    for _ in 0..1000 {
        let moves = monitor.looks.load(Acquire);
        if moves.is_multiple_of(2) {
            return Some(AtRest { threads: 1, moves });
        }
        std::thread::yield_now();
    }
    None
}

fn start() -> std::io::Result<&'static Arc<Monitor>> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock();
    if let Some(monitor) = MONITOR.get() {
        return Ok(monitor);
    }
    let monitor = Arc::new(Monitor::new());
    let running = Arc::clone(&monitor);
    std::thread::Builder::new().name("polyloop-monitor".to_owned()).spawn(move || running.run())?;
    Ok(MONITOR.get_or_init(|| monitor))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a blocked thread blocks in real time, whatever a runtime's clock says"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl Monitor {
    fn new() -> Self {
        Self { bell: Bell::new(), watched: Mutex::default(), looks: AtomicU64::new(0) }
    }

    fn run(&self) {
        let probe = Probe::here();
        let (mut quiet, mut passed) = (Duration::ZERO, Duration::ZERO);
        let mut round = Round::FIRST;
        let mut busy_looks = 0_u32;
        // Empty between two looks, which allocate nothing.
        let mut pools = Vec::new();
        loop {
            let looked = now();
            let (busy, tick) = self.look(&round, &mut pools);
            // By the clock: whoever goes to work kicks.
            quiet = if busy { Duration::ZERO } else { quiet + passed };
            if quiet <= LINGER {
                let before = (busy_looks > 0).then(|| probe.waited()).flatten();
                self.bell.pause(tick);
                passed = looked.elapsed();
                let waited = before.and_then(|before| probe.waited()?.checked_sub(before));
                round = Round::after(passed, tick, waited.unwrap_or_default());
                busy_looks = if passed > tick + LATE { BUSY_LOOKS } else { busy_looks.saturating_sub(1) };
                continue;
            }
            self.at_work(|| self.each(&mut pools, |_, pool| contain(|| pool.rest())));
            round = Round::FIRST;
            self.bell
                .sleep_unless(|| self.look(&round, &mut pools).0, || self.sleep(RETRY, look_after_reports));
            (quiet, passed) = (Duration::ZERO, Duration::ZERO);
        }
    }

    /// Until somebody kicks. What `try_again` does is done at once, and while it says that something is left again after each
    /// `pause`, but not for ever.
    fn sleep(&self, pause: Duration, mut try_again: impl FnMut() -> bool) {
        for _ in 0..=RETRIES {
            if !self.at_work(&mut try_again) {
                break;
            }
            if self.bell.is_rung_within(pause) {
                break;
            }
        }
        self.bell.wait();
    }

    /// Looks at everything; whether any of it is at work, and how soon to look again.
    fn look(&self, round: &Round, pools: &mut Pools) -> (bool, Duration) {
        self.at_work(|| self.look_at_all(round, pools))
    }

    /// Runs `f`, in which the monitor does something to others, where that can be seen.
    fn at_work<R>(&self, f: impl FnOnce() -> R) -> R {
        self.looks.fetch_add(1, AcqRel);
        let result = f();
        self.looks.fetch_add(1, AcqRel);
        result
    }

    fn look_at_all(&self, round: &Round, pools: &mut Pools) -> (bool, Duration) {
        let mut busy = false;
        let mut tick = TICK;
        look_after_reports();
        remains::bury();
        self.each(pools, |entry, pool| {
            let mut at_work = None;
            // The monitor is everybody's: it outlives a scheduler that breaks its promise.
            contain(|| at_work = Some((pool.inspect(round), pool.tick())));
            match at_work {
                Some((true, wanted)) => {
                    busy = true;
                    tick = tick.min(wanted);
                }
                Some((false, _)) => {}
                None => {
                    self.watched.lock().retain(|other| !Arc::ptr_eq(other, entry));
                    contain(|| pool.give_up());
                }
            }
        });
        (busy, tick)
    }

    /// Calls `f` with all that are there, with no lock held.
    fn each(&self, pools: &mut Pools, mut f: impl FnMut(&Arc<dyn Entry>, &dyn Watched)) {
        {
            let mut watched = self.watched.lock();
            watched.retain(|entry| entry.is_there());
            pools.extend(watched.iter().cloned());
        }
        for entry in pools.drain(..) {
            let left = entry.visit(&mut |pool| f(&entry, pool));
            left.into_iter().for_each(remains::leave);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_monitor_is_late_by_is_not_counted_and_a_long_stop_is_a_gap() {
        let ms = Duration::from_millis;
        let round = |passed, elapsed, waited, gap| {
            let (passed, elapsed, waited) = (ms(passed), ms(elapsed), ms(waited));
            Round { passed, elapsed, waited, gap }
        };
        let after = |passed, waited| Round::after(ms(passed), ms(4), ms(waited));
        assert_eq!(after(2, 0), round(2, 2, 0, false));
        assert_eq!(after(9, 0), round(9, 4, 0, false));
        assert_eq!(after(20, 0), round(20, 4, 0, false));
        assert_eq!(after(21, 0), round(21, 4, 0, true));
        assert!(after(60_000, 0).gap);
        assert!(
            !Round::after(ms(10), Duration::from_micros(250), ms(0)).gap,
            "a slow machine is no stopped one"
        );
    }

    #[test]
    fn reports_that_find_no_thread_are_tried_again_while_nothing_is_at_work_but_not_for_ever() {
        for (left, tries) in [(0, 1), (3, 4), (u32::MAX, RETRIES + 1)] {
            let monitor = Arc::new(Monitor::new());
            let sleeping = Arc::clone(&monitor);
            let sleeper = std::thread::spawn(move || {
                let mut count = 0;
                sleeping.sleep(Duration::ZERO, || {
                    count += 1;
                    count <= left
                });
                count
            });
            // Each try is one look, which begins and ends.
            while monitor.looks.load(Acquire) < 2 * u64::from(tries) {
                std::thread::yield_now();
            }
            monitor.bell.ring();
            assert_eq!(sleeper.join().unwrap(), tries);
        }
    }

    #[test]
    fn who_is_kicked_between_two_tries_sleeps_no_longer() {
        let monitor = Monitor::new();
        monitor.bell.ring();
        let mut tries = 0;
        monitor.sleep(RETRY, || {
            tries += 1;
            true
        });
        assert_eq!(tries, 1);
    }

    #[test]
    fn what_it_waited_for_a_processor_is_no_gap() {
        let ms = Duration::from_millis;
        let round = |passed, elapsed, waited, gap| {
            let (passed, elapsed, waited) = (ms(passed), ms(elapsed), ms(waited));
            Round { passed, elapsed, waited, gap }
        };
        let after = |passed, waited| Round::after(ms(passed), ms(4), ms(waited));
        assert_eq!(after(60, 50), round(60, 4, 50, false));
        assert_eq!(after(60, 100), round(60, 4, 56, false), "no more than there was");
        assert_eq!(after(100, 50), round(100, 4, 50, true), "it was ready for a part of it only");
        assert_eq!(after(3, 2), round(3, 3, 0, false));
    }
}
