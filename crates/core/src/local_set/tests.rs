//! Sets of local tasks, polled by hand.

use super::*;
use crate::yield_now;
use core::future::{pending, poll_fn};
use core::panic::Location;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Wake;
use std::thread;

#[derive(Default)]
struct Calls(AtomicUsize);

impl Calls {
    fn new() -> (Arc<Self>, Waker) {
        let calls = Arc::new(Self::default());
        (calls.clone(), Waker::from(calls))
    }

    fn take(&self) -> usize {
        self.0.swap(0, SeqCst)
    }
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[track_caller]
fn here() -> Meta {
    Meta::new(Location::caller())
}

/// Tells in its drop which thread that happens on.
struct Home(thread::ThreadId, Rc<RefCell<Vec<&'static str>>>, &'static str);

impl Drop for Home {
    fn drop(&mut self) {
        assert_eq!(thread::current().id(), self.0);
        self.1.borrow_mut().push(self.2);
    }
}

#[test]
fn tasks_run_in_order_while_the_set_is_polled_and_at_no_other_time() {
    let (calls, waker) = Calls::new();
    let mut cx = Context::from_waker(&waker);
    let (set, seen) = (LocalSet::new(), Rc::new(RefCell::new(Vec::new())));
    for n in 0..3 {
        let seen = seen.clone();
        drop(set.spawn(
            async move {
                seen.borrow_mut().push(n);
                yield_now().await;
                seen.borrow_mut().push(n + 10);
            },
            here(),
        ));
    }
    assert!(seen.borrow().is_empty());
    assert!(set.poll_tasks(&mut cx).is_ready());
    assert_eq!(*seen.borrow(), [0, 1, 2, 10, 11, 12]);
    assert_eq!(calls.take(), 0);
}

#[test]
fn a_poll_runs_so_many_and_asks_for_the_next_one() {
    let (calls, waker) = Calls::new();
    let mut cx = Context::from_waker(&waker);
    let (set, polls) = (LocalSet::new(), Rc::new(Cell::new(0)));
    let counted = polls.clone();
    drop(set.spawn(
        async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        },
        here(),
    ));
    for round in 1..4 {
        assert!(set.poll_tasks(&mut cx).is_pending());
        assert_eq!(polls.get(), round * CHECK_POLLS);
        assert_eq!(calls.take(), 1);
    }
}

#[test]
fn a_foreign_wake_calls_everybody_who_polls() {
    let ((one, one_waker), (other, other_waker)) = (Calls::new(), Calls::new());
    let (set, left) = (LocalSet::new(), Arc::new(Mutex::new(None::<Waker>)));
    let leave = left.clone();
    let mut polls = 0;
    let task = set.spawn(
        poll_fn(move |cx| {
            polls += 1;
            *leave.lock() = Some(cx.waker().clone());
            if polls == 2 { Poll::Ready(polls) } else { Poll::Pending }
        }),
        here(),
    );
    let (mut first, mut second) = (pin!(pending::<()>()), pin!(pending::<()>()));
    let (seat, other_seat) = (set.seat(), set.seat());
    assert!(set.poll_until(&seat, first.as_mut(), &mut Context::from_waker(&one_waker)).is_pending());
    assert!(
        set.poll_until(&other_seat, second.as_mut(), &mut Context::from_waker(&other_waker)).is_pending()
    );
    assert_eq!((one.take(), other.take()), (0, 0));
    let waker = left.lock().take().unwrap();
    thread::spawn(move || waker.wake()).join().unwrap();
    assert_eq!((one.take(), other.take()), (1, 1));
    assert!(!task.is_finished());
    assert!(set.poll_until(&seat, first, &mut Context::from_waker(&one_waker)).is_pending());
    assert!(task.is_finished());
}

#[test]
fn what_a_future_leaves_behind_is_for_the_next_poll() {
    let (calls, waker) = Calls::new();
    let mut cx = Context::from_waker(&waker);
    let set = LocalSet::new();
    let spawned = pin!(poll_fn(|_| Poll::Ready(crate::spawn_local(async { 5 }, here()).ok().unwrap())));
    let Poll::Ready(task) = set.poll_until(&set.seat(), spawned, &mut cx) else {
        panic!("it has nothing to wait for")
    };
    assert!(!task.is_finished());
    assert_eq!(calls.take(), 1, "the poller is called, because somebody has to run it");
    assert!(set.poll_tasks(&mut cx).is_ready());
    assert!(task.is_finished());
}

#[test]
fn a_set_is_polled_within_itself_and_within_another_one() {
    let (_, waker) = Calls::new();
    let mut cx = Context::from_waker(&waker);
    let (outer, inner) = (Rc::new(LocalSet::new()), LocalSet::new());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (again, log) = (outer.clone(), seen.clone());
    drop(outer.spawn(
        async move {
            let here_too = log.clone();
            let of_inner = async move {
                let deeper = here_too.clone();
                crate::spawn_local(async move { deeper.borrow_mut().push("inner") }, here())
                    .ok()
                    .unwrap()
                    .await
                    .unwrap();
                here_too.borrow_mut().push("after inner");
            };
            let mut of_inner = pin!(of_inner);
            let seat = inner.seat();
            poll_fn(|cx| inner.poll_until(&seat, of_inner.as_mut(), cx)).await;
            let of_outer = crate::spawn_local(async { 7 }, here()).ok().unwrap();
            let mut of_outer = pin!(of_outer);
            let seat = again.seat();
            let seven = poll_fn(|cx| again.poll_until(&seat, of_outer.as_mut(), cx)).await.unwrap();
            assert_eq!(seven, 7);
            log.borrow_mut().push("outer");
        },
        here(),
    ));
    let mut polls = 0;
    while outer.poll_tasks(&mut cx).is_pending() {
        polls += 1;
        assert!(polls < 10, "it stands still: {:?}", seen.borrow());
    }
    assert_eq!(*seen.borrow(), ["inner", "after inner", "outer"]);
}

#[test]
fn a_set_that_is_dropped_forgets_who_has_polled_it() {
    let (calls, waker) = Calls::new();
    let set = LocalSet::new();
    drop(set.spawn(pending::<()>(), here()));
    assert!(set.poll_tasks(&mut Context::from_waker(&waker)).is_pending());
    let pollers = Arc::downgrade(&set.pollers);
    drop((set, waker));
    assert_eq!(Arc::strong_count(&calls), 1);
    assert!(pollers.upgrade().is_none());
}

#[test]
fn a_set_that_is_dropped_drops_its_tasks_at_home() {
    let (set, dropped) = (LocalSet::new(), Rc::new(RefCell::new(Vec::new())));
    let home = |name| Home(thread::current().id(), dropped.clone(), name);
    let (never, waits, aborted) = (home("never polled"), home("waits"), home("aborted"));
    let left = Arc::new(Mutex::new(None::<Waker>));
    let leave = left.clone();
    let waiting = set.spawn(
        poll_fn(move |cx| {
            let _ = &waits;
            *leave.lock() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }),
        here(),
    );
    let given_up = set.spawn(
        async move {
            let _aborted = aborted;
            pending::<()>().await
        },
        here(),
    );
    let (_, waker) = Calls::new();
    assert!(set.poll_tasks(&mut Context::from_waker(&waker)).is_pending());
    let fresh = set.spawn(async move { drop(never) }, here());
    let abort = given_up.abort_handle();
    thread::spawn(move || abort.abort()).join().unwrap();
    assert!(dropped.borrow().is_empty(), "no foreign thread ends it");
    drop(set);
    assert_eq!(dropped.borrow().len(), 3);
    assert!(waiting.is_finished() && given_up.is_finished() && fresh.is_finished());
    left.lock().take().unwrap().wake();
}

#[test]
fn a_closed_set_cancels_what_comes_later() {
    let (_, waker) = Calls::new();
    let set = LocalSet::new();
    set.close();
    let task = set.spawn(async {}, here());
    assert!(task.is_finished());
    assert!(set.poll_tasks(&mut Context::from_waker(&waker)).is_ready());
}

#[test]
fn a_set_that_is_closed_by_its_own_task_ends_the_others_and_whoever_they_spawn() {
    struct Spawns(Rc<LocalSet>, Rc<Cell<u32>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            if self.1.get() < 5 {
                let again = Self(self.0.clone(), self.1.clone());
                drop(self.0.spawn(async move { drop(again) }, here()));
            }
        }
    }
    let (_, waker) = Calls::new();
    let (set, drops) = (Rc::new(LocalSet::new()), Rc::new(Cell::new(0)));
    let spawns = Spawns(set.clone(), drops.clone());
    let waits = set.spawn(
        async move {
            let _spawns = spawns;
            pending::<()>().await
        },
        here(),
    );
    let own = set.clone();
    let closes = set.spawn(async move { own.close() }, here());
    assert!(set.poll_tasks(&mut Context::from_waker(&waker)).is_pending());
    assert!(waits.is_finished() && closes.is_finished());
    assert!(set.poll_tasks(&mut Context::from_waker(&waker)).is_ready());
    assert_eq!(drops.get(), 5);
}

const MANY: usize = if cfg!(miri) { 20 } else { 1000 };

#[test]
fn any_number_of_those_who_wait_call_nobody() {
    let set = LocalSet::new();
    let _task = set.spawn(pending::<()>(), here());
    let all: Vec<_> = (0..MANY).map(|_| (set.seat(), Calls::new())).collect();
    for _ in 0..3 {
        for (seat, (_, waker)) in &all {
            let waiting = pin!(pending::<()>());
            assert!(set.poll_until(seat, waiting, &mut Context::from_waker(waker)).is_pending());
        }
    }
    assert!(all.iter().all(|(_, (calls, _))| calls.take() == 0), "nothing has happened");
    set.pollers.unpark();
    assert!(all.iter().all(|(_, (calls, _))| calls.take() == 1));
}

#[test]
fn who_polls_no_more_is_forgotten_and_so_is_a_waker_that_is_replaced() {
    let set = LocalSet::new();
    let _task = set.spawn(pending::<()>(), here());
    let (seat, all) = (set.seat(), Vec::from_iter((0..MANY).map(|_| Calls::new())));
    for (_, waker) in &all {
        let waiting = pin!(pending::<()>());
        assert!(set.poll_until(&seat, waiting, &mut Context::from_waker(waker)).is_pending());
        assert!(set.poll_tasks(&mut Context::from_waker(waker)).is_pending());
    }
    assert_eq!(set.pollers.0.lock().len(), 2);
    drop(seat);
    assert_eq!(set.pollers.0.lock().len(), 1);
    drop(set);
    // Itself, and the waker that the test has.
    assert!(all.iter().all(|(calls, _)| Arc::strong_count(calls) == 2));
}
