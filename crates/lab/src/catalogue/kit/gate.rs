//! A door that opens once, for any number of waiters, on any runtime.
//!
//! Invariant: wakers are woken after the lock is released, and nobody waits at an open gate.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Opens once. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    waiters: Vec<Waker>,
}

impl Gate {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens it, and wakes whoever waits.
    pub(crate) fn open(&self) {
        let waiters = self.with(|state| {
            state.open = true;
            std::mem::take(&mut state.waiters)
        });
        waiters.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.with(|state| state.open)
    }

    /// Waits until it is open.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        Waiting { gate: self, place: None }
    }
}

/// Waits at a gate.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    gate: &'a Gate,
    /// Where this waiter's waker is kept.
    place: Option<usize>,
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (gate, place) = (self.gate, self.place);
        gate.with(|state| match place {
            _ if state.open => Poll::Ready(()),
            Some(place) => {
                state.waiters[place].clone_from(cx.waker());
                Poll::Pending
            }
            None => {
                self.place = Some(state.waiters.len());
                state.waiters.push(cx.waker().clone());
                Poll::Pending
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::pin::pin;

    #[test]
    fn a_waiter_is_woken_once_it_opens_and_spurious_polls_add_nothing() {
        let gate = Gate::default();
        let mut waiting = pin!(gate.wait());
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert!(waiting.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(gate.with(|state| state.waiters.len()), 1);
        gate.open();
        assert!(waiting.as_mut().poll(&mut cx).is_ready());
        block_on(gate.wait());
    }
}
