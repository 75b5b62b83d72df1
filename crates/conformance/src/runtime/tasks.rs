//! Tasks: spawn, join, detach, abort; panics; drops.

use super::{Counter, New};
use crate::watch::block_thread;
use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};
use polyloop_traits::{Join, OnDrop, Runtime};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// A join handle resolves to the task's value.
pub fn a_task_gives_its_value<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    assert_eq!(rt.block_on(async { rt.spawn(async { 6 * 7 }).await }).unwrap(), 42);
}

/// A task awaits tasks that it spawned.
pub fn a_task_joins_another<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let within = rt.clone();
    let sum = rt.block_on(rt.spawn(async move {
        let children: Vec<_> = (1..=10).map(|n| within.spawn(async move { n })).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    }));
    assert_eq!(sum.unwrap(), 55);
}

/// A detached task goes on to its end.
pub fn a_detached_task_runs_on<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let (done, ended) = oneshot::channel();
    let within = rt.clone();
    let ended = rt.block_on(async {
        rt.spawn(async move {
            within.yield_now().await;
            done.send("ended").unwrap();
        })
        .detach();
        ended.await
    });
    assert_eq!(ended, Ok("ended"));
}

/// Dropping a handle detaches or aborts, as the handle's type says.
pub fn dropping_a_handle_does_what_it_says<R: Runtime, K>(new: New<R, K>) {
    fn on_drop<T, J: Join<T>>(_: &J) -> OnDrop {
        J::ON_DROP
    }
    let (rt, _alive) = new();
    let (go, begin) = oneshot::channel::<()>();
    let (done, ended) = oneshot::channel();
    let ended = rt.block_on(async {
        let join = rt.spawn(async move {
            begin.await.unwrap();
            done.send("ended").unwrap();
        });
        let expected = on_drop(&join);
        drop(join);
        // Nobody listens any more if the task was aborted.
        let _ = go.send(());
        (expected, ended.await)
    });
    match ended {
        (OnDrop::Detach, ended) => assert_eq!(ended, Ok("ended")),
        (OnDrop::Abort, ended) => assert_eq!(ended, Err(oneshot::Canceled)),
    }
}

/// When the handle of an aborted task resolves, its future is gone.
pub fn an_aborted_task_is_dropped_before_its_handle_resolves<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let drops = Counter::default();
    rt.block_on(async {
        let (begun, began) = oneshot::channel();
        let counted = drops.dropped();
        let mut join = rt.spawn(async move {
            let _counted = counted;
            begun.send(()).unwrap();
            pending::<()>().await;
        });
        began.await.unwrap();
        join.abort();
        assert!(join.await.unwrap_err().is_cancelled());
        assert_eq!(drops.get(), 1);
    });
}

/// After so long a value is stored whose future was dropped, however busy the machine: it takes a few instructions.
const STORED: Duration = Duration::from_millis(100);

/// An abort that comes after the end takes nothing away.
pub fn abort_after_the_end_keeps_the_value<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let (done, ended) = oneshot::channel::<()>();
        let mut join = rt.spawn(async move {
            // Dropped with the future, which is the last thing but to store the value.
            let _done = done;
            7
        });
        ended.await.unwrap_err();
        rt.sleep(STORED).await;
        join.abort();
        assert_eq!(join.await.unwrap(), 7);
    });
}

/// Nor one that comes after a panic: it is the joiner's, and not of whoever aborts.
pub fn abort_after_a_panic_keeps_the_panic<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let (done, ended) = oneshot::channel::<()>();
        let mut join = rt.spawn(async move {
            let _done = done;
            std::panic::panic_any(7);
        });
        ended.await.unwrap_err();
        rt.sleep(STORED).await;
        join.abort();
        let failed = join.await.unwrap_err();
        assert_eq!(failed.into_panic().unwrap().downcast_ref(), Some(&7));
    });
}

/// The end of a runtime is told to those who wait for its tasks: no value, and nobody has panicked.
pub fn a_task_of_a_runtime_that_is_gone_was_cancelled<R: Runtime, K>(new: New<R, K>) {
    let (rt, alive) = new();
    let (begun, began) = oneshot::channel();
    let waiting = rt.spawn(async move {
        begun.send(()).unwrap();
        pending::<()>().await;
    });
    rt.block_on(began).unwrap();
    let unpolled = rt.spawn(pending::<()>());
    drop((rt, alive));
    for task in [waiting, unpolled] {
        let failed = end_of(task).expect("whoever waits for it waits for ever").unwrap_err();
        assert!(failed.is_cancelled() && !failed.is_panic(), "{failed}");
    }
}

/// What comes of a future that nobody is to be waited for long, and that may never be woken.
fn end_of<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    (0..1000).find_map(|_| match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => {
            block_thread(Duration::from_millis(5));
            None
        }
    })
}

/// A task that is aborted before its first poll is dropped all the same.
pub fn abort_of_a_task_that_never_ran_drops_its_future<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let drops = Counter::default();
    let counted = drops.dropped();
    // Outside of `block_on`: an executor without threads of its own does not run yet.
    let mut join = rt.spawn(async move {
        let _counted = counted;
        pending::<()>().await;
    });
    join.abort();
    assert!(rt.block_on(join).unwrap_err().is_cancelled());
    assert_eq!(drops.get(), 1);
}

/// A panic reaches whoever joins, and the thread that it happened on runs other tasks.
pub fn a_panic_reaches_the_joiner_and_the_others_go_on<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        for round in 0..20 {
            let failed = rt.spawn(async move { std::panic::panic_any(round) }).await.unwrap_err();
            assert!(failed.is_panic() && !failed.is_cancelled());
            assert_eq!(failed.into_panic().unwrap().downcast_ref(), Some(&round));
            assert_eq!(rt.spawn(async { "alive" }).await.unwrap(), "alive");
        }
    });
}

/// A panic of the future of `block_on` comes out of `block_on`, and the runtime can be used again.
pub fn a_panic_of_the_main_future_reaches_the_caller<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let caught = catch_unwind(AssertUnwindSafe(|| rt.block_on(async { std::panic::panic_any(3) })));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&3));
    assert_eq!(rt.block_on(async { rt.spawn(async { 4 }).await }).unwrap(), 4);
}

/// A value that is joined is dropped by the joiner and nobody else.
pub fn an_output_is_dropped_once<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let drops = Counter::default();
    let counted = drops.dropped();
    let output = rt.block_on(async { rt.spawn(async move { counted }).await }).unwrap();
    assert_eq!(drops.get(), 0);
    drop(output);
    assert_eq!(drops.get(), 1);
    drop(rt);
    assert_eq!(drops.get(), 1);
}

/// A value that nobody joins is dropped once.
pub fn an_output_nobody_wants_is_dropped_once<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let drops = Counter::default();
    rt.block_on(async {
        for _ in 0..10 {
            let counted = drops.dropped();
            rt.spawn(async move { counted }).detach();
        }
        while drops.get() < 10 {
            rt.yield_now().await;
        }
        rt.sleep(Duration::from_millis(5)).await;
    });
    assert_eq!(drops.get(), 10);
}

/// `block_on` takes futures that borrow and that stay on their thread.
pub fn block_on_borrows_and_is_not_send<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let mut log = Vec::new();
    let shared = Rc::new(5);
    let thread = thread::current().id();
    rt.block_on(async {
        log.push(*shared);
        rt.yield_now().await;
        rt.sleep(Duration::from_millis(1)).await;
        log.push(*shared + 1);
        assert_eq!(thread::current().id(), thread);
    });
    assert_eq!(log, [5, 6]);
}

/// A runtime is entered and left many times; a task goes on in the next `block_on`.
pub fn block_on_again_and_again<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let (mut sender, mut receiver) = mpsc::channel(0);
    let task = rt.spawn(async move {
        for n in 0..100 {
            sender.send(n).await.unwrap();
        }
    });
    for n in 0..100 {
        assert_eq!(rt.block_on(receiver.next()), Some(n));
    }
    rt.block_on(task).unwrap();
}

/// Ten thousand tasks that live at the same time.
pub fn ten_thousand_tasks<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let within = rt.clone();
    let sum: u64 = rt.block_on(async {
        let spawn = |n| {
            let rt = within.clone();
            within.spawn(async move {
                rt.yield_now().await;
                n
            })
        };
        let tasks: Vec<_> = (0..10_000_u64).map(spawn).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 10_000 * 9_999 / 2);
}

/// Each of a thousand tasks spawns the next.
pub fn a_deep_chain_of_spawns<R: Runtime, K>(new: New<R, K>) {
    fn link<R: Runtime>(rt: R, left: u32, done: oneshot::Sender<()>) {
        rt.clone()
            .spawn(async move {
                match left {
                    0 => done.send(()).unwrap(),
                    _ => link(rt, left - 1, done),
                }
            })
            .detach();
    }
    let (rt, _alive) = new();
    let (done, ended) = oneshot::channel();
    rt.block_on(async {
        link(rt.clone(), 1000, done);
        ended.await.unwrap();
    });
}

/// A task that yields until another has run ends.
pub fn yield_lets_others_run<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let ran = Counter::default();
    let (within, count) = (rt.clone(), ran.clone());
    rt.block_on(async {
        let waiting = rt.spawn(async move {
            while count.get() == 0 {
                within.yield_now().await;
            }
        });
        let running = rt.spawn(async move { ran.add() });
        waiting.await.unwrap();
        running.await.unwrap();
    });
}

/// Two tasks that wait for each other a thousand times.
pub fn ping_pong_over_channels<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let (mut ping, mut pinged) = mpsc::channel(0);
    let (mut pong, mut ponged) = mpsc::channel(0);
    rt.block_on(async {
        let echo = rt.spawn(async move {
            while let Some(n) = pinged.next().await {
                pong.send(n + 1).await.unwrap();
            }
        });
        let caller = rt.spawn(async move {
            let mut n = 0;
            while n < 1000 {
                ping.send(n).await.unwrap();
                n = ponged.next().await.unwrap();
            }
            n
        });
        assert_eq!(caller.await.unwrap(), 1000);
        echo.await.unwrap();
    });
}

/// Two runtimes in one process have tasks, timers and messages for each other.
pub fn two_runtimes_side_by_side<R: Runtime, K>(new: New<R, K>) {
    fn side<R: Runtime>(rt: &R, mut to: mpsc::Sender<u32>, mut from: mpsc::Receiver<u32>) {
        let within = rt.clone();
        let last = rt.block_on(async {
            let task = rt.spawn(async move {
                let mut last = 0;
                for n in 1..=20 {
                    within.sleep(Duration::from_micros(200)).await;
                    // The other side may have ended after its last message.
                    let _ = to.send(n).await;
                    last = from.next().await.unwrap();
                }
                last
            });
            task.await.unwrap()
        });
        assert_eq!(last, 20);
    }
    let ((one, _one_alive), (two, _two_alive)) = (new(), new());
    let (to_two, from_one) = mpsc::channel(1);
    let (to_one, from_two) = mpsc::channel(1);
    thread::scope(|scope| {
        scope.spawn(move || side(&one, to_two, from_two));
        side(&two, to_one, from_one);
    });
}
