//! Order, which is a promise only where one thread runs the tasks.

use super::{Counter, New};
use crate::block_thread;
use polyloop_traits::Runtime;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::time::Duration;

type Log<T> = Arc<Mutex<Vec<T>>>;

fn taken<T>(log: &Log<T>) -> Vec<T> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// Timers with one deadline fire in the order in which they were armed.
pub fn equal_deadlines_fire_in_order<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let (armed, fired) = (Log::default(), Log::default());
    rt.block_on(async {
        let deadline = rt.now() + Duration::from_millis(30);
        let mut tasks = Vec::new();
        for n in 0..20 {
            let (armed, fired) = (armed.clone(), fired.clone());
            let sleep = rt.sleep_until(deadline);
            tasks.push(rt.spawn(async move {
                armed.lock().unwrap().push(n);
                sleep.await;
                fired.lock().unwrap().push(n);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(taken(&armed), taken(&fired));
}

/// Timers fire in the order of their deadlines, however late they are found.
pub fn timers_fire_in_order<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    // On a busy machine a deadline may be over before its task is polled at all, which then is no wait for a timer.
    for margin in [10, 100, 1_000, 10_000] {
        let (fired, late) = (Log::default(), Log::default());
        rt.block_on(async {
            let start = rt.now() + Duration::from_millis(margin);
            let mut tasks = Vec::new();
            for n in [5, 2, 7, 1, 0, 6, 3, 4] {
                let (fired, late, within) = (fired.clone(), late.clone(), rt.clone());
                let sleep = rt.sleep_until(start + Duration::from_millis(3 * n));
                tasks.push(rt.spawn(async move {
                    if within.now() >= start {
                        late.lock().unwrap().push(n);
                    }
                    sleep.await;
                    fired.lock().unwrap().push(n);
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
        if taken(&late).is_empty() {
            return assert_eq!(taken(&fired), (0..8).collect::<Vec<_>>());
        }
    }
    panic!("no task was polled within ten seconds");
}

/// Two tasks that yield after every step take turns.
pub fn tasks_that_yield_alternate<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let log = Log::default();
    let within = rt.clone();
    let steps = log.clone();
    rt.block_on(async {
        // Both are spawned before either runs, as their parent occupies the worker.
        let parent = rt.spawn(async move {
            let spawn = |name| {
                let (rt, steps) = (within.clone(), steps.clone());
                within.spawn(async move {
                    for _ in 0..10 {
                        steps.lock().unwrap().push(name);
                        rt.yield_now().await;
                    }
                })
            };
            let (one, two) = (spawn('a'), spawn('b'));
            one.await.unwrap();
            two.await.unwrap();
        });
        parent.await.unwrap();
    });
    let steps: String = taken(&log).into_iter().collect();
    let expected = ["ab".repeat(10), "ba".repeat(10)];
    assert!(expected.contains(&steps), "{steps}");
}

/// However many wakes come before a poll, from here and from another thread: it is one poll.
pub fn wakes_before_a_poll_make_one<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let polls = Counter::default();
    let count = polls.clone();
    let (give, given) = mpsc::channel::<Waker>();
    rt.block_on(async {
        let task = rt.spawn(poll_fn(move |cx| {
            give.send(cx.waker().clone()).unwrap();
            match count.add() {
                2 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }));
        let polled = polls.clone();
        let waker = loop {
            match given.try_recv() {
                Ok(waker) => break waker,
                Err(_) => rt.yield_now().await,
            }
        };
        let last = waker.clone();
        // Occupies the only worker, so that nothing is polled between the wakes.
        let waking = rt.spawn(async move {
            // The first poll may still be ending.
            block_thread(Duration::from_millis(1));
            let before = polled.get();
            (0..500).for_each(|_| waker.wake_by_ref());
            std::thread::spawn(move || (0..500).for_each(|_| waker.wake_by_ref())).join().unwrap();
            assert_eq!(polled.get(), before);
        });
        waking.await.unwrap();
        while polls.get() < 2 {
            rt.sleep(Duration::from_millis(1)).await;
        }
        rt.sleep(Duration::from_millis(10)).await;
        assert_eq!(polls.get(), 2);
        last.wake();
        task.await.unwrap();
        assert_eq!(polls.get(), 3);
    });
}
