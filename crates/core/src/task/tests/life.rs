//! From spawn to the freed slot: who is polled when, and how often.

use super::*;

#[test]
fn many_wakes_before_a_poll_make_one_poll() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let handle = world.spawn(shelf.stores(&counts, 3));
    for _ in 0..2 {
        assert_eq!(world.run_one(), Outcome::Pending);
        for waker in shelf.take() {
            waker.wake_by_ref();
            waker.wake_by_ref();
            waker.wake();
        }
        assert_eq!(world.queued(), 1);
    }
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!((counts.polls(), counts.drops(), world.schedules()), (3, 1, 3));
    assert_eq!(joined(handle).unwrap(), 3);
    world.assert_empty();
}

#[test]
fn the_registry_passes_by_slots_that_are_vacant_again() {
    let (world, counts) = (World::new(), Counts::new());
    // Below in memory an ended task, above one that waits.
    drop(world.spawn(scripted(&counts, |_| Poll::Ready(()))));
    let waiting = Shelf::default();
    drop(world.spawn(waiting.stores(&counts, 0)));
    world.run_all();
    assert_eq!(world.space.live_tasks(), 1);
    world.close();
    assert_eq!((world.space.live_tasks(), counts.drops()), (0, 2));
    drop(waiting);
    world.assert_empty();
}
