//! Panics wherever a program's code is called (C8): the joiner is told, nobody else is disturbed, no worker is lost.
//!
//! Invariant: after each of them all workers meet at a barrier, which they can only do if there are as many as before.

use crate::subjects::{builder, names};
use polyloop::{Runtime, time};
use polyloop_conformance::{LIMIT, watched};
use polyloop_core::contained_panics;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

fn workers(runtime: &Runtime) -> usize {
    match runtime.combination().executor() {
        "fifo" => 0,
        _ => runtime.combination().workers().expect("named").get(),
    }
}

/// Runs `body` on each combination, and then counts the workers.
fn each(test: &str, body: fn(&Runtime)) {
    for name in names(&[1, 2, 4]) {
        watched(&format!("{test} on {name}"), 3 * LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            for _ in 0..10 {
                body(&runtime);
            }
            all_workers_live(&runtime);
            let driver = Arc::downgrade(runtime.handle().driver());
            drop(runtime);
            while driver.strong_count() > 0 {
                std::thread::yield_now();
            }
        });
    }
}

fn all_workers_live(runtime: &Runtime) {
    let count = workers(runtime);
    if count > 0 {
        // As many tasks as workers, each of which blocks until all of them are being polled at the same time.
        let barrier = Arc::new(Barrier::new(count + 1));
        for _ in 0..count {
            let barrier = barrier.clone();
            drop(runtime.spawn(async move { barrier.wait() }));
        }
        barrier.wait();
    }
    let alive = runtime.block_on(async {
        time::sleep(Duration::from_micros(10)).await;
        polyloop::spawn(async { "alive" }).await
    });
    assert_eq!(alive.unwrap(), "alive");
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any("in a drop");
        }
    }
}

/// A waker of a program's own that panics.
struct BadWaker {
    in_drop: bool,
}

impl Wake for BadWaker {
    fn wake(self: Arc<Self>) {
        if !self.in_drop {
            std::panic::panic_any("in a wake");
        }
    }
}

impl Drop for BadWaker {
    fn drop(&mut self) {
        if self.in_drop && !std::thread::panicking() {
            std::panic::panic_any("in the drop of a waker");
        }
    }
}

fn bad(in_drop: bool) -> Waker {
    Waker::from(Arc::new(BadWaker { in_drop }))
}

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn in_a_poll() {
    each("poll", |runtime| {
        let joined = runtime.spawn(async { std::panic::panic_any(7) });
        drop(runtime.spawn(async { std::panic::panic_any(8) }));
        let error = runtime.block_on(joined).map(|never: ()| never).unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&7));
    });
}

#[test]
fn in_the_drop_of_a_future() {
    /// Ready at once, and still has the bomb.
    struct Ready(Bomb);
    impl Future for Ready {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    each("future", |runtime| {
        let ended = runtime.spawn(Ready(Bomb));
        let error = runtime.block_on(ended).unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&"in a drop"));
        let aborted = runtime.spawn(async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        runtime.block_on(polyloop::task::yield_now());
        aborted.abort();
        drop(runtime.block_on(aborted).unwrap_err());
    });
}

#[test]
fn in_the_drop_of_an_output_that_nobody_takes() {
    each("output", |runtime| {
        let before = contained_panics();
        let (done, ended) = futures::channel::oneshot::channel::<()>();
        drop(runtime.spawn(async move {
            let _done = done;
            Bomb
        }));
        let _ = runtime.block_on(ended);
        // The output goes after the future.
        while contained_panics() == before {
            runtime.block_on(polyloop::task::yield_now());
        }
    });
}

#[test]
fn in_the_drop_of_a_payload_that_nobody_takes() {
    each("payload", |runtime| {
        drop(runtime.spawn(async { std::panic::panic_any(Bomb) }));
        runtime.block_on(async {
            for _ in 0..10 {
                polyloop::task::yield_now().await;
            }
        });
    });
}

#[test]
fn in_the_waker_of_a_joiner() {
    each("joiner", |runtime| {
        for in_drop in [false, true] {
            let (go, begin) = futures::channel::oneshot::channel::<()>();
            let mut task = runtime.spawn(async move {
                let _ = begin.await;
                5
            });
            assert!(poll_with(&mut task, &bad(in_drop)).is_pending());
            drop(go);
            while !task.is_finished() {
                runtime.block_on(polyloop::task::yield_now());
            }
            assert_eq!(runtime.block_on(task).unwrap(), 5);
        }
    });
}

/// The timers of one turn are woken in a row: the one that panics is in the middle.
#[test]
fn in_one_waker_of_many_that_a_turn_wakes() {
    each("timers", |runtime| {
        let fired = Arc::new(AtomicUsize::new(0));
        struct Good(Arc<AtomicUsize>);
        impl Wake for Good {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, SeqCst);
            }
        }
        let _within = runtime.enter();
        let deadline = time::Instant::now() + Duration::from_millis(2);
        let mut sleeps: Vec<_> = (0..9).map(|_| time::sleep_until(deadline)).collect();
        for (index, sleep) in sleeps.iter_mut().enumerate() {
            let (good, waker) = match index {
                3 => (false, bad(false)),
                6 => (false, bad(true)),
                _ => (true, Waker::from(Arc::new(Good(fired.clone())))),
            };
            if poll_with(sleep, &waker).is_ready() {
                // The machine stood still for so long that nobody waits.
                fired.fetch_add(usize::from(good), SeqCst);
                std::mem::forget(waker);
            }
        }
        runtime.block_on(async {
            while fired.load(SeqCst) < 7 {
                time::sleep(Duration::from_micros(100)).await;
            }
        });
    });
}

#[test]
fn in_the_waker_of_a_socket() {
    use polyloop::net::UdpSocket;
    each("socket", |runtime| {
        let _within = runtime.enter();
        let address = "127.0.0.1:0".parse().unwrap();
        let socket = UdpSocket::bind_on(runtime.handle().net_context(), address).unwrap();
        let to = socket.local_addr().unwrap();
        for in_drop in [false, true] {
            let mut buffer = [0; 8];
            {
                let mut receive = Box::pin(socket.recv(&mut buffer));
                assert!(receive.as_mut().poll(&mut Context::from_waker(&bad(in_drop))).is_pending());
                // So that the waker stays where it is.
                std::mem::forget(receive);
            }
            std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", to).unwrap();
            assert_eq!(runtime.block_on(socket.recv(&mut buffer)).unwrap(), 1);
        }
    });
}

#[test]
fn in_a_blocking_job() {
    each("job", |runtime| {
        let error = runtime.block_on(runtime.spawn_blocking(|| std::panic::panic_any(9))).unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&9));
        drop(runtime.spawn_blocking(|| Bomb));
        assert_eq!(runtime.block_on(runtime.spawn_blocking(|| 4)).unwrap(), 4);
    });
}

#[test]
fn in_a_local_task_and_in_its_drop() {
    each("local", |runtime| {
        runtime.block_on(async {
            let panics = polyloop::task::spawn_local(async { std::panic::panic_any(1) });
            assert!(panics.await.map(|never: ()| never).unwrap_err().is_panic());
            drop(polyloop::task::spawn_local(async {
                let _bomb = Bomb;
                pending::<()>().await;
            }));
            polyloop::task::yield_now().await;
        });
    });
}

/// The runtime's own end, with bombs everywhere.
#[test]
fn in_every_drop_at_the_end_of_the_runtime() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            let drops = Arc::new(AtomicUsize::new(0));
            struct Counted(Arc<AtomicUsize>, bool);
            impl Drop for Counted {
                fn drop(&mut self) {
                    self.0.fetch_add(1, SeqCst);
                    if self.1 {
                        drop(Bomb);
                    }
                }
            }
            for index in 0..40 {
                let counted = Counted(drops.clone(), index % 2 == 0);
                drop(runtime.spawn(async move {
                    let _counted = counted;
                    time::sleep(Duration::from_secs(60)).await;
                }));
                if index == 20 {
                    runtime.block_on(polyloop::task::yield_now());
                }
            }
            let _within = runtime.enter();
            let mut sleep = time::sleep(Duration::from_secs(60));
            assert!(poll_with(&mut sleep, &bad(false)).is_pending());
            // Its waker is woken with all others, and panics.
            drop(runtime);
            while drops.load(SeqCst) < 40 {
                std::thread::yield_now();
            }
        });
    }
}
