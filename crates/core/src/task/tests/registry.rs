//! What the registry tells: who has not ended, what they are called, and how many there were.

use super::*;
use crate::time::Instant;
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

/// Name, phase and reason of every task, sorted by name.
fn rows(space: &TaskSpace) -> Vec<(String, &'static str, Why)> {
    let row = |task: TaskInfo| {
        let phase = match task.phase {
            Phase::Polled { outside: false, .. } => "polled",
            Phase::Polled { outside: true, .. } => "outside",
            Phase::Queued => "queued",
            Phase::Waiting => "waiting",
            Phase::Ended => "ended",
        };
        (task.meta.name.map_or("-".to_owned(), Into::into), phase, task.why)
    };
    let mut rows: Vec<_> = space.tasks(Instant::ORIGIN).into_iter().map(row).collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

#[test]
fn each_task_is_told_with_what_it_does_and_why() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let waits = world.space.spawn(shelf.stores(&counts, 0), named("waits"));
    let ended = world.space.spawn(async {}, named("ended"));
    world.space.spawn_detached(async {}, named("gone"));
    world.run_all();
    let yields = world.space.spawn(yield_once(), named("yields"));
    assert_eq!(world.run_one(), Outcome::Yielded);
    world.space.spawn_detached(async {}, named("queued"));
    let expected = [
        ("ended".to_owned(), "ended", Why::Spawn),
        ("queued".to_owned(), "queued", Why::Spawn),
        ("waits".to_owned(), "waiting", Why::Spawn),
        ("yields".to_owned(), "queued", Why::Yield),
    ];
    assert_eq!(rows(&world.space), expected);
    crate::context::waking_because(Why::Io, || shelf.take().into_iter().for_each(Waker::wake));
    assert!(rows(&world.space).contains(&("waits".to_owned(), "queued", Why::Io)));
    world.run_all();
    assert!(rows(&world.space).contains(&("waits".to_owned(), "waiting", Why::Io)));
    waits.abort();
    let aborted = |task: &TaskInfo| task.aborted && task.meta.name.as_deref() == Some("waits");
    assert_eq!(world.space.tasks(Instant::ORIGIN).iter().filter(|task| aborted(task)).count(), 1);
    world.run_all();
    drop((waits, ended, yields, shelf));
    assert_eq!(rows(&world.space), []);
    world.assert_empty();
}

#[test]
fn a_task_is_told_as_polled_from_inside_also_when_it_has_gone_outside() {
    let (world, counts) = (World::new(), Counts::new());
    let space = world.space.clone();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let polled = scripted(&counts, move |_| {
        let mut told = telling.lock().unwrap();
        told.extend(rows(&space));
        crate::context::outside_of_tasks(|| told.extend(rows(&space)));
        told.extend(rows(&space));
        Poll::Ready(())
    });
    world.space.spawn_detached(polled, named("me"));
    world.space.enter(|| world.run_all());
    let expected = ["polled", "outside", "polled"].map(|phase| ("me".to_owned(), phase, Why::Spawn));
    assert_eq!(*told.lock().unwrap(), expected);
    world.assert_empty();
}

#[test]
fn tasks_of_more_pages_than_are_read_at_once_are_all_told() {
    let world = World::new();
    let big = [0_u8; 4000];
    let tasks: Vec<_> = (0..400)
        .map(|_| {
            world.spawn(async move {
                std::hint::black_box(&big);
                std::future::pending::<()>().await;
            })
        })
        .collect();
    assert_eq!((world.space.tasks(Instant::ORIGIN).len(), world.space.live_tasks()), (400, 400));
    world.shut_down();
    drop(tasks);
    world.assert_empty();
}
