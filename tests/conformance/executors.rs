//! The suite for executors: C1 to C3 in polls, on every combination with one worker.

use polyloop::{BlockPolicy, Builder, Runtime};
use polyloop_conformance::executor;
use polyloop_conformance::executor::{Executor, Tasks, TestClock};
use polyloop_core::{Driver, Fairness};
use std::future::Future;
use std::sync::{Arc, mpsc};

/// An executor whose tasks run on the calling thread.
struct Here(Runtime);

impl Tasks for Here {
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
}

impl Executor for Here {
    fn driver(&self) -> Arc<Driver> {
        self.0.handle().driver().clone()
    }
}

/// An executor whose tasks run on a worker. The calling thread keeps out of `block_on`, where it would drive.
struct Worker(Runtime);

impl Tasks for Worker {
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
}

impl Executor for Worker {
    fn driver(&self) -> Arc<Driver> {
        self.0.handle().driver().clone()
    }
}

/// What the executor of this combination declares.
fn declared(name: &str) -> Fairness {
    Runtime::from_name(name).unwrap().handle().fairness()
}

fn build(name: &str, clock: TestClock) -> Runtime {
    // Nobody stands in for the one worker, however long a busy machine keeps it from going on.
    let builder = Builder::new().combination(name).block_policy(BlockPolicy::None);
    builder.clock(clock).build().unwrap()
}

executor!(fifo_mio_wheel, declared("fifo+mio+wheel"), |clock| Here(build("fifo+mio+wheel", clock)));
executor!(fifo_mio_heap, declared("fifo+mio+heap"), |clock| Here(build("fifo+mio+heap", clock)));
executor!(fifo_polling_wheel, declared("fifo+polling+wheel"), |clock| Here(build(
    "fifo+polling+wheel",
    clock
)));
executor!(fifo_polling_heap, declared("fifo+polling+heap"), |clock| Here(build("fifo+polling+heap", clock)));
executor!(fifo_poll_wheel, declared("fifo+poll+wheel"), |clock| Here(build("fifo+poll+wheel", clock)));
executor!(fifo_poll_heap, declared("fifo+poll+heap"), |clock| Here(build("fifo+poll+heap", clock)));
executor!(steal_mio_wheel, declared("steal:1+mio+wheel"), |clock| Worker(build("steal:1+mio+wheel", clock)));
executor!(steal_mio_heap, declared("steal:1+mio+heap"), |clock| Worker(build("steal:1+mio+heap", clock)));
executor!(steal_polling_wheel, declared("steal:1+polling+wheel"), |clock| Worker(build(
    "steal:1+polling+wheel",
    clock
)));
executor!(steal_polling_heap, declared("steal:1+polling+heap"), |clock| Worker(build(
    "steal:1+polling+heap",
    clock
)));
executor!(steal_poll_wheel, declared("steal:1+poll+wheel"), |clock| Worker(build(
    "steal:1+poll+wheel",
    clock
)));
executor!(steal_poll_heap, declared("steal:1+poll+heap"), |clock| Worker(build("steal:1+poll+heap", clock)));
executor!(steal_without_slot, declared("steal:1+mio+wheel,lifo=off"), |clock| Worker(build(
    "steal:1+mio+wheel,lifo=off",
    clock
)));
executor!(global_mio_wheel, declared("global:1+mio+wheel"), |clock| Worker(build(
    "global:1+mio+wheel",
    clock
)));
executor!(percore_mio_wheel, declared("percore:1+mio+wheel"), |clock| Worker(build(
    "percore:1+mio+wheel",
    clock
)));
executor!(fair_mio_wheel, declared("fair:1+mio+wheel"), |clock| Worker(build("fair:1+mio+wheel", clock)));
executor!(edf_mio_wheel, declared("edf:1+mio+wheel"), |clock| Worker(build("edf:1+mio+wheel", clock)));
