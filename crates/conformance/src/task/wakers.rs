//! Wakers (C1).

use super::{New, Tasks, joined, run_all};
use crate::runtime::{Counter, CountsDrop};
use polyloop_traits::Join;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

type Shelf = Arc<Mutex<Vec<Waker>>>;

/// A future that counts its polls and puts its waker on the shelf, until it has been polled `times`.
pub(super) fn shelving(
    shelf: &Shelf,
    polls: &Counter,
    times: usize,
) -> impl Future<Output = ()> + Send + 'static {
    let (shelf, polls) = (shelf.clone(), polls.clone());
    poll_fn(move |cx| {
        shelf.lock().expect("unpoisoned").push(cx.waker().clone());
        if polls.add() + 1 >= times { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// The waker that was put on the shelf last.
pub(super) fn last(shelf: &Shelf) -> Waker {
    shelf.lock().expect("unpoisoned").last().expect("it has been polled").clone()
}

/// A spawn queues the task once; the poll takes it off.
pub fn a_new_task_is_queued_once_and_polled_once<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (shelf, polls) = (Shelf::default(), Counter::default());
    let _join = tasks.spawn(shelving(&shelf, &polls, 2));
    assert_eq!((tasks.queued(), polls.get()), (1, 0));
    assert_eq!((run_all(&tasks), polls.get(), tasks.queued()), (1, 1, 0));
}

/// A thousand wakes, by this thread and another, are one poll.
pub fn many_wakes_before_a_poll_make_one<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (shelf, polls) = (Shelf::default(), Counter::default());
    let _join = tasks.spawn(shelving(&shelf, &polls, 9));
    run_all(&tasks);
    let waker = last(&shelf);
    let clones = vec![waker.clone(); 100];
    (0..500).for_each(|_| waker.wake_by_ref());
    thread::spawn(move || (0..500).for_each(|_| waker.wake_by_ref())).join().expect("wakes do not panic");
    clones.into_iter().for_each(Waker::wake);
    assert_eq!(tasks.queued(), 1);
    assert_eq!((run_all(&tasks), polls.get()), (1, 2));
}

/// Three wakes after the poll began lead to another poll, and to one.
pub fn wakes_during_a_poll_make_one_more<T: Tasks>(new: New<T>) {
    let tasks = new();
    let polls = Counter::default();
    let count = polls.clone();
    let _join = tasks.spawn(poll_fn(move |cx| {
        if count.add() == 0 {
            (0..3).for_each(|_| cx.waker().wake_by_ref());
        }
        Poll::<()>::Pending
    }));
    assert_eq!((run_all(&tasks), polls.get()), (2, 2));
}

/// Also those by a thread that has the waker from this very poll.
pub fn a_wake_by_another_thread_during_a_poll_is_not_lost<T: Tasks>(new: New<T>) {
    let tasks = new();
    let polls = Counter::default();
    let count = polls.clone();
    let _join = tasks.spawn(poll_fn(move |cx| {
        if count.add() == 0 {
            let waker = cx.waker().clone();
            thread::spawn(move || (waker.wake_by_ref(), waker.wake())).join().expect("wakes do not panic");
        }
        Poll::<()>::Pending
    }));
    assert_eq!((run_all(&tasks), polls.get()), (2, 2));
}

/// A clone says that it wakes the same task, and does.
pub fn clones_of_a_waker_wake_the_same_task<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (shelf, polls) = (Shelf::default(), Counter::default());
    let (other_shelf, other_polls) = (Shelf::default(), Counter::default());
    let _joins =
        (tasks.spawn(shelving(&shelf, &polls, 9)), tasks.spawn(shelving(&other_shelf, &other_polls, 9)));
    run_all(&tasks);
    let (waker, other) = (last(&shelf), last(&other_shelf));
    let clone = waker.clone();
    assert!(clone.will_wake(&waker) && !clone.will_wake(&other));
    drop(waker);
    clone.wake();
    run_all(&tasks);
    assert_eq!((polls.get(), other_polls.get()), (2, 1));
}

/// To let go of a waker is no wake.
pub fn a_waker_that_is_dropped_wakes_nobody<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (shelf, polls) = (Shelf::default(), Counter::default());
    let _join = tasks.spawn(shelving(&shelf, &polls, 9));
    run_all(&tasks);
    let wakers = std::mem::take(&mut *shelf.lock().expect("unpoisoned"));
    drop(wakers);
    assert_eq!(tasks.queued(), 0);
}

/// A task that has ended is not polled again, whoever wakes it.
pub fn a_wake_after_the_end_is_nothing<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (shelf, polls) = (Shelf::default(), Counter::default());
    let join = tasks.spawn(shelving(&shelf, &polls, 1));
    run_all(&tasks);
    let waker = last(&shelf);
    waker.wake_by_ref();
    let by_thread = waker.clone();
    thread::spawn(move || by_thread.wake()).join().expect("wakes do not panic");
    joined(join).expect("it has ended");
    waker.wake();
    assert_eq!((run_all(&tasks), polls.get()), (0, 1));
}

/// A task that wakes itself and ends has ended.
pub fn a_wake_in_the_last_poll_is_nothing<T: Tasks>(new: New<T>) {
    let tasks = new();
    let join = tasks.spawn(poll_fn(|cx| {
        (0..3).for_each(|_| cx.waker().wake_by_ref());
        Poll::Ready(7)
    }));
    assert_eq!(run_all(&tasks), 1);
    assert_eq!(joined(join).expect("it has ended"), 7);
}

/// Four threads count and wake while the task is polled; it sees the last count.
pub fn wakes_from_many_threads_are_not_lost<T: Tasks>(new: New<T>) {
    const THREADS: usize = 4;
    const WAKES: usize = 2000;
    let tasks = new();
    let (woken, shelf) = (Counter::default(), Shelf::default());
    let (seen, put) = (woken.clone(), shelf.clone());
    let mut join = tasks.spawn(poll_fn(move |cx| {
        put.lock().expect("unpoisoned").push(cx.waker().clone());
        if seen.get() == THREADS * WAKES { Poll::Ready(()) } else { Poll::Pending }
    }));
    run_all(&tasks);
    let waker = last(&shelf);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..WAKES {
                    woken.add();
                    waker.wake_by_ref();
                }
            });
        }
        while woken.get() < THREADS * WAKES {
            tasks.run_one();
        }
    });
    run_all(&tasks);
    let ended = Pin::new(&mut join).poll(&mut Context::from_waker(Waker::noop()));
    assert!(ended.is_ready(), "the last wake was lost");
}

/// Two threads run what is queued while a third wakes: the polls of one task never overlap, and the last wake is seen.
pub fn a_task_is_polled_by_one_thread_at_a_time<T: Tasks>(new: New<T>) {
    const WAKES: usize = 5000;
    let tasks = new();
    let (woken, shelf) = (Counter::default(), Shelf::default());
    let (inside, seen) = (Arc::new(AtomicBool::new(false)), Counter::default());
    let (count, put, last_seen) = (woken.clone(), shelf.clone(), Arc::new(Mutex::new(0)));
    let note = last_seen.clone();
    let polls = seen.clone();
    let mut join = tasks.spawn(poll_fn(move |cx| {
        assert!(!inside.swap(true, SeqCst), "two polls of one task at a time");
        if polls.add() == 0 {
            put.lock().expect("unpoisoned").push(cx.waker().clone());
        }
        *note.lock().expect("unpoisoned") = count.get();
        thread::yield_now();
        inside.store(false, SeqCst);
        Poll::<()>::Pending
    }));
    run_all(&tasks);
    let waker = last(&shelf);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    tasks.run_one();
                }
            });
        }
        for _ in 0..WAKES {
            woken.add();
            waker.wake_by_ref();
        }
        over.store(true, SeqCst);
    });
    run_all(&tasks);
    assert_eq!(*last_seen.lock().expect("unpoisoned"), WAKES, "the last wake was lost");
    assert!(seen.get() <= WAKES + 1, "{} polls for {WAKES} wakes", seen.get());
    join.abort();
    run_all(&tasks);
    assert!(joined(join).expect_err("it was aborted").is_cancelled());
}

/// Whoever keeps a waker keeps no future, once the task has ended.
pub fn wakers_that_are_kept_keep_no_future<T: Tasks>(new: New<T>) {
    /// What an `async` block would drop by itself at its end, this keeps until it is dropped as a whole.
    struct Keeps(Shelf, #[expect(dead_code, reason = "its drop counts")] CountsDrop);
    impl Future for Keeps {
        type Output = ();
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.0.lock().expect("unpoisoned").push(cx.waker().clone());
            Poll::Ready(())
        }
    }
    let tasks = new();
    let (shelf, drops) = (Shelf::default(), Counter::default());
    let join = tasks.spawn(Keeps(shelf.clone(), drops.dropped()));
    run_all(&tasks);
    assert_eq!(drops.get(), 1);
    drop(join);
    last(&shelf).wake();
    assert_eq!((drops.get(), tasks.queued()), (1, 0));
}

/// Wakers may be cloned, woken and dropped when all tasks are gone, on any thread.
pub fn wakers_outlive_all_tasks<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (shelf, polls) = (Shelf::default(), Counter::default());
    let joins: Vec<_> = (0..10).map(|_| tasks.spawn(shelving(&shelf, &polls, 99))).collect();
    run_all(&tasks);
    tasks.shut_down();
    drop(tasks);
    drop(joins);
    let wakers = std::mem::take(&mut *shelf.lock().expect("unpoisoned"));
    assert_eq!(wakers.len(), 10);
    for waker in &wakers {
        waker.wake_by_ref();
        let clone = waker.clone();
        drop(waker.clone());
        clone.wake();
    }
    thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().expect("wakes do not panic");
    assert_eq!(polls.get(), 10);
}
