//! What only the inside of the wheel shows: where entries lie and what stays allocated. What every queue must do is in
//! the crate's `tests/`.

use super::*;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn insert(wheel: &mut Wheel, nanos: u64) -> TimerKey {
    wheel.insert(at(nanos), Waker::noop().clone())
}

#[test]
fn every_deadline_has_a_slot_that_does_not_lie_before_the_origin() {
    let edges: Vec<u64> = (0..=64)
        .map(|bits| if bits == 64 { u64::MAX } else { 1 << bits })
        .flat_map(|edge| [edge - 1, edge, edge.saturating_add(1)])
        .collect();
    // Miri takes milliseconds for each pair: every deadline at every eleventh moment, which hits all three kinds of edge.
    let moments = if cfg!(miri) { 11 } else { 1 };
    for now in edges.iter().step_by(moments) {
        let mut wheel = Wheel::new();
        wheel.fire(at(*now), &mut WakeBatch::new());
        for deadline in &edges {
            let slot = wheel.slot_of(*deadline);
            let (level, slot) = (slot / SLOTS, slot % SLOTS);
            assert!(level < LEVELS);
            let here = digit(wheel.origin, level);
            assert!(if level == 0 { slot >= here } else { slot > here }, "{deadline} at {now}");
        }
    }
}

#[test]
fn later_ticks_lie_in_later_slots() {
    let mut wheel = Wheel::new();
    wheel.fire(at(0x1234_5678_9abc_def0), &mut WakeBatch::new());
    let mut last = 0;
    for shift in 0..60 {
        let deadline = 0x1234_5678_9abc_def0_u64 + (1 << shift);
        let slot = wheel.slot_of(deadline);
        assert!(slot >= last, "2^{shift}");
        last = slot;
    }
}

/// Bug 33: cancelled entries of other runtimes stay for as long as their deadline is away, in one case for two years.
#[test]
fn cancelled_timers_do_not_stay_until_their_deadline() {
    let rounds = if cfg!(miri) { 100 } else { 20_000 };
    let mut wheel = Wheel::new();
    let kept: Vec<_> = (0..10).map(|i| insert(&mut wheel, (i + 1) << 40)).collect();
    for i in 0..rounds {
        let key = insert(&mut wheel, (i % 1000) << 44);
        assert!(wheel.entries() <= 2 * wheel.len() + TOLERATED_DEAD + 1);
        assert!(wheel.remove(key).is_some());
        assert_eq!(wheel.len(), kept.len());
        assert!(wheel.entries() <= 2 * wheel.len() + TOLERATED_DEAD);
    }
    for i in 0..rounds {
        assert!(wheel.update(kept[0], at(i << 40)));
        assert!(wheel.entries() <= 2 * wheel.len() + TOLERATED_DEAD);
    }
    wheel.sweep();
    assert_eq!(wheel.entries(), wheel.len());
}

#[test]
fn dead_entries_do_not_outlive_the_last_live_timer_of_a_fire() {
    let mut wheel = Wheel::new();
    let far: Vec<_> = (0..500).map(|i| insert(&mut wheel, u64::MAX - i)).collect();
    for _ in 0..500 {
        insert(&mut wheel, 1);
    }
    for key in far {
        assert!(wheel.remove(key).is_some());
    }
    assert_eq!(wheel.entries(), 1000, "not yet the majority");
    let mut batch = WakeBatch::new();
    wheel.fire(at(1), &mut batch);
    assert_eq!((batch.len(), wheel.len(), wheel.entries()), (500, 0, 0));
}

#[test]
fn a_steady_population_allocates_nothing() {
    let (population, generations) = if cfg!(miri) { (150, 13) } else { (5_000, 20) };
    let mut wheel = Wheel::new();
    let mut batch = WakeBatch::new();
    let mut now = 0;
    let mut random = 7_u64;
    let mut keys = std::collections::VecDeque::new();
    let mut settled = None;
    for round in 0..population * generations {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        keys.push_back(insert(&mut wheel, now + (random >> 33)));
        if keys.len() > population {
            let oldest = keys.pop_front().expect("the queue is not empty");
            let _ = wheel.remove(oldest);
        }
        now += 20_000;
        wheel.fire(at(now), &mut batch);
        batch.wake_all();
        wheel.next();
        let state = (wheel.chunks.capacity(), wheel.nodes.allocations, wheel.due.capacity());
        if round == population * 10 {
            settled = Some(state);
        }
        assert!(settled.is_none_or(|settled| settled == state), "{settled:?} became {state:?}");
    }
}

#[test]
fn a_burst_does_not_stay_resident_however_it_ends() {
    let burst = if cfg!(miri) { 300 } else { 1_000_000 };
    for ending in 0..3 {
        let mut wheel = Wheel::new();
        let keys: Vec<_> = (0..burst).map(|i| insert(&mut wheel, i * 40_507)).collect();
        let most = wheel.footprint();
        let mut batch = WakeBatch::new();
        match ending {
            0 => keys.iter().for_each(|key| drop(wheel.remove(*key))),
            1 => wheel.fire(at(u64::MAX), &mut batch),
            _ => (0..=(burst * 40_507) >> 24).for_each(|step| wheel.fire(at((step + 1) << 24), &mut batch)),
        }
        assert!(wheel.is_empty());
        assert!(wheel.footprint() <= 64 << 10, "ending {ending}: {} of {most} bytes stay", wheel.footprint());
        assert!(most <= (64 << 10) + burst as usize * 100, "{most} bytes");
    }
}

#[test]
fn a_survivor_of_a_burst_keeps_a_page() {
    let burst = if cfg!(miri) { 300 } else { 1_000_000 };
    let mut wheel = Wheel::new();
    for i in 0..burst {
        insert(&mut wheel, i);
    }
    let survivor = insert(&mut wheel, u64::MAX);
    wheel.fire(at(burst), &mut WakeBatch::new());
    assert_eq!((wheel.len(), wheel.next()), (1, Some(at(u64::MAX))));
    let table = burst as usize / 256 * 32;
    assert!(wheel.footprint() <= (72 << 10) + table, "{} bytes stay", wheel.footprint());
    assert!(wheel.remove(survivor).is_some());
    assert!(wheel.footprint() <= 64 << 10, "{} bytes stay", wheel.footprint());
}
