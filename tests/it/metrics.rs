//! What a runtime tells about itself: numbers that must come out exactly once everything rests.

use crate::subjects::{builder, names};
use polyloop::{Runtime, RuntimeMetrics, net, task, time};
use polyloop_conformance::{LIMIT, watched};
use std::future::pending;
use std::sync::mpsc::channel;
use std::time::Duration;

fn each(body: fn(Runtime)) {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || body(builder(&name).build().unwrap()));
    }
}

fn polls(metrics: &RuntimeMetrics) -> u64 {
    (0..metrics.num_workers()).map(|worker| metrics.worker_poll_count(worker)).sum()
}

/// Asks again until the numbers are as they must be, because a worker says what it did only when it rests.
fn settled(runtime: &Runtime, is_settled: impl Fn(&RuntimeMetrics) -> bool) -> RuntimeMetrics {
    loop {
        let metrics = runtime.metrics();
        if is_settled(&metrics) {
            return metrics;
        }
        std::thread::yield_now();
    }
}

#[test]
fn there_are_as_many_workers_as_were_asked_for() {
    for name in names(&[1, 3]) {
        let runtime = builder(&name).build().unwrap();
        let expected = runtime.combination().workers().map_or(1, |workers| workers.get());
        assert_eq!(runtime.metrics().num_workers(), expected, "{name}");
        assert_eq!(runtime.handle().metrics().num_relief_threads(), 0);
    }
}

#[test]
fn every_poll_of_a_task_is_counted_once() {
    each(|runtime| {
        let begun = polls(&runtime.metrics());
        runtime.block_on(async {
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    polyloop::spawn(async {
                        for _ in 0..9 {
                            task::yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        // On `fifo` the thread inside `block_on` is the worker, and its own future is polled, too.
        let own = u64::from(runtime.combination().executor() == "fifo");
        let least = begun + 1000 + own;
        let metrics = settled(&runtime, |metrics| polls(metrics) >= least);
        assert!(polls(&metrics) <= least + own * 100, "{metrics:?}");
        let busy: Duration =
            (0..metrics.num_workers()).map(|worker| metrics.worker_total_busy_duration(worker)).sum();
        assert!(busy > Duration::ZERO);
        assert!(metrics.driver_turns_count() > 0 || own == 0, "{metrics:?}");
    });
}

#[test]
fn tasks_are_counted_from_their_spawn_to_their_end() {
    each(|runtime| {
        let idle: Vec<_> = (0..7).map(|_| runtime.spawn(pending::<()>())).collect();
        runtime.block_on(async {
            for _ in 0..3 {
                polyloop::spawn(async {}).await.unwrap();
            }
            let big = [0_u8; 10_000];
            polyloop::spawn(async move { std::hint::black_box(&big).len() }).await.unwrap();
        });
        let metrics = runtime.metrics();
        assert_eq!((metrics.num_alive_tasks(), metrics.spawned_tasks_count()), (7, 11));
        assert_eq!(metrics.cancelled_tasks_count(), 0);
        idle.iter().for_each(task::JoinHandle::abort);
        runtime.block_on(async {
            for task in idle {
                assert!(task.await.unwrap_err().is_cancelled());
            }
        });
        let metrics = runtime.metrics();
        assert_eq!((metrics.num_alive_tasks(), metrics.spawned_tasks_count()), (0, 11));
        assert_eq!(metrics.cancelled_tasks_count(), 7);
    });
}

#[test]
fn what_waits_for_a_worker_is_seen_in_a_queue() {
    // Nobody is inside `block_on`.
    let fifo = builder("fifo").build().unwrap();
    let tasks: Vec<_> = (0..5).map(|_| fifo.spawn(async {})).collect();
    assert_eq!(fifo.metrics().global_queue_depth(), 5);
    fifo.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(fifo.metrics().global_queue_depth(), 0);

    // The only worker is held up.
    let steal = builder("steal:1").build().unwrap();
    let ((begun, began), (release, released)) = (channel(), channel::<()>());
    let holding = steal.spawn(async move {
        let here: Vec<_> = (0..3).map(|_| polyloop::spawn(async {})).collect();
        begun.send(()).unwrap();
        released.recv().unwrap();
        here
    });
    began.recv().unwrap();
    let outside: Vec<_> = (0..5).map(|_| steal.spawn(async {})).collect();
    let metrics = steal.metrics();
    assert_eq!((metrics.worker_local_queue_depth(0), metrics.global_queue_depth()), (3, 5));
    assert_eq!(metrics.num_alive_tasks(), 9);
    release.send(()).unwrap();
    steal.block_on(async {
        for task in holding.await.unwrap().into_iter().chain(outside) {
            task.await.unwrap();
        }
    });
    let metrics = steal.metrics();
    assert_eq!((metrics.worker_local_queue_depth(0), metrics.global_queue_depth()), (0, 0));
}

#[test]
fn a_worker_that_takes_work_from_another_counts_it() {
    watched("steal:2", LIMIT, || {
        let runtime = builder("steal:2").build().unwrap();
        let stolen = || {
            let metrics = runtime.metrics();
            (0..2).map(|worker| metrics.worker_steal_count(worker)).sum::<u64>()
        };
        let mut rounds = 0;
        // The monitor may be first and hand all of it to the shared queue; then once more.
        while stolen() == 0 {
            rounds += 1;
            let ((begun, began), (release, released)) = (channel(), channel::<()>());
            // Blocks its worker with a full queue; what is in it can only run elsewhere.
            let holding = runtime.spawn(async move {
                let here: Vec<_> = (0..100).map(|_| polyloop::spawn(async {})).collect();
                begun.send(here).unwrap();
                released.recv().unwrap();
            });
            let tasks = began.recv().unwrap();
            runtime.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
            release.send(()).unwrap();
            runtime.block_on(holding).unwrap();
        }
        assert!(stolen() <= rounds * 100);
    });
}

#[test]
fn waits_are_counted() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            // With a clock that moves only while all wait.
            let runtime = builder(&name).start_paused(true).build().unwrap();
            let parks = |metrics: &RuntimeMetrics| -> u64 {
                (0..metrics.num_workers()).map(|worker| metrics.worker_park_count(worker)).sum()
            };
            let before = parks(&runtime.metrics());
            runtime.block_on(async {
                for _ in 0..5 {
                    polyloop::spawn(time::sleep(Duration::from_millis(1))).await.unwrap();
                }
            });
            assert!(parks(&runtime.metrics()) >= before + 5);
        });
    }
}

#[test]
fn timers_files_and_their_events_are_counted() {
    each(|runtime| {
        let none = runtime.metrics();
        assert_eq!((none.num_pending_timers(), none.num_registered_files()), (0, 0));
        runtime.block_on(async {
            let listener = net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let slept = polyloop::spawn(time::sleep(Duration::from_secs(3600)));
            let (near, far) = futures::join!(net::TcpStream::connect(address), listener.accept());
            let ((near, _far), mut byte) = ((near.unwrap(), far.unwrap().0), [0]);
            let read = polyloop::spawn(async move { near.read(&mut byte).await.map(drop) });
            while Runtime::metrics(&runtime).num_pending_timers() == 0 {
                task::yield_now().await;
            }
            let metrics = runtime.metrics();
            assert_eq!((metrics.num_pending_timers(), metrics.num_registered_files()), (1, 3));
            assert!(metrics.io_driver_ready_count() > 0);
            slept.abort();
            drop(_far);
            let _ = (slept.await, read.await);
            assert_eq!(runtime.metrics().num_pending_timers(), 0);
        });
    });
}

#[test]
fn blocking_threads_and_jobs_are_counted() {
    for name in ["fifo", "steal:1"] {
        watched(name, LIMIT, move || {
            let runtime = builder(name).max_blocking_threads(1).build().unwrap();
            let ((begun, began), (release, released)) = (channel(), channel::<()>());
            let running = runtime.spawn_blocking(move || {
                begun.send(()).unwrap();
                released.recv().unwrap();
            });
            began.recv().unwrap();
            let waiting = runtime.spawn_blocking(|| ());
            let metrics = runtime.metrics();
            assert_eq!((metrics.num_blocking_threads(), metrics.num_idle_blocking_threads()), (1, 0));
            assert_eq!(metrics.blocking_queue_depth(), 1);
            release.send(()).unwrap();
            runtime.block_on(async {
                running.await.unwrap();
                waiting.await.unwrap();
            });
            settled(&runtime, |metrics| metrics.num_idle_blocking_threads() == 1);
            assert_eq!(runtime.metrics().blocking_queue_depth(), 0);
        });
    }
}

#[test]
fn panics_that_were_contained_are_counted() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("as the test wants it");
        }
    }
    each(|runtime| {
        let before = runtime.metrics().contained_panics_count();
        runtime.block_on(async {
            drop(polyloop::spawn(async { Panics }));
            polyloop::spawn(async {}).await.unwrap();
        });
        settled(&runtime, |metrics| metrics.contained_panics_count() > before);
    });
}
