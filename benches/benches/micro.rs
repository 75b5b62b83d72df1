//! Single parts under criterion, our runtimes as its `AsyncExecutor`.

#![forbid(unsafe_code)]

use criterion::async_executor::AsyncExecutor;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use polyloop::{Combination, Runtime, task};
use polyloop_core::time::{Instant, Timers};
use polyloop_time::{Heap, Wheel};
use std::future::Future;
use std::hint::black_box;
use std::task::Waker;

/// A runtime that criterion can run its futures on.
struct On<'a>(&'a Runtime);

impl AsyncExecutor for On<'_> {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

fn tasks(criterion: &mut Criterion) {
    for name in ["fifo+poll+heap", "fifo", "steal:1", "steal:2"] {
        let combination: Combination = name.parse().expect("a name of the table");
        let runtime = Runtime::from_name(&combination.to_string()).expect("the machine has this combination");
        let mut group = criterion.benchmark_group(name);
        group.bench_function("spawn_await", |bencher| {
            bencher.to_async(On(&runtime)).iter(|| async { polyloop::spawn(async { black_box(1) }).await });
        });
        group.bench_function("spawn_join_100", |bencher| {
            bencher.to_async(On(&runtime)).iter(|| async {
                let handles: Vec<_> = (0..100).map(|n| polyloop::spawn(async move { n })).collect();
                let mut sum = 0;
                for handle in handles {
                    sum += handle.await.expect("the task ends");
                }
                sum
            });
        });
        group.bench_function("yield_now", |bencher| {
            bencher.to_async(On(&runtime)).iter(task::yield_now);
        });
        group.finish();
    }
}

fn timers(criterion: &mut Criterion) {
    for name in ["heap", "wheel"] {
        let queue = || -> Box<dyn Timers> {
            match name {
                "heap" => Box::new(Heap::new()),
                _ => Box::new(Wheel::new()),
            }
        };
        criterion.bench_function(&format!("timers/{name}/arm_and_cancel_among_10k"), |bencher| {
            let mut queue = queue();
            let mut at = 0_u64;
            for n in 0..10_000 {
                queue.insert(Instant::from_nanos(30_000_000_000 + n * 1_000_003), Waker::noop().clone());
            }
            bencher.iter(|| {
                at = at.wrapping_add(7_919_003) % 30_000_000_000;
                let key = queue.insert(Instant::from_nanos(30_000_000_000 + at), Waker::noop().clone());
                queue.remove(key)
            });
        });
        criterion.bench_function(&format!("timers/{name}/fire_1000"), |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut queue = queue();
                    for n in 0..1000 {
                        queue.insert(
                            Instant::from_nanos(n * 1_000_003 % 1_000_000_000),
                            Waker::noop().clone(),
                        );
                    }
                    (queue, polyloop_core::WakeBatch::new())
                },
                |(queue, batch)| queue.fire(Instant::from_nanos(2_000_000_000), batch),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, tasks, timers);
criterion_main!(benches);
