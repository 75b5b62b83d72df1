//! Wakes while a runtime ends, and afterwards, by who holds a lock that the woken futures' drops want: no wake drops a future, and
//! whoever shuts down does not wait for himself.

use crate::subjects::{builder, names};
use polyloop::{Handle, Runtime};
use polyloop_conformance::{LIMIT, watched};
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// Longer than a test may take.
const PATIENCE: Duration = Duration::from_secs(3600);

fn each(body: fn(Runtime)) {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || body(builder(&name).build().unwrap()));
    }
}

/// Tasks that wait for each other under one lock, as the ends of a channel do.
#[derive(Clone, Default)]
struct Circle(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    wakers: Vec<Waker>,
    dropped: usize,
}

impl Circle {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all, under the lock.
    fn wake(&self) {
        self.lock().wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn dropped(&self) -> usize {
        self.lock().dropped
    }

    /// Spawns so many, and waits until each is in the circle and waits.
    fn begin(&self, count: usize, runtime: &Runtime) {
        let before = self.lock().wakers.len();
        for _ in 0..count {
            runtime.spawn(self.waits());
        }
        while self.lock().wakers.len() < before + count {
            runtime.block_on(polyloop::task::yield_now());
        }
    }

    fn waits(&self) -> impl Future<Output = ()> + Send + use<> {
        let member = Member(self.clone());
        let mut joined = false;
        poll_fn(move |cx| {
            if !std::mem::replace(&mut joined, true) {
                member.0.lock().wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }

    /// The tasks' memory goes with the last waker, which is theirs.
    fn end(&self) {
        let wakers = std::mem::take(&mut self.lock().wakers);
        drop(wakers);
    }
}

/// Wakes all as it goes, under the lock.
struct Member(Circle);

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.dropped += 1;
        state.wakers.iter().for_each(Waker::wake_by_ref);
    }
}

async fn holds<T>(held: T) {
    let _held = held;
    pending().await
}

#[test]
fn by_futures_that_are_dropped() {
    each(|runtime| {
        let (queued, idle) = (Circle::default(), Circle::default());
        queued.begin(20, &runtime);
        idle.begin(20, &runtime);
        queued.wake();
        drop(runtime);
        assert_eq!((queued.dropped(), idle.dropped()), (20, 20));
        queued.end();
        idle.end();
    });
}

#[test]
fn by_threads_that_never_stop() {
    each(|runtime| {
        let circle = Circle::default();
        circle.begin(50, &runtime);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(SeqCst) {
                        circle.wake();
                    }
                });
            }
            let report = runtime.shutdown(PATIENCE);
            let dropped = circle.dropped();
            stop.store(true, SeqCst);
            assert!(report.is_clean(), "{report}");
            assert_eq!(dropped, 50);
        });
        circle.end();
    });
}

/// Waits until the executor takes nothing in.
fn until_closed(handle: &Handle) {
    while !handle.spawn(holds(())).is_finished() {
        thread::yield_now();
    }
}

/// Nobody drops what is idle before the poll ends, if there is one worker.
#[test]
fn by_threads_and_polls_while_a_poll_keeps_the_shutdown_waiting() {
    each(|runtime| {
        let circles: [Circle; 4] = Default::default();
        circles.iter().for_each(|circle| circle.begin(3, &runtime));
        let handle = runtime.handle().clone();
        let ((begun, has_begun), (release, wait)) = (mpsc::channel(), mpsc::channel::<()>());
        let stuck = runtime.spawn(async move {
            begun.send(()).unwrap();
            let _ = wait.recv();
        });
        let inside = {
            let handle = handle.clone();
            thread::spawn(move || handle.block_on(stuck).unwrap())
        };
        has_begun.recv().unwrap();
        let ending = thread::spawn(move || runtime.shutdown(PATIENCE));
        until_closed(&handle);
        let [by_thread, by_block_on, by_stranger, by_spawn] = &circles;
        by_thread.wake();
        handle.block_on(async { by_block_on.wake() });
        Runtime::from_name("fifo+poll+heap").unwrap().block_on(async { by_stranger.wake() });
        by_spawn.wake();
        {
            // Who comes too late ends his own task and no other.
            let _state = by_spawn.lock();
            assert!(handle.spawn(holds(())).is_finished());
        }
        release.send(()).unwrap();
        let report = ending.join().unwrap();
        inside.join().unwrap();
        assert!(report.is_clean(), "{report}");
        for circle in &circles {
            assert_eq!(circle.dropped(), 3);
            circle.end();
        }
    });
}

#[test]
fn by_wakers_that_outlive_the_runtime() {
    each(|runtime| {
        let circle = Circle::default();
        circle.begin(5, &runtime);
        drop(runtime);
        assert_eq!(circle.dropped(), 5);
        circle.wake();
        let elsewhere = circle.clone();
        thread::spawn(move || elsewhere.wake()).join().unwrap();
        circle.end();
    });
}

/// The driver of an endpoint waits for what is sent; the endpoint wakes it as it goes.
#[test]
fn by_an_endpoint_that_is_dropped() {
    each(|runtime| {
        let runtime = Arc::new(runtime);
        let [of_a_task, of_block_on, outside] = <[Circle; 3]>::default();
        for circle in [&of_a_task, &of_block_on, &outside] {
            circle.begin(1, &runtime);
        }
        runtime.spawn(holds(Member(of_a_task.clone())));
        let (endpoint, outer) = (Member(of_block_on.clone()), Member(outside.clone()));
        let ending = runtime.clone();
        runtime.block_on(async move {
            polyloop::task::yield_now().await;
            let _ = ending.shutdown(Duration::ZERO);
            drop(endpoint);
        });
        drop(runtime);
        drop(outer);
        for circle in [of_a_task, of_block_on, outside] {
            // On a pool, a worker may not have seen the end yet.
            while circle.dropped() < 2 {
                thread::yield_now();
            }
            circle.end();
        }
    });
}

/// Shuts its runtime down as it goes, and waits for everybody else.
struct ShutsDown(Arc<Runtime>);

impl Drop for ShutsDown {
    fn drop(&mut self) {
        let _ = self.0.shutdown(PATIENCE);
    }
}

#[test]
fn a_future_that_shuts_its_runtime_down_as_it_is_dropped_does_not_wait_for_itself() {
    each(|runtime| {
        let runtime = Arc::new(runtime);
        runtime.spawn(holds(ShutsDown(runtime.clone())));
        runtime.block_on(polyloop::task::yield_now());
        let (seated, has_seat) = mpsc::channel();
        let ending = {
            let runtime = runtime.clone();
            thread::spawn(move || {
                has_seat.recv().unwrap();
                runtime.shutdown(PATIENCE)
            })
        };
        runtime.block_on(async {
            seated.send(()).unwrap();
            while !ending.is_finished() {
                polyloop::task::yield_now().await;
            }
        });
        let report = ending.join().unwrap();
        assert!(report.is_clean(), "{report}");
        let late = runtime.spawn(holds(ShutsDown(runtime.clone())));
        assert!(late.is_finished());
    });
}
