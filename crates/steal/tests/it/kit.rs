//! What the tests build on: pools, joining from outside, a watchdog.

use polyloop_core::time::Clock;
use polyloop_core::{Driver, JoinError, JoinHandle, Meta, Sleep};
use polyloop_pool::{Config, Pool};
use polyloop_steal::Steal;
use polyloop_time::{SystemClock, Wheel};
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

pub(crate) type StealPool = Pool<Steal>;

/// So many rounds: few in CI, many when asked for.
pub(crate) fn rounds(short: usize, long: usize) -> usize {
    if polyloop_conformance::is_long() { long } else { short }
}

pub(crate) fn here() -> Meta {
    Meta::new(Location::caller())
}

pub(crate) fn pool(workers: usize) -> StealPool {
    pool_with(workers, Arc::new(SystemClock))
}

pub(crate) fn pool_with(workers: usize, clock: Arc<dyn Clock>) -> StealPool {
    start(workers, driver_with(clock))
}

/// A driver with the system's clock.
pub(crate) fn driver() -> Arc<Driver> {
    driver_with(Arc::new(SystemClock))
}

fn driver_with(clock: Arc<dyn Clock>) -> Arc<Driver> {
    let reactor = polyloop_reactor::Poll::new().expect("the kernel has poll(2)");
    Driver::new(Box::new(reactor), Box::new(Wheel::new()), clock)
}

pub(crate) fn start(workers: usize, driver: Arc<Driver>) -> StealPool {
    start_with(Config::new(NonZeroUsize::new(workers).expect("at least one worker")), driver)
}

pub(crate) fn start_with(config: Config, driver: Arc<Driver>) -> StealPool {
    Pool::start(Steal::new(config.seats()), driver, config).expect("threads can be started")
}

/// Spawns into a pool.
pub(crate) fn spawn<F>(pool: &StealPool, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    pool.space().spawn(future, here())
}

/// A sleep on the pool's clock.
pub(crate) fn sleep(driver: &Arc<Driver>, duration: Duration) -> Sleep {
    Sleep::until(driver.clone(), driver.now() + duration)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a task on a thread outside of the pool.
pub(crate) fn join<T>(handle: JoinHandle<T>) -> Result<T, JoinError> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut handle = pin!(handle);
    loop {
        match handle.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Fails when `test` takes longer than a minute, which nothing here does on any machine: it hangs.
pub(crate) fn no_hang(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    // A test that skips itself does so by the name of its thread.
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    let running = std::thread::Builder::new().name(name).spawn(move || {
        test();
        let _ = done.send(());
    });
    let running = running.unwrap();
    match wait.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => running.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)),
    }
}

/// Counts what was made and what was dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    made: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

/// One that is counted.
#[derive(Debug)]
pub(crate) struct Counted(Census);

impl Census {
    pub(crate) fn one(&self) -> Counted {
        self.made.fetch_add(1, SeqCst);
        Counted(self.clone())
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(SeqCst)
    }

    #[track_caller]
    pub(crate) fn assert_all_dropped(&self) {
        assert_eq!(self.made.load(SeqCst), self.dropped(), "made and dropped");
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, SeqCst);
    }
}

/// A future for ever pending that shows its waker.
pub(crate) fn waits(show: impl Fn(&Waker) + Send + 'static) -> impl Future<Output = ()> + Send {
    std::future::poll_fn(move |cx| {
        show(cx.waker());
        Poll::Pending
    })
}
