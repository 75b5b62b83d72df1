//! Which runnable is next, without threads; and what is true of every scheduler here, with some.

mod edf;
mod fair;
mod kit;
mod percore;

use crate::{Edf, Fair, Global, PerCore};
use kit::{World, plain};
use polyloop_core::{Notify, Ran, Scheduler, Why};
use std::num::NonZeroUsize;

fn number(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn per_core(workers: usize, seats: usize) -> PerCore {
    PerCore::new(number(workers), number(seats))
}

/// One test for each scheduler.
macro_rules! each {
    ($($name:ident)*) => {
        mod each {
            $( mod $name {
                #[test] fn global() { super::super::$name(super::super::Global::default()); }
                #[test] fn percore() { super::super::$name(super::super::per_core(2, 2)); }
                #[test] fn fair() { super::super::$name(super::super::Fair::default()); }
                #[test] fn edf() { super::super::$name(super::super::Edf::default()); }
            } )*
        }
    };
}

each! {
    has_work_means_that_any_worker_finds_something
    tasks_without_wishes_come_in_order
    one_that_yields_alone_invites_nobody
    what_a_stuck_worker_pushed_is_found_by_the_other
    a_drain_takes_everything
    drains_that_race_with_pushes_and_polls_give_each_runnable_to_one
}

fn has_work_means_that_any_worker_finds_something<S: Scheduler>(scheduler: S) {
    let mut world = World::new(scheduler, 2);
    assert!(!world.scheduler.has_work());
    for at in 0..2 {
        let notify = world.push(None, 7, plain());
        let finder = if let Notify::Worker(index) = notify { index } else { at };
        assert!(world.scheduler.has_work_for(finder));
        assert!(world.scheduler.has_work() == (notify == Notify::One));
        assert_eq!(world.poll(finder, 1), Some(7));
        assert!(!world.scheduler.has_work_for(finder) && !world.scheduler.has_work());
    }
}

fn tasks_without_wishes_come_in_order<S: Scheduler>(scheduler: S) {
    let mut world = World::new(scheduler, 2);
    for number in 0..200 {
        let _ = world.push(Some(0), number, plain());
    }
    assert_eq!(world.all(0), (0..200).collect::<Vec<_>>());
}

fn one_that_yields_alone_invites_nobody<S: Scheduler>(scheduler: S) {
    let mut world = World::new(scheduler, 2);
    let runnable = world.task(0, plain(), 1);
    assert_eq!(world.scheduler.push(Some(&mut world.locals[0]), runnable, Why::Yield), Notify::None);
    assert_eq!(world.poll(0, 1), Some(0));
}

fn what_a_stuck_worker_pushed_is_found_by_the_other<S: Scheduler>(scheduler: S) {
    let mut world = World::new(scheduler, 2);
    for number in 0..3 {
        let _ = world.push(Some(0), number, plain());
    }
    world.scheduler.observe_stuck(0, true);
    let _ = world.push(Some(0), 3, plain());
    assert!(world.scheduler.has_work());
    assert_eq!(world.all(1), [0, 1, 2, 3]);
}

fn a_drain_takes_everything<S: Scheduler>(scheduler: S) {
    let mut world = World::new(scheduler, 2);
    for number in 0..30 {
        let at = [None, Some(0), Some(1)][number as usize % 3];
        let _ = world.push(at, number, plain());
        if number == 20 {
            world.scheduler.observe_stuck(1, true);
        }
    }
    let drained = world.scheduler.drain();
    assert_eq!(drained.len(), 30);
    drained.into_iter().for_each(|runnable| assert!(matches!(runnable.run(), Ran::Done)));
    assert!(world.scheduler.drain().is_empty() && !world.scheduler.has_work());
    assert!((0..2).all(|at| !world.scheduler.has_work_for(at)));
}

fn drains_that_race_with_pushes_and_polls_give_each_runnable_to_one<S: Scheduler>(scheduler: S) {
    const EACH: u32 = 100;
    let mut world = World::new(scheduler, 2);
    for _ in 0..50 {
        let outside: Vec<_> = (0..EACH).map(|number| world.task(number, plain(), 1)).collect();
        let inside: Vec<_> = (EACH..2 * EACH).map(|number| world.task(number, plain(), 1)).collect();
        let scheduler = &world.scheduler;
        let [first, second] = world.locals.get_disjoint_mut([0, 1]).unwrap();
        let start = &std::sync::Barrier::new(4);
        let mut taken = std::thread::scope(|scope| {
            let injects = scope.spawn(move || {
                start.wait();
                outside.into_iter().for_each(|runnable| _ = scheduler.push(None, runnable, Why::Wake));
                Vec::new()
            });
            let works = scope.spawn(move || {
                start.wait();
                let mut taken = Vec::new();
                for runnable in inside {
                    let _ = scheduler.push(Some(first), runnable, Why::Wake);
                    if taken.len() % 3 == 0 {
                        taken.extend(scheduler.next(first));
                    }
                }
                taken
            });
            let helps = scope.spawn(move || {
                start.wait();
                (0..EACH).filter_map(|_| scheduler.next(second)).collect()
            });
            start.wait();
            let drained: Vec<_> = (0..10)
                .flat_map(|round| {
                    scheduler.observe_stuck(round % 2, true);
                    scheduler.drain()
                })
                .collect();
            let others = [injects, works, helps].into_iter().flat_map(|thread| thread.join().unwrap());
            others.chain(drained).collect::<Vec<_>>()
        });
        taken.extend(world.scheduler.drain());
        assert!(!world.scheduler.has_work() && world.scheduler.drain().is_empty());
        taken.into_iter().for_each(|runnable| assert!(matches!(runnable.run(), Ran::Done)));
        let mut log = std::mem::take(&mut *world.log.lock());
        log.sort_unstable();
        assert_eq!(log, (0..2 * EACH).collect::<Vec<_>>());
    }
}
