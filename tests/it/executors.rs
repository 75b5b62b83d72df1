//! The suite for executors: C1 to C3 in polls, on every combination with one worker.

use polyloop::{Builder, Runtime};
use polyloop_conformance::executor;
use polyloop_conformance::executor::{Executor, Promise, TestClock};
use polyloop_core::Driver;
use polyloop_core::block_on::{CHECK_POLLS, MAX_POLLS};
use polyloop_schedulers::fair::OLDEST_INTERVAL;
use polyloop_schedulers::percore::ORPHAN_INTERVAL;
use polyloop_steal::LIFO_POLLS;
use std::future::Future;
use std::sync::{Arc, mpsc};

/// An executor whose tasks run on the calling thread.
struct Here(Runtime);

impl Executor for Here {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        drop(self.0.spawn(future));
    }

    fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.block_on(future)
    }

    fn driver(&self) -> Arc<Driver> {
        self.0.handle().driver().clone()
    }
}

/// An executor whose tasks run on a worker. The calling thread keeps out of `block_on`, where it would drive.
struct Worker(Runtime);

impl Executor for Worker {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        drop(self.0.spawn(future));
    }

    fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (give, given) = mpsc::channel();
        drop(self.0.spawn(async move { give.send(future.await).unwrap() }));
        given.recv().expect("the task has not panicked")
    }

    fn driver(&self) -> Arc<Driver> {
        self.0.handle().driver().clone()
    }
}

const TURN: u64 = MAX_POLLS as u64;
const TURN_WHEN_LATE: u64 = CHECK_POLLS as u64;

/// A place in the queue behind those that are always ready.
const FIFO: Promise = Promise { turn: TURN, turn_when_late: TURN_WHEN_LATE, reach: |n, others| n + others };

/// As `polyloop_steal` declares it: 8·n + 8.
const STEAL: Promise = Promise {
    turn: TURN,
    turn_when_late: TURN_WHEN_LATE,
    reach: |n, others| {
        let row = 2 * (u64::from(LIFO_POLLS) + 1);
        row * (n + others) + row
    },
};

/// As `polyloop_schedulers::percore` declares it: a poll in 61 is an orphan's.
const PERCORE: Promise = Promise {
    turn: TURN,
    turn_when_late: TURN_WHEN_LATE,
    reach: |n, others| n + others + (n + others) / (u64::from(ORPHAN_INTERVAL) - 1) + 1,
};

/// As `polyloop_schedulers::{fair, edf}` declare it: a poll in 61 is that of whoever has waited longest.
const OLDEST: Promise =
    Promise { turn: TURN, turn_when_late: TURN_WHEN_LATE, reach: |n, others| OLDEST_INTERVAL * (n + others) };

fn build(name: &str, clock: TestClock) -> Runtime {
    Builder::new().combination(name).clock(clock).build().unwrap()
}

executor!(fifo_mio_wheel, FIFO, |clock| Here(build("fifo+mio+wheel", clock)));
executor!(fifo_mio_heap, FIFO, |clock| Here(build("fifo+mio+heap", clock)));
executor!(fifo_polling_wheel, FIFO, |clock| Here(build("fifo+polling+wheel", clock)));
executor!(fifo_polling_heap, FIFO, |clock| Here(build("fifo+polling+heap", clock)));
executor!(fifo_poll_wheel, FIFO, |clock| Here(build("fifo+poll+wheel", clock)));
executor!(fifo_poll_heap, FIFO, |clock| Here(build("fifo+poll+heap", clock)));
executor!(steal_mio_wheel, STEAL, |clock| Worker(build("steal:1+mio+wheel", clock)));
executor!(steal_mio_heap, STEAL, |clock| Worker(build("steal:1+mio+heap", clock)));
executor!(steal_polling_wheel, STEAL, |clock| Worker(build("steal:1+polling+wheel", clock)));
executor!(steal_polling_heap, STEAL, |clock| Worker(build("steal:1+polling+heap", clock)));
executor!(steal_poll_wheel, STEAL, |clock| Worker(build("steal:1+poll+wheel", clock)));
executor!(steal_poll_heap, STEAL, |clock| Worker(build("steal:1+poll+heap", clock)));
executor!(global_mio_wheel, FIFO, |clock| Worker(build("global:1+mio+wheel", clock)));
executor!(percore_mio_wheel, PERCORE, |clock| Worker(build("percore:1+mio+wheel", clock)));
executor!(fair_mio_wheel, OLDEST, |clock| Worker(build("fair:1+mio+wheel", clock)));
executor!(edf_mio_wheel, OLDEST, |clock| Worker(build("edf:1+mio+wheel", clock)));
