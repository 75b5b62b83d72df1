//! The suite for tasks and wakers (C1, C8, C9), on the one task cell that there is.

use polyloop_conformance::task;
use polyloop_conformance::task::Tasks;
use polyloop_core::{JoinHandle, Meta, Ran, RunQueue, Runnable, Schedule, TaskSpace, Why};
use polyloop_traits::{Join, JoinFailed, OnDrop};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// What is ready, in order.
#[derive(Debug, Default)]
struct Queue(Mutex<RunQueue>);

impl Schedule for Queue {
    fn schedule(&self, runnable: Runnable, why: Why) {
        self.0.lock().unwrap().extend(runnable.unless_late(why));
    }

    fn drain(&self) -> RunQueue {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Cells {
    queue: Arc<Queue>,
    space: Arc<TaskSpace>,
}

impl Cells {
    fn new() -> Self {
        let queue = Arc::new(Queue::default());
        let space = TaskSpace::new(queue.clone());
        Self { queue, space }
    }

    fn pop(&self) -> Option<Runnable> {
        self.queue.0.lock().unwrap().pop_front()
    }
}

impl Tasks for Cells {
    type Join<T: Send + 'static> = Handle<T>;

    fn spawn<F>(&self, future: F) -> Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Handle(self.space.spawn(future, Meta::new(Location::caller())))
    }

    fn run_one(&self) -> bool {
        let Some(runnable) = self.pop() else { return false };
        match runnable.run() {
            Ran::Yielded(runnable) | Ran::Woken(runnable) => self.queue.schedule(runnable, Why::Wake),
            Ran::Pending | Ran::Done => {}
        }
        true
    }

    fn queued(&self) -> usize {
        self.queue.0.lock().unwrap().len()
    }

    fn shut_down(&self) {
        self.space.close();
        drop(self.space.attend());
        self.space.retire();
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        self.shut_down();
        assert_eq!(self.space.live_tasks(), 0, "tasks that are left");
    }
}

struct Handle<T>(JoinHandle<T>);

impl<T> Future for Handle<T> {
    type Output = Result<T, JoinFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|error| match error.try_into_panic() {
            Ok(payload) => JoinFailed::panicked(payload),
            Err(_) => JoinFailed::cancelled(),
        })
    }
}

impl<T> Join<T> for Handle<T> {
    const ON_DROP: OnDrop = OnDrop::Detach;

    fn abort(&mut self) {
        self.0.abort();
    }

    fn detach(self) {}
}

task!(cells, Cells::new);
