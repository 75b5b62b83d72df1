//! The task cell, its slab, wakers and handles, by situation. Polls, drops and schedules are counted; nothing is timed.

mod abort;
mod chains;
mod ids;
mod join;
mod life;
mod limits;
mod local;
mod memory;
mod panics;
mod promises;
mod queues;
mod registry;
mod wakers;

use super::*;
use crate::queue::RunQueue;
use crate::schedule::{Schedule, Why};
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

/// A scheduler that collects.
#[derive(Debug, Default)]
struct Collect {
    queue: Mutex<VecDeque<(Runnable, Why)>>,
    schedules: AtomicUsize,
}

impl Schedule for Collect {
    fn schedule(&self, runnable: Runnable, why: Why) {
        self.schedules.fetch_add(1, SeqCst);
        let Some(runnable) = runnable.unless_late(why) else { return };
        self.queue.lock().unwrap().push_back((runnable, why));
    }

    fn drain(&self) -> RunQueue {
        let mut drained = RunQueue::new();
        drained.extend(self.queue.lock().unwrap().drain(..).map(|(runnable, _)| runnable));
        drained
    }
}

/// A space, its scheduler, and an end that must leave nothing behind.
struct World {
    collect: Arc<Collect>,
    space: Arc<TaskSpace>,
}

impl World {
    fn new() -> Self {
        let collect = Arc::new(Collect::default());
        let space = TaskSpace::new(collect.clone());
        Self { collect, space }
    }

    #[track_caller]
    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.space.spawn(future, here())
    }

    fn pop(&self) -> Option<(Runnable, Why)> {
        self.collect.queue.lock().unwrap().pop_front()
    }

    fn queued(&self) -> usize {
        self.collect.queue.lock().unwrap().len()
    }

    fn schedules(&self) -> usize {
        self.collect.schedules.load(SeqCst)
    }

    /// Runs the oldest runnable, which must be there. One that stays runnable goes to the end.
    fn run_one(&self) -> Outcome {
        let (runnable, _) = self.pop().expect("a task is queued");
        let (outcome, back) = match runnable.run() {
            Ran::Done => return Outcome::Done,
            Ran::Pending => return Outcome::Pending,
            Ran::Yielded(runnable) => (Outcome::Yielded, (runnable, Why::Yield)),
            Ran::Woken(runnable) => (Outcome::Woken, (runnable, Why::Wake)),
        };
        self.collect.queue.lock().unwrap().push_back(back);
        outcome
    }

    /// Runs until nothing is queued; how many runs that were.
    fn run_all(&self) -> usize {
        let mut runs = 0;
        while self.queued() > 0 {
            self.run_one();
            runs += 1;
        }
        runs
    }

    /// Cancels what is queued or idle, as an executor does at its end.
    fn close(&self) {
        self.space.close();
        drop(self.space.attend());
    }

    /// The same, and memory returns.
    fn shut_down(&self) {
        self.close();
        self.space.retire();
    }

    /// Shuts down in the middle of a poll of the oldest runnable, which is not cancelled by that.
    fn shut_down_but_for_the_first(&self) {
        let _attends = self.space.attend();
        let (first, _) = self.pop().expect("a task is queued");
        self.shut_down();
        assert!(matches!(first.run(), Ran::Done));
    }

    /// After everything that referred to tasks is gone.
    fn assert_empty(&self) {
        self.shut_down();
        assert_eq!(self.space.live_tasks(), 0);
        assert_eq!(self.space.allocated_bytes(), 0);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shut_down();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Pending,
    Yielded,
    Woken,
    Done,
}

#[track_caller]
fn here() -> Meta {
    Meta::new(Location::caller())
}

/// What happened to one future.
#[derive(Debug, Default)]
struct Counts {
    polls: AtomicUsize,
    drops: AtomicUsize,
    dropped_on: Mutex<Option<ThreadId>>,
}

impl Counts {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn polls(&self) -> usize {
        self.polls.load(SeqCst)
    }

    fn drops(&self) -> usize {
        self.drops.load(SeqCst)
    }
}

/// Counts its drop.
struct OnDrop(Arc<Counts>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, SeqCst);
        *self.0.dropped_on.lock().unwrap() = Some(std::thread::current().id());
    }
}

/// A future from a closure that counts its polls and its drop.
struct Scripted<F> {
    script: F,
    on_drop: OnDrop,
    _padding: [u8; PADDING],
}

/// Fewer tasks fill a page under Miri.
const PADDING: usize = if cfg!(miri) { 3_500 } else { 0 };

fn scripted<T, F>(counts: &Arc<Counts>, script: F) -> Scripted<F>
where
    F: FnMut(&mut Context<'_>) -> Poll<T> + Unpin,
{
    Scripted { script, on_drop: OnDrop(counts.clone()), _padding: [0; PADDING] }
}

impl<T, F: FnMut(&mut Context<'_>) -> Poll<T> + Unpin> Future for Scripted<F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.on_drop.0.polls.fetch_add(1, SeqCst);
        (self.script)(cx)
    }
}

/// Pends for ever and leaves its waker here.
#[derive(Clone, Debug, Default)]
struct Shelf(Arc<Mutex<Vec<Waker>>>);

impl Shelf {
    fn put(&self, cx: &Context<'_>) {
        self.0.lock().unwrap().push(cx.waker().clone());
    }

    fn take(&self) -> Vec<Waker> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A future that stores its waker at each poll and is ready at poll number `ready_at` (from 1), 0 for never.
    fn stores(&self, counts: &Arc<Counts>, ready_at: usize) -> impl Future<Output = usize> + Send + 'static {
        let (shelf, mut polls) = (self.clone(), 0);
        scripted(counts, move |cx| {
            polls += 1;
            if polls == ready_at {
                return Poll::Ready(polls);
            }
            shelf.put(cx);
            Poll::Pending
        })
    }
}

/// Counts its wakes.
#[derive(Debug, Default)]
struct CountWakes(AtomicUsize);

impl std::task::Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A foreign waker and its count.
fn counting_waker() -> (Arc<CountWakes>, Waker) {
    let count = Arc::new(CountWakes::default());
    (count.clone(), Waker::from(count))
}

impl CountWakes {
    fn wakes(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// Polls `future` once with `waker`.
fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Polls a handle that must be ready.
fn joined<T>(mut handle: JoinHandle<T>) -> Result<T, JoinError> {
    match poll_with(&mut handle, Waker::noop()) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the task has not ended"),
    }
}

/// Wakes its task and pends, once.
fn yield_once() -> impl Future<Output = ()> + Send + Unpin {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
