//! Panics (C8) and drops (C9).

use super::wakers::{last, shelving};
use super::{New, Tasks, joined, run_all};
use crate::runtime::Counter;
use polyloop_traits::Join;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

/// Panics when it is dropped, with this text.
struct Panics(&'static str);

impl Drop for Panics {
    fn drop(&mut self) {
        // A second panic while the first one unwinds would end the process.
        if !std::thread::panicking() {
            std::panic::panic_any(self.0);
        }
    }
}

fn assert_alive(tasks: &impl Tasks) {
    let join = tasks.spawn(async { "alive" });
    run_all(tasks);
    assert_eq!(joined(join).expect("it has ended"), "alive");
}

/// The future goes with its last poll, the value with whoever took it.
pub fn a_future_is_dropped_at_its_end_and_the_value_with_its_owner<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (futures, values) = (Counter::default(), Counter::default());
    let spawn = || {
        let (future, value) = (futures.dropped(), values.dropped());
        tasks.spawn(async move {
            let _future = future;
            value
        })
    };
    let (taken, not_taken) = (spawn(), spawn());
    spawn().detach();
    run_all(&tasks);
    assert_eq!((futures.get(), values.get()), (3, 1));
    let value = joined(taken).expect("it has ended");
    assert_eq!(values.get(), 1);
    drop(value);
    assert_eq!(values.get(), 2);
    drop(not_taken);
    assert_eq!((futures.get(), values.get()), (3, 3));
}

/// A panic ends the task and nothing else; its payload is the joiner's.
pub fn a_panic_in_a_poll_reaches_the_joiner<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (drops, wakes) = (Counter::default(), Counter::default());
    let counted = drops.dropped();
    let mut join = tasks.spawn(async move {
        let _counted = counted;
        std::panic::panic_any("in a poll")
    });
    let waker = Waker::from(Arc::new(wakes.clone()));
    assert!(Pin::new(&mut join).poll(&mut Context::from_waker(&waker)).is_pending());
    run_all(&tasks);
    assert_eq!((drops.get(), wakes.get()), (1, 1));
    let error = joined::<(), _>(join).expect_err("it has panicked");
    assert_eq!(error.into_panic().expect("a panic").downcast_ref(), Some(&"in a poll"));
    assert_alive(&tasks);
}

/// A panic in the drop of a future that has its value is a panic of the task.
pub fn a_panic_in_the_drop_of_a_future_reaches_the_joiner<T: Tasks>(new: New<T>) {
    /// Ready at once; it still has the bomb when it is dropped.
    struct Holds(#[expect(dead_code, reason = "its drop counts")] Panics);
    impl Future for Holds {
        type Output = u8;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> std::task::Poll<u8> {
            std::task::Poll::Ready(1)
        }
    }
    let tasks = new();
    let join = tasks.spawn(Holds(Panics("in a drop")));
    run_all(&tasks);
    let error = joined(join).expect_err("it has panicked");
    assert_eq!(error.into_panic().expect("a panic").downcast_ref(), Some(&"in a drop"));
    assert_alive(&tasks);
}

/// The same while it is cancelled: whoever cancels goes on, and the joiner is told of an end.
pub fn a_panic_in_the_drop_of_a_cancelled_future_is_contained<T: Tasks>(new: New<T>) {
    let tasks = new();
    let spawn = || {
        let bomb = Panics("in a drop");
        tasks.spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        })
    };
    let mut aborted = spawn();
    run_all(&tasks);
    aborted.abort();
    run_all(&tasks);
    drop(joined(aborted).expect_err("it was cancelled"));
    assert_alive(&tasks);
    let at_the_end = spawn();
    let polled = spawn();
    tasks.run_one();
    tasks.shut_down();
    drop(joined(at_the_end).expect_err("it was cancelled"));
    drop(joined(polled).expect_err("it was cancelled"));
}

/// A value that panics in its drop, with nobody to take it: the thread that ran the task goes on.
pub fn a_panic_in_the_drop_of_a_value_that_nobody_takes_is_contained<T: Tasks>(new: New<T>) {
    let tasks = new();
    tasks.spawn(async { Panics("in a value") }).detach();
    run_all(&tasks);
    assert_alive(&tasks);
}

/// A joiner whose waker panics: the thread that ran the task goes on, and the value is there.
pub fn a_panic_in_the_waker_of_the_joiner_is_contained<T: Tasks>(new: New<T>) {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any("in a waker");
        }
    }
    let tasks = new();
    let mut join = tasks.spawn(async { 5 });
    let waker = Waker::from(Arc::new(Bad));
    assert!(Pin::new(&mut join).poll(&mut Context::from_waker(&waker)).is_pending());
    run_all(&tasks);
    assert_eq!(joined(join).expect("it has ended"), 5);
    assert_alive(&tasks);
}

/// At the end of all, queued and waiting futures are dropped, once, and their handles say so.
pub fn the_end_of_all_drops_each_future_once<T: Tasks>(new: New<T>) {
    let tasks = new();
    let drops = Counter::default();
    let held = || {
        let counted = drops.dropped();
        tasks.spawn(async move {
            let _counted = counted;
            pending::<()>().await;
        })
    };
    let waiting: Vec<_> = (0..20).map(|_| held()).collect();
    run_all(&tasks);
    let queued: Vec<_> = (0..20).map(|_| held()).collect();
    (0..10).for_each(|_| held().detach());
    tasks.shut_down();
    assert_eq!(drops.get(), 50);
    for join in waiting.into_iter().chain(queued) {
        assert!(joined(join).expect_err("it was cancelled").is_cancelled());
    }
    drop(tasks);
    assert_eq!(drops.get(), 50);
}

/// A future that wakes a sibling and itself from its drop, at the end of all.
pub fn futures_that_wake_and_spawn_while_they_are_dropped<T: Tasks>(new: New<T>) {
    struct Wakes(Arc<Mutex<Vec<Waker>>>);
    impl Drop for Wakes {
        fn drop(&mut self) {
            let wakers = self.0.lock().expect("unpoisoned").clone();
            wakers.into_iter().for_each(Waker::wake);
        }
    }
    let tasks = new();
    let (shelf, polls, drops) = (Arc::default(), Counter::default(), Counter::default());
    let spawn = || {
        let (inner, wakes, counted) = (shelving(&shelf, &polls, 9), Wakes(shelf.clone()), drops.dropped());
        tasks.spawn(async move {
            let (_wakes, _counted) = (wakes, counted);
            inner.await;
        })
    };
    let joins: Vec<_> = (0..5).map(|_| spawn()).collect();
    run_all(&tasks);
    last(&shelf).wake();
    tasks.shut_down();
    assert_eq!((drops.get(), polls.get()), (5, 5));
    joins.into_iter().for_each(|join| drop(joined(join).expect_err("it was cancelled")));
    // The wakers and the tasks that hold their list let go of each other.
    shelf.lock().expect("unpoisoned").clear();
}

/// What is spawned after the end of all is never polled, and its handle says so.
pub fn a_task_that_comes_after_the_end_is_cancelled<T: Tasks>(new: New<T>) {
    let tasks = new();
    tasks.shut_down();
    let (polls, drops) = (Counter::default(), Counter::default());
    let (count, counted) = (polls.clone(), drops.dropped());
    let join = tasks.spawn(async move {
        let _counted = counted;
        count.add();
    });
    run_all(&tasks);
    assert_eq!((polls.get(), drops.get()), (0, 1));
    assert!(joined(join).expect_err("it came too late").is_cancelled());
}

/// Two tasks that hold each other's handles and wakers are no cycle that lives on.
pub fn two_tasks_that_await_each_other_are_dropped<T: Tasks>(new: New<T>) {
    let tasks = new();
    let drops = Counter::default();
    let handles: Arc<Mutex<Vec<T::Join<()>>>> = Arc::default();
    for _ in 0..2 {
        let (take, counted) = (handles.clone(), drops.dropped());
        let join = tasks.spawn(async move {
            let _counted = counted;
            // Each takes what is first in the list: the other's, as the second one was put in front.
            let other = take.lock().expect("unpoisoned").pop().expect("there are two");
            let _ = other.await;
        });
        handles.lock().expect("unpoisoned").insert(0, join);
    }
    // The list is [second, first]: the first task would take its own.
    handles.lock().expect("unpoisoned").swap(0, 1);
    run_all(&tasks);
    assert!(handles.lock().expect("unpoisoned").is_empty());
    tasks.shut_down();
    drop(tasks);
    assert_eq!(drops.get(), 2);
}
