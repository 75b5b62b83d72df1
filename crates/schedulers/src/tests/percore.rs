//! Homes, and who is away.

use super::*;
use crate::percore::ORPHAN_INTERVAL;

#[test]
fn what_comes_from_outside_goes_to_the_workers_in_turn() {
    let mut world = World::new(per_core(3, 3), 3);
    let homes: Vec<_> = (0..6).map(|number| world.push(None, number, plain())).collect();
    assert_eq!(homes, [0, 1, 2, 0, 1, 2].map(Notify::Worker));
    assert_eq!(world.all(1), [1, 4]);
}

#[test]
fn a_task_stays_where_it_was_polled_whoever_wakes_it() {
    let mut world = World::new(per_core(2, 2), 2);
    let runnable = world.task(7, plain(), 2);
    let _ = world.scheduler.push(Some(&mut world.locals[1]), runnable, Why::Spawn);
    let Ran::Yielded(runnable) = world.scheduler.next(&mut world.locals[1]).unwrap().run() else {
        panic!("it yields once")
    };
    let notify = world.scheduler.push(Some(&mut world.locals[0]), runnable, Why::Wake);
    assert_eq!(notify, Notify::Worker(1));
    assert_eq!(world.poll(0, 1), None);
    assert_eq!(world.poll(1, 1), Some(7));
}

#[test]
fn nobody_helps_a_worker_that_comes_back() {
    let mut world = World::new(per_core(2, 2), 2);
    for number in 0..10 {
        assert_eq!(world.push(Some(0), number, plain()), Notify::None);
    }
    world.scheduler.observe_stuck(0, false);
    assert_eq!(world.poll(1, 1), None);
    assert!(!world.scheduler.has_work() && !world.scheduler.has_work_for(1));
    assert_eq!(world.all(0).len(), 10);
}

#[test]
fn an_orphan_lives_with_whoever_polled_it() {
    let mut world = World::new(per_core(1, 2), 2);
    let runnable = world.task(7, plain(), 3);
    let _ = world.scheduler.push(Some(&mut world.locals[0]), runnable, Why::Spawn);
    world.scheduler.observe_stuck(0, true);
    // The relief worker.
    assert_eq!(world.poll(1, 1), Some(7));
    // The stuck one is back, and finds nothing.
    assert_eq!(world.poll(0, 1), None);
    assert_eq!(world.poll(1, 1), Some(7));
}

#[test]
fn a_worker_on_standby_is_away_until_it_comes_itself() {
    let mut world = World::new(per_core(1, 2), 2);
    world.scheduler.observe_stuck(0, true);
    // The monitor sees it rest.
    world.scheduler.observe_stuck(0, false);
    assert_eq!(world.push(Some(0), 7, plain()), Notify::One);
    assert!(world.scheduler.has_work());
    assert_eq!(world.poll(1, 1), Some(7));
    assert_eq!(world.poll(0, 1), None);
    assert_eq!(world.push(Some(0), 8, plain()), Notify::None);
    assert_eq!(world.poll(0, 1), Some(8));
}

#[test]
fn what_was_taken_from_a_worker_that_only_seemed_stuck_keeps_its_place() {
    let mut world = World::new(per_core(1, 2), 2);
    for number in 0..50 {
        assert_eq!(world.push(Some(0), number, plain()), Notify::None);
    }
    world.scheduler.observe_stuck(0, true);
    assert_eq!(world.push(Some(0), 50, plain()), Notify::One, "the end of its poll");
    // One that yields for ever must not be ahead of those that were ready before.
    let runnable = world.task(1_000, plain(), 1_000);
    let _ = world.scheduler.push(Some(&mut world.locals[0]), runnable, Why::Yield);
    let order: Vec<_> = (0..52).map(|_| world.poll(0, 1).unwrap()).collect();
    assert_eq!(order, (0..=50).chain([1_000]).collect::<Vec<_>>());
}

#[test]
fn who_comes_from_standby_leaves_orphans_to_all() {
    let mut world = World::new(per_core(1, 3), 3);
    world.scheduler.observe_stuck(0, true);
    for number in 0..4 {
        assert_eq!(world.push(Some(0), number, plain()), Notify::One);
    }
    assert_eq!(world.poll(1, 1), Some(0));
    world.scheduler.observe_standby(1);
    // A look of the monitor changes nothing about that.
    world.scheduler.observe_stuck(1, true);
    assert_eq!(world.poll(1, 1), Some(1));
    assert_eq!(world.poll(2, 1), Some(2));
}

#[test]
fn an_orphan_is_found_by_a_worker_that_never_runs_dry() {
    let mut world = World::new(per_core(2, 2), 2);
    let _ = world.push(Some(1), 1000, plain());
    world.scheduler.observe_stuck(1, true);
    let runnable = world.task(0, plain(), 1_000);
    let _ = world.scheduler.push(Some(&mut world.locals[0]), runnable, Why::Spawn);
    let polls = (1..).find(|_| world.poll(0, 1) == Some(1000));
    assert_eq!(polls, Some(ORPHAN_INTERVAL));
}

#[test]
fn orphans_have_what_is_declared_whenever_the_driver_turns() {
    const ORPHANS: u32 = 6;
    for interval in 1..=2 * ORPHAN_INTERVAL {
        let mut world = World::new(per_core(2, 2), 2);
        for number in 1..=ORPHANS {
            let _ = world.push(Some(1), number, plain());
        }
        world.scheduler.observe_stuck(1, true);
        let runnable = world.task(0, plain(), 100_000);
        let _ = world.scheduler.push(Some(&mut world.locals[0]), runnable, Why::Spawn);
        let bound = world.scheduler.orphan_bound().unwrap();
        let mut place = 0;
        for polls in 1.. {
            let polled = world.poll(0, 1).unwrap();
            if polled > 0 {
                place += 1;
                assert!(
                    polls <= bound(place),
                    "orphan {place} after {polls}, with a turn after each {interval}"
                );
                assert_eq!(u64::from(polled), place);
            }
            if place == u64::from(ORPHANS) {
                break;
            }
            if polls % u64::from(interval) == 0 {
                world.scheduler.observe_poll(&mut world.locals[0], 1);
            }
        }
    }
}

#[test]
fn orphans_and_a_worker_s_own_take_turns_where_each_poll_is_long() {
    let mut world = World::new(per_core(2, 2), 2);
    for number in 1..=4 {
        let _ = world.push(Some(1), number, plain());
    }
    world.scheduler.observe_stuck(1, true);
    let runnable = world.task(0, plain(), 1_000);
    let _ = world.scheduler.push(Some(&mut world.locals[0]), runnable, Why::Spawn);
    let long_poll = |world: &mut World<PerCore>| {
        let polled = world.poll(0, 1_000_000);
        // As the shell does after a turn of the driver.
        world.scheduler.observe_poll(&mut world.locals[0], 1_000_000);
        polled.unwrap()
    };
    assert_eq!(long_poll(&mut world), 0, "the turn before has not been yet");
    let order: Vec<_> = (0..10).map(|_| long_poll(&mut world)).collect();
    assert_eq!(order, [1, 0, 2, 0, 3, 0, 4, 0, 0, 0]);
}
