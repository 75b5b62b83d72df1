//! Tasks that are not `Send` stay home: polled and dropped on their thread, whoever wakes, aborts or lets go of them.

use super::*;
use crate::{Entered, LocalQueue, Unpark};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

/// Counts the calls; nobody waits.
#[derive(Debug, Default)]
struct Calls(AtomicUsize);

impl Unpark for Calls {
    fn unpark(&self) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn queue() -> (Arc<Calls>, LocalQueue) {
    let calls = Arc::new(Calls::default());
    (calls.clone(), LocalQueue::new(calls))
}

fn run_all(entered: &Entered<'_>) -> usize {
    let mut runs = 0;
    while let Some(runnable) = entered.pop() {
        runs += 1;
        if let Ran::Yielded(runnable) | Ran::Woken(runnable) = runnable.run() {
            entered.push(runnable);
        }
    }
    runs
}

/// Not `Send`, and asserts in its drop that it has not been sent.
struct Home(Rc<()>, thread::ThreadId, Arc<Counts>);

impl Home {
    fn new(counts: &Arc<Counts>) -> Self {
        Self(Rc::new(()), thread::current().id(), counts.clone())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        assert_eq!(Rc::strong_count(&self.0), 1);
        self.2.drops.fetch_add(1, SeqCst);
        if thread::current().id() != self.1 {
            // A panic would be contained.
            std::process::abort();
        }
    }
}

/// A local task that stores its waker and pends until it is polled `polls` times.
fn waits(entered: &Entered<'_>, counts: &Arc<Counts>, polls: usize) -> (Shelf, JoinHandle<()>) {
    let (shelf, home, mut polled) = (Shelf::default(), Home::new(counts), 0);
    let stored = shelf.clone();
    let handle = entered.spawn(
        std::future::poll_fn(move |cx| {
            let _ = &home;
            polled += 1;
            stored.put(cx);
            if polled == polls { Poll::Ready(()) } else { Poll::Pending }
        }),
        here(),
    );
    (shelf, handle)
}

#[test]
fn a_foreign_wake_brings_the_runnable_home_and_calls() {
    let ((calls, queue), counts) = (queue(), Counts::new());
    queue.enter(|entered| {
        let (shelf, handle) = waits(entered, &counts, 2);
        assert_eq!(run_all(entered), 1);
        assert!(entered.is_empty());
        let wakers = shelf.take();
        thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
        assert_eq!(calls.0.load(SeqCst), 1);
        assert!(!entered.is_empty());
        assert_eq!(run_all(entered), 1);
        joined(handle).unwrap();
        assert_eq!((counts.drops(), entered.live_tasks()), (1, 0));
    });
    assert_eq!(calls.0.load(SeqCst), 1, "nobody is called for wakes at home");
}

#[test]
fn a_foreign_abort_drops_the_future_at_home() {
    let ((_, queue), counts) = (queue(), Counts::new());
    queue.enter(|entered| {
        let (_, idle) = waits(entered, &counts, 0);
        run_all(entered);
        let (_, queued) = waits(entered, &counts, 0);
        let aborts = [idle.abort_handle(), queued.abort_handle()];
        thread::spawn(move || aborts.iter().for_each(AbortHandle::abort)).join().unwrap();
        assert_eq!(counts.drops(), 0);
        run_all(entered);
        assert_eq!(counts.drops(), 2);
        assert!(joined(idle).unwrap_err().is_cancelled() && joined(queued).unwrap_err().is_cancelled());
    });
}

#[test]
fn a_runnable_that_is_dropped_or_run_elsewhere_comes_home() {
    let ((_, queue), counts) = (queue(), Counts::new());
    queue.enter(|entered| {
        let handles: Vec<_> = (0..3).map(|_| waits(entered, &counts, 0).1).collect();
        let runnables: Vec<_> = std::iter::from_fn(|| entered.pop()).collect();
        thread::spawn(move || {
            let [dropped, cancelled, run] = <[Runnable; 3]>::try_from(runnables).unwrap();
            drop(dropped);
            cancelled.cancel();
            let refused = catch_unwind(AssertUnwindSafe(|| run.run().into_name())).unwrap_err();
            assert!(refused.downcast_ref::<&str>().unwrap().contains("not its own"));
        })
        .join()
        .unwrap();
        assert_eq!(counts.drops(), 0);
        assert_eq!(run_all(entered), 3);
        assert_eq!(counts.drops(), 3);
        assert!(handles.into_iter().all(|handle| joined(handle).unwrap_err().is_cancelled()));
    });
}

impl Ran {
    fn into_name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Yielded(_) => "yielded",
            Self::Woken(_) => "woken",
            Self::Done => "done",
        }
    }
}

#[test]
fn what_is_left_is_dropped_when_the_scope_ends() {
    let ((_, queue), counts) = (queue(), Counts::new());
    let (shelves, handles) = queue.enter(|entered| {
        let (idle, idle_handle) = waits(entered, &counts, 0);
        run_all(entered);
        let (queued, queued_handle) = waits(entered, &counts, 0);
        ([idle, queued], [idle_handle, queued_handle])
    });
    assert_eq!(counts.drops(), 2);
    for shelf in shelves {
        shelf.take().into_iter().for_each(Waker::wake);
    }
    drop(queue);
    for handle in handles {
        assert!(joined(handle).unwrap_err().is_cancelled());
    }
}

#[test]
fn also_when_the_scope_unwinds() {
    let ((_, queue), counts) = (queue(), Counts::new());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        queue.enter(|entered| {
            drop(waits(entered, &counts, 0));
            run_all(entered);
            drop(waits(entered, &counts, 0));
            panic!("in the scope");
        });
    }));
    assert!(unwound.is_err());
    assert_eq!(counts.drops(), 2);
    queue.enter(|entered| assert!(entered.is_empty()));
}

#[test]
fn a_drop_at_the_end_that_wakes_a_sibling_and_spawns_another() {
    struct Spawns(#[expect(dead_code, reason = "held for its drop")] Home, Arc<Counts>, Shelf);
    impl Drop for Spawns {
        fn drop(&mut self) {
            self.2.take().into_iter().for_each(Waker::wake);
            let home = Home::new(&self.1);
            let spawned = crate::spawn_local(
                async move {
                    let _home = home;
                    std::future::pending::<()>().await;
                },
                here(),
            );
            assert!(spawned.is_ok(), "the scope is still there");
        }
    }
    let ((_, queue), counts) = (queue(), Counts::new());
    queue.enter(|entered| {
        let (shelf, _) = waits(entered, &counts, 0);
        let on_drop = Spawns(Home::new(&counts), counts.clone(), shelf);
        drop(entered.spawn(
            async move {
                let _on_drop = on_drop;
                std::future::pending::<()>().await;
            },
            here(),
        ));
        run_all(entered);
    });
    assert_eq!(counts.drops(), 3);
}

#[test]
fn a_first_task_may_borrow_and_is_over_with_the_scope() {
    let ((_, queue), borrowed) = (queue(), std::cell::Cell::new(0));
    struct Adds<'a>(&'a std::cell::Cell<u32>);
    impl Drop for Adds<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let adds = Adds(&borrowed);
    let future = async {
        let _adds = adds;
        std::future::pending::<()>().await;
    };
    let handle = queue.enter_with(future, here(), |entered, handle| {
        assert_eq!((run_all(entered), borrowed.get()), (1, 0));
        handle
    });
    assert_eq!(borrowed.get(), 1);
    assert!(joined(handle).unwrap_err().is_cancelled());
}

#[test]
fn foreign_threads_wake_and_abort_while_the_scope_ends() {
    let threads = if cfg!(miri) { 2 } else { 8 };
    let rounds = if cfg!(miri) { 3 } else { 200 };
    let tasks = if cfg!(miri) { 4 } else { 32 };
    for _ in 0..rounds {
        let ((_, queue), counts) = (queue(), Counts::new());
        let start = Arc::new(std::sync::Barrier::new(threads + 1));
        let foreigners = queue.enter(|entered| {
            let tasks: Vec<_> = (0..tasks).map(|_| waits(entered, &counts, 0)).collect();
            run_all(entered);
            let foreigners: Vec<_> = (0..threads)
                .map(|at| {
                    let wakers: Vec<Waker> =
                        tasks.iter().flat_map(|(shelf, _)| shelf.0.lock().unwrap().clone()).collect();
                    let aborts: Vec<_> = tasks.iter().map(|(_, handle)| handle.abort_handle()).collect();
                    let start = start.clone();
                    thread::spawn(move || {
                        start.wait();
                        for (waker, abort) in wakers.into_iter().zip(aborts) {
                            if at % 2 == 0 { waker.wake() } else { abort.abort() }
                        }
                    })
                })
                .collect();
            start.wait();
            run_all(entered);
            foreigners
        });
        assert_eq!(counts.drops(), tasks);
        drop(queue);
        for foreigner in foreigners {
            foreigner.join().unwrap();
        }
    }
}

#[test]
#[should_panic(expected = "from within itself")]
fn a_queue_is_not_entered_twice_at_a_time() {
    let (_, queue) = queue();
    queue.enter(|_| queue.enter(|_| ()));
}

#[test]
fn another_queue_may_be_entered_inside() {
    let ((outer_calls, outer), (_, inner), counts) = (queue(), queue(), Counts::new());
    outer.enter(|out| {
        let (shelf, handle) = waits(out, &counts, 2);
        run_all(out);
        inner.enter(|entered| {
            let (_, inner_handle) = waits(entered, &counts, 1);
            shelf.take().into_iter().for_each(Waker::wake);
            assert_eq!(run_all(entered), 1, "the outer task is not run in here");
            joined(inner_handle).unwrap();
        });
        assert_eq!(outer_calls.0.load(SeqCst), 0, "its thread is inside of it");
        assert_eq!(run_all(out), 1);
        joined(handle).unwrap();
    });
}

#[test]
fn a_queue_gives_its_memory_back() {
    let (_, queue) = queue();
    for _ in 0..3 {
        queue.enter(|entered| {
            for _ in 0..100 {
                drop(entered.spawn(async {}, here()));
            }
            assert_eq!(run_all(entered), 100);
        });
    }
    let weak = {
        let mut weak = None;
        queue.enter(|entered| weak = Some(entered.space_for_test()));
        weak.unwrap()
    };
    drop(queue);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn the_future_of_a_block_on_takes_no_page_and_a_local_task_does() {
    let (_, queue) = queue();
    let bytes = queue.enter_with(async {}, here(), |entered, root| {
        let space = entered.space_for_test().upgrade().unwrap();
        let alone = space.allocated_bytes();
        drop(entered.spawn(async {}, here()));
        let both = space.allocated_bytes();
        assert_eq!(run_all(entered), 2);
        assert!(root.is_finished());
        (alone, both - alone)
    });
    assert!(bytes.0 < 4096, "{} bytes for a future of none", bytes.0);
    assert_eq!(bytes.1, 64 * 1024);
}
