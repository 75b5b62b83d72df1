//! Wakers: self-wakes, late ones, those that outlive everything, and those that race the shutdown.

#![expect(clippy::waker_clone_wake, reason = "waking by value is what is tried")]

use super::*;

#[test]
fn a_self_wake_by_reference_and_by_value_is_a_yield() {
    let (world, counts) = (World::new(), Counts::new());
    let handle = world.spawn(scripted(&counts, {
        let mut polls = 0;
        move |cx| {
            polls += 1;
            match polls {
                1 => cx.waker().wake_by_ref(),
                2 => cx.waker().clone().wake(),
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        }
    }));
    assert_eq!(world.run_one(), Outcome::Yielded);
    assert_eq!(world.run_one(), Outcome::Yielded);
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(world.schedules(), 1, "a yield is handed back, not scheduled");
    joined(handle).unwrap();
    world.assert_empty();
}

#[test]
fn a_wake_from_another_thread_during_the_poll_makes_exactly_one_more() {
    let (world, counts) = (World::new(), Counts::new());
    let handle = world.spawn(scripted(&counts, {
        let mut first = true;
        move |cx| {
            if !std::mem::take(&mut first) {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            std::thread::spawn(move || {
                waker.wake_by_ref();
                waker.wake();
            })
            .join()
            .unwrap();
            Poll::Pending
        }
    }));
    assert_eq!(world.run_one(), Outcome::Woken);
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!((counts.polls(), world.queued(), world.schedules()), (2, 0, 1));
    joined(handle).unwrap();
    world.assert_empty();
}

#[test]
fn a_poll_inside_a_poll_takes_the_outer_self_wake_for_what_it_is() {
    // The inner task wakes the outer one, whose poll is going on further down this stack.
    let (world, counts) = (Arc::new(World::new()), Counts::new());
    let inner_world = world.clone();
    let handle = world.spawn(scripted(&counts, {
        let mut first = true;
        move |cx| {
            if !std::mem::take(&mut first) {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            let inner = inner_world.spawn(std::future::poll_fn(move |cx| {
                waker.wake_by_ref();
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
            assert_eq!(inner_world.run_one(), Outcome::Yielded);
            inner.abort();
            Poll::Pending
        }
    }));
    assert_eq!(world.run_one(), Outcome::Woken);
    world.run_all();
    joined(handle).unwrap();
    assert_eq!(counts.polls(), 2);
    world.assert_empty();
}

#[test]
fn a_wake_after_the_end_is_nothing() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let handle = world.spawn(scripted(&counts, {
        let shelf = shelf.clone();
        move |cx| {
            (0..3).for_each(|_| shelf.put(cx));
            Poll::Ready(())
        }
    }));
    world.run_all();
    let [first, second, third] = <[Waker; 3]>::try_from(shelf.take()).unwrap();
    first.wake_by_ref();
    first.wake();
    joined(handle).unwrap();
    second.wake_by_ref();
    second.clone().wake();
    drop(second);
    assert!(world.space.allocated_bytes() > 0);
    third.wake();
    assert_eq!((world.queued(), counts.polls()), (0, 1));
    world.assert_empty();
}

#[test]
fn wakers_of_one_task_know_each_other() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    for _ in 0..2 {
        drop(world.spawn(shelf.stores(&counts, 0)));
    }
    world.run_all();
    let [first, second] = <[Waker; 2]>::try_from(shelf.take()).unwrap();
    assert!(first.will_wake(&first.clone()) && !first.will_wake(&second));
    drop((first, second));
    world.assert_empty();
}

#[test]
fn ten_thousand_outlive_the_runtime() {
    let tasks = if cfg!(miri) { 100 } else { 10_000 };
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let handles: Vec<_> = (0..tasks).map(|_| world.spawn(shelf.stores(&counts, 0))).collect();
    world.run_all();
    world.shut_down();
    let space = Arc::downgrade(&world.space);
    drop(world);
    assert_eq!(counts.drops(), tasks);
    assert!(handles.into_iter().all(|handle| joined(handle).unwrap_err().is_cancelled()));
    let wakers = shelf.take();
    assert_eq!(wakers.len(), tasks);
    assert!(space.strong_count() > 0, "what a waker needs outlives the runtime");
    let halves: Vec<_> = wakers.into_iter().enumerate().collect();
    std::thread::scope(|scope| {
        for half in halves.chunks(tasks / 2) {
            scope.spawn(move || {
                for (at, waker) in half {
                    if at % 2 == 0 { waker.wake_by_ref() } else { waker.clone().wake() }
                }
            });
        }
    });
    drop(halves);
    assert_eq!(space.strong_count(), 0, "and goes with the last of them");
}

#[test]
fn woken_while_the_idle_are_cancelled() {
    let (rounds, tasks) = if cfg!(miri) { (3, 4) } else { (300, 64) };
    for _ in 0..rounds {
        let (world, counts, shelf) = (Arc::new(World::new()), Counts::new(), Shelf::default());
        let handles: Vec<_> = (0..tasks).map(|_| world.spawn(shelf.stores(&counts, 0))).collect();
        world.run_all();
        let start = Arc::new(std::sync::Barrier::new(2));
        let waking = {
            let (wakers, start) = (shelf.take(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                wakers.into_iter().for_each(Waker::wake);
            })
        };
        start.wait();
        world.shut_down();
        // One that is being woken has been waited for.
        assert_eq!((counts.drops(), world.space.live_tasks()), (tasks, 0));
        waking.join().unwrap();
        assert!(handles.into_iter().all(|handle| joined(handle).unwrap_err().is_cancelled()));
        world.assert_empty();
    }
}

#[test]
fn what_is_woken_after_the_close_is_dropped_by_whoever_attends() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let woken = world.spawn(shelf.stores(&counts, 0));
    world.run_all();
    let attends = world.space.attend();
    world.space.close();
    let wakers = shelf.take();
    std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
    assert_eq!((counts.drops(), world.queued()), (0, 1), "a wake drops nothing");
    // Not the last one, but it takes what there is.
    drop(world.space.attend());
    assert_eq!((counts.drops(), world.queued()), (1, 0));
    let late = world.spawn(scripted(&counts, |_| Poll::Ready(())));
    assert_eq!((counts.drops(), counts.polls()), (2, 1));
    drop(attends);
    assert!(joined(woken).unwrap_err().is_cancelled() && joined(late).unwrap_err().is_cancelled());
    world.assert_empty();
}

#[test]
fn a_late_task_that_ends_its_space_as_it_is_dropped_does_not_wait_for_itself() {
    struct Ends(Arc<TaskSpace>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.close();
            drop(self.0.attend());
        }
    }
    let world = World::new();
    world.close();
    let ends = Ends(world.space.clone());
    let late = world.spawn(async move { drop(ends) });
    assert!(joined(late).unwrap_err().is_cancelled());
    world.assert_empty();
}

#[test]
fn a_drop_at_shutdown_wakes_a_sibling_and_spawns() {
    struct Meddles(Shelf, std::sync::Weak<TaskSpace>, Arc<Counts>);
    impl Drop for Meddles {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(Waker::wake);
            if let Some(space) = self.1.upgrade() {
                drop(space.spawn(scripted(&self.2, |_| Poll::Ready(())), here()));
            }
        }
    }
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let siblings: Vec<_> = (0..10).map(|_| world.spawn(shelf.stores(&counts, 0))).collect();
    for _ in 0..10 {
        let meddles = Meddles(shelf.clone(), Arc::downgrade(&world.space), counts.clone());
        drop(world.spawn(async move {
            let _meddles = meddles;
            std::future::pending::<()>().await;
        }));
    }
    world.run_all();
    world.shut_down();
    assert_eq!((counts.drops(), counts.polls(), world.space.live_tasks()), (20, 10, 0));
    drop((siblings, shelf));
    world.assert_empty();
}
