//! Many wakes, spawns and panics: nothing is lost, nobody is lost.

use crate::kit::{StealPool, here, join, no_hang, pool, rounds, spawn};
use polyloop_core::{TaskSpace, yield_now};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};

/// A count that one side raises and the other waits for.
#[derive(Default)]
struct Ball {
    count: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
}

impl Ball {
    fn hit(&self) {
        self.count.fetch_add(1, SeqCst);
        let waiter = self.waiter.lock().unwrap().take();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    async fn reaches(&self, count: usize) {
        poll_fn(|cx| {
            *self.waiter.lock().unwrap() = Some(cx.waker().clone());
            if self.count.load(SeqCst) >= count { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

fn ping_pong(one: &StealPool, other: &StealPool, rounds: usize) {
    let (there, back) = (Arc::new(Ball::default()), Arc::new(Ball::default()));
    let player = |mine: Arc<Ball>, theirs: Arc<Ball>, begins: bool| async move {
        for round in 1..=rounds {
            if begins {
                theirs.hit();
            }
            mine.reaches(round).await;
            if !begins {
                theirs.hit();
            }
        }
    };
    let first = spawn(one, player(back.clone(), there.clone(), true));
    let second = spawn(other, player(there, back, false));
    join(first).unwrap();
    join(second).unwrap();
}

#[test]
fn ping_pong_between_pools_never_stalls() {
    // Each hit comes from outside and finds the other's only worker falling asleep, asleep, or awake.
    no_hang(|| ping_pong(&pool(1), &pool(1), rounds(20_000, 500_000)));
}

#[test]
fn ping_pong_within_a_pool_never_stalls() {
    no_hang(|| {
        let pool = pool(4);
        for _ in 0..4 {
            ping_pong(&pool, &pool, rounds(10_000, 250_000));
        }
    });
}

#[test]
fn a_storm_of_spawns_from_outside_is_run_to_the_last_task() {
    no_hang(|| {
        let (pool, each) = (pool(3), rounds(5_000, 100_000));
        let ran = Arc::new(AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let handles = (0..each).map(|_| {
                        let ran = ran.clone();
                        spawn(&pool, async move {
                            yield_now().await;
                            ran.fetch_add(1, SeqCst);
                        })
                    });
                    handles.collect::<Vec<_>>().into_iter().for_each(|handle| join(handle).unwrap());
                });
            }
        });
        assert_eq!(ran.load(SeqCst), 4 * each);
    });
}

#[test]
fn single_spawns_from_outside_each_wake_somebody() {
    no_hang(|| {
        let pool = pool(2);
        for round in 0..rounds(5_000, 200_000) {
            assert_eq!(join(spawn(&pool, async move { round })).unwrap(), round);
        }
    });
}

fn tree(space: Arc<TaskSpace>, depth: usize, leaves: Arc<AtomicUsize>) {
    if depth == 0 {
        leaves.fetch_add(1, SeqCst);
        return;
    }
    for _ in 0..2 {
        let (space, leaves) = (space.clone(), leaves.clone());
        space.clone().spawn_detached(async move { tree(space, depth - 1, leaves) }, here());
    }
}

#[test]
fn a_tree_of_spawns_is_run_to_the_last_leaf() {
    no_hang(|| {
        let pool = pool(4);
        for _ in 0..rounds(3, 20) {
            let leaves = Arc::new(AtomicUsize::new(0));
            tree(pool.space().clone(), 12, leaves.clone());
            while leaves.load(SeqCst) < 1 << 12 {
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn a_task_that_panics_takes_no_worker_along() {
    no_hang(|| {
        let pool = pool(4);
        let handles = (0..rounds(200, 5_000)).map(|_| {
            spawn(&pool, async {
                yield_now().await;
                panic!("as the test wants it");
            })
        });
        for handle in handles.collect::<Vec<_>>() {
            assert!(join(handle).unwrap_err().is_panic());
        }
        // All four are there: each waits for the other three, on its thread.
        let barrier = Arc::new(Barrier::new(4));
        let meet = (0..4).map(|_| {
            let barrier = barrier.clone();
            spawn(&pool, async move {
                barrier.wait();
            })
        });
        meet.collect::<Vec<_>>().into_iter().for_each(|handle| join(handle).unwrap());
    });
}
