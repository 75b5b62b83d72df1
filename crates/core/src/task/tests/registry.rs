//! What the registry tells: who has not ended, what they are called, and how many there were.

use super::*;
use std::sync::mpsc;

fn named(name: &str) -> Meta {
    let mut meta = here();
    meta.name = Some(name.into());
    meta
}

fn names(space: &TaskSpace) -> Vec<String> {
    let name = |meta: Meta| meta.name.map_or("-".to_owned(), Into::into);
    let mut names: Vec<_> = space.unfinished().into_iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn those_that_have_not_ended_are_named_and_no_others() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let idle = world.space.spawn(shelf.stores(&counts, 0), named("idle"));
    let done = world.space.spawn(async {}, named("done"));
    world.run_all();
    world.space.spawn_detached(async {}, named("queued"));
    let line = line!() + 1;
    let plain = world.spawn(async {});
    assert_eq!(names(&world.space), ["-", "idle", "queued"]);
    assert!(world.space.unfinished().iter().any(|meta| meta.name.is_none() && meta.location.line() == line));
    world.shut_down();
    assert_eq!(names(&world.space), [""; 0]);
    drop((idle, done, plain, shelf));
    world.assert_empty();
}

#[test]
fn a_task_in_the_middle_of_its_poll_is_named() {
    let (world, counts) = (World::new(), Counts::new());
    let space = world.space.clone();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let polled = scripted(&counts, move |_| {
        *telling.lock().unwrap() = names(&space);
        Poll::Ready(())
    });
    world.space.spawn_detached(polled, named("myself"));
    world.shut_down_but_for_the_first();
    assert_eq!(*told.lock().unwrap(), ["myself"]);
}

#[test]
fn names_are_told_while_named_tasks_come_and_go_on_another_thread() {
    let world = World::new();
    let (space, (stop, stopped)) = (world.space.clone(), mpsc::channel::<()>());
    let telling = std::thread::spawn(move || {
        let mut told = 0;
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) || told == 0 {
            let unfinished = space.unfinished();
            assert!(unfinished.iter().all(|meta| meta.name.as_deref().is_none_or(|name| name == "it")));
            told += 1;
        }
    });
    let rounds = if cfg!(miri) { 50 } else { 20_000 };
    world.space.enter(|| {
        for round in 0..rounds {
            let meta = if round % 3 == 0 { here() } else { named("it") };
            world.space.spawn_detached(async {}, meta);
            world.run_all();
        }
    });
    drop(stop);
    telling.join().unwrap();
    world.assert_empty();
}

#[test]
fn what_was_spawned_has_ended_or_was_cancelled_or_is_alive() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("as the test wants it");
        }
    }
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let big = [0_u8; 10_000];
    world.space.enter(|| {
        for _ in 0..3 {
            drop(world.spawn(async {}));
        }
    });
    drop(world.spawn(async move { std::hint::black_box(&big).len() }));
    world.run_all();
    let aborted = world.spawn(async {});
    aborted.abort();
    world.run_all();
    let idle = world.spawn(shelf.stores(&counts, 0));
    let panics = world.spawn(async {
        let _panics = Panics;
        std::future::pending::<()>().await;
    });
    world.run_all();
    let TaskCounts { spawned, cancelled, panicked_drops } = world.space.counts();
    assert_eq!((spawned, cancelled, panicked_drops, world.space.live_tasks()), (7, 1, 0, 2));
    world.shut_down();
    let TaskCounts { spawned, cancelled, panicked_drops } = world.space.counts();
    assert_eq!((spawned, cancelled, panicked_drops, world.space.live_tasks()), (7, 3, 1, 0));
    drop((aborted, idle, shelf));
    assert!(joined(panics).unwrap_err().is_panic());
    world.assert_empty();
}
