use super::*;
use crate::fair::OLDEST_INTERVAL;
use polyloop_core::Meta;

fn of(class: u8, weight: u32) -> Meta {
    let mut meta = plain();
    (meta.class, meta.weight) = (class, weight);
    meta
}

/// Starts tasks that are always ready, with the numbers of their class.
fn hogs(world: &mut World<Fair>, class: u8, weight: u32, tasks: usize) {
    for _ in 0..tasks {
        let runnable = world.task(class.into(), of(class, weight), u64::MAX);
        let _ = world.scheduler.push(Some(&mut world.locals[0]), runnable, Why::Spawn);
    }
}

/// Percent of the run time that class 1 gets, over so many polls of the workers in turn; a poll of class c takes `nanos(c)`.
fn percent(world: &mut World<Fair>, polls: u64, nanos: impl Fn(u32) -> u64) -> u64 {
    let mut got = [0; 3];
    let workers = world.locals.len();
    // All workers begin, then all end: the charge of one is not known when the others choose.
    for _ in 0..polls {
        let begun: Vec<_> =
            (0..workers).filter_map(|at| Some((at, world.scheduler.next(&mut world.locals[at])?))).collect();
        for (at, runnable) in begun {
            let ran = runnable.run();
            let class = world.log.lock().pop().unwrap();
            world.scheduler.polled(&mut world.locals[at], nanos(class));
            got[class as usize] += nanos(class);
            if let Ran::Yielded(runnable) = ran {
                let _ = world.scheduler.push(Some(&mut world.locals[at]), runnable, Why::Yield);
            }
        }
    }
    100 * got[1] / (got[1] + got[2])
}

#[test]
fn three_to_one_with_one_worker() {
    let mut world = World::new(Fair::default(), 1);
    hogs(&mut world, 1, 3, 1);
    hogs(&mut world, 2, 1, 1);
    let got = percent(&mut world, 4_000, |_| 50_000);
    assert!((74..=76).contains(&got), "{got} %");
}

#[test]
fn three_to_one_with_two_workers_and_eight_tasks_each() {
    let mut world = World::new(Fair::default(), 2);
    hogs(&mut world, 1, 3, 8);
    hogs(&mut world, 2, 1, 8);
    let got = percent(&mut world, 4_000, |_| 50_000);
    assert!((72..=78).contains(&got), "{got} %");
}

#[test]
fn shares_are_of_time_not_of_polls_nor_of_tasks() {
    let mut world = World::new(Fair::default(), 1);
    hogs(&mut world, 1, 3, 1);
    hogs(&mut world, 2, 1, 20);
    let got = percent(&mut world, 20_000, |class| if class == 1 { 10_000 } else { 90_000 });
    assert!((73..=77).contains(&got), "{got} %");
}

#[test]
fn who_slept_has_saved_nothing() {
    let mut world = World::new(Fair::default(), 1);
    hogs(&mut world, 1, 1, 1);
    for _ in 0..1_000 {
        let _ = world.poll(0, 50_000);
    }
    // Class 2 comes now, and gets a half from here on, not all until it has caught up.
    hogs(&mut world, 2, 1, 1);
    let got = percent(&mut world, 200, |_| 50_000);
    assert!((47..=53).contains(&got), "{got} %");
}

#[test]
fn polls_of_no_time_starve_nobody() {
    let mut world = World::new(Fair::default(), 1);
    hogs(&mut world, 1, u32::MAX, 1);
    hogs(&mut world, 2, 1, 1);
    let waited = (1..).find(|_| world.poll(0, 0) == Some(2)).unwrap();
    assert!(waited <= 2 * OLDEST_INTERVAL, "{waited} polls");
    let waited = (1..).find(|_| world.poll(0, 0) == Some(2)).unwrap();
    assert!(waited <= 2 * OLDEST_INTERVAL, "{waited} polls");
}

#[test]
fn flows_that_have_gone_are_forgotten() {
    let mut world = World::new(Fair::default(), 1);
    for weight in 1..1_000 {
        let _ = world.push(Some(0), 0, of(0, weight));
    }
    assert_eq!(world.all(0).len(), 999);
    for _ in 0..1_000 {
        let _ = world.push(Some(0), 0, of(1, 1));
        let _ = world.poll(0, 1_000_000);
    }
    assert!(world.scheduler.flows() <= 1, "{} flows", world.scheduler.flows());
}
