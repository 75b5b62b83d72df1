//! A scheduler that breaks its promises harms its own pool alone.

use crate::kit::{StealPool, here, join, no_hang, pool, spawn};
use polyloop_core::{Driver, Notify, Runnable, Scheduler, Why};
use polyloop_pool::{Config, Pool};
use polyloop_steal::{Local, Steal};
use polyloop_time::{Heap, SystemClock};
use std::num::NonZeroUsize;
use std::sync::{Arc, mpsc};

/// Panics when it hears of a stuck worker.
#[derive(Debug)]
struct Nervous(Steal);

impl Scheduler for Nervous {
    type Local = Local;

    fn name(&self) -> &'static str {
        "nervous"
    }

    fn local(&self, index: usize) -> Local {
        self.0.local(index)
    }

    fn push(&self, local: Option<&mut Local>, runnable: Runnable, why: Why) -> Notify {
        self.0.push(local, runnable, why)
    }

    fn next(&self, local: &mut Local) -> Option<Runnable> {
        self.0.next(local)
    }

    fn has_work(&self) -> bool {
        self.0.has_work()
    }

    fn observe_stuck(&self, _: usize, stuck: bool) {
        assert!(!stuck, "it does not bear this");
    }

    fn drain(&self) -> Vec<Runnable> {
        self.0.drain()
    }
}

/// Returns once a task has run that the monitor alone can take out of the slot of a worker that waits for it.
fn a_stuck_worker_is_relieved(pool: &StealPool) {
    let (done, wait) = mpsc::channel();
    let space = pool.space().clone();
    let waits = async move {
        space.spawn_detached(async move { done.send(()).unwrap() }, here());
        wait.recv().unwrap();
    };
    join(spawn(pool, waits)).unwrap();
}

#[test]
fn a_scheduler_that_panics_on_the_monitor_ends_its_pool_and_no_other() {
    no_hang(|| {
        let pool = pool(2);
        a_stuck_worker_is_relieved(&pool);
        let panics = polyloop_core::contained_panics();
        let two = NonZeroUsize::new(2).unwrap();
        let reactor = polyloop_reactor::Poll::new().unwrap();
        let driver = Driver::new(Box::new(reactor), Box::new(Heap::new()), Arc::new(SystemClock));
        let broken = Pool::start(Nervous(Steal::new(two)), driver, Config::new(two)).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let space = broken.space();
        let stuck = space.spawn(async move { (begun.send(()).unwrap(), wait.recv().unwrap_err()) }, here());
        has_begun.recv().unwrap();
        let idle = space.spawn(std::future::pending::<()>(), here());
        // The other worker cancels it when the pool ends.
        assert!(join(idle).unwrap_err().is_cancelled());
        assert!(polyloop_core::contained_panics() > panics);
        drop(go);
        let _ = join(stuck);
        a_stuck_worker_is_relieved(&pool);
    });
}
