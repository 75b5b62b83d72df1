//! What things cost (C14) and what is given back (C13), counted by an allocator that counts. A process of its own, because
//! everybody in it is counted.
//!
//! Invariant: the work is scripted and runs on one thread, so the numbers are exact; where they are bounds, that is said.

#![forbid(unsafe_code)]

use polyloop::{Builder, Runtime, time};
use polyloop_conformance::{block_thread, watched};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::future::Future;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PATIENCE: Duration = Duration::from_secs(60);

/// One thread does all the work: with `steal:1` the worker, while the thread in `block_on` waits for it. Nobody stands by to
/// relieve it, and nobody watches for stalls: the monitor lists the pools at each of its looks, which would be counted.
const ONE_THREAD: [&str; 4] =
    ["steal:1+poll+heap,block=none", "steal:1+mio+wheel,block=none", "fifo+poll+heap", "fifo+mio+wheel"];

const ROUNDS: usize = 1000;

/// How often `work`, which does something `ROUNDS` times, goes to the allocator once it has done so before. The work is the
/// same each time; what is more than the least comes from other threads of the process, such as the harness's.
fn allocations<F>(runtime: &Runtime, work: impl Fn() -> F) -> usize
where
    F: Future<Output = ()> + Send + 'static,
{
    (0..10).map(|_| allocations_and_noise(runtime, &work)).min().expect("ten")
}

fn allocations_and_noise<F>(runtime: &Runtime, work: impl Fn() -> F) -> usize
where
    F: Future<Output = ()> + Send + 'static,
{
    let (warm, counted) = (work(), work());
    let task = runtime.spawn(async move {
        warm.await;
        let region = Region::new(ALLOCATOR);
        counted.await;
        let change = region.change();
        change.allocations + change.reallocations
    });
    runtime.block_on(task).unwrap()
}

fn costs(name: &str) {
    let runtime = Builder::new().combination(name).stall_threshold(None).build().unwrap();
    let spawn_join = allocations(&runtime, || async {
        for n in 0..ROUNDS {
            assert_eq!(polyloop::spawn(async move { n }).await.unwrap(), n);
        }
    });
    let yields = allocations(&runtime, || async {
        for _ in 0..ROUNDS {
            polyloop::task::yield_now().await;
        }
    });
    let armed = allocations(&runtime, || async {
        for _ in 0..ROUNDS {
            let mut sleep = std::pin::pin!(time::sleep(Duration::from_secs(60)));
            std::future::poll_fn(|cx| {
                assert!(sleep.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
    });
    let due = allocations(&runtime, || async {
        for _ in 0..ROUNDS {
            time::sleep(Duration::ZERO).await;
        }
    });
    let wakes = allocations(&runtime, || async {
        std::future::poll_fn(|cx| {
            for _ in 0..ROUNDS {
                let waker = cx.waker().clone();
                waker.wake_by_ref();
            }
            std::task::Poll::Ready(())
        })
        .await;
    });
    let all = (spawn_join, yields, armed, due, wakes);
    println!(
        "{name}: (spawn and join, yield, arm and drop a timer, sleep of no time, wake) {all:?} per {ROUNDS}"
    );
    assert_eq!(all, (0, 0, 0, 0, 0), "{name}");
}

/// Bytes that are in use.
fn in_use() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// Many tasks, timers, sockets and blocking jobs, and their end.
fn burst(runtime: &Runtime, size: u64) {
    let tasks: Vec<_> = (0..size)
        .map(|n| {
            runtime.spawn(async move {
                let data = [n; 16];
                time::sleep(Duration::from_millis(n % 20)).await;
                data[3]
            })
        })
        .collect();
    runtime.block_on(async {
        let mut pairs = Vec::new();
        for _ in 0..size / 100 {
            pairs.push(polyloop::net::unix::UnixStream::pair().unwrap());
        }
        for (near, far) in &pairs {
            near.write_all(b"x").await.unwrap();
            far.read(&mut [0]).await.unwrap();
        }
        polyloop::task::spawn_blocking(|| ()).await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// C13: 64 KiB, and one page of the task memory (64 KiB) per worker and size class, of which two are used here.
fn memory_comes_back(name: &str, workers: isize) {
    const KIB: isize = 1024;
    let runtime = Builder::new().combination(name).build().unwrap();
    // A worker gives memory back before it sleeps.
    let settle = || {
        runtime.block_on(async { time::sleep(Duration::from_millis(20)).await });
        in_use()
    };
    burst(&runtime, 100);
    let before = settle();
    let kept = [(); 3].map(|()| {
        burst(&runtime, 10_000);
        settle() - before
    });
    let bound = 64 * KIB + (workers + 1) * 2 * 64 * KIB;
    println!("{name}: {kept:?} bytes more after each burst than before");
    assert!(kept.into_iter().all(|kept| kept <= bound), "{name}: {kept:?} bytes are kept, {bound} at most");
}

/// So many bytes may be there after three more runtimes, or after one of so many that follow.
const KEPT: isize = 64 * 1024;
const MORE_RUNTIMES: usize = 6;

fn nothing_stays(name: &str) {
    let cycle = || {
        let runtime = Builder::new().combination(name).build().unwrap();
        burst(&runtime, 10_000);
        let driver = std::sync::Arc::downgrade(runtime.handle().driver());
        drop(runtime);
        while driver.strong_count() > 0 {
            block_thread(Duration::from_millis(1));
        }
        // Threads that have ended for us may still be ending for the system.
        block_thread(Duration::from_millis(20));
    };
    cycle();
    let before = in_use();
    (0..3).for_each(|_| cycle());
    let mut kept = in_use() - before;
    // Where there are workers, what is in use differs from one end to the next, either way: it seems to be the old buffers of deques,
    // which later threads free. That does not grow with the runtimes that have been; a leak does.
    for _ in 0..MORE_RUNTIMES {
        if kept > KEPT {
            cycle();
            kept = in_use() - before;
        }
    }
    println!("{name}: {kept} bytes more after further runtimes");
    assert!(kept <= KEPT, "{name}: {kept} bytes after runtimes came and went");
}

#[test]
fn costs_are_known_and_memory_comes_back() {
    for name in ONE_THREAD {
        watched(name, PATIENCE, move || costs(name));
    }
    for (name, workers) in ONE_THREAD.into_iter().map(|name| (name, 1)).chain([("steal:4+mio+wheel", 4)]) {
        watched(name, PATIENCE, move || {
            memory_comes_back(name, workers);
            nothing_stays(name);
        });
    }
}
