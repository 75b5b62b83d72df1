//! Channels and locks, on every combination.
//!
//! Invariant: order and counts; where time is needed, it is the paused clock's.

use crate::subjects::{builder, names};
use polyloop::sync::mpsc::error::SendTimeoutError;
use polyloop::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce, broadcast, mpsc, oneshot, watch,
};
use polyloop::task::{spawn_blocking, yield_now};
use polyloop::time::{Instant, sleep};
use polyloop::{Runtime, select, spawn};
use polyloop_conformance::{LIMIT, watched};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Runs `body` on each combination, its clock paused.
fn everywhere(body: fn(&Runtime)) {
    for name in names(&[1, 2, 4]) {
        watched(&name.clone(), LIMIT, move || body(&builder(&name).start_paused(true).build().unwrap()));
    }
}

#[test]
fn a_bounded_channel_delivers_each_value_once_and_each_sender_in_order() {
    everywhere(|runtime| {
        let seen = runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(3);
            for who in 0..4 {
                let sender = sender.clone();
                spawn(async move {
                    for n in 0..100 {
                        sender.send((who, n)).await.unwrap();
                    }
                });
            }
            drop(sender);
            let mut seen = vec![Vec::new(); 4];
            while let Some((who, n)) = receiver.recv().await {
                seen[who as usize].push(n);
            }
            seen
        });
        assert_eq!(seen, vec![Vec::from_iter(0..100); 4]);
    });
}

#[test]
fn a_receive_that_loses_a_select_loses_no_value() {
    everywhere(|runtime| {
        let seen = runtime.block_on(async {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let sending = spawn(async move {
                for n in 0..2000 {
                    sender.send(n).unwrap();
                    if n % 7 == 0 {
                        yield_now().await;
                    }
                }
            });
            let mut seen = Vec::new();
            loop {
                select! {
                    value = receiver.recv() => match value {
                        Some(value) => seen.push(value),
                        None => break,
                    },
                    () = yield_now() => {}
                }
            }
            sending.await.unwrap();
            seen
        });
        assert_eq!(seen, Vec::from_iter(0..2000));
    });
}

#[test]
fn a_send_waits_for_room_no_longer_than_it_was_told() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(1);
            sender.send_timeout(1, SECOND).await.unwrap();
            let start = Instant::now();
            assert_eq!(sender.send_timeout(2, SECOND * 3).await, Err(SendTimeoutError::Timeout(2)));
            assert_eq!(start.elapsed(), SECOND * 3);
            let taking = spawn(async move {
                sleep(SECOND).await;
                (receiver.recv().await, receiver.recv().await)
            });
            sender.send_timeout(3, SECOND * 3).await.unwrap();
            assert_eq!(start.elapsed(), SECOND * 4);
            assert_eq!(taking.await.unwrap(), (Some(1), Some(3)));
            assert_eq!(sender.send_timeout(4, SECOND).await, Err(SendTimeoutError::Closed(4)));
        });
    });
}

#[test]
fn permits_and_weak_senders_lead_back_to_senders_of_the_same_channel() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(1);
            let weak = sender.downgrade();
            let permit = sender.clone().reserve_owned().await.unwrap();
            let refused = sender.clone().try_reserve_owned().unwrap_err().into_inner();
            assert!(refused.same_channel(&sender) && permit.same_channel_as_sender(&sender));
            let again = permit.send('a');
            assert_eq!(receiver.recv().await, Some('a'));
            assert!(weak.upgrade().is_some_and(|sender| sender.same_channel(&again)));
            drop((sender, refused, again));
            assert_eq!(receiver.recv().await, None);
            assert!(weak.upgrade().is_none());
        });
    });
}

#[test]
fn a_oneshot_tells_both_sides_when_the_other_one_goes() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (sender, receiver) = oneshot::channel();
            let waiting = spawn(receiver);
            sender.send(5).unwrap();
            assert_eq!(waiting.await.unwrap(), Ok(5));

            let (sender, receiver) = oneshot::channel::<u8>();
            let waiting = spawn(receiver);
            drop(sender);
            waiting.await.unwrap().unwrap_err();

            let (mut sender, receiver) = oneshot::channel::<u8>();
            let waiting = spawn(async move { sender.closed().await });
            yield_now().await;
            drop(receiver);
            waiting.await.unwrap();
        });
    });
}

#[test]
fn every_receiver_of_a_broadcast_sees_every_value_or_is_told_how_many_it_missed() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (sender, mut slow) = broadcast::channel(4);
            let mut late = sender.subscribe();
            let quick = spawn(async move {
                let mut seen = Vec::new();
                while let Ok(value) = late.recv().await {
                    seen.push(value);
                }
                seen
            });
            // (The quick one may be elsewhere, so it is given the time that it needs.)
            for n in 0..10 {
                sender.send(n).unwrap();
                sleep(SECOND).await;
            }
            assert_eq!(slow.recv().await, Err(broadcast::error::RecvError::Lagged(6)));
            assert_eq!(slow.recv().await, Ok(6));
            drop(sender);
            assert_eq!(quick.await.unwrap(), Vec::from_iter(0..10));
        });
    });
}

#[test]
fn a_watcher_sees_the_newest_value_and_waits_for_the_right_one() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (sender, receiver) = watch::channel(0);
            let mut waiting = receiver.clone();
            let waiting = spawn(async move { *waiting.wait_for(|value| *value >= 5).await.unwrap() });
            for n in 1..=5 {
                sender.send(n).unwrap();
                yield_now().await;
            }
            assert_eq!(waiting.await.unwrap(), 5);
            assert_eq!(*receiver.borrow(), 5);
            let mut late = sender.subscribe();
            drop((sender, receiver));
            late.changed().await.unwrap_err();
        });
    });
}

#[test]
fn a_mutex_admits_one_and_its_owned_guard_may_travel() {
    trait Count: Send {
        fn count(&mut self) -> u32;
    }
    impl Count for u32 {
        fn count(&mut self) -> u32 {
            *self += 1;
            *self
        }
    }
    everywhere(|runtime| {
        runtime.block_on(async {
            let mutex: Arc<Mutex<dyn Count>> = Arc::new(Mutex::new(0_u32));
            let tasks = Vec::from_iter((0..8).map(|_| {
                let mutex = mutex.clone();
                spawn(async move {
                    for _ in 0..10 {
                        let mut guard = mutex.lock().await;
                        let before = guard.count();
                        yield_now().await;
                        assert_eq!(guard.count(), before + 1, "nobody came in between");
                    }
                })
            }));
            for task in tasks {
                task.await.unwrap();
            }
            let guard = mutex.clone().lock_owned().await;
            assert!(mutex.try_lock().is_err() && mutex.clone().try_lock_owned().is_err());
            let count = spawn(async move {
                let mut guard = guard;
                guard.count()
            });
            assert_eq!(count.await.unwrap(), 161);
            assert_eq!(mutex.lock().await.count(), 162);
            assert_eq!(Arc::strong_count(&mutex), 1);
        });
    });
}

#[test]
fn a_lock_admits_readers_together_and_writers_alone() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let lock = Arc::new(RwLock::new(1));
            let (one, two) = (lock.clone().read_owned().await, lock.read().await);
            assert!(lock.try_write().is_err());
            let writing = {
                let lock = lock.clone();
                spawn(async move { *lock.write().await += 1 })
            };
            assert_eq!(*one + *two, 2);
            drop((one, two));
            writing.await.unwrap();
            assert_eq!(*lock.clone().write_owned().await, 2);
            assert_eq!(Arc::into_inner(lock).unwrap().into_inner(), 2);
        });
    });
}

#[test]
fn a_semaphore_admits_as_many_as_it_has_permits() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (permits, inside, most) =
                (Arc::new(Semaphore::new(3)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
            let tasks = Vec::from_iter((0..20).map(|_| {
                let (permits, inside, most) = (permits.clone(), inside.clone(), most.clone());
                spawn(async move {
                    let _permit = permits.acquire_owned().await.unwrap();
                    most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                    sleep(SECOND).await;
                    inside.fetch_sub(1, SeqCst);
                })
            }));
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(most.load(SeqCst), 3, "never more, and as many when time stands still");
            permits.close();
            permits.acquire().await.unwrap_err();
        });
    });
}

#[test]
fn a_notification_wakes_one_and_is_kept_for_the_next() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let bell = Arc::new(Notify::new());
            bell.notify_one();
            bell.notify_one();
            bell.notified().await;
            let waiting = spawn(bell.clone().notified_owned());
            bell.notify_one();
            waiting.await.unwrap();
            let all = bell.notified();
            bell.notify_waiters();
            all.await;
        });
    });
}

#[test]
fn a_barrier_lets_all_go_on_at_once_under_one_leader() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let barrier = Arc::new(Barrier::new(5));
            let tasks = Vec::from_iter((0..5).map(|n| {
                let barrier = barrier.clone();
                spawn(async move {
                    sleep(SECOND * n).await;
                    let is_leader = barrier.wait().await.is_leader();
                    (is_leader, Instant::now())
                })
            }));
            let mut came = Vec::new();
            for task in tasks {
                came.push(task.await.unwrap());
            }
            assert_eq!(came.iter().filter(|(leader, _)| *leader).count(), 1);
            assert!(came.iter().all(|(_, at)| *at == came[0].1));
        });
    });
}

#[test]
fn a_cell_is_filled_once() {
    everywhere(|runtime| {
        runtime.block_on(async {
            static MADE: AtomicU32 = AtomicU32::new(0);
            MADE.store(0, SeqCst);
            let (cell, set) = (Arc::new(OnceCell::new()), Arc::new(SetOnce::new()));
            let tasks = Vec::from_iter((0..8).map(|n| {
                let (cell, set) = (cell.clone(), set.clone());
                spawn(async move {
                    let make = async || {
                        yield_now().await;
                        MADE.fetch_add(1, SeqCst);
                        n
                    };
                    (*cell.get_or_init(make).await, *set.wait().await)
                })
            }));
            yield_now().await;
            set.set('x').unwrap();
            for task in tasks {
                assert_eq!(task.await.unwrap(), (*cell.get().unwrap(), 'x'));
            }
            assert_eq!(MADE.load(SeqCst), 1);
        });
    });
}

#[test]
fn a_channel_connects_two_runtimes_of_different_make() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let (here, there) = (builder(&name).build().unwrap(), Runtime::from_name("steal:2").unwrap());
            let (ask, mut asked) = mpsc::channel::<(u32, oneshot::Sender<u32>)>(1);
            there.spawn(async move {
                while let Some((n, answer)) = asked.recv().await {
                    answer.send(n * 2).unwrap();
                }
            });
            here.block_on(async {
                for n in 0..100 {
                    let (answer, answered) = oneshot::channel();
                    ask.send((n, answer)).await.unwrap();
                    assert_eq!(answered.await, Ok(2 * n));
                }
            });
        });
    }
}

#[test]
fn blocking_on_a_channel_works_in_a_job_and_says_what_is_wrong_in_a_task() {
    everywhere(|runtime| {
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(1);
            let job = spawn_blocking(move || (receiver.blocking_recv(), receiver.blocking_recv()));
            sender.send(1).await.unwrap();
            spawn_blocking(move || sender.blocking_send(2)).await.unwrap().unwrap();
            assert_eq!(job.await.unwrap(), (Some(1), Some(2)));

            let panic = spawn(async {
                let (_sender, receiver) = oneshot::channel::<u8>();
                let blocked = catch_unwind(AssertUnwindSafe(|| receiver.blocking_recv()));
                *blocked.unwrap_err().downcast::<&'static str>().unwrap()
            });
            assert_eq!(
                panic.await.unwrap(),
                "a thread that polls a task cannot block: await instead, or call this within `task::spawn_blocking`"
            );
        });
    });
}

#[test]
fn jobs_that_wait_for_each_other_do_not_use_the_pool_up() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).max_blocking_threads(1).build().unwrap();
            runtime.block_on(async {
                let (sender, mut receiver) = mpsc::unbounded_channel();
                let waiting = spawn_blocking(move || receiver.blocking_recv());
                let sending = spawn_blocking(move || sender.send(7).unwrap());
                sending.await.unwrap();
                assert_eq!(waiting.await.unwrap(), Some(7));
            });
        });
    }
}

#[test]
fn outside_of_any_runtime_they_work_as_well() {
    let (sender, mut receiver) = mpsc::channel(1);
    let sending = std::thread::spawn(move || (0..1000).for_each(|n| sender.blocking_send(n).unwrap()));
    let seen: Vec<u32> = std::iter::from_fn(|| futures::executor::block_on(receiver.recv())).collect();
    sending.join().unwrap();
    assert_eq!(seen, Vec::from_iter(0..1000));
}
