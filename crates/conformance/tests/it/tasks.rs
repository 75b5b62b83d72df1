//! Broken tasks: a cell behind one lock, with one fault.

use crate::mutants::finds;
use polyloop_conformance::task;
use polyloop_conformance::task::{Tasks, properties};
use polyloop_traits::{Join, JoinFailed, OnDrop};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

const SOUND: u8 = 0;
const WAKE_DURING_POLL_LOST: u8 = 1;
const QUEUED_TWICE: u8 = 2;
const POLLED_AFTER_THE_END: u8 = 3;
const FIRST_JOINER_KEPT: u8 = 4;
const JOINER_NOT_WOKEN: u8 = 5;
const ABORT_WAITS_FOR_A_WAKE: u8 = 6;
const ABORT_TAKES_THE_VALUE: u8 = 7;
const PANIC_GOES_THROUGH: u8 = 8;
const JOINERS_PANIC_GOES_THROUGH: u8 = 9;
const FUTURE_KEPT_BY_WAKERS: u8 = 10;
const SHUTDOWN_FORGETS_WAITING: u8 = 11;
const SHUTDOWN_TELLS_NOBODY: u8 = 12;
const QUEUED_DURING_POLL: u8 = 13;
const SPAWN_AFTER_THE_END: u8 = 14;
const DROPPED_WAKER_WAKES: u8 = 15;
const SECOND_WAKE_LOST: u8 = 16;

/// A lock is taken whether or not somebody panicked with it.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Erased = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<dyn Run>>,
    all: Vec<Weak<dyn Run>>,
    closed: bool,
}

trait Run: Send + Sync {
    fn run(self: Arc<Self>);
    fn cancel(&self);
}

/// Where a task stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Queued,
    Polled,
    PolledAndWoken,
    Ended,
}

struct Cell<const FAULT: u8> {
    queue: Arc<Mutex<Queue>>,
    future: Mutex<Option<Erased>>,
    stage: Mutex<(Stage, bool)>,
    outcome: Arc<dyn Outcome>,
}

/// What the joiner waits for, whatever its type.
trait Outcome: Send + Sync {
    fn fail(&self, error: JoinFailed);
    fn waker(&self) -> Option<Waker>;
}

struct Slot<T> {
    result: Mutex<(Option<Result<T, JoinFailed>>, bool)>,
    joiner: Mutex<Option<Waker>>,
}

impl<T: Send> Outcome for Slot<T> {
    fn fail(&self, error: JoinFailed) {
        let mut result = lock(&self.result);
        if !result.1 {
            *result = (Some(Err(error)), true);
        }
    }

    fn waker(&self) -> Option<Waker> {
        lock(&self.joiner).take()
    }
}

impl<const FAULT: u8> Cell<FAULT> {
    fn wake_it(self: &Arc<Self>) {
        let mut stage = lock(&self.stage);
        let queue = match stage.0 {
            Stage::Idle => {
                stage.0 = Stage::Queued;
                true
            }
            Stage::Polled if FAULT == WAKE_DURING_POLL_LOST => false,
            Stage::Polled if FAULT == QUEUED_DURING_POLL => true,
            Stage::Polled => {
                stage.0 = Stage::PolledAndWoken;
                false
            }
            Stage::PolledAndWoken | Stage::Queued => FAULT == QUEUED_TWICE,
            Stage::Ended => FAULT == POLLED_AFTER_THE_END,
        };
        drop(stage);
        let closed = {
            let mut all = lock(&self.queue);
            if queue && !all.closed {
                all.ready.push_back(self.clone());
            }
            all.closed
        };
        if queue && closed {
            self.cancel();
        }
    }

    fn end(&self, error: Option<JoinFailed>) {
        let future = if FAULT == FUTURE_KEPT_BY_WAKERS { None } else { lock(&self.future).take() };
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        lock(&self.stage).0 = Stage::Ended;
        if let Err(payload) = dropped {
            self.outcome.fail(JoinFailed::panicked(payload));
        } else if let Some(error) = error {
            self.outcome.fail(error);
        }
        if FAULT == JOINER_NOT_WOKEN {
            return;
        }
        let Some(waker) = self.outcome.waker() else { return };
        if FAULT == JOINERS_PANIC_GOES_THROUGH {
            waker.wake();
        } else {
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
    }
}

/// A waker that is its own object, so that its drop can be seen.
struct CellWaker<const FAULT: u8>(Arc<Cell<FAULT>>);

impl<const FAULT: u8> Wake for CellWaker<FAULT> {
    fn wake(self: Arc<Self>) {
        self.0.wake_it();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_it();
    }
}

impl<const FAULT: u8> Drop for CellWaker<FAULT> {
    fn drop(&mut self) {
        if FAULT == DROPPED_WAKER_WAKES {
            self.0.wake_it();
        }
    }
}

impl<const FAULT: u8> Run for Cell<FAULT> {
    fn run(self: Arc<Self>) {
        {
            let mut stage = lock(&self.stage);
            if stage.0 == Stage::Ended && FAULT != POLLED_AFTER_THE_END {
                return;
            }
            if stage.1 {
                drop(stage);
                return self.end(Some(JoinFailed::cancelled()));
            }
            stage.0 = Stage::Polled;
        }
        let waker = Waker::from(Arc::new(CellWaker(self.clone())));
        let mut cx = Context::from_waker(&waker);
        let taken = if FAULT == QUEUED_DURING_POLL { None } else { lock(&self.future).take() };
        let mut future = taken;
        let poll = || match &mut future {
            Some(future) => future.as_mut().poll(&mut cx),
            None if FAULT == POLLED_AFTER_THE_END => panic!("polled after the end"),
            None => match &mut *lock(&self.future) {
                Some(future) => future.as_mut().poll(&mut cx),
                None => Poll::Ready(()),
            },
        };
        let polled =
            if FAULT == PANIC_GOES_THROUGH { Ok({ poll }()) } else { catch_unwind(AssertUnwindSafe(poll)) };
        if let Some(future) = future {
            *lock(&self.future) = Some(future);
        }
        match polled {
            Err(payload) => self.end(Some(JoinFailed::panicked(payload))),
            Ok(Poll::Ready(())) => self.end(None),
            Ok(Poll::Pending) => {
                let mut stage = lock(&self.stage);
                let woken = stage.0 == Stage::PolledAndWoken;
                if stage.1 {
                    drop(stage);
                    return self.end(Some(JoinFailed::cancelled()));
                }
                if stage.0 == Stage::Polled || woken {
                    stage.0 = if FAULT == SECOND_WAKE_LOST && woken { Stage::Queued } else { Stage::Idle };
                }
                drop(stage);
                if woken {
                    self.wake_it();
                }
            }
        }
    }

    fn cancel(&self) {
        let ended = std::mem::replace(&mut lock(&self.stage).0, Stage::Ended) == Stage::Ended;
        if !ended {
            self.end((FAULT != SHUTDOWN_TELLS_NOBODY).then(JoinFailed::cancelled));
        }
    }
}

struct Locked<const FAULT: u8>(Arc<Mutex<Queue>>);

impl<const FAULT: u8> Locked<FAULT> {
    fn new() -> Self {
        Self(Arc::default())
    }
}

impl<const FAULT: u8> Tasks for Locked<FAULT> {
    type Join<T: Send + 'static> = Handle<T, FAULT>;

    fn spawn<F>(&self, future: F) -> Handle<F::Output, FAULT>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let slot = Arc::new(Slot { result: Mutex::new((None, false)), joiner: Mutex::new(None) });
        let store = Arc::downgrade(&slot);
        let mut inner = Some(Box::pin(future));
        let erased = Box::pin(std::future::poll_fn(move |cx| {
            let Some(future) = &mut inner else { panic!("polled after the end") };
            let Poll::Ready(value) = future.as_mut().poll(cx) else { return Poll::Pending };
            // The future goes before anybody is told of its end, and its panic is the task's.
            if FAULT != FUTURE_KEPT_BY_WAKERS {
                inner = None;
            }
            if let Some(slot) = store.upgrade() {
                let mut result = lock(&slot.result);
                if !result.1 {
                    *result = (Some(Ok(value)), true);
                }
            } else {
                drop(catch_unwind(AssertUnwindSafe(|| drop(value))));
            }
            Poll::Ready(())
        }));
        let cell = Arc::new(Cell::<FAULT> {
            queue: self.0.clone(),
            future: Mutex::new(Some(erased)),
            stage: Mutex::new((Stage::Idle, false)),
            outcome: Arc::new(WeakSlot(Arc::downgrade(&slot))),
        });
        if FAULT == SPAWN_AFTER_THE_END && lock(&self.0).closed {
            std::mem::forget(cell.clone());
        } else {
            let run: Arc<dyn Run> = cell.clone();
            lock(&self.0).all.push(Arc::downgrade(&run));
            // A task that waits must live without wakers, so that it can be aborted.
            std::mem::forget(run.clone());
            cell.wake_it();
        }
        Handle { slot, cell }
    }

    fn run_one(&self) -> bool {
        let first = lock(&self.0).ready.pop_front();
        first.map(Run::run).is_some()
    }

    fn queued(&self) -> usize {
        lock(&self.0).ready.len()
    }

    fn shut_down(&self) {
        let (ready, all) = {
            let mut queue = lock(&self.0);
            queue.closed = true;
            (std::mem::take(&mut queue.ready), std::mem::take(&mut queue.all))
        };
        ready.into_iter().for_each(|task| task.cancel());
        if FAULT != SHUTDOWN_FORGETS_WAITING {
            all.into_iter().filter_map(|task| task.upgrade()).for_each(|task| task.cancel());
        }
    }
}

/// The slot as the task sees it: the value goes with the handle.
struct WeakSlot<T>(Weak<Slot<T>>);

impl<T: Send> Outcome for WeakSlot<T> {
    fn fail(&self, error: JoinFailed) {
        if let Some(slot) = self.0.upgrade() {
            slot.fail(error);
        }
    }

    fn waker(&self) -> Option<Waker> {
        self.0.upgrade()?.waker()
    }
}

struct Handle<T, const FAULT: u8> {
    slot: Arc<Slot<T>>,
    cell: Arc<Cell<FAULT>>,
}

impl<T, const FAULT: u8> Future for Handle<T, FAULT> {
    type Output = Result<T, JoinFailed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut result = lock(&self.slot.result);
        let ended = lock(&self.cell.stage).0 == Stage::Ended;
        match result.0.take() {
            Some(result) if ended => Poll::Ready(result),
            other => {
                result.0 = other;
                let mut joiner = lock(&self.slot.joiner);
                if FAULT != FIRST_JOINER_KEPT || joiner.is_none() {
                    *joiner = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl<T: Send + 'static, const FAULT: u8> Join<T> for Handle<T, FAULT> {
    const ON_DROP: OnDrop = OnDrop::Detach;

    fn abort(&mut self) {
        let ended = {
            let mut stage = lock(&self.cell.stage);
            stage.1 = true;
            stage.0 == Stage::Ended
        };
        if ended && FAULT == ABORT_TAKES_THE_VALUE {
            *lock(&self.slot.result) = (Some(Err(JoinFailed::cancelled())), true);
        }
        if FAULT != ABORT_WAITS_FOR_A_WAKE {
            self.cell.wake_it();
        }
    }

    fn detach(self) {}
}

task!(sound, super::Locked::<{ super::SOUND }>::new);

#[track_caller]
fn assert_found<const FAULT: u8>(by: &str) {
    let all = properties::<Locked<FAULT>>();
    let (name, property) = all.into_iter().find(|(name, _)| *name == by).expect("a property");
    assert!(finds(name, move || property(Locked::new)), "not found by {by}");
}

#[test]
fn a_wake_during_a_poll_that_is_lost() {
    assert_found::<WAKE_DURING_POLL_LOST>("wakes_during_a_poll_make_one_more");
    assert_found::<WAKE_DURING_POLL_LOST>("a_wake_by_another_thread_during_a_poll_is_not_lost");
}

#[test]
fn a_second_wake_during_a_poll_that_stops_the_task() {
    assert_found::<SECOND_WAKE_LOST>("wakes_during_a_poll_make_one_more");
}

#[test]
fn a_task_that_is_queued_twice() {
    assert_found::<QUEUED_TWICE>("many_wakes_before_a_poll_make_one");
}

#[test]
fn a_task_that_is_polled_after_its_end() {
    assert_found::<POLLED_AFTER_THE_END>("a_wake_after_the_end_is_nothing");
}

#[test]
fn a_waker_that_wakes_when_it_is_dropped() {
    assert_found::<DROPPED_WAKER_WAKES>("a_waker_that_is_dropped_wakes_nobody");
}

#[test]
fn a_wake_during_a_poll_that_queues_the_task_at_once() {
    assert_found::<QUEUED_DURING_POLL>("wakes_during_a_poll_make_one_more");
}

#[test]
fn a_joiner_that_is_not_replaced() {
    assert_found::<FIRST_JOINER_KEPT>("a_joiner_that_polls_again_is_the_one_to_be_woken");
}

#[test]
fn a_joiner_that_is_not_woken() {
    assert_found::<JOINER_NOT_WOKEN>("a_value_that_is_joined_before_the_end");
}

#[test]
fn an_abort_that_waits_for_a_wake() {
    assert_found::<ABORT_WAITS_FOR_A_WAKE>("an_abort_of_a_task_that_waits");
}

#[test]
fn an_abort_that_takes_the_value() {
    assert_found::<ABORT_TAKES_THE_VALUE>("an_abort_after_the_end_keeps_the_value");
}

#[test]
fn a_panic_that_goes_through_the_executor() {
    assert_found::<PANIC_GOES_THROUGH>("a_panic_in_a_poll_reaches_the_joiner");
}

#[test]
fn a_panic_of_a_joiner_that_goes_through_the_executor() {
    assert_found::<JOINERS_PANIC_GOES_THROUGH>("a_panic_in_the_waker_of_the_joiner_is_contained");
}

#[test]
fn wakers_that_keep_the_future() {
    assert_found::<FUTURE_KEPT_BY_WAKERS>("wakers_that_are_kept_keep_no_future");
}

#[test]
fn an_end_of_all_that_forgets_those_who_wait() {
    assert_found::<SHUTDOWN_FORGETS_WAITING>("the_end_of_all_drops_each_future_once");
}

#[test]
fn an_end_of_all_that_tells_nobody() {
    assert_found::<SHUTDOWN_TELLS_NOBODY>("the_end_of_all_drops_each_future_once");
}

#[test]
fn a_task_after_the_end_that_stays() {
    assert_found::<SPAWN_AFTER_THE_END>("a_task_that_comes_after_the_end_is_cancelled");
}
