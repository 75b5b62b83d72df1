//! Criterion runs futures on every combination, through each of the types that are its executor.

#![forbid(unsafe_code)]

use criterion::Criterion;
use criterion::async_executor::AsyncExecutor;
use polyloop::Runtime;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn counted(criterion: &mut Criterion, name: &str, executor: impl AsyncExecutor) {
    let count = AtomicU64::new(0);
    criterion.bench_function(name, |bencher| {
        bencher.to_async(&Borrowed(&executor)).iter(|| async {
            let answer = polyloop::spawn(async { 42 }).await.unwrap();
            count.fetch_add(answer / 42, Ordering::Relaxed)
        });
    });
    assert!(count.into_inner() > 0, "{name}: it ran nothing");
}

/// Criterion takes its executor by value, once per bench.
struct Borrowed<'a, E>(&'a E);

impl<E: AsyncExecutor> AsyncExecutor for &Borrowed<'_, E> {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

fn blocks(combination: &str) {
    let runtime = Runtime::from_name(combination).unwrap();
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(10)
        .nresamples(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(10))
        .output_directory(&std::env::temp_dir().join(format!("polyloop-criterion-{}", std::process::id())));
    let handle = runtime.handle().clone();
    counted(&mut criterion, &format!("{combination} handle"), &handle);
    counted(&mut criterion, &format!("{combination} cloned handle"), handle);
    counted(&mut criterion, &format!("{combination} runtime by reference"), &runtime);
    counted(&mut criterion, &format!("{combination} runtime"), runtime);
}

macro_rules! blocks {
    ($(($id:ident $combination:literal))* =>) => {
        $(#[test] fn $id() { blocks($combination) })*
    };
}

polyloop::for_each_combination!(blocks);
