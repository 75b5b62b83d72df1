//! Models of the state word: every interleaving of those who wake, poll, join, abort and drop one task.
//!
//! Each test is a whole life of a task on real code; loom's cells and leak check see what the assertions do not. Which
//! mutant each of them catches stands in `loom.toml`.

use super::attendance::Attendance;
use super::*;
use crate::desk::Desk;
use crate::queue::{RunQueue, RunSlot};
use crate::schedule::{Schedule, Why};
use crate::time::Instant;
use core::future::{Future, poll_fn};
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use loom::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use loom::sync::{Arc as LoomArc, Mutex};
use loom::thread;
use std::sync::Arc;

/// An executor of one queue.
#[derive(Debug)]
struct Queue(Mutex<Vec<Runnable>>);

impl Schedule for Queue {
    fn schedule(&self, runnable: Runnable, why: Why) {
        self.0.lock().unwrap().extend(runnable.unless_late(why));
    }

    fn drain(&self) -> RunQueue {
        let mut drained = RunQueue::new();
        drained.extend(self.0.lock().unwrap().drain(..));
        drained
    }
}

struct World {
    queue: Arc<Queue>,
    space: Arc<TaskSpace>,
}

impl World {
    fn new() -> Self {
        let queue = Arc::new(Queue(Mutex::new(Vec::new())));
        let space = TaskSpace::new(queue.clone());
        Self { queue, space }
    }

    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.space.spawn(future, Meta::new(Location::caller()))
    }

    fn pop(&self) -> Option<Runnable> {
        self.queue.0.lock().unwrap().pop()
    }

    /// Runs what is queued, as often as it comes back at once.
    fn run_queued(&self) {
        while let Some(mut runnable) = self.pop() {
            while let Ran::Yielded(again) | Ran::Woken(again) = runnable.run() {
                runnable = again;
            }
        }
    }

    /// What an executor does at its end.
    fn end(self) {
        self.run_queued();
        self.close();
        self.space.retire();
        assert_eq!(self.space.allocated_bytes(), 0, "every task was freed");
    }

    fn close(&self) {
        self.space.close();
        drop(self.space.attend());
    }
}

/// Counts its drops; more than one is the bug.
struct Once(LoomArc<AtomicUsize>);

impl Drop for Once {
    fn drop(&mut self) {
        assert_eq!(self.0.fetch_add(1, Relaxed), 0, "dropped twice");
    }
}

/// Asserts at the end of a model that what it counted was dropped exactly once.
fn dropped_once(drops: &LoomArc<AtomicUsize>) {
    assert_eq!(drops.load(Relaxed), 1, "dropped once");
}

/// Hands the waker of its first poll out, and waits until `ready` says so.
fn waits_for(
    slot: LoomArc<Mutex<Option<Waker>>>,
    ready: impl Fn() -> bool + Send + 'static,
) -> impl Future<Output = ()> + Send {
    poll_fn(move |cx: &mut Context<'_>| {
        if ready() {
            return Poll::Ready(());
        }
        *slot.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    })
}

#[test]
fn loom_what_was_written_before_a_wake_is_seen_by_the_next_poll() {
    loom::model(|| {
        let world = World::new();
        let (slot, flag) = (LoomArc::new(Mutex::new(None)), LoomArc::new(AtomicUsize::new(0)));
        let seen = flag.clone();
        let handle = world.spawn(waits_for(slot.clone(), move || seen.load(Relaxed) == 1));
        world.run_queued();
        let first: Waker = slot.lock().unwrap().take().unwrap();
        let second = first.clone();
        first.wake();
        // This wake finds the task queued or polled, as a rule: nothing but the state word carries the flag over.
        let waking = thread::spawn(move || {
            flag.store(1, Relaxed);
            second.wake_by_ref();
            drop(second);
        });
        world.run_queued();
        waking.join().unwrap();
        world.run_queued();
        assert!(handle.is_finished(), "the flag was there before the wake");
        drop(slot.lock().unwrap().take());
        drop(handle);
        world.end();
    });
}

#[test]
fn loom_all_who_ask_for_an_id_hear_the_same() {
    loom::model(|| {
        let world = World::new();
        let handle = world.spawn(async { id() });
        let abort = handle.abort_handle();
        let asking = thread::spawn(move || abort.id());
        let here = handle.id();
        world.run_queued();
        assert_eq!(asking.join().unwrap(), here);
        assert_eq!(handle.id(), here);
        drop(handle);
        world.end();
    });
}

#[test]
fn loom_a_wake_while_polled_is_not_lost() {
    loom::model(|| {
        let world = World::new();
        let (slot, flag) = (LoomArc::new(Mutex::new(None)), LoomArc::new(AtomicUsize::new(0)));
        let seen = flag.clone();
        let handle = world.spawn(waits_for(slot.clone(), move || seen.load(Relaxed) == 1));
        world.run_queued();
        let first: Waker = slot.lock().unwrap().take().unwrap();
        let second = first.clone();
        // The first wake queues the task; the second may find it queued, polled or idle.
        first.wake();
        let waking = thread::spawn(move || {
            flag.store(1, Relaxed);
            second.wake();
        });
        world.run_queued();
        waking.join().unwrap();
        world.run_queued();
        assert!(handle.is_finished(), "the last wake came after the flag, so the last poll saw it");
        drop(slot.lock().unwrap().take());
        drop(handle);
        world.end();
    });
}

#[test]
fn loom_a_joiner_hears_of_the_end() {
    loom::model(|| {
        let world = World::new();
        let handle = world.spawn(async { 7 });
        let runnable = world.pop().unwrap();
        let running = thread::spawn(move || assert!(matches!(runnable.run(), Ran::Done)));
        assert_eq!(loom::future::block_on(handle).unwrap(), 7);
        running.join().unwrap();
        world.end();
    });
}

#[test]
fn loom_a_joiner_that_changes_its_waker_hears_of_the_end() {
    loom::model(|| {
        let world = World::new();
        let mut handle = world.spawn(async { 7 });
        let runnable = world.pop().unwrap();
        let running = thread::spawn(move || assert!(matches!(runnable.run(), Ran::Done)));
        let first = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
        match first {
            Poll::Ready(output) => assert_eq!(output.unwrap(), 7),
            Poll::Pending => assert_eq!(loom::future::block_on(handle).unwrap(), 7),
        }
        running.join().unwrap();
        world.end();
    });
}

#[test]
fn loom_an_output_is_dropped_once_when_its_handle_goes() {
    loom::model(|| {
        let world = World::new();
        let drops = LoomArc::new(AtomicUsize::new(0));
        let output = Once(drops.clone());
        let handle = world.spawn(async move { output });
        let runnable = world.pop().unwrap();
        let running = thread::spawn(move || drop(runnable.run()));
        drop(handle);
        running.join().unwrap();
        dropped_once(&drops);
        world.end();
    });
}

#[test]
fn loom_an_aborted_task_ends_once() {
    loom::model(|| {
        let world = World::new();
        let drops = LoomArc::new(AtomicUsize::new(0));
        let guard = Once(drops.clone());
        let slot = LoomArc::new(Mutex::new(None));
        let waiting = waits_for(slot.clone(), || false);
        let handle = world.spawn(async move {
            let _guard = guard;
            waiting.await;
        });
        let runnable = world.pop().unwrap();
        let abort = handle.abort_handle();
        let aborting = thread::spawn(move || abort.abort());
        let mut ran = runnable.run();
        while let Ran::Woken(again) | Ran::Yielded(again) = ran {
            ran = again.run();
        }
        aborting.join().unwrap();
        world.run_queued();
        dropped_once(&drops);
        assert!(loom::future::block_on(handle).unwrap_err().is_cancelled());
        drop(slot.lock().unwrap().take());
        world.end();
    });
}

#[test]
fn loom_the_last_waker_and_the_last_handle_free_once() {
    loom::model(|| {
        let world = World::new();
        let slot = LoomArc::new(Mutex::new(None));
        let drops = LoomArc::new(AtomicUsize::new(0));
        let output = Once(drops.clone());
        let waker_out = slot.clone();
        let mut output = Some(output);
        let handle = world.spawn(poll_fn(move |cx: &mut Context<'_>| {
            *waker_out.lock().unwrap() = Some(cx.waker().clone());
            Poll::Ready(output.take())
        }));
        world.run_queued();
        let waker: Waker = slot.lock().unwrap().take().unwrap();
        let letting_go = thread::spawn(move || drop(waker));
        drop(handle);
        letting_go.join().unwrap();
        dropped_once(&drops);
        world.end();
    });
}

#[test]
fn loom_shutdown_and_a_foreign_wake_end_a_task_once() {
    loom::model(|| {
        let world = World::new();
        let drops = LoomArc::new(AtomicUsize::new(0));
        let guard = Once(drops.clone());
        let slot = LoomArc::new(Mutex::new(None));
        let waiting = waits_for(slot.clone(), || false);
        let handle = world.spawn(async move {
            let _guard = guard;
            waiting.await;
        });
        world.run_queued();
        let waker: Waker = slot.lock().unwrap().take().unwrap();
        let waking = thread::spawn(move || waker.wake());
        world.close();
        // Here, also if the wake came first and is still on its way into the queue.
        dropped_once(&drops);
        waking.join().unwrap();
        drop(handle);
        world.end();
    });
}

#[test]
fn loom_an_abort_while_the_executor_ends_ends_a_task_once_and_its_joiner_hears() {
    loom::model(|| {
        let world = World::new();
        let drops = LoomArc::new(AtomicUsize::new(0));
        let guard = Once(drops.clone());
        let slot = LoomArc::new(Mutex::new(None));
        let waiting = waits_for(slot.clone(), || false);
        let handle = world.spawn(async move {
            let _guard = guard;
            waiting.await;
        });
        world.run_queued();
        drop(slot.lock().unwrap().take());
        let abort = handle.abort_handle();
        let aborting = thread::spawn(move || abort.abort());
        let joining = thread::spawn(move || loom::future::block_on(handle).unwrap_err().is_cancelled());
        world.close();
        aborting.join().unwrap();
        assert!(joining.join().unwrap(), "the joiner hears of a cancelled task");
        dropped_once(&drops);
        world.end();
    });
}

#[test]
fn loom_a_spawn_while_the_executor_ends_is_ended_once() {
    loom::model(|| {
        let world = World::new();
        let drops = LoomArc::new(AtomicUsize::new(0));
        let (guard, space) = (Once(drops.clone()), world.space.clone());
        let spawning = thread::spawn(move || {
            let future = async move {
                let _guard = guard;
                core::future::pending::<()>().await;
            };
            space.spawn(future, Meta::new(Location::caller()))
        });
        world.close();
        let handle = spawning.join().unwrap();
        dropped_once(&drops);
        assert!(handle.is_finished());
        drop(handle);
        assert!(world.pop().is_none());
        world.end();
    });
}

/// Relaxed: what orders the task and the end is the two fences, and nothing else.
#[test]
fn loom_a_late_spawn_sees_the_end_or_is_seen_by_whoever_leaves_last() {
    loom::model(|| {
        let (attendance, task) = (LoomArc::new(Attendance::new()), LoomArc::new(AtomicUsize::new(0)));
        let ending = {
            let (attendance, task) = (attendance.clone(), task.clone());
            thread::spawn(move || {
                attendance.join();
                attendance.close();
                let mut seen = false;
                attendance.leave(|_| {
                    seen = task.load(Relaxed) == 1;
                    true
                });
                seen
            })
        };
        task.store(1, Relaxed);
        let late = attendance.is_late();
        assert!(ending.join().unwrap() || late, "nobody comes for the task");
    });
}

/// Two threads that attend leave at once, while a wake brings a runnable.
#[test]
fn loom_whoever_leaves_last_leaves_nothing_behind() {
    loom::model(|| {
        let attendance = LoomArc::new(Attendance::new());
        let queued = LoomArc::new(AtomicUsize::new(0));
        let live = LoomArc::new(AtomicUsize::new(1));
        attendance.join();
        attendance.join();
        attendance.close();
        let waking = {
            let queued = queued.clone();
            thread::spawn(move || drop(queued.fetch_add(1, Release)))
        };
        let leave = move || {
            attendance.leave(|alone| {
                if queued.swap(0, Acquire) == 1 {
                    live.store(0, Relaxed);
                }
                !alone || live.load(Relaxed) == 0
            });
            live
        };
        let other = thread::spawn(leave.clone());
        let live = leave();
        other.join().unwrap();
        waking.join().unwrap();
        assert_eq!(live.load(Relaxed), 0, "the last one has waited for the wake");
    });
}

#[test]
fn loom_a_slot_gives_each_runnable_to_one_taker() {
    loom::model(|| {
        let world = World::new();
        let ran = LoomArc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let ran = ran.clone();
            drop(world.spawn(async move {
                ran.fetch_add(1, Relaxed);
            }));
        }
        let slot = LoomArc::new(RunSlot::new());
        let (second, first) = (world.pop().unwrap(), world.pop().unwrap());
        assert!(slot.replace(first).is_none());
        let thief = {
            let slot = slot.clone();
            thread::spawn(move || {
                if let Some(runnable) = slot.take() {
                    assert!(matches!(runnable.run(), Ran::Done));
                }
            })
        };
        for runnable in [slot.replace(second), slot.take()].into_iter().flatten() {
            assert!(matches!(runnable.run(), Ran::Done));
        }
        thief.join().unwrap();
        if let Some(runnable) = slot.take() {
            assert!(matches!(runnable.run(), Ran::Done));
        }
        assert_eq!(ran.load(Relaxed), 2);
        world.end();
    });
}

#[test]
fn loom_a_task_is_named_while_it_ends() {
    loom::model(|| {
        let world = World::new();
        let mut meta = Meta::new(Location::caller());
        meta.name = Some("it".into());
        world.space.spawn_detached(async {}, meta);
        let runnable = world.pop().unwrap();
        let space = world.space.clone();
        let telling = thread::spawn(move || {
            let unfinished = space.unfinished();
            assert!(unfinished.iter().all(|meta| meta.name.as_deref() == Some("it")));
        });
        assert!(matches!(runnable.run(), Ran::Done));
        telling.join().unwrap();
        world.end();
    });
}

#[test]
fn loom_who_takes_a_hail_sees_what_was_left_before_it() {
    loom::model(|| {
        // As a worker's mark: that somebody else is on duty for its seat.
        let (desk, left) = (LoomArc::new(Desk::new()), LoomArc::new(AtomicUsize::new(0)));
        // The monitor has seen its poll take long.
        desk.hail();
        let worker = {
            let (desk, left) = (desk.clone(), left.clone());
            // The end of its poll.
            thread::spawn(move || desk.takes_hail() && left.load(Relaxed) == 1)
        };
        left.store(1, Relaxed);
        desk.hail();
        let has_seen = worker.join().unwrap();
        let sees = || desk.takes_hail() && left.load(Relaxed) == 1;
        assert!(has_seen || sees(), "it goes on polling, and nobody will hail it any more");
    });
}

#[test]
fn loom_a_poll_is_told_by_the_name_of_its_own_task() {
    loom::model(|| {
        let world = World::new();
        let desk = LoomArc::new(Desk::new());
        for name in ["first", "second"] {
            let mut meta = Meta::new(Location::caller());
            meta.name = Some(name.into());
            let mut yields = name == "first";
            let future = poll_fn(move |cx| {
                if !std::mem::take(&mut yields) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            });
            world.space.spawn_detached(future, meta);
        }
        let (second, first) = (world.pop().unwrap(), world.pop().unwrap());
        let looking = {
            let (desk, space) = (desk.clone(), world.space.clone());
            thread::spawn(move || {
                let epoch = desk.epoch();
                // The same one for all of loom's threads.
                let polling = std::thread::current().id();
                if let Some(polled) = desk.polled(epoch, polling, std::slice::from_ref(&space)) {
                    let own = if epoch == 1 { "first" } else { "second" };
                    assert_eq!(polled.meta.name.as_deref(), Some(own), "in the poll of number {epoch}");
                }
            })
        };
        let first = world.space.enter(|| {
            desk.step();
            // The first one lives on, so that nothing but the order of stores tells the two polls apart.
            let Ran::Yielded(first) = first.run() else { panic!("it has yielded") };
            desk.stir();
            assert!(matches!(second.run(), Ran::Done));
            desk.step();
            looking.join().unwrap();
            first
        });
        first.cancel();
        world.end();
    });
}

#[test]
fn loom_a_thread_is_told_to_poll_only_while_it_is_there() {
    loom::model(|| {
        let world = World::new();
        world.space.spawn_detached(async {}, Meta::new(Location::caller()));
        let runnable = world.pop().unwrap();
        let space = world.space.clone();
        let polling = thread::spawn(move || {
            space.enter(|| assert!(matches!(runnable.run(), Ran::Done)));
            // The thread, and with it what the list would lead to, may be gone from here on.
            assert_eq!(space.visitors().count(), 0, "a thread that has left is still listed");
        });
        let tasks = world.space.tasks(Instant::ORIGIN);
        assert!(tasks.len() <= 1);
        polling.join().unwrap();
        assert!(world.space.tasks(Instant::ORIGIN).is_empty());
        world.end();
    });
}
