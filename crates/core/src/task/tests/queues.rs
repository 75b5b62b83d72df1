//! Lists of runnables: order, moving a whole queue, cancelling what is left.

use super::*;
use crate::queue::{RunQueue, RunSlot};

/// A runnable whose task counts.
fn runnable(world: &World, counts: &Arc<Counts>) -> Runnable {
    world.space.spawn_detached(scripted(counts, |_| Poll::Ready(())), here());
    world.pop().unwrap().0
}

#[test]
fn appending_a_queue_moves_its_runnables_and_cancels_none() {
    let world = World::new();
    let counts: Vec<_> = (0..4).map(|_| Counts::new()).collect();
    let (mut first, mut second) = (RunQueue::new(), RunQueue::new());
    first.extend(counts[..2].iter().map(|counts| runnable(&world, counts)));
    second.extend(counts[2..].iter().map(|counts| runnable(&world, counts)));
    first.append(&mut second);
    assert!(second.is_empty());
    assert_eq!((first.len(), second.len()), (4, 0));
    assert!(counts.iter().all(|counts| counts.drops() == 0));
    for (at, _) in counts.iter().enumerate() {
        assert!(matches!(first.pop_front().unwrap().run(), Ran::Done));
        let polls: Vec<_> = counts.iter().map(|counts| counts.polls()).collect();
        assert_eq!(polls.iter().sum::<usize>(), at + 1);
        assert_eq!(polls[at], 1, "in order");
    }
    assert!(first.pop_front().is_none());
    world.assert_empty();
}

#[test]
fn a_queue_that_took_over_another_goes_on_from_its_end() {
    let world = World::new();
    let (mut first, mut second) = (RunQueue::new(), RunQueue::new());
    let counts = Counts::new();
    second.push_back(runnable(&world, &counts));
    first.append(&mut second);
    first.append(&mut second);
    second.push_back(runnable(&world, &counts));
    first.push_back(runnable(&world, &counts));
    assert_eq!((first.len(), second.len()), (2, 1));
    drop(second);
    assert_eq!((counts.polls(), counts.drops()), (0, 1));
    while let Some(runnable) = first.pop_front() {
        assert!(matches!(runnable.run(), Ran::Done));
    }
    assert_eq!((counts.polls(), counts.drops()), (2, 3));
    world.assert_empty();
}

#[test]
fn a_dropped_queue_cancels_what_is_in_it() {
    let world = World::new();
    let counts = Counts::new();
    let mut queue = RunQueue::default();
    queue.extend((0..3).map(|_| runnable(&world, &counts)));
    drop(queue);
    assert_eq!((counts.polls(), counts.drops()), (0, 3));
    world.assert_empty();
}

#[test]
fn a_slot_gives_back_what_it_held() {
    let world = World::new();
    let (first, second) = (Counts::new(), Counts::new());
    let slot = RunSlot::new();
    assert!(slot.is_empty() && slot.take().is_none());
    assert!(slot.replace(runnable(&world, &first)).is_none());
    assert!(!slot.is_empty());
    let old = slot.replace(runnable(&world, &second)).unwrap();
    assert!(matches!(old.run(), Ran::Done));
    assert_eq!((first.polls(), second.polls()), (1, 0));
    drop(slot);
    assert_eq!((second.polls(), second.drops()), (0, 1));
    world.assert_empty();
}
