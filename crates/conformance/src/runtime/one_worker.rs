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
    fire_in_order(new, [0; 20]);
}

/// Timers fire in the order of their deadlines, however late they are found.
pub fn timers_fire_in_order<R: Runtime, K>(new: New<R, K>) {
    fire_in_order(new, [15, 6, 21, 3, 0, 18, 9, 12]);
}

/// Tasks that wait so many milliseconds from one moment on are polled in the order of their deadlines, and of their arming where
/// these are equal.
///
/// On a busy machine that moment may be over before a task is polled at all, which then is no wait for a timer. So it lies ever
/// further away, until all are in time.
fn fire_in_order<R: Runtime, K, const N: usize>(new: New<R, K>, waits: [u32; N]) {
    let (rt, _alive) = new();
    for margin in [10, 100, 1_000, 10_000] {
        let (armed, fired, late) = (Log::default(), Log::default(), Counter::default());
        rt.block_on(async {
            let start = rt.now() + Duration::from_millis(margin);
            let tasks = waits.iter().enumerate().map(|(n, &wait)| {
                let (armed, fired, late, within) = (armed.clone(), fired.clone(), late.clone(), rt.clone());
                let sleep = rt.sleep_until(start + Duration::from_millis(wait.into()));
                rt.spawn(async move {
                    if within.now() >= start {
                        late.add();
                    }
                    armed.lock().unwrap().push((wait, n));
                    sleep.await;
                    fired.lock().unwrap().push((wait, n));
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
        });
        if late.get() == 0 {
            let mut expected = taken(&armed);
            expected.sort_by_key(|(wait, _)| *wait);
            return assert_eq!(taken(&fired), expected);
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
