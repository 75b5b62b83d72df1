//! Long chains of tasks whose ends lead to one another: the stack holds a few of them at a time.

use super::*;

const LENGTH: usize = if cfg!(miri) { 60 } else { 1_000_000 };

/// An output that holds the handle of another task with such an output.
#[expect(dead_code, reason = "held for their drops")]
struct Link(Option<JoinHandle<Self>>, Option<OnDrop>);

#[test]
fn of_outputs_that_hold_the_next_handle() {
    let (world, counts) = (World::new(), Counts::new());
    let mut first = None;
    for _ in 0..LENGTH {
        let (next, on_drop) = (first.take(), OnDrop(counts.clone()));
        first = Some(world.spawn(async move { Link(next, Some(on_drop)) }));
        world.run_one();
    }
    assert_eq!(counts.drops(), 0);
    drop(first);
    assert_eq!(counts.drops(), LENGTH);
    world.assert_empty();
}

#[test]
fn of_a_detached_output_that_holds_such_a_chain() {
    let (world, counts) = (World::new(), Counts::new());
    let mut first = None;
    for _ in 0..LENGTH / 10 {
        let (next, on_drop) = (first.take(), OnDrop(counts.clone()));
        first = Some(world.spawn(async move { Link(next, Some(on_drop)) }));
        world.run_one();
    }
    world.space.spawn_detached(async move { Link(first, None) }, here());
    world.run_one();
    assert_eq!(counts.drops(), LENGTH / 10);
    world.assert_empty();
}

/// Tasks each of which awaits the one before; the first one waits for ever.
fn awaiting(world: &World, counts: &Arc<Counts>, shelf: &Shelf) -> JoinHandle<()> {
    let first = shelf.stores(counts, 0);
    let mut last = world.spawn(async move {
        first.await;
    });
    world.run_one();
    for _ in 1..LENGTH {
        let (before, on_drop) = (last, OnDrop(counts.clone()));
        last = world.spawn(async move {
            let _on_drop = on_drop;
            let _ = before.await;
        });
        world.run_one();
    }
    last
}

#[test]
fn of_tasks_that_await_each_other_when_one_is_cancelled_at_shutdown() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let last = awaiting(&world, &counts, &shelf);
    // The first one is queued when the executor closes: each end wakes the next task.
    shelf.take().pop().unwrap().wake();
    world.shut_down();
    assert_eq!((counts.drops(), world.space.live_tasks()), (LENGTH, 0));
    assert!(joined(last).unwrap_err().is_cancelled());
    world.assert_empty();
}

#[test]
fn of_tasks_that_await_each_other_when_all_are_idle_at_shutdown() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let last = awaiting(&world, &counts, &shelf);
    world.shut_down();
    assert_eq!((counts.drops(), world.space.live_tasks()), (LENGTH, 0));
    assert!(last.is_finished());
    drop((last, shelf));
    world.assert_empty();
}

#[test]
fn of_tasks_that_await_each_other_when_the_first_one_ends() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let last = awaiting(&world, &counts, &shelf);
    shelf.take().pop().unwrap().wake();
    world.pop().unwrap().0.cancel();
    assert_eq!(world.run_all(), LENGTH - 1);
    joined(last).unwrap();
    assert_eq!(counts.drops(), LENGTH);
    world.assert_empty();
}

#[test]
fn of_futures_that_cancel_the_next_in_their_drop() {
    struct Cancels(Option<Runnable>, #[expect(dead_code, reason = "held for its drop")] OnDrop);
    impl Drop for Cancels {
        fn drop(&mut self) {
            drop(self.0.take());
        }
    }
    let (world, counts) = (World::new(), Counts::new());
    let mut next = None;
    for _ in 0..LENGTH {
        let cancels = Cancels(next.take(), OnDrop(counts.clone()));
        drop(world.spawn(async move {
            let _cancels = cancels;
        }));
        next = Some(world.pop().unwrap().0);
    }
    drop(next);
    assert_eq!((counts.drops(), world.space.live_tasks()), (LENGTH, 0));
    world.assert_empty();
}
