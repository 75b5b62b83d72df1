//! What happens in the destructors of thread-locals, where a program's own thread-locals may be gone already (C9, C10).
//!
//! Invariant: each act is tried by two destructors of one thread: one that runs before those of the runtime's own
//! thread-locals, and one that runs after them. Whatever it does, it does not abort the process, hang, or leave anything.

use crate::subjects::{builder, names};
use polyloop::{Handle, Runtime, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// What a destructor does, and where it puts what came of it.
struct Act {
    act: Option<Box<dyn FnOnce()>>,
    outcome: Arc<Mutex<Vec<Result<(), String>>>>,
}

impl Drop for Act {
    fn drop(&mut self) {
        let act = self.act.take().expect("dropped once");
        let outcome = catch_unwind(AssertUnwindSafe(act)).map_err(|payload| text(&*payload));
        self.outcome.lock().unwrap().push(outcome);
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

thread_local! {
    /// Touched before anything of the runtime, so that it goes last.
    static LATE: RefCell<Vec<Act>> = const { RefCell::new(Vec::new()) };
    /// Touched at the end, so that it goes first.
    static EARLY: RefCell<Vec<Act>> = const { RefCell::new(Vec::new()) };
}

/// Lets a new thread make something of the runtime, which its thread-locals' destructors use up: `make` gives an act for
/// each of the two. What they said.
fn at_the_end_of_a_thread<F>(make: F) -> Vec<Result<(), String>>
where
    F: Fn() -> Box<dyn FnOnce()> + Send + 'static,
{
    let outcome = Arc::new(Mutex::new(Vec::new()));
    let put = outcome.clone();
    thread::spawn(move || {
        LATE.with(|late| assert!(late.borrow().is_empty()));
        let acts = [(); 2].map(|()| Act { act: Some(make()), outcome: put.clone() });
        let [early, late] = acts;
        EARLY.with(|slot| slot.borrow_mut().push(early));
        LATE.with(|slot| slot.borrow_mut().push(late));
    })
    .join()
    .expect("a thread that ends");
    // Joined only after the destructors have run.
    let said = std::mem::take(&mut *outcome.lock().unwrap());
    assert_eq!(said.len(), 2, "a destructor did not run");
    said
}

fn each(test: &str, body: fn(Runtime)) {
    for name in names(&[1, 2]) {
        let title = format!("{test} on {name}");
        watched(&title, LIMIT, move || body(builder(&name).build().unwrap()));
    }
}

/// Does `make` on each combination, and expects no panic and nothing left.
fn quietly(test: &str, make: fn(&Handle) -> Box<dyn FnOnce()>) {
    for name in names(&[1, 2]) {
        let title = format!("{test} on {name}");
        watched(&title, LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            let handle = runtime.handle().clone();
            let inner = handle.clone();
            let said = at_the_end_of_a_thread(move || {
                // So that whatever this thread remembers of runtimes exists, and will be destroyed.
                drop(inner.enter());
                make(&inner)
            });
            assert_eq!(said, [Ok(()), Ok(())]);
            assert_eq!(runtime.block_on(async { polyloop::spawn(async { 3 }).await.unwrap() }), 3);
            assert_eq!((handle.driver().armed_timers(), handle.driver().registered_sources()), (0, 0));
            let driver = Arc::downgrade(handle.driver());
            drop((runtime, handle));
            while driver.strong_count() > 0 {
                block_thread(Duration::from_millis(1));
            }
        });
    }
}

fn poll_once(future: &mut (impl Future + Unpin)) {
    let polled = std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

/// Counts its drop.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_runtime_is_dropped() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let drops = Arc::new(AtomicUsize::new(0));
            let counted = drops.clone();
            let drivers = Arc::new(Mutex::new(Vec::new()));
            let seen = drivers.clone();
            let said = at_the_end_of_a_thread(move || {
                let runtime = builder(&name).build().unwrap();
                let held = Counted(counted.clone());
                runtime.spawn(async move {
                    let _held = held;
                    time::sleep(Duration::from_secs(60)).await;
                });
                runtime.block_on(polyloop::task::yield_now());
                seen.lock().unwrap().push(Arc::downgrade(runtime.handle().driver()));
                Box::new(move || drop(runtime))
            });
            assert_eq!(said, [Ok(()), Ok(())]);
            assert_eq!(drops.load(SeqCst), 2, "each future once");
            for driver in &*drivers.lock().unwrap() {
                while driver.strong_count() > 0 {
                    block_thread(Duration::from_millis(1));
                }
            }
        });
    }
}

#[test]
fn a_runtime_is_built_used_and_dropped() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let said = at_the_end_of_a_thread(move || {
                let name = name.clone();
                Box::new(move || {
                    let runtime = builder(&name).build().unwrap();
                    let sum = runtime.block_on(async {
                        time::sleep(Duration::from_millis(1)).await;
                        let job = polyloop::task::spawn_blocking(|| 2);
                        let here = polyloop::task::spawn_local(async { 4 });
                        polyloop::spawn(async { 1 }).await.unwrap() + job.await.unwrap() + here.await.unwrap()
                    });
                    assert_eq!(sum, 7);
                })
            });
            assert_eq!(said, [Ok(()), Ok(())]);
        });
    }
}

#[test]
fn handles_of_tasks_are_dropped() {
    quietly("pending", |handle| {
        let (task, aborted) = (handle.spawn(pending::<()>()), handle.spawn(pending::<()>()));
        let abort = aborted.abort_handle();
        Box::new(move || {
            drop(task);
            abort.abort();
            drop((abort, aborted));
        })
    });
    quietly("done", |handle| {
        let task = handle.spawn(async { vec![1] });
        Box::new(move || drop(task))
    });
    quietly("awaited", |handle| {
        let mut task = handle.spawn(pending::<()>());
        poll_once(&mut task);
        Box::new(move || drop(task))
    });
}

#[test]
fn tasks_are_spawned() {
    each("spawned", |runtime| {
        let ran = Arc::new(AtomicUsize::new(0));
        let (handle, count) = (runtime.handle().clone(), ran.clone());
        let said = at_the_end_of_a_thread(move || {
            drop(handle.enter());
            let (handle, count, job) = (handle.clone(), count.clone(), count.clone());
            Box::new(move || {
                let by_task = count.clone();
                drop(handle.spawn(async move { by_task.fetch_add(1, SeqCst) }));
                drop(handle.spawn_blocking(move || job.fetch_add(1, SeqCst)));
            })
        });
        assert_eq!(said, [Ok(()), Ok(())]);
        runtime.block_on(async {
            while ran.load(SeqCst) < 4 {
                polyloop::task::yield_now().await;
            }
        });
    });
}

#[test]
fn the_thread_blocks_on_a_future() {
    quietly("block_on", |handle| {
        let handle = handle.clone();
        Box::new(move || {
            let seven = handle.block_on(async {
                time::sleep(Duration::from_millis(1)).await;
                polyloop::spawn(async { 7 }).await.unwrap()
            });
            assert_eq!(seven, 7);
        })
    });
}

#[test]
fn the_thread_asks_for_its_runtime() {
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            let handle = runtime.handle().clone();
            let said = at_the_end_of_a_thread(move || {
                let _within = handle.enter();
                Box::new(|| {
                    assert!(Handle::try_current().is_err());
                    assert!(time::try_sleep(Duration::ZERO).is_err());
                    assert!(polyloop::task::try_spawn_local(async {}).is_err());
                })
            });
            assert_eq!(said, [Ok(()), Ok(())]);
        });
    }
}

#[test]
fn the_thread_enters_a_runtime() {
    quietly("enter", |handle| {
        let handle = handle.clone();
        Box::new(move || {
            let within = handle.enter();
            assert!(Handle::try_current().is_ok());
            drop(polyloop::spawn(async {}));
            drop(time::sleep(Duration::from_secs(1)));
            drop(within);
            assert!(Handle::try_current().is_err());
        })
    });
}

#[test]
fn an_enter_guard_is_kept_to_the_end() {
    quietly("guard", |handle| {
        let guard = handle.enter();
        Box::new(move || drop(guard))
    });
}

#[test]
fn timers_are_dropped() {
    quietly("armed", |handle| {
        let _within = handle.enter();
        let mut sleep = time::sleep(Duration::from_secs(60));
        poll_once(&mut sleep);
        Box::new(move || drop(sleep))
    });
    quietly("never polled", |handle| {
        let _within = handle.enter();
        let (sleep, interval) =
            (time::sleep(Duration::from_secs(60)), time::interval(Duration::from_secs(1)));
        Box::new(move || drop((sleep, interval)))
    });
    quietly("armed here", |handle| {
        let _within = handle.enter();
        let mut sleep = time::sleep(Duration::from_secs(60));
        Box::new(move || {
            poll_once(&mut sleep);
            drop(sleep);
        })
    });
}

#[test]
fn sockets_are_dropped() {
    use polyloop::net::{TcpListener, TcpStream, UdpSocket, unix::UnixStream};
    quietly("tcp", |handle| {
        let _within = handle.enter();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (client, listener) =
            (TcpStream::from_std(client).unwrap(), TcpListener::from_std(listener).unwrap());
        {
            let mut byte = [0];
            poll_once(&mut Box::pin(client.read(&mut byte)));
        }
        Box::new(move || {
            let mut byte = [0];
            poll_once(&mut Box::pin(client.read(&mut byte)));
            drop((client, listener));
        })
    });
    quietly("udp and unix", |handle| {
        let _within = handle.enter();
        let udp = UdpSocket::bind_on(handle.net_context(), "127.0.0.1:0".parse().unwrap()).unwrap();
        let pair = UnixStream::pair().unwrap();
        Box::new(move || drop((udp, pair)))
    });
}

#[test]
fn wakers_are_used_and_dropped() {
    each("wakers", |runtime| {
        let handle = runtime.handle().clone();
        let (polls, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, counted) = (polls.clone(), drops.clone());
        let kept: Arc<Mutex<Vec<Waker>>> = Arc::default();
        for _ in 0..2 {
            let (kept, count, counted) = (kept.clone(), count.clone(), Counted(counted.clone()));
            drop(handle.spawn(async move {
                let _counted = counted;
                poll_fn(|cx| {
                    kept.lock().unwrap().push(cx.waker().clone());
                    match count.fetch_add(1, SeqCst) {
                        0 | 1 => Poll::<()>::Pending,
                        _ => Poll::Ready(()),
                    }
                })
                .await;
            }));
        }
        runtime.block_on(async {
            while polls.load(SeqCst) < 2 {
                polyloop::task::yield_now().await;
            }
        });
        let wakers = std::mem::take(&mut *kept.lock().unwrap());
        let wakers = Mutex::new(wakers);
        let said = at_the_end_of_a_thread(move || {
            drop(handle.enter());
            let waker = wakers.lock().unwrap().pop().unwrap();
            Box::new(move || {
                let clone = waker.clone();
                waker.wake_by_ref();
                clone.wake();
                waker.wake();
            })
        });
        assert_eq!(said, [Ok(()), Ok(())]);
        runtime.block_on(async {
            while drops.load(SeqCst) < 2 {
                polyloop::task::yield_now().await;
            }
        });
        drop(runtime);
        // Each of the two was woken, and some of the wakers are clones that wake nobody any more.
        kept.lock().unwrap().drain(..).for_each(Waker::wake);
    });
}

/// A task's future that is dropped by the thread's destructors, because the task was local to what the thread drove.
#[test]
fn a_thread_local_of_a_worker_uses_the_runtime() {
    for name in names(&[1, 2]).into_iter().filter(|name| !name.starts_with("fifo")) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            let outcome = Arc::new(Mutex::new(Vec::new()));
            let (put, handle) = (outcome.clone(), runtime.handle().clone());
            let mut sleep = {
                let _within = runtime.enter();
                time::sleep(Duration::from_secs(60))
            };
            let set = runtime.spawn(async move {
                poll_once(&mut sleep);
                let act: Box<dyn FnOnce()> = Box::new(move || {
                    drop(sleep);
                    let task = handle.spawn(async {});
                    assert!(Handle::try_current().is_err(), "the worker has left");
                    drop(task);
                });
                EARLY.with(|slot| slot.borrow_mut().push(Act { act: Some(act), outcome: put }));
            });
            runtime.block_on(set).unwrap();
            drop(runtime);
            // A runtime waits for its workers' last polls, not for the destructors of their threads.
            while outcome.lock().unwrap().is_empty() {
                block_thread(Duration::from_millis(1));
            }
            assert_eq!(*outcome.lock().unwrap(), [Ok(())]);
        });
    }
}
