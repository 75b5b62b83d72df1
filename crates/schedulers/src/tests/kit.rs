//! A scheduler and the local parts of its workers, driven by hand.

use parking_lot::Mutex;
use polyloop_core::{Meta, Notify, Ran, Runnable, Schedule, Scheduler, TaskSpace, Why};
use std::panic::Location;
use std::sync::Arc;
use std::task::Poll;

/// Catches what is spawned or woken.
#[derive(Debug, Default)]
pub(super) struct Caught(pub(super) Mutex<Vec<Runnable>>);

impl Schedule for Caught {
    fn schedule(&self, runnable: Runnable, _: Why) {
        self.0.lock().push(runnable);
    }
}

/// Its runnables write their number down when they are run.
pub(super) struct World<S: Scheduler> {
    pub(super) scheduler: S,
    pub(super) locals: Vec<S::Local>,
    pub(super) caught: Arc<Caught>,
    space: Arc<TaskSpace>,
    pub(super) log: Arc<Mutex<Vec<u32>>>,
}

/// A description that asks for nothing.
pub(super) fn plain() -> Meta {
    Meta::new(Location::caller())
}

impl<S: Scheduler> World<S> {
    pub(super) fn new(scheduler: S, workers: usize) -> Self {
        let locals = (0..workers).map(|index| scheduler.local(index)).collect();
        let caught = Arc::new(Caught::default());
        let space = TaskSpace::new(caught.clone());
        Self { scheduler, locals, caught, space, log: Arc::default() }
    }

    /// A task that is polled `polls` times and yields in between.
    pub(super) fn task(&self, number: u32, meta: Meta, polls: u64) -> Runnable {
        let log = self.log.clone();
        let mut left = polls;
        let future = std::future::poll_fn(move |cx| {
            log.lock().push(number);
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        self.space.spawn_detached(future, meta);
        self.caught.0.lock().pop().expect("a spawn schedules at once")
    }

    /// Pushes a task of one poll from worker `at`, or from outside.
    pub(super) fn push(&mut self, at: Option<usize>, number: u32, meta: Meta) -> Notify {
        let runnable = self.task(number, meta, 1);
        self.scheduler.push(at.map(|at| &mut self.locals[at]), runnable, Why::Spawn)
    }

    /// The number of what worker `at` polls next. The poll takes so many nanoseconds, and the task is pushed again if it yields.
    pub(super) fn poll(&mut self, at: usize, nanos: u64) -> Option<u32> {
        let ran = self.scheduler.next(&mut self.locals[at])?.run();
        self.scheduler.polled(&mut self.locals[at], nanos);
        if let Ran::Yielded(runnable) = ran {
            let _ = self.scheduler.push(Some(&mut self.locals[at]), runnable, Why::Yield);
        }
        self.log.lock().pop()
    }

    pub(super) fn all(&mut self, at: usize) -> Vec<u32> {
        std::iter::from_fn(|| self.poll(at, 1_000)).collect()
    }
}
