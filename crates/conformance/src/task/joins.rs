//! Joining and aborting.

use super::wakers::{last, shelving};
use super::{New, Tasks, joined, run_all};
use crate::runtime::Counter;
use polyloop_traits::{Join, OnDrop};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;

/// A handle gives the value of a task that has ended.
pub fn a_value_that_is_joined_after_the_end<T: Tasks>(new: New<T>) {
    let tasks = new();
    let join = tasks.spawn(async { "value".to_owned() });
    run_all(&tasks);
    assert_eq!(joined(join).expect("it has ended"), "value");
}

/// A handle that waits is woken once, at the end.
pub fn a_value_that_is_joined_before_the_end<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (shelf, polls, wakes) = (Arc::default(), Counter::default(), Counter::default());
    let mut join = pin!(tasks.spawn(shelving(&shelf, &polls, 2)));
    let waker = Waker::from(Arc::new(wakes.clone()));
    for _ in 0..3 {
        assert!(join.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    run_all(&tasks);
    assert_eq!(wakes.get(), 0);
    last(&shelf).wake();
    run_all(&tasks);
    assert_eq!(wakes.get(), 1);
    assert!(join.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}

/// A handle that moves to another task wakes the one that polled it last.
pub fn a_joiner_that_polls_again_is_the_one_to_be_woken<T: Tasks>(new: New<T>) {
    let tasks = new();
    let mut join = pin!(tasks.spawn(async { 3 }));
    let (first, second) = (Counter::default(), Counter::default());
    for counter in [&first, &second, &first, &second] {
        let waker = Waker::from(Arc::new(counter.clone()));
        assert!(join.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    run_all(&tasks);
    assert_eq!((first.get(), second.get()), (0, 1));
}

/// Dropping a handle detaches or aborts, as its type says.
pub fn a_handle_that_is_dropped_does_what_it_says<T: Tasks>(new: New<T>) {
    fn on_drop<T, J: Join<T>>(_: &J) -> OnDrop {
        J::ON_DROP
    }
    let tasks = new();
    let (ran, drops) = (Counter::default(), Counter::default());
    let (count, counted) = (ran.clone(), drops.dropped());
    let join = tasks.spawn(async move {
        let _counted = counted;
        count.add();
    });
    let expected = match on_drop(&join) {
        OnDrop::Detach => 1,
        OnDrop::Abort => 0,
    };
    drop(join);
    run_all(&tasks);
    assert_eq!((ran.get(), drops.get()), (expected, 1));
    let count = ran.clone();
    tasks.spawn(async move { count.add() }).detach();
    run_all(&tasks);
    assert_eq!(ran.get(), expected + 1);
}

/// A task that is aborted before its first poll is never polled, and its future is dropped.
pub fn an_abort_before_the_first_poll<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (polls, drops) = (Counter::default(), Counter::default());
    let (count, counted) = (polls.clone(), drops.dropped());
    let mut join = tasks.spawn(async move {
        let _counted = counted;
        count.add();
    });
    join.abort();
    join.abort();
    run_all(&tasks);
    assert_eq!((polls.get(), drops.get()), (0, 1));
    assert!(joined(join).expect_err("it was aborted").is_cancelled());
}

/// A task that nobody else would wake ends all the same, and its joiner is woken.
pub fn an_abort_of_a_task_that_waits<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (drops, wakes) = (Counter::default(), Counter::default());
    let counted = drops.dropped();
    let mut join = tasks.spawn(async move {
        let _counted = counted;
        pending::<()>().await;
    });
    run_all(&tasks);
    let waker = Waker::from(Arc::new(wakes.clone()));
    assert!(Pin::new(&mut join).poll(&mut Context::from_waker(&waker)).is_pending());
    join.abort();
    run_all(&tasks);
    assert_eq!((drops.get(), wakes.get()), (1, 1));
    assert!(joined(join).expect_err("it was aborted").is_cancelled());
}

/// A task that aborts itself ends with this poll.
pub fn an_abort_by_the_task_itself<T: Tasks>(new: New<T>) {
    let tasks = new();
    let (polls, drops) = (Counter::default(), Counter::default());
    let handle: Arc<Mutex<Option<T::Join<()>>>> = Arc::default();
    let (count, counted, own) = (polls.clone(), drops.dropped(), handle.clone());
    let mut task = Box::pin(async move {
        let _counted = counted;
        pending::<()>().await;
    });
    let join = tasks.spawn(poll_fn(move |cx| {
        count.add();
        if let Some(join) = own.lock().expect("unpoisoned").as_mut() {
            join.abort();
        }
        task.as_mut().poll(cx)
    }));
    *handle.lock().expect("unpoisoned") = Some(join);
    run_all(&tasks);
    assert_eq!((polls.get(), drops.get()), (1, 1));
    let join = handle.lock().expect("unpoisoned").take().expect("it was put there");
    assert!(joined(join).expect_err("it was aborted").is_cancelled());
}

/// An abort that comes after the end takes nothing away.
pub fn an_abort_after_the_end_keeps_the_value<T: Tasks>(new: New<T>) {
    let tasks = new();
    let mut join = tasks.spawn(async { 7 });
    run_all(&tasks);
    join.abort();
    run_all(&tasks);
    assert_eq!(joined(join).expect("it had ended"), 7);
}

/// One thread aborts, one wakes, one runs: each task ends once, with its value or cancelled.
pub fn aborts_and_wakes_by_other_threads_end_a_task_once<T: Tasks>(new: New<T>) {
    let tasks = new();
    for round in 0..500 {
        let (shelf, polls, drops) = (Arc::default(), Counter::default(), Counter::default());
        let (inner, counted) = (shelving(&shelf, &polls, 3), drops.dropped());
        let mut join = tasks.spawn(async move {
            let _counted = counted;
            inner.await;
            round
        });
        run_all(&tasks);
        let waker = last(&shelf);
        thread::scope(|scope| {
            let join = &mut join;
            scope.spawn(move || join.abort());
            scope.spawn(move || (0..3).for_each(|_| waker.wake_by_ref()));
            for _ in 0..3 {
                tasks.run_one();
            }
        });
        run_all(&tasks);
        assert_eq!(drops.get(), 1);
        match joined(join) {
            Ok(value) => assert_eq!((value, polls.get()), (round, 3)),
            Err(error) => assert!(error.is_cancelled()),
        }
    }
}
