//! The loop's futures: sleep as in the text, and the least that joins a task.
//!
//! Invariant: a sleep pushes its waker at every poll that finds it early, and takes nothing back.

use super::{Globals, Moment, TimerEntry};
use polyloop_traits::{Join, JoinFailed, OnDrop};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// `SleepFuture`.
pub struct SeedSleep {
    pub(super) globals: Arc<Globals>,
    pub(super) deadline: Moment,
}

impl Future for SeedSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Moment::now() >= self.deadline {
            return Poll::Ready(());
        }
        let entry = TimerEntry { deadline: self.deadline, waker: cx.waker().clone() };
        self.globals.TIMER_HEAP.lock().unwrap().push(entry);
        Poll::Pending
    }
}

impl fmt::Debug for SeedSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeedSleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Wakes its task and is ready at the next poll.
#[derive(Debug, Default)]
pub struct SeedYield {
    yielded: bool,
}

impl Future for SeedYield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

struct Slot<T> {
    value: Option<T>,
    joiner: Option<Waker>,
}

/// The value of a task.
pub struct SeedJoin<T>(Arc<Mutex<Slot<T>>>);

/// A task that leaves its value where the handle finds it.
pub(super) fn joinable<F: Future>(future: F) -> (impl Future<Output = ()>, SeedJoin<F::Output>) {
    let slot = Arc::new(Mutex::new(Slot { value: None, joiner: None }));
    let join = SeedJoin(slot.clone());
    let task = async move {
        let value = future.await;
        let joiner = {
            let mut slot = slot.lock().unwrap();
            slot.value = Some(value);
            slot.joiner.take()
        };
        joiner.into_iter().for_each(Waker::wake);
    };
    (task, join)
}

impl<T> Future for SeedJoin<T> {
    type Output = Result<T, JoinFailed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.lock().unwrap();
        match slot.value.take() {
            Some(value) => Poll::Ready(Ok(value)),
            None => {
                slot.joiner = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Join<T> for SeedJoin<T> {
    const ON_DROP: OnDrop = OnDrop::Detach;

    fn abort(&mut self) {
        panic!("the text has no way to end a task")
    }

    fn detach(self) {}
}

impl<T> fmt::Debug for SeedJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeedJoin").finish_non_exhaustive()
    }
}
