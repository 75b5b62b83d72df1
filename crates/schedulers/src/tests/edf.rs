use super::*;
use crate::edf::OLDEST_INTERVAL;
use polyloop_core::Meta;
use polyloop_core::time::Instant;

fn due(at: u64) -> Meta {
    let mut meta = plain();
    meta.deadline = Some(Instant::from_nanos(at));
    meta
}

#[test]
fn the_earliest_deadline_is_first_and_none_is_last() {
    let mut world = World::new(Edf::default(), 1);
    let _ = world.push(None, 0, plain());
    for (number, at) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
        let _ = world.push(None, number, due(at));
    }
    let _ = world.push(None, 5, plain());
    assert_eq!(world.all(0), [2, 4, 3, 1, 0, 5]);
}

#[test]
fn who_has_no_deadline_does_not_starve() {
    let mut world = World::new(Edf::default(), 1);
    for number in 1000..1003 {
        let _ = world.push(None, number, plain());
    }
    let hog = world.task(0, due(5), u64::MAX);
    let _ = world.scheduler.push(None, hog, Why::Spawn);
    let mut seen = Vec::new();
    for poll in 1..=3 * OLDEST_INTERVAL {
        if let Some(number @ 1000..) = world.poll(0, 1) {
            seen.push((number, poll));
        }
    }
    assert_eq!(seen, [(1000, 61), (1001, 122), (1002, 183)]);
}

/// Jobs with an arrival, a length and a deadline on one processor: whether all are in time, in virtual time.
fn are_met(jobs: &[(u64, u64, u64)], meta: impl Fn(u64) -> Meta) -> bool {
    let mut world = World::new(Edf::default(), 1);
    let mut left: Vec<u64> = jobs.iter().map(|job| job.1).collect();
    for now in 0..jobs.iter().map(|job| job.0 + job.1).sum() {
        for (number, (arrival, length, deadline)) in jobs.iter().enumerate() {
            if *arrival == now {
                let runnable = world.task(number as u32, meta(*deadline), *length);
                let _ = world.scheduler.push(None, runnable, Why::Spawn);
            }
        }
        if let Some(number) = world.poll(0, 1) {
            let job = number as usize;
            left[job] -= 1;
            if left[job] == 0 && now + 1 > jobs[job].2 {
                return false;
            }
        }
    }
    assert!(left.iter().all(|left| *left == 0), "all have run");
    true
}

#[test]
fn deadlines_that_can_be_met_are_met() {
    // The third arrives late and is due early; the processor is never free until 19.
    let jobs = [(0, 8, 19), (0, 4, 12), (2, 3, 6), (5, 4, 16)];
    assert!(are_met(&jobs, due));
    assert!(!are_met(&jobs, |_| plain()), "the order of arrival misses one");
}

#[test]
fn random_sets_that_fill_the_processor_are_met() {
    // Made from a schedule that meets them: each job's deadline is not before its end there.
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for _ in 0..200 {
        let (mut at, mut jobs) = (0, Vec::new());
        // Short enough that nobody's turn by age comes.
        while at < 50 {
            let length = 1 + next(6);
            jobs.push((at - next(at.min(20) + 1), length, at + length + next(3)));
            at += length;
        }
        assert!(are_met(&jobs, due), "{jobs:?}");
    }
}
