//! Wakers (C1), and tasks that wake themselves without end (C2).

use super::net::pair;
use super::{Counter, New};
use crate::block_thread;
use futures::{AsyncReadExt, AsyncWriteExt};
use polyloop_traits::{Join, Runtime};
use std::future::poll_fn;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// Three wakes during a poll lead to one further poll.
pub fn wakes_during_a_poll_make_one_more<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let polls = Counter::default();
    let count = polls.clone();
    rt.block_on(async {
        let task = rt.spawn(poll_fn(move |cx| match count.add() {
            0 => {
                (0..3).for_each(|_| cx.waker().wake_by_ref());
                Poll::Pending
            }
            1 => Poll::Pending,
            _ => Poll::Ready(()),
        }));
        while polls.get() < 2 {
            rt.sleep(Duration::from_millis(1)).await;
        }
        // Whoever queued the task three times polls it again meanwhile.
        for _ in 0..20 {
            rt.yield_now().await;
        }
        rt.sleep(Duration::from_millis(5)).await;
        assert_eq!(polls.get(), 2);
        drop(task);
    });
}

/// A waker that is used after its task has ended does nothing.
pub fn a_wake_after_the_end_is_nothing<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let polls = Counter::default();
    let count = polls.clone();
    rt.block_on(async {
        let (give, given) = mpsc::channel::<Waker>();
        let task = rt.spawn(poll_fn(move |cx| {
            count.add();
            give.send(cx.waker().clone()).unwrap();
            Poll::Ready(())
        }));
        task.await.unwrap();
        let waker = given.recv().unwrap();
        (0..3).for_each(|_| waker.wake_by_ref());
        rt.yield_now().await;
        waker.wake();
        rt.yield_now().await;
        assert_eq!(polls.get(), 1);
    });
}

/// A future that is ready once a foreign thread has woken it.
async fn woken_by_a_thread() {
    let (give, given) = mpsc::channel::<Waker>();
    let woken = Counter::default();
    let wake = woken.clone();
    let thread = thread::spawn(move || {
        let waker = given.recv().unwrap();
        // Long enough for the runtime to fall asleep, on a machine that is not busy. The test holds in any case.
        block_thread(Duration::from_millis(20));
        wake.add();
        waker.wake();
    });
    poll_fn(|cx| {
        if woken.get() > 0 {
            return Poll::Ready(());
        }
        // The thread is content with the first one and may be gone.
        let _ = give.send(cx.waker().clone());
        Poll::Pending
    })
    .await;
    thread.join().unwrap();
}

/// `block_on` sleeps until another thread wakes its future.
pub fn a_foreign_thread_wakes_the_main_future<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(woken_by_a_thread());
}

/// A task sleeps until another thread wakes it.
pub fn a_foreign_thread_wakes_a_task<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(rt.spawn(woken_by_a_thread())).unwrap();
}

/// Four threads count and wake; the task sees the last count.
pub fn wakes_from_many_threads_are_not_lost<R: Runtime, K>(new: New<R, K>) {
    const THREADS: usize = 4;
    const WAKES: usize = 500;
    let (rt, _alive) = new();
    let (give, given) = mpsc::channel::<Waker>();
    let woken = Counter::default();
    let seen = woken.clone();
    let task = rt.spawn(poll_fn(move |cx| {
        let _ = give.send(cx.waker().clone());
        if seen.get() == THREADS * WAKES { Poll::Ready(()) } else { Poll::Pending }
    }));
    let wakers = thread::spawn(move || {
        let waker = given.recv().unwrap();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..WAKES {
                        woken.add();
                        waker.wake_by_ref();
                    }
                });
            }
        });
    });
    rt.block_on(task).unwrap();
    wakers.join().unwrap();
}

/// Wakers may be cloned, woken and dropped when their runtime is gone, on any thread; their futures are dropped once.
pub fn wakers_outlive_the_runtime<R: Runtime, K>(new: New<R, K>) {
    let (rt, alive) = new();
    let drops = Counter::default();
    let (give, given) = mpsc::channel::<Waker>();
    rt.block_on(async {
        for _ in 0..10 {
            let (give, counted) = (give.clone(), drops.dropped());
            let task = rt.spawn(async move {
                let _counted = counted;
                poll_fn::<(), _>(|cx| {
                    give.send(cx.waker().clone()).unwrap();
                    Poll::Pending
                })
                .await;
            });
            task.detach();
        }
    });
    // An executor without threads polls only in here.
    let mut wakers = Vec::new();
    rt.block_on(async {
        while wakers.len() < 10 {
            rt.yield_now().await;
            wakers.extend(given.try_recv());
        }
    });
    drop((rt, alive));
    for waker in &wakers {
        waker.wake_by_ref();
        let cloned = waker.clone();
        drop(waker.clone());
        cloned.wake();
    }
    thread::spawn(move || {
        wakers.iter().for_each(Waker::wake_by_ref);
        drop(wakers);
    })
    .join()
    .unwrap();
    // A runtime whose threads end by themselves may need a moment for it.
    for _ in 0..1000 {
        if drops.get() == 10 {
            break;
        }
        block_thread(Duration::from_millis(1));
    }
    assert_eq!(drops.get(), 10);
}

/// Wakes itself until `stop` counts.
fn hog(stop: Counter) -> impl Future<Output = ()> + Send + 'static {
    poll_fn(move |cx| {
        if stop.get() > 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// A timer fires although a task is always ready.
pub fn a_task_that_wakes_itself_keeps_no_timer_waiting<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let stop = Counter::default();
    rt.block_on(async {
        let hog = rt.spawn(hog(stop.clone()));
        rt.sleep(Duration::from_millis(1)).await;
        stop.add();
        hog.await.unwrap();
    });
}

/// A socket becomes ready although a task is always ready.
pub fn a_task_that_wakes_itself_keeps_no_io_waiting<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let stop = Counter::default();
    rt.block_on(async {
        let (mut near, mut far) = pair(&rt).await;
        let hog = rt.spawn(hog(stop.clone()));
        let reader = rt.spawn(async move {
            let mut byte = [0];
            near.read_exact(&mut byte).await.unwrap();
            byte[0]
        });
        rt.yield_now().await;
        far.write_all(&[9]).await.unwrap();
        assert_eq!(reader.await.unwrap(), 9);
        stop.add();
        hog.await.unwrap();
    });
}
