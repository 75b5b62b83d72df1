//! The neutral channel: unbounded, many senders, one receiver, the same code under every runtime.
//!
//! Invariant: the receiver is woken after the lock is released, by a send that found it waiting or by the last sender's
//! end; so a benchmark of wake-ups measures the runtime and not a channel that suits it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A new channel.
pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { queue: VecDeque::new(), waiter: None, senders: 1, closed: false };
    let shared = Arc::new(Mutex::new(state));
    (Sender { shared: shared.clone() }, Receiver { shared })
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    waiter: Option<Waker>,
    senders: usize,
    /// The receiver is gone.
    closed: bool,
}

type Shared<T> = Arc<Mutex<State<T>>>;

fn lock<T>(shared: &Shared<T>) -> MutexGuard<'_, State<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends; one for each sending task.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    shared: Shared<T>,
}

impl<T> Sender<T> {
    /// Sends `value`, or gives it back if nobody will receive it. Never waits.
    pub(crate) fn send(&self, value: T) -> Result<(), T> {
        let waiter = {
            let mut state = lock(&self.shared);
            if state.closed {
                return Err(value);
            }
            state.queue.push_back(value);
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        lock(&self.shared).senders += 1;
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waiter = {
            let mut state = lock(&self.shared);
            state.senders -= 1;
            if state.senders == 0 { state.waiter.take() } else { None }
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

/// Receives.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    shared: Shared<T>,
}

impl<T> Receiver<T> {
    /// The next value, or `None` once it is empty and all senders are gone.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| {
            let mut state = lock(&self.shared);
            if let Some(value) = state.queue.pop_front() {
                return Poll::Ready(Some(value));
            }
            if state.senders == 0 {
                return Poll::Ready(None);
            }
            let stale = state.waiter.replace(cx.waker().clone());
            drop(state);
            drop(stale);
            Poll::Pending
        })
        .await
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = {
            let mut state = lock(&self.shared);
            state.closed = true;
            std::mem::take(&mut state.queue)
        };
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn values_arrive_in_order_and_the_end_is_told() {
        let (sender, mut receiver) = channel();
        let other = sender.clone();
        let thread = std::thread::spawn(move || (0..100).for_each(|i| other.send(i).unwrap()));
        drop(sender);
        let received: Vec<u32> = block_on(async {
            let mut all = Vec::new();
            while let Some(value) = receiver.recv().await {
                all.push(value);
            }
            all
        });
        thread.join().unwrap();
        assert_eq!(received, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_value_for_nobody_comes_back() {
        let (sender, receiver) = channel();
        drop(receiver);
        assert_eq!(sender.send("lost"), Err("lost"));
    }
}
