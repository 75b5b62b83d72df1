//! Code of others that a worker runs outside of polls: drops of outputs, and wakers.

use crate::kit::{here, join, no_hang, pool, spawn};
use crate::stuck::{block, on_a_channel};
use polyloop_blocking::OsThread;
use polyloop_core::block_on::{Host, Nested, Watch, block_on};
use polyloop_core::park::Parking;
use polyloop_core::{Desk, Driver, Entered, Sleep, TaskSpace};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// The calling thread inside `block_on`, beside the workers.
#[derive(Default)]
struct Alone(Desk);

impl Host for Alone {
    fn watch(&self) -> &impl Watch {
        &self.0
    }

    fn collect(&self, _: &Entered<'_>, _: &Arc<Parking>) {}

    fn may_drive(&self) -> bool {
        false
    }

    fn leave(&self, _: &Entered<'_>, _: &Arc<Parking>) {}
}

/// Blocks on a task of the pool, which a worker that waits here cannot run, and tells what came of it.
struct Blocks {
    space: Arc<TaskSpace>,
    driver: Arc<Driver>,
    tell: mpsc::Sender<Result<(), Nested>>,
}

impl Blocks {
    fn block(&self) {
        let space = self.space.clone();
        let waits = async move { space.spawn(async {}, here()).await.unwrap() };
        let parker = Box::new(OsThread::current());
        let _ = self.tell.send(block_on(&self.driver, parker, &Alone::default(), waits, here()));
    }
}

/// The output of a task.
struct InDrop(Blocks);

impl Drop for InDrop {
    fn drop(&mut self) {
        self.0.block();
    }
}

/// A joiner's waker.
struct InWake(Mutex<Blocks>);

impl Wake for InWake {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().block();
    }
}

#[test]
fn a_block_on_in_the_drop_of_an_output_is_refused_on_a_worker() {
    no_hang(|| {
        let pool = pool(1);
        let (tell, told) = mpsc::channel();
        let blocks = Blocks { space: pool.space().clone(), driver: pool.driver().clone(), tell };
        pool.space().spawn_detached(async move { InDrop(blocks) }, here());
        assert_eq!(told.recv().unwrap(), Err(Nested));
    });
}

#[test]
fn a_block_on_in_a_joiners_waker_is_refused_on_a_worker() {
    no_hang(|| {
        let pool = pool(1);
        let (tell, told) = mpsc::channel();
        let blocks = Blocks { space: pool.space().clone(), driver: pool.driver().clone(), tell };
        let (go, wait) = mpsc::channel::<()>();
        let mut task = pool.space().spawn(async move { wait.recv().unwrap_err() }, here());
        let waker = Waker::from(Arc::new(InWake(blocks.into())));
        let joining = std::pin::Pin::new(&mut task);
        assert!(joining.poll(&mut Context::from_waker(&waker)).is_pending());
        drop(go);
        assert_eq!(told.recv().unwrap(), Err(Nested));
    });
}

/// A waker of another executor that says when it is called, and blocks until told.
struct Stays(Mutex<(mpsc::Sender<()>, mpsc::Receiver<()>)>);

impl Wake for Stays {
    fn wake(self: Arc<Self>) {
        let (tell, wait) = &*self.0.lock().unwrap();
        tell.send(()).unwrap();
        let _ = wait.recv();
    }
}

#[test]
fn a_foreign_waker_that_blocks_keeps_no_task_that_was_due_with_it() {
    no_hang(|| {
        let pool = pool(2);
        let driver = pool.driver().clone();
        let deadline = driver.now() + Duration::from_millis(20);
        let ((tell, inside), (go, wait)) = (mpsc::channel(), mpsc::channel());
        let waker = Waker::from(Arc::new(Stays(Mutex::new((tell, wait)))));
        let mut first = Sleep::until(driver.clone(), deadline);
        assert!(first.poll_elapsed(&mut Context::from_waker(&waker)).is_pending());
        let task = spawn(&pool, Sleep::until(driver, deadline));
        inside.recv().unwrap();
        join(task).unwrap();
        go.send(()).unwrap();
    });
}

#[test]
fn a_foreign_waker_that_blocks_keeps_no_task_that_yielded_before_it() {
    no_hang(|| {
        let pool = pool(2);
        let driver = pool.driver().clone();
        // The other worker, so that the one with the task that yields turns the driver.
        let stuck = block(&pool, 1, on_a_channel);
        let (polls, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stopped) = (polls.clone(), stop.clone());
        let yields = spawn(&pool, async move {
            while !stopped.load(SeqCst) {
                count.fetch_add(1, SeqCst);
                polyloop_core::yield_now().await;
            }
        });
        let ((tell, inside), (go, wait)) = (mpsc::channel(), mpsc::channel());
        let waker = Waker::from(Arc::new(Stays(Mutex::new((tell, wait)))));
        let mut sleep = Sleep::until(driver.clone(), driver.now() + Duration::from_millis(20));
        assert!(sleep.poll_elapsed(&mut Context::from_waker(&waker)).is_pending());
        inside.recv().unwrap();
        stuck.release();
        let before = polls.load(SeqCst);
        while polls.load(SeqCst) < before + 10 {
            std::thread::yield_now();
        }
        stop.store(true, SeqCst);
        join(yields).unwrap();
        go.send(()).unwrap();
    });
}
