//! Tasks that are polled by hand, so that every order of events can be had.

use polyloop_detect::{Certainty, Detect, Finding, Kind};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// A task without a runtime.
pub(crate) struct Bench<F> {
    future: Pin<Box<F>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl<F: Future> Bench<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future: Box::pin(future), woken: Arc::default() }
    }

    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(self.woken.clone())))
    }

    /// Polls as long as it was woken, as a runtime does. Whether it has ended.
    pub(crate) fn run(&mut self) -> bool {
        while self.woken.0.swap(0, Ordering::SeqCst) > 0 {
            if self.poll().is_ready() {
                return true;
            }
        }
        false
    }
}

/// Wakers that a test keeps from a future's polls.
pub(crate) type Kept = Arc<Mutex<Vec<Waker>>>;

/// A future that waits for ever and leaves the waker of each poll in `kept`.
pub(crate) fn keeps(kept: &Kept) -> impl Future<Output = ()> + use<> {
    let kept = kept.clone();
    std::future::poll_fn(move |cx| {
        kept.lock().unwrap().push(cx.waker().clone());
        Poll::Pending
    })
}

/// What was found, with its certainty.
pub(crate) fn kinds(detect: &Detect) -> Vec<(Kind, Certainty)> {
    detect.findings().into_iter().map(|finding| (finding.kind, finding.certainty)).collect()
}

/// Whether it says no more than that something happened often, which a preempted thread can bring about.
pub(crate) fn is_count(finding: &Finding) -> bool {
    matches!(finding.kind, Kind::SelfWakes { .. } | Kind::SpuriousPolls { .. })
}
