//! `LocalSet`, on every combination: tasks that need not be `Send`, where they run, when, and how they end.
//!
//! Invariant: order and counts only.

use crate::everywhere;
use polyloop::sync::oneshot;
use polyloop::task::{JoinSet, LocalSet, spawn_blocking, spawn_local, try_spawn_local, yield_now};
use polyloop::{join, spawn};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::thread;

#[test]
fn tasks_outlive_one_block_on_and_go_on_in_the_next() {
    everywhere(|runtime| {
        let set = LocalSet::new();
        let (sender, receiver) = oneshot::channel();
        let seen = Rc::new(Cell::new(0));
        let counted = seen.clone();
        let task = set.spawn_local(async move {
            counted.set(1);
            let more: u32 = receiver.await.unwrap();
            counted.set(counted.get() + more);
            thread::current().id()
        });
        assert_eq!(seen.get(), 0, "nothing runs before the set is polled");
        set.block_on(runtime, async { yield_now().await });
        assert_eq!(seen.get(), 1);
        // In a `block_on` without the set it does not run.
        runtime.block_on(async { sender.send(10).unwrap() });
        assert_eq!(seen.get(), 1);
        assert_eq!(set.block_on(runtime, task).unwrap(), thread::current().id());
        assert_eq!(seen.get(), 11);
        runtime.block_on(set);
    });
}

#[test]
fn what_is_spawned_within_goes_into_the_set_and_is_awaited_with_it() {
    everywhere(|runtime| {
        let (set, log) = (LocalSet::new(), Rc::new(RefCell::new(Vec::new())));
        let at = log.clone();
        set.spawn_local(async move {
            for n in 0..3 {
                let at = at.clone();
                spawn_local(async move {
                    yield_now().await;
                    at.borrow_mut().push(n);
                });
            }
        });
        runtime.block_on(async {
            // The thread's own queue has another task, which stays there.
            let own = spawn_local(pending::<()>());
            set.await;
            assert!(!own.is_finished());
        });
        assert_eq!(*log.borrow(), [0, 1, 2]);
    });
}

#[test]
fn tasks_of_the_runtime_wake_tasks_of_the_set() {
    everywhere(|runtime| {
        let set = LocalSet::new();
        let sum = set.block_on(runtime, async {
            let tasks: Vec<_> = (0..100_u32)
                .map(|n| {
                    let (sender, receiver) = oneshot::channel();
                    let local = spawn_local(async move {
                        let here = Rc::new(receiver.await.unwrap());
                        yield_now().await;
                        *here
                    });
                    spawn(async move {
                        yield_now().await;
                        sender.send(n).unwrap();
                    });
                    local
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum + spawn_blocking(|| 50).await.unwrap()
        });
        assert_eq!(sum, 5000);
    });
}

#[test]
fn two_waits_on_one_set_go_on_whichever_ends_first() {
    everywhere(|runtime| {
        let set = Rc::new(LocalSet::new());
        let slow = set.spawn_local(async {
            for _ in 0..100 {
                yield_now().await;
            }
            7
        });
        runtime.block_on(async {
            let (one, other) = (set.clone(), set.clone());
            let quick = spawn_local(async move { one.run_until(async { yield_now().await }).await });
            let waiting = spawn_local(async move { other.run_until(slow).await.unwrap() });
            let (quick, waiting) = join!(quick, waiting);
            quick.unwrap();
            assert_eq!(waiting.unwrap(), 7);
        });
    });
}

#[test]
fn a_hundred_thousand_turns_let_others_go() {
    everywhere(|runtime| {
        let set = LocalSet::new();
        let over = Rc::new(Cell::new(false));
        let told = over.clone();
        let turns = set.spawn_local(async move {
            let mut turns = 0_u32;
            while !told.get() && turns < 100_000 {
                turns += 1;
                yield_now().await;
            }
            turns
        });
        let turns = runtime.block_on(async {
            let beside = async {
                for _ in 0..3 {
                    yield_now().await;
                }
                over.set(true);
            };
            let (turns, ()) = join!(set.run_until(turns), beside);
            turns.unwrap()
        });
        assert!(turns < 10_000, "{turns} turns, each poll of the set does 61");
    });
}

#[test]
fn a_panic_is_its_joiners_and_the_others_go_on() {
    everywhere(|runtime| {
        let set = LocalSet::new();
        let panics = set.spawn_local(async { panic!("local") });
        let goes_on = set.spawn_local(async {
            yield_now().await;
            1
        });
        assert!(set.block_on(runtime, panics).unwrap_err().is_panic());
        assert_eq!(set.block_on(runtime, goes_on).unwrap(), 1);
    });
}

#[test]
fn dropping_the_set_drops_its_tasks_on_its_thread() {
    everywhere(|runtime| {
        struct Told(Rc<RefCell<Vec<thread::ThreadId>>>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.borrow_mut().push(thread::current().id());
                // Spawned into a set that ends: it ends, too.
                let _ = try_spawn_local(async {});
            }
        }
        let (set, dropped) = (LocalSet::new(), Rc::new(RefCell::new(Vec::new())));
        let handles: Vec<_> = (0..3)
            .map(|_| {
                let told = Told(dropped.clone());
                set.spawn_local(async move {
                    let _told = told;
                    pending::<()>().await
                })
            })
            .collect();
        handles[0].abort();
        set.block_on(runtime, async { yield_now().await });
        assert_eq!(dropped.borrow().len(), 1, "the one that was aborted");
        drop(set);
        assert_eq!(*dropped.borrow(), [thread::current().id(); 3]);
        for handle in handles {
            assert!(runtime.block_on(handle).unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn a_guard_says_where_local_tasks_go_and_a_join_set_has_them() {
    everywhere(|runtime| {
        assert!(try_spawn_local(async {}).is_err());
        let (outer, inner) = (LocalSet::new(), LocalSet::new());
        let in_outer = outer.enter();
        let first = spawn_local(async { "outer" });
        let in_inner = inner.enter();
        let second = spawn_local(async { "inner" });
        // In whichever order they go.
        drop(in_outer);
        let mut all = JoinSet::new();
        all.spawn_local(async { 1 });
        all.spawn_local_on(async { 2 }, &outer);
        drop(in_inner);
        assert!(try_spawn_local(async {}).is_err());
        assert_eq!(outer.block_on(runtime, first).unwrap(), "outer");
        assert_eq!(inner.block_on(runtime, second).unwrap(), "inner");
        let both = inner.run_until(outer.run_until(async {
            let mut sum = 0;
            while let Some(one) = all.join_next().await {
                sum += one.unwrap();
            }
            sum
        }));
        assert_eq!(runtime.block_on(both), 3);
    });
}
