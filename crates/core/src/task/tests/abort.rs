//! Aborting: before the first poll, between polls, during one, at the end, and too late.

use super::*;

#[test]
fn before_the_first_poll() {
    let (world, counts) = (World::new(), Counts::new());
    let handle = world.spawn(scripted(&counts, |_| Poll::Ready(1)));
    handle.abort();
    assert!(!handle.is_finished(), "the future goes when its turn comes");
    assert_eq!(world.run_all(), 1);
    assert_eq!((counts.polls(), counts.drops()), (0, 1));
    assert!(joined(handle).unwrap_err().is_cancelled());
    world.assert_empty();
}

#[test]
fn while_it_is_idle() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let mut handle = world.spawn(shelf.stores(&counts, 0));
    let (woken, waker) = counting_waker();
    assert!(poll_with(&mut handle, &waker).is_pending());
    world.run_all();
    for _ in 0..3 {
        handle.abort();
    }
    assert_eq!((world.queued(), world.schedules()), (1, 2));
    world.run_all();
    assert_eq!((counts.polls(), counts.drops(), woken.wakes()), (1, 1, 1));
    assert!(joined(handle).unwrap_err().is_cancelled());
    drop(shelf);
    world.assert_empty();
}

#[test]
fn from_within_its_own_poll() {
    let (world, counts) = (World::new(), Counts::new());
    let own: Arc<Mutex<Option<JoinHandle<()>>>> = Arc::default();
    let handle = world.spawn({
        let own = own.clone();
        scripted(&counts, move |_| {
            own.lock().unwrap().as_ref().unwrap().abort();
            Poll::<()>::Pending
        })
    });
    *own.lock().unwrap() = Some(handle);
    assert_eq!(world.run_one(), Outcome::Yielded);
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!((counts.polls(), counts.drops()), (1, 1));
    assert!(joined(own.lock().unwrap().take().unwrap()).unwrap_err().is_cancelled());
    world.assert_empty();
}

#[test]
fn from_another_thread_during_a_poll_that_pends() {
    let (world, counts) = (World::new(), Counts::new());
    let own: Arc<Mutex<Option<AbortHandle>>> = Arc::default();
    let handle = world.spawn({
        let own = own.clone();
        scripted(&counts, move |_| {
            let abort = own.lock().unwrap().take().unwrap();
            std::thread::spawn(move || abort.abort()).join().unwrap();
            Poll::<()>::Pending
        })
    });
    *own.lock().unwrap() = Some(handle.abort_handle());
    assert_eq!(world.run_one(), Outcome::Woken);
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!((counts.polls(), counts.drops()), (1, 1));
    assert!(joined(handle).unwrap_err().is_cancelled());
    world.assert_empty();
}

#[test]
fn during_the_poll_that_ends_it() {
    let (world, counts) = (World::new(), Counts::new());
    let own: Arc<Mutex<Option<AbortHandle>>> = Arc::default();
    let handle = world.spawn({
        let own = own.clone();
        scripted(&counts, move |_| {
            let abort = own.lock().unwrap().take().unwrap();
            std::thread::spawn(move || abort.abort()).join().unwrap();
            Poll::Ready(5)
        })
    });
    *own.lock().unwrap() = Some(handle.abort_handle());
    assert_eq!(world.run_one(), Outcome::Done);
    assert_eq!(joined(handle).unwrap(), 5, "what ended by itself keeps its output");
    assert_eq!(world.queued(), 0);
    world.assert_empty();
}

#[test]
fn after_it_ended() {
    let (world, counts) = (World::new(), Counts::new());
    let handle = world.spawn(scripted(&counts, |_| Poll::Ready(5)));
    let abort = handle.abort_handle();
    world.run_all();
    assert!(abort.is_finished());
    handle.abort();
    abort.abort();
    assert_eq!(joined(handle).unwrap(), 5);
    abort.abort();
    assert!(abort.is_finished());
    assert_eq!(world.schedules(), 1);
    drop(abort);
    world.assert_empty();
}

#[test]
fn of_a_detached_task() {
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let handle = world.spawn(shelf.stores(&counts, 0));
    world.run_all();
    let abort = handle.abort_handle();
    let other = abort.clone();
    drop(handle);
    other.abort();
    world.run_all();
    assert!(abort.is_finished());
    assert_eq!(counts.drops(), 1);
    drop((abort, other, shelf));
    world.assert_empty();
}

#[test]
fn of_a_task_whose_drop_aborts_and_wakes_it_again() {
    struct Meddles(Arc<Mutex<Option<JoinHandle<()>>>>, Shelf, Arc<Counts>);
    impl Drop for Meddles {
        fn drop(&mut self) {
            self.2.drops.fetch_add(1, SeqCst);
            self.1.take().into_iter().for_each(Waker::wake);
            let handle = self.0.lock().unwrap().take();
            handle.as_ref().unwrap().abort();
        }
    }
    let (world, counts, shelf) = (World::new(), Counts::new(), Shelf::default());
    let own: Arc<Mutex<Option<JoinHandle<()>>>> = Arc::default();
    let (meddles, stored) = (Meddles(own.clone(), shelf.clone(), counts.clone()), shelf);
    let handle = world.spawn(std::future::poll_fn(move |cx| {
        let _ = &meddles;
        stored.put(cx);
        stored.put(cx);
        Poll::<()>::Pending
    }));
    world.run_all();
    handle.abort();
    *own.lock().unwrap() = Some(handle);
    assert_eq!(world.run_all(), 1);
    assert_eq!((counts.drops(), world.space.live_tasks()), (1, 0));
    world.assert_empty();
}

/// Every mixture of polls, wakes and aborts from several threads: the output or the cancellation, once.
#[test]
fn at_random_moments_from_other_threads() {
    let rounds = if cfg!(miri) { 8 } else { 20_000 };
    let world = Arc::new(World::new());
    let runner_stops = Arc::new(AtomicBool::new(false));
    let runners: Vec<_> = (0..2)
        .map(|_| {
            let (world, stops) = (world.clone(), runner_stops.clone());
            std::thread::spawn(move || {
                let space = world.space.clone();
                space.enter(|| {
                    while !stops.load(SeqCst) || world.queued() > 0 {
                        match world.pop().map(|(runnable, _)| runnable.run()) {
                            Some(Ran::Yielded(back) | Ran::Woken(back)) => {
                                world.collect.queue.lock().unwrap().push_back((back, Why::Wake));
                            }
                            Some(Ran::Pending | Ran::Done) => {}
                            None => std::thread::yield_now(),
                        }
                    }
                });
            })
        })
        .collect();
    let mut ends = [0, 0];
    for round in 0..rounds {
        let (counts, output, shelf) = (Counts::new(), Counts::new(), Shelf::default());
        let polled_at_once = Arc::new(AtomicBool::new(false));
        let (stored, made, guard) = (shelf.clone(), output.clone(), polled_at_once.clone());
        let mut polls = 0;
        let handle = world.spawn(scripted(&counts, move |cx| {
            assert!(!guard.swap(true, SeqCst), "polled by two threads at once");
            polls += 1;
            stored.put(cx);
            if round % 3 == 0 {
                cx.waker().wake_by_ref();
            }
            guard.store(false, SeqCst);
            if polls == 3 { Poll::Ready(OnDrop(made.clone())) } else { Poll::Pending }
        }));
        let abort = handle.abort_handle();
        let waking = {
            let shelf = shelf.clone();
            move || {
                for _ in 0..4 {
                    shelf.take().into_iter().for_each(Waker::wake);
                    std::thread::yield_now();
                }
            }
        };
        waking();
        if round % 2 == 0 {
            abort.abort();
        }
        waking();
        // Whatever came before, this ends it.
        abort.abort();
        let joined = join_by_parking(handle);
        match joined {
            Ok(output) => {
                ends[0] += 1;
                drop(output);
                assert_eq!(counts.polls(), 3);
            }
            Err(error) => {
                ends[1] += 1;
                assert!(error.is_cancelled());
            }
        }
        assert_eq!(counts.drops(), 1);
        assert_eq!(output.drops(), usize::from(counts.polls() == 3));
    }
    assert_eq!(ends[0] + ends[1], rounds);
    runner_stops.store(true, SeqCst);
    for runner in runners {
        runner.join().unwrap();
    }
    world.assert_empty();
}

/// Blocks this thread until the handle yields.
fn join_by_parking<T>(mut handle: JoinHandle<T>) -> Result<T, JoinError> {
    struct Unparks(std::thread::Thread);
    impl std::task::Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unparks(std::thread::current())));
    loop {
        if let Poll::Ready(output) = poll_with(&mut handle, &waker) {
            return output;
        }
        std::thread::park();
    }
}
