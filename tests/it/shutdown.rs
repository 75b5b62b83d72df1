//! The end of a runtime, wherever it comes (C9), and what is used after it (C10).
//!
//! Invariant: a drop waits for nothing that does not end: what a test holds back it lets go only after the drop.

use crate::subjects::{builder, names};
use polyloop::{BlockOnError, Handle, Nested, Runtime, time};
use polyloop_conformance::{LIMIT, watched};
use std::future::{pending, poll_fn};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::time::Duration;

fn each(body: fn(Runtime)) {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || body(builder(&name).build().unwrap()));
    }
}

#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

struct Counted(Drops);

impl Drops {
    fn one(&self) -> Counted {
        Counted(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, SeqCst);
    }
}

async fn held(counted: Counted) {
    let _counted = counted;
    pending().await
}

#[test]
fn pending_tasks_are_dropped_once_and_their_handles_say_so() {
    each(|runtime| {
        let drops = Drops::default();
        let mut joins: Vec<_> = (0..50).map(|_| runtime.spawn(held(drops.one()))).collect();
        runtime.block_on(polyloop::task::yield_now());
        joins.extend((0..50).map(|_| runtime.spawn(held(drops.one()))));
        drop(runtime);
        assert_eq!(drops.count(), 100);
        for join in joins {
            assert!(futures::executor::block_on(join).unwrap_err().is_cancelled());
        }
        assert_eq!(drops.count(), 100);
    });
}

#[test]
fn a_stuck_poll_keeps_no_drop_waiting() {
    for name in names(&[1, 2]).into_iter().filter(|name| !name.starts_with("fifo")) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            let drops = Drops::default();
            let (stuck, waiting) = (drops.one(), drops.one());
            let (begun, began) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let join = runtime.spawn(async move {
                let _stuck = stuck;
                begun.send(()).unwrap();
                // Blocks the worker until after the drop.
                released.recv().unwrap();
                pending::<()>().await;
            });
            began.recv().unwrap();
            let other = runtime.spawn(held(waiting));
            drop(runtime);
            assert_eq!(drops.count(), 1, "all but the one that is being polled");
            assert!(futures::executor::block_on(other).unwrap_err().is_cancelled());
            release.send(()).unwrap();
            assert!(futures::executor::block_on(join).unwrap_err().is_cancelled());
            assert_eq!(drops.count(), 2);
        });
    }
}

#[test]
fn a_runtime_may_be_dropped_by_its_own_task() {
    each(|runtime| {
        let drops = Drops::default();
        let handle = runtime.handle().clone();
        let bystander = handle.spawn(held(drops.one()));
        let (done, ended) = futures::channel::oneshot::channel();
        let counted = drops.one();
        handle.spawn(async move {
            let _counted = counted;
            drop(runtime);
            done.send(()).unwrap();
            pending::<()>().await;
        });
        handle.block_on(async {
            ended.await.unwrap();
            assert!(bystander.await.unwrap_err().is_cancelled());
        });
        // The dropping task's own poll may still be ending on its worker.
        while drops.count() < 2 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn whoever_joins_the_task_that_dropped_the_runtime_is_told() {
    each(|runtime| {
        let drops = Drops::default();
        let handle = runtime.handle().clone();
        let (counted, yields) = (drops.one(), drops.one());
        let busy = handle.spawn(async move {
            let _yields = yields;
            loop {
                polyloop::task::yield_now().await;
            }
        });
        let dropper = handle.spawn(async move {
            let _counted = counted;
            drop(runtime);
            pending::<()>().await;
        });
        handle.block_on(async {
            assert!(dropper.await.unwrap_err().is_cancelled());
            assert!(busy.await.map(|never: ()| never).unwrap_err().is_cancelled());
        });
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn a_runtime_may_be_dropped_inside_block_on() {
    each(|runtime| {
        let drops = Drops::default();
        let handle = runtime.handle().clone();
        let join = handle.spawn(held(drops.one()));
        handle.block_on(async move {
            polyloop::task::yield_now().await;
            drop(runtime);
            assert!(join.await.unwrap_err().is_cancelled());
        });
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn futures_that_spawn_and_wake_and_panic_while_they_are_dropped() {
    struct Spawns(Handle, Drops, u32);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let counted = self.1.one();
            drop(self.0.spawn(held(counted)));
            if self.2 > 0 {
                let next = Self(self.0.clone(), self.1.clone(), self.2 - 1);
                drop(self.0.spawn(async move {
                    let _next = next;
                    pending::<()>().await;
                }));
            }
        }
    }
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    each(|runtime| {
        let drops = Drops::default();
        let spawns = Spawns(runtime.handle().clone(), drops.clone(), 100);
        runtime.spawn(async move {
            let _spawns = spawns;
            pending::<()>().await;
        });
        let panics = runtime.spawn(async {
            let _panics = Panics;
            pending::<()>().await;
        });
        let held = runtime.spawn(held(drops.one()));
        for _ in 0..10 {
            runtime.block_on(polyloop::task::yield_now());
        }
        drop(runtime);
        assert!(futures::executor::block_on(held).unwrap_err().is_cancelled());
        assert!(futures::executor::block_on(panics).is_err());
        assert_eq!(drops.count(), 102);
    });
}

#[test]
fn wakers_that_were_kept_do_nothing() {
    each(|runtime| {
        let kept = Arc::new(std::sync::Mutex::new(Vec::<Waker>::new()));
        let list = kept.clone();
        let drops = Drops::default();
        let counted = drops.one();
        let join = runtime.spawn(async move {
            let _counted = counted;
            let list = list;
            poll_fn::<(), _>(|cx| {
                list.lock().unwrap().push(cx.waker().clone());
                Poll::Pending
            })
            .await;
        });
        while kept.lock().unwrap().is_empty() {
            runtime.block_on(polyloop::task::yield_now());
        }
        drop(runtime);
        let wakers = std::mem::take(&mut *kept.lock().unwrap());
        std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
        assert!(futures::executor::block_on(join).unwrap_err().is_cancelled());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn block_on_within_block_on_is_refused() {
    each(|runtime| {
        let other = Runtime::from_name("fifo+poll+heap").unwrap();
        runtime.block_on(async {
            assert_eq!(runtime.try_block_on(async {}), Err(BlockOnError::Nested));
            assert_eq!(other.try_block_on(async {}), Err(BlockOnError::Nested));
            let handle = runtime.handle().clone();
            let within = runtime.spawn(async move { handle.try_block_on(async {}) });
            assert_eq!(within.await.unwrap(), Err(BlockOnError::Nested));
            let said = catch_unwind(AssertUnwindSafe(|| runtime.block_on(async {}))).unwrap_err();
            assert_eq!(said.downcast_ref::<String>(), Some(&Nested.to_string()));
        });
        assert_eq!(runtime.try_block_on(async { 2 }), Ok(2));
    });
}

/// What a panic said.
fn panic_of<T>(body: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(body)).map(drop).unwrap_err();
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a sentence")
}

#[test]
fn a_sleep_whose_runtime_is_gone_panics_with_one_sentence() {
    each(|runtime| {
        let other = Runtime::from_name("fifo").unwrap();
        let (fresh, armed) = {
            let _within = runtime.enter();
            (time::sleep(Duration::from_secs(60)), time::sleep(Duration::from_secs(60)))
        };
        let mut armed = Box::pin(armed);
        runtime.block_on(poll_fn(|cx| {
            assert!(armed.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        drop(runtime);
        for said in [panic_of(|| other.block_on(fresh)), panic_of(|| other.block_on(armed))] {
            assert_eq!(said, "the runtime that drives this timer has shut down");
        }
    });
}

#[test]
fn a_sleep_that_waits_while_its_runtime_goes_is_told() {
    each(|runtime| {
        let sleep = {
            let _within = runtime.enter();
            time::sleep(Duration::from_secs(60))
        };
        let (begun, began) = mpsc::channel();
        let waiting = std::thread::spawn(move || {
            let other = Runtime::from_name("fifo").unwrap();
            let mut sleep = Box::pin(sleep);
            panic_of(|| {
                other.block_on(async {
                    poll_fn(|cx| {
                        assert!(sleep.as_mut().poll(cx).is_pending());
                        Poll::Ready(())
                    })
                    .await;
                    begun.send(()).unwrap();
                    sleep.await;
                })
            })
        });
        began.recv().unwrap();
        drop(runtime);
        assert_eq!(waiting.join().unwrap(), "the runtime that drives this timer has shut down");
    });
}

#[test]
fn sockets_whose_runtime_is_gone_give_errors() {
    use polyloop::net::{TcpListener, TcpStream};
    each(|runtime| {
        let other = Runtime::from_name("fifo+poll").unwrap();
        let (listener, near, _far) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let (near, far) = futures::join!(TcpStream::connect(addr), listener.accept());
            (listener, near.unwrap(), far.unwrap().0)
        });
        let handle = runtime.handle().clone();
        drop(runtime);
        let mut byte = [0];
        other.block_on(async {
            assert_eq!(listener.accept().await.map(drop).unwrap_err().kind(), ErrorKind::Other);
            assert_eq!(near.read(&mut byte).await.unwrap_err().kind(), ErrorKind::Other);
        });
        let _within = handle.enter();
        assert!(futures::executor::block_on(TcpListener::bind("127.0.0.1:0")).is_err());
    });
}

#[test]
fn a_handle_whose_runtime_is_gone_cancels_what_it_is_given() {
    each(|runtime| {
        let handle = runtime.handle().clone();
        drop(runtime);
        let ran = Arc::new(AtomicBool::new(false));
        let (task, job) = (ran.clone(), ran.clone());
        let task = handle.spawn(async move { task.store(true, SeqCst) });
        assert!(futures::executor::block_on(task).unwrap_err().is_cancelled());
        let job = handle.spawn_blocking(move || job.store(true, SeqCst));
        assert!(futures::executor::block_on(job).is_err());
        assert!(!ran.load(SeqCst));
        let said = panic_of(|| handle.block_on(async { time::sleep(Duration::from_secs(60)).await }));
        assert_eq!(said, "the runtime that drives this timer has shut down");
    });
}

/// C9: tasks that may not be sent are dropped where they were spawned, however they end.
#[test]
fn local_tasks_are_dropped_on_their_own_thread_however_they_end() {
    struct Here(Drops, std::thread::ThreadId, std::marker::PhantomData<*const ()>);
    impl Drop for Here {
        fn drop(&mut self) {
            assert_eq!(std::thread::current().id(), self.1, "dropped on a foreign thread");
            self.0.0.fetch_add(1, SeqCst);
        }
    }
    each(|runtime| {
        let drops = Drops::default();
        let handle = runtime.handle().clone();
        for ends_by_panic in [false, true] {
            let kept: Arc<std::sync::Mutex<Vec<Waker>>> = Arc::default();
            let spawn = || {
                let here = Here(drops.clone(), std::thread::current().id(), std::marker::PhantomData);
                let kept = kept.clone();
                polyloop::task::spawn_local(async move {
                    let _here = here;
                    poll_fn::<(), _>(|cx| {
                        kept.lock().unwrap().push(cx.waker().clone());
                        Poll::Pending
                    })
                    .await;
                })
            };
            let ended = catch_unwind(AssertUnwindSafe(|| {
                handle.block_on(async {
                    let (aborted, awaited) = (spawn(), spawn());
                    drop((spawn(), spawn()));
                    polyloop::task::yield_now().await;
                    let abort = aborted.abort_handle();
                    let wakers = std::mem::take(&mut *kept.lock().unwrap());
                    // From a foreign thread, in the middle of it all.
                    let foreign = std::thread::spawn(move || {
                        abort.abort();
                        wakers.into_iter().for_each(Waker::wake);
                    });
                    assert!(aborted.await.unwrap_err().is_cancelled());
                    foreign.join().unwrap();
                    polyloop::task::yield_now().await;
                    drop(awaited);
                    if ends_by_panic {
                        std::panic::resume_unwind(Box::new("on purpose"));
                    }
                });
            }));
            assert_eq!(ended.is_err(), ends_by_panic);
            // Their wakers outlive them, and are used elsewhere.
            let wakers = std::mem::take(&mut *kept.lock().unwrap());
            std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
        }
        assert_eq!(drops.count(), 8);
    });
}

/// C9: the thread inside `block_on` polls, and does not come back.
#[test]
fn a_stuck_poll_inside_block_on_keeps_no_drop_waiting() {
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            let (drops, handle) = (Drops::default(), runtime.handle().clone());
            let waiting = runtime.spawn(held(drops.one()));
            let (begun, began) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let stuck = std::thread::spawn(move || {
                handle.block_on(async {
                    polyloop::task::yield_now().await;
                    begun.send(()).unwrap();
                    released.recv().unwrap();
                });
            });
            began.recv().unwrap();
            drop(runtime);
            release.send(()).unwrap();
            stuck.join().unwrap();
            assert!(futures::executor::block_on(waiting).unwrap_err().is_cancelled());
            assert_eq!(drops.count(), 1);
        });
    }
}
