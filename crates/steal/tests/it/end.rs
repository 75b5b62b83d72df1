//! The end of a pool, at bad moments.

use crate::kit::{Census, Counted, StealPool, here, join, no_hang, pool, rounds, sleep, spawn, start, waits};
use polyloop_core::reactor::{Events, Reactor, ReactorHandle};
use polyloop_core::time::Wait;
use polyloop_core::{Driver, JoinHandle, yield_now};
use polyloop_pool::Stuck;
use polyloop_time::{SystemClock, Wheel};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Waker;
use std::time::Duration;

/// Long enough for any poll that is not stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps `counted` until it is dropped itself.
async fn stays(counted: Counted) {
    let _counted = counted;
    waits(|_| {}).await;
}

#[test]
fn a_pool_under_load_ends_and_drops_every_future_once() {
    no_hang(|| {
        for round in 0..rounds(60, 1_000) {
            let (census, pool) = (Census::default(), pool(2));
            let space = pool.space().clone();
            let stop = AtomicBool::new(false);
            let report = std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !stop.load(SeqCst) {
                        let (again, counted) = (census.clone(), census.one());
                        let inner = space.clone();
                        space.spawn_detached(
                            async move {
                                let _counted = counted;
                                for _ in 0..3 {
                                    yield_now().await;
                                }
                                let counted = again.one();
                                inner.spawn_detached(stays(counted), here());
                            },
                            here(),
                        );
                    }
                });
                while census.dropped() < round {
                    std::thread::yield_now();
                }
                let report = pool.shut_down(PATIENCE);
                stop.store(true, SeqCst);
                report
            });
            assert_eq!(report.stuck, []);
            census.assert_all_dropped();
            assert_eq!(space.live_tasks(), 0);
        }
    });
}

#[test]
fn wakes_from_many_threads_while_the_pool_closes_end_every_task_once() {
    no_hang(|| {
        for _ in 0..rounds(20, 300) {
            let (census, pool) = (Census::default(), pool(2));
            let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
            let polled = Arc::new(AtomicUsize::new(0));
            let handles: Vec<JoinHandle<()>> = (0..100)
                .map(|_| {
                    let (counted, wakers, polled) = (census.one(), wakers.clone(), polled.clone());
                    let first = AtomicBool::new(true);
                    spawn(&pool, async move {
                        let _counted = counted;
                        waits(move |waker| {
                            if first.swap(false, SeqCst) {
                                wakers.lock().unwrap().push(waker.clone());
                                polled.fetch_add(1, SeqCst);
                            }
                        })
                        .await;
                    })
                })
                .collect();
            while polled.load(SeqCst) < 100 {
                std::thread::yield_now();
            }
            let wakers = wakers.lock().unwrap().clone();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..20 {
                            wakers.iter().for_each(Waker::wake_by_ref);
                        }
                    });
                }
                assert_eq!(pool.shut_down(PATIENCE).stuck, []);
            });
            census.assert_all_dropped();
            for handle in handles {
                assert!(join(handle).unwrap_err().is_cancelled());
            }
        }
    });
}

#[test]
fn a_pool_that_is_dropped_by_one_of_its_tasks_ends_all_the_others() {
    no_hang(|| {
        for _ in 0..rounds(20, 500) {
            let (census, pool) = (Census::default(), pool(2));
            let others: Vec<_> = (0..10)
                .map(|_| {
                    let counted = census.one();
                    spawn(&pool, stays(counted))
                })
                .collect();
            let space = pool.space().clone();
            let mine: Arc<Mutex<Option<StealPool>>> = Arc::default();
            let own = mine.clone();
            let (dropped, wait) = mpsc::channel();
            *mine.lock().unwrap() = Some(pool);
            let killer = space.spawn(
                async move {
                    let pool = own.lock().unwrap().take();
                    drop(pool);
                    dropped.send(()).unwrap();
                },
                here(),
            );
            wait.recv().expect("the drop does not wait for its own worker");
            join(killer).expect("it ends by itself");
            for other in others {
                assert!(join(other).unwrap_err().is_cancelled());
            }
            census.assert_all_dropped();
        }
    });
}

#[test]
fn a_drop_does_not_wait_for_a_poll_that_is_stuck_and_names_its_worker() {
    no_hang(|| {
        let (census, pool) = (Census::default(), pool(2));
        let (begun, has_begun) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        let counted = census.one();
        let stuck = spawn(&pool, async move {
            begun.send(()).unwrap();
            let _ = wait.recv();
            yield_now().await;
            drop(counted);
        });
        has_begun.recv().unwrap();
        let report = pool.shut_down(Duration::from_millis(20));
        assert!(matches!(report.stuck[..], [Stuck { worker: 0 | 1 }]), "{report:?}");
        assert_eq!(census.dropped(), 0);
        release.send(()).unwrap();
        assert!(join(stuck).unwrap_err().is_cancelled());
        census.assert_all_dropped();
    });
}

/// The driver is gone then, and with it what a task may ask for.
#[test]
fn a_worker_that_is_in_a_poll_at_the_end_polls_nobody_after_it() {
    no_hang(|| {
        let pool = pool(1);
        let (begun, has_begun) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        let polls = Arc::new(AtomicUsize::new(0));
        let count = polls.clone();
        let task: JoinHandle<()> = spawn(&pool, async move {
            // Many short ones, so that it would be long until the worker looks up by itself.
            for _ in 0..1_000 {
                yield_now().await;
            }
            begun.send(()).unwrap();
            let _ = wait.recv();
            loop {
                yield_now().await;
                count.fetch_add(1, SeqCst);
            }
        });
        has_begun.recv().unwrap();
        let report = pool.shut_down(Duration::ZERO);
        assert_eq!(report.stuck, [Stuck { worker: 0 }]);
        release.send(()).unwrap();
        assert!(join(task).unwrap_err().is_cancelled());
        assert_eq!(polls.load(SeqCst), 0);
    });
}

/// Wakes somebody when it goes.
struct WakesNext(Arc<Mutex<Option<Waker>>>);

impl Drop for WakesNext {
    fn drop(&mut self) {
        let waker = self.0.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[test]
fn a_long_chain_of_drops_that_wake_each_other_at_the_end_needs_no_deep_stack() {
    no_hang(|| {
        let length = rounds(20_000, 200_000);
        let (census, pool) = (Census::default(), pool(1));
        let (first_polled, polled) = mpsc::channel();
        let slots: Vec<Arc<Mutex<Option<Waker>>>> = (0..=length).map(|_| Arc::default()).collect();
        for at in 0..length {
            let (mine, next) = (slots[at].clone(), WakesNext(slots[at + 1].clone()));
            let (counted, first_polled) = (census.one(), first_polled.clone());
            pool.space().spawn_detached(
                async move {
                    let _both = (next, counted);
                    waits(move |waker| {
                        if mine.lock().unwrap().replace(waker.clone()).is_none() {
                            let _ = first_polled.send(());
                        }
                    })
                    .await;
                },
                here(),
            );
        }
        for _ in 0..length {
            polled.recv().unwrap();
        }
        // The only worker is stuck, so that the first of the chain is queued when the pool ends, and the rest idle.
        let (begun, has_begun) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        let stuck = spawn(&pool, async move {
            begun.send(()).unwrap();
            let _ = wait.recv();
        });
        has_begun.recv().unwrap();
        let first = slots[0].lock().unwrap().take().unwrap();
        first.wake();
        assert_eq!(pool.shut_down(Duration::from_millis(10)).stuck.len(), 1);
        census.assert_all_dropped();
        release.send(()).unwrap();
        join(stuck).unwrap();
    });
}

/// A reactor that cannot wait.
#[derive(Debug)]
struct Broken(polyloop_reactor::Poll);

impl Reactor for Broken {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        self.0.handle()
    }

    fn turn(&mut self, wait: Wait, events: &mut Events) -> io::Result<()> {
        if wait == Wait::Now {
            self.0.turn(wait, events)
        } else {
            Err(io::Error::other("as the test wants it"))
        }
    }
}

#[test]
fn a_reactor_that_cannot_wait_ends_the_pool_and_nobody_hangs() {
    no_hang(|| {
        let reactor = Broken(polyloop_reactor::Poll::new().unwrap());
        let driver = Driver::new(Box::new(reactor), Box::new(Wheel::new()), Arc::new(SystemClock));
        let pool = start(2, driver.clone());
        let handles: Vec<_> =
            (0..10).map(|_| spawn(&pool, sleep(&driver, Duration::from_secs(3600)))).collect();
        for handle in handles {
            // Cancelled, or told by its sleep that the driver is gone.
            assert!(join(handle).is_err());
        }
        assert!(join(spawn(&pool, async {})).unwrap_err().is_cancelled());
        assert_eq!(pool.shut_down(PATIENCE).stuck, []);
    });
}
