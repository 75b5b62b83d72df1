//! Closures that block.

use super::{Counter, New};
use crate::block_thread;
use polyloop_traits::Runtime;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// A job runs on another thread and gives its value.
pub fn a_blocking_job_gives_its_value<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let there = rt.block_on(async { rt.spawn_blocking(|| thread::current().id()).await }).unwrap();
    assert_ne!(there, thread::current().id());
}

/// A job's panic is an error of its handle, and the next job runs.
pub fn a_panic_of_a_blocking_job_reaches_the_joiner<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let failed = rt.spawn_blocking(|| std::panic::panic_any(8)).await.unwrap_err();
        assert_eq!(failed.into_panic().unwrap().downcast_ref(), Some(&8));
        assert_eq!(rt.spawn_blocking(|| 9).await.unwrap(), 9);
    });
}

/// What is awaited before the next is spawned has ended before it begins.
pub fn blocking_jobs_awaited_in_turn_run_in_order<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let log = Arc::new(Mutex::new(Vec::new()));
    rt.block_on(async {
        for n in 0..50 {
            let log = log.clone();
            rt.spawn_blocking(move || log.lock().unwrap().push(n)).await.unwrap();
        }
    });
    assert_eq!(*log.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

/// Hundreds of jobs all run, each once.
pub fn many_blocking_jobs<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let ran = Counter::default();
    rt.block_on(async {
        let spawn = |_| {
            let ran = ran.clone();
            rt.spawn_blocking(move || {
                block_thread(Duration::from_micros(100));
                ran.add()
            })
        };
        let jobs: Vec<_> = (0..300).map(spawn).collect();
        for job in jobs {
            job.await.unwrap();
        }
    });
    assert_eq!(ran.get(), 300);
}

/// While a job blocks, tasks and timers go on: the job ends only because they do.
pub fn a_blocking_job_keeps_no_task_waiting<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let (go, begin) = mpsc::channel();
        let job = rt.spawn_blocking(move || begin.recv().unwrap());
        let within = rt.clone();
        let task = rt.spawn(async move {
            within.sleep(Duration::from_millis(1)).await;
            go.send(4).unwrap();
        });
        task.await.unwrap();
        assert_eq!(job.await.unwrap(), 4);
    });
}
