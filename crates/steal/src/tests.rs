//! Which runnable is next, without threads: every worker's local part is driven by hand.

use super::*;
use parking_lot::Mutex;
use polyloop_core::{Meta, Ran, Schedule, TaskSpace};
use std::panic::Location;
use std::sync::Arc;

/// Catches what is spawned.
#[derive(Debug, Default)]
struct Caught(Mutex<Vec<Runnable>>);

impl Schedule for Caught {
    fn schedule(&self, runnable: Runnable, _: Why) {
        self.0.lock().push(runnable);
    }
}

/// A scheduler and the local parts of its workers; its runnables write their number down when they are run.
struct World {
    steal: Steal,
    locals: Vec<Local>,
    caught: Arc<Caught>,
    space: Arc<TaskSpace>,
    log: Arc<Mutex<Vec<u32>>>,
}

impl World {
    fn new(workers: usize) -> Self {
        Self::with_lifo(workers, Lifo::default())
    }

    fn with_lifo(workers: usize, lifo: Lifo) -> Self {
        let steal = Steal::with_lifo(NonZeroUsize::new(workers).unwrap(), lifo);
        let locals = (0..workers).map(|index| steal.local(index)).collect();
        let caught = Arc::new(Caught::default());
        let space = TaskSpace::new(caught.clone());
        Self { steal, locals, caught, space, log: Arc::default() }
    }

    fn runnable(&self, number: u32) -> Runnable {
        let log = self.log.clone();
        self.space.spawn_detached(async move { log.lock().push(number) }, Meta::new(Location::caller()));
        self.caught.0.lock().pop().expect("a spawn schedules at once")
    }

    /// Pushes from worker `at`.
    fn push(&mut self, at: usize, number: u32, why: Why) -> Notify {
        let runnable = self.runnable(number);
        self.steal.push(Some(&mut self.locals[at]), runnable, why)
    }

    /// Pushes from outside.
    fn inject(&mut self, number: u32) {
        let runnable = self.runnable(number);
        assert_eq!(self.steal.push(None, runnable, Why::Wake), Notify::One);
    }

    /// The number of the next runnable of worker `at`, which is run.
    fn next(&mut self, at: usize) -> Option<u32> {
        let runnable = self.steal.next(&mut self.locals[at])?;
        assert!(matches!(runnable.run(), Ran::Done));
        self.log.lock().pop()
    }

    fn all(&mut self, at: usize) -> Vec<u32> {
        std::iter::from_fn(|| self.next(at)).collect()
    }
}

#[test]
fn a_deque_is_first_in_first_out() {
    let mut world = World::new(1);
    for number in 0..5 {
        let _ = world.push(0, number, Why::Yield);
    }
    assert_eq!(world.all(0), [0, 1, 2, 3, 4]);
}

#[test]
fn what_was_woken_last_comes_first_and_pushes_the_one_before_it_into_the_deque() {
    let mut world = World::new(1);
    for number in 0..3 {
        let _ = world.push(0, number, Why::Wake);
    }
    assert_eq!(world.all(0), [2, 0, 1]);
}

#[test]
fn what_an_event_or_a_deadline_woke_goes_behind_the_rest() {
    let mut world = World::new(1);
    let _ = world.push(0, 0, Why::Io);
    let _ = world.push(0, 1, Why::Timer);
    let _ = world.push(0, 2, Why::Wake);
    assert_eq!(world.all(0), [2, 0, 1]);
}

#[test]
fn two_tasks_that_wake_each_other_let_the_deque_in_after_three_polls() {
    let mut world = World::new(1);
    for number in 100..103 {
        let _ = world.push(0, number, Why::Yield);
    }
    let mut order = Vec::new();
    for number in 0..9 {
        // Each poll wakes the next one.
        let _ = world.push(0, number, Why::Wake);
        order.push(world.next(0).unwrap());
    }
    let from_deque: Vec<usize> = (0..9).filter(|at| order[*at] >= 100).collect();
    assert_eq!(from_deque, [usize::from(LIFO_POLLS), 2 * usize::from(LIFO_POLLS) + 1], "{order:?}");
}

#[test]
fn the_injector_is_looked_at_every_61_polls_also_by_one_that_never_runs_dry() {
    let mut world = World::new(1);
    world.inject(1000);
    let mut polls = 0;
    loop {
        let _ = world.push(0, 0, Why::Yield);
        polls += 1;
        if world.next(0) == Some(1000) {
            break;
        }
        assert!(polls < INJECTOR_INTERVAL);
    }
    assert_eq!(polls, INJECTOR_INTERVAL);
}

#[test]
fn the_first_poll_after_a_turn_looks_at_the_injector() {
    let mut world = World::new(1);
    world.inject(1000);
    let _ = world.push(0, 0, Why::Yield);
    world.steal.observe_poll(&mut world.locals[0], 1_000);
    assert_eq!(world.next(0), Some(1000));
}

#[test]
fn a_batch_from_the_injector_leaves_the_others_their_share() {
    let mut world = World::new(4);
    for number in 0..16 {
        world.inject(number);
    }
    assert_eq!(world.next(0), Some(0), "the oldest first");
    assert!(world.locals[0].deque.len() < 8, "a quarter, rounded up");
    assert!(world.steal.injector.len() > 8);
}

#[test]
fn a_thief_takes_half_of_a_deque_the_oldest_first() {
    let mut world = World::new(2);
    for number in 0..10 {
        let _ = world.push(0, number, Why::Yield);
    }
    assert_eq!(world.next(1), Some(0));
    assert_eq!(world.locals[0].deque.len() + world.locals[1].deque.len(), 9);
    assert!((4..=6).contains(&world.locals[0].deque.len()));
    let mut rest = world.all(1);
    rest.sort_unstable();
    assert_eq!(rest, (1..10).collect::<Vec<_>>(), "nothing lost, nothing twice");
}

#[test]
fn a_slot_is_spared_until_its_owner_is_stuck() {
    let mut world = World::new(2);
    let _ = world.push(0, 7, Why::Wake);
    assert!(!world.steal.has_work(), "nobody needs to be called for it");
    assert_eq!(world.next(1), None);
    world.steal.observe_stuck(0, false);
    assert_eq!(world.next(1), None);
    world.steal.observe_stuck(0, true);
    assert!(world.steal.has_work());
    assert_eq!(world.next(1), Some(7));
    assert_eq!(world.next(0), None);
}

#[test]
fn what_a_stuck_worker_queued_reaches_a_sibling_that_never_runs_dry() {
    let mut world = World::new(2);
    for number in 1000..1003 {
        let _ = world.push(0, number, Why::Wake);
    }
    world.steal.observe_stuck(0, true);
    let mut seen = Vec::new();
    for _ in 0..10 * INJECTOR_INTERVAL {
        let _ = world.push(1, 0, Why::Yield);
        seen.extend(world.next(1).filter(|number| *number >= 1000));
    }
    assert_eq!(seen, [1000, 1001, 1002]);
}

#[test]
fn has_work_means_that_any_worker_finds_something() {
    let mut world = World::new(3);
    assert!(!world.steal.has_work());
    for at in 0..3 {
        let _ = world.push(0, 1, Why::Yield);
        assert!(world.steal.has_work());
        assert_eq!(world.next(at), Some(1));
        world.inject(2);
        assert!(world.steal.has_work());
        assert_eq!(world.next(at), Some(2));
        assert!(!world.steal.has_work());
    }
}

#[test]
fn a_sibling_is_invited_when_the_backlog_costs_more_than_its_wake_up() {
    let mut world = World::new(2);
    // Until polls were measured, the first backlog is worth it.
    assert_eq!(world.push(0, 0, Why::Io), Notify::One);
    for _ in 0..64 {
        world.steal.observe_poll(&mut world.locals[0], 1_000);
    }
    let invited_at = (1..40).find(|number| world.push(0, *number, Why::Io) == Notify::One).unwrap();
    // A poll of a microsecond less rounding, and one runnable lies there already.
    assert!((9..=13).contains(&invited_at), "{invited_at}");
}

#[test]
fn one_that_yields_alone_invites_nobody() {
    let mut world = World::new(2);
    assert_eq!(world.push(0, 0, Why::Yield), Notify::None);
    assert_eq!(world.push(0, 1, Why::Yield), Notify::One);
}

#[test]
fn a_drain_takes_everything_from_everywhere() {
    let mut world = World::new(3);
    for number in 0..30 {
        match number % 3 {
            0 => world.inject(number),
            1 => {
                let _ = world.push(1, number, Why::Wake);
            }
            _ => {
                let _ = world.push(2, number, Why::Yield);
            }
        }
    }
    let drained = world.steal.drain();
    assert_eq!(drained.len(), 30);
    for runnable in drained {
        assert!(matches!(runnable.run(), Ran::Done));
    }
    let mut log = std::mem::take(&mut *world.log.lock());
    log.sort_unstable();
    assert_eq!(log, (0..30).collect::<Vec<_>>());
    assert!(world.steal.drain().is_empty() && !world.steal.has_work());
}

/// How many polls the first in the deque waits for while the injector is never empty, if each poll is followed by a
/// driver turn, and if the slot is filled again and again by `wakes`.
fn polls_until_the_deque_comes(wakes: bool) -> u32 {
    let mut world = World::new(1);
    let _ = world.push(0, 7, Why::Yield);
    for poll in 1..1_000 {
        world.inject(1);
        world.inject(1);
        if wakes {
            let _ = world.push(0, 2, Why::Wake);
        }
        world.steal.observe_poll(&mut world.locals[0], 150_000);
        if world.next(0) == Some(7) {
            return poll;
        }
    }
    panic!("it starves");
}

#[test]
fn long_polls_of_a_stream_from_outside_let_the_deque_in() {
    assert_eq!(polls_until_the_deque_comes(false), 2);
    let bound = 2 * (u32::from(LIFO_POLLS) + 1);
    assert!((3..=bound).contains(&polls_until_the_deque_comes(true)));
}

#[test]
fn a_backlog_is_shared_also_under_a_clock_that_stands_still() {
    let mut world = World::new(2);
    for _ in 0..100 {
        world.steal.observe_poll(&mut world.locals[0], 0);
    }
    assert_eq!(world.push(0, 0, Why::Io), Notify::One);
}

#[test]
fn drains_that_race_with_pushes_and_polls_give_each_runnable_to_one() {
    for _ in 0..50 {
        const EACH: u32 = 100;
        let mut world = World::new(2);
        let outside: Vec<_> = (0..EACH).map(|number| world.runnable(number)).collect();
        let inside: Vec<_> = (EACH..2 * EACH).map(|number| world.runnable(number)).collect();
        let (steal, locals) = (&world.steal, std::mem::take(&mut world.locals));
        let start = &std::sync::Barrier::new(4);
        let mut taken: Vec<Runnable> = std::thread::scope(|scope| {
            let [mut first, mut second]: [Local; 2] = locals.try_into().unwrap();
            let injects = scope.spawn(move || {
                start.wait();
                outside.into_iter().for_each(|runnable| _ = steal.push(None, runnable, Why::Wake));
                Vec::new()
            });
            let works = scope.spawn(move || {
                start.wait();
                let mut taken = Vec::new();
                for runnable in inside {
                    let _ = steal.push(Some(&mut first), runnable, Why::Wake);
                    if taken.len() % 3 == 0 {
                        taken.extend(steal.next(&mut first));
                    }
                }
                taken
            });
            let steals = scope.spawn(move || {
                start.wait();
                (0..EACH).filter_map(|_| steal.next(&mut second)).collect()
            });
            start.wait();
            let drained = (0..10).flat_map(|_| steal.drain()).collect::<Vec<_>>();
            let others = [injects, works, steals].into_iter().flat_map(|thread| thread.join().unwrap());
            others.chain(drained).collect()
        });
        taken.extend(world.steal.drain());
        assert!(!world.steal.has_work() && world.steal.drain().is_empty());
        taken.into_iter().for_each(|runnable| assert!(matches!(runnable.run(), Ran::Done)));
        let mut log = std::mem::take(&mut *world.log.lock());
        log.sort_unstable();
        assert_eq!(log, (0..2 * EACH).collect::<Vec<_>>());
    }
}

#[test]
fn without_a_slot_what_was_woken_waits_its_turn() {
    let mut world = World::with_lifo(2, Lifo::Off);
    for number in 0..3 {
        let _ = world.push(0, number, Why::Wake);
    }
    assert!(world.steal.has_work(), "a sibling sees it from the push on");
    assert_eq!(world.all(1), [0, 1, 2]);
}

#[test]
fn only_a_private_slot_is_kept_from_others_when_its_owner_is_stuck() {
    for (lifo, taken) in [(Lifo::Off, Some(7)), (Lifo::Stealable, Some(7)), (Lifo::Private, None)] {
        let mut world = World::with_lifo(2, lifo);
        let _ = world.push(0, 7, Why::Wake);
        world.steal.observe_stuck(0, true);
        assert_eq!(world.steal.has_work(), taken.is_some(), "{lifo:?}");
        assert_eq!(world.next(1), taken, "{lifo:?}");
        assert_eq!(world.next(0), if taken.is_some() { None } else { Some(7) }, "{lifo:?}");
    }
}

#[test]
fn a_private_slot_is_emptied_at_the_end() {
    let mut world = World::with_lifo(1, Lifo::Private);
    let _ = world.push(0, 7, Why::Wake);
    assert_eq!(world.steal.drain().len(), 1);
}

#[test]
fn a_worker_on_standby_keeps_nothing_private() {
    let mut world = World::with_lifo(2, Lifo::Private);
    let _ = world.push(0, 7, Why::Wake);
    world.steal.observe_standby(0);
    assert_eq!(world.next(1), Some(7));
}

#[test]
fn a_backlog_is_worth_a_wake_up_while_polls_block_however_short_they_are_on_average() {
    let mut world = World::new(2);
    world.steal.observe_poll(&mut world.locals[0], 1);
    (0..20).for_each(|_| world.steal.observe_poll(&mut world.locals[0], 1));
    assert_eq!(world.push(0, 0, Why::Timer), Notify::None);
    world.steal.observe_blocking(true);
    assert_eq!(world.push(0, 1, Why::Timer), Notify::One);
    assert_eq!(world.all(0), [0, 1]);
    assert_eq!(world.push(0, 2, Why::Yield), Notify::None, "its poll has ended: nobody waits behind it");
    world.steal.observe_blocking(false);
    assert_eq!(world.push(0, 3, Why::Timer), Notify::None);
    assert_eq!(world.all(0), [2, 3]);
}

#[test]
fn what_was_taken_from_a_worker_that_seemed_stuck_keeps_its_place() {
    let mut world = World::new(1);
    for number in 0..4 {
        let _ = world.push(0, number, Why::Yield);
    }
    // It has only not been let run: it goes on, with a task that yields again and again.
    world.steal.observe_stuck(0, true);
    world.steal.observe_stuck(0, false);
    let mut order = Vec::new();
    let _ = world.push(0, 100, Why::Yield);
    for _ in 0..12 {
        let number = world.next(0).unwrap();
        if number == 100 {
            let _ = world.push(0, 100, Why::Yield);
        }
        order.push(number);
    }
    for number in 0..4 {
        let reached = order.iter().position(|polled| *polled == number).expect("it was polled") as u64 + 1;
        let place = u64::from(number) + 2;
        assert!(reached <= 2 * place, "{order:?}");
    }
}
