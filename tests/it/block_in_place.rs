//! Blocking on purpose, and what a fresh worker means to the clock.

use crate::subjects::{builder, names};
use polyloop::time::{self, Instant};
use polyloop::{BlockPolicy, Builder, Runtime, task};
use polyloop_conformance::{LIMIT, block_thread, watched};
use std::sync::mpsc;
use std::time::Duration;

/// Every combination that has workers, with 1 and 2 of them.
fn with_workers(body: fn(&str)) {
    for name in names(&[1, 2]).into_iter().filter(|name| !name.starts_with("fifo")) {
        watched(&name.clone(), LIMIT, move || body(&name));
    }
}

#[test]
fn a_task_that_blocks_in_place_waits_for_others_on_its_own_runtime() {
    with_workers(|name| {
        let runtime = builder(name).build().unwrap();
        let answer = runtime.spawn(async {
            let (tell, told) = mpsc::channel();
            polyloop::spawn(async move {
                time::sleep(Duration::from_millis(1)).await;
                tell.send(42).unwrap();
            });
            task::block_in_place(|| told.recv().unwrap())
        });
        assert_eq!(runtime.block_on(answer).unwrap(), 42);
    });
}

#[test]
fn block_on_within_block_in_place_waits_for_others_on_its_own_runtime() {
    with_workers(|name| {
        let runtime = builder(name).build().unwrap();
        let answer = runtime.spawn(async {
            let handle = polyloop::Handle::current();
            task::block_in_place(|| {
                handle.block_on(async {
                    let other = polyloop::spawn(async { task::yield_now().await });
                    other.await.unwrap();
                    time::sleep(Duration::from_millis(1)).await;
                    42
                })
            })
        });
        assert_eq!(runtime.block_on(answer).unwrap(), 42);
    });
}

#[test]
fn many_tasks_block_in_place_at_once_as_long_as_there_are_threads() {
    with_workers(|name| {
        let policy = BlockPolicy::HandOff { after: Duration::from_secs(60), max_threads: 3 };
        let runtime = builder(name).block_policy(policy).build().unwrap();
        let workers = runtime.combination().workers().unwrap().get();
        let (release, wait) = mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        let (tell, told) = mpsc::channel();
        // As many as there may be threads, but for one, which tells of the others and of itself.
        let blocked: Vec<_> = (0..3)
            .map(|_| {
                let (wait, tell) = (wait.clone(), tell.clone());
                let block = move || {
                    tell.send(()).unwrap();
                    let _ = wait.lock().unwrap().recv();
                };
                runtime
                    .spawn(async move { task::try_block_in_place(block).map_err(|error| error.to_string()) })
            })
            .collect();
        (0..3).for_each(|_| told.recv().unwrap());
        let refused =
            runtime.spawn(async { task::try_block_in_place(|| 1).map_err(|error| error.to_string()) });
        let said = runtime.block_on(refused).unwrap().unwrap_err();
        assert!(said.contains("all of the 3 threads beyond the workers"), "{workers} workers: {said}");
        drop(release);
        for task in blocked {
            runtime.block_on(task).unwrap().unwrap();
        }
    });
}

#[test]
fn on_one_thread_blocking_in_place_is_refused_where_everybody_would_wait() {
    let runtime = Runtime::from_name("fifo").unwrap();
    let (value, said) = runtime.block_on(async {
        let error = task::try_block_in_place(|| 5).unwrap_err();
        let said = error.to_string();
        ((error.f)(), said)
    });
    assert_eq!(value, 5);
    assert!(said.contains("`fifo` has one thread"), "{said}");
    let panicked = runtime.spawn(async { task::block_in_place(|| 5) });
    assert!(runtime.block_on(panicked).unwrap_err().is_panic());
    // A job for blocking work has a thread of its own.
    let job = runtime.spawn_blocking(|| task::block_in_place(|| 6));
    assert_eq!(runtime.block_on(job).unwrap(), 6);
    assert_eq!(task::block_in_place(|| 7), 7, "outside of any runtime");
}

#[test]
fn a_hand_off_on_one_thread_is_an_error_of_the_build() {
    for builder in [
        Builder::new().combination("fifo,block=handoff"),
        Builder::new_current_thread().block_policy(BlockPolicy::HAND_OFF),
    ] {
        let error = builder.build().unwrap_err();
        assert!(error.is_policy_unsupported(), "{error}");
        assert!(error.to_string().contains("not `Send`"), "{error}");
    }
    let typed = Builder::new().block_policy(BlockPolicy::HAND_OFF);
    assert!(
        typed.build_as::<polyloop::Fifo, polyloop::Any, polyloop::Any>().unwrap_err().is_policy_unsupported()
    );
    assert!(Builder::new_current_thread().block_policy(BlockPolicy::None).build().is_ok());
}

#[test]
fn a_policy_out_of_range_is_an_error_of_the_build() {
    for policy in [
        BlockPolicy::HandOff { after: Duration::ZERO, max_threads: 1 },
        BlockPolicy::HandOff { after: Duration::MAX, max_threads: 1 },
        BlockPolicy::HandOff { after: Duration::from_millis(10), max_threads: 0 },
        BlockPolicy::HandOff { after: Duration::from_millis(10), max_threads: usize::MAX },
    ] {
        let error = Builder::new().block_policy(policy).build().unwrap_err();
        assert!(!error.is_policy_unsupported() && error.to_string().contains("out of range"), "{error}");
    }
}

#[test]
fn a_clock_that_moves_when_all_are_idle_stands_still_while_a_relieved_poll_blocks() {
    with_workers(|name| {
        let after = Duration::from_millis(1);
        let policy = BlockPolicy::HandOff { after, max_threads: 4 };
        let runtime = builder(name).block_policy(policy).start_paused(true).build().unwrap();
        let hour = Duration::from_secs(3600);
        let start = runtime.block_on(async { Instant::now() });
        // This thread is no worker: while it spawns, all of them may be idle.
        let busy = runtime.handle().driver().hold();
        let sleeper = runtime.spawn(async move { time::sleep(hour).await });
        let blocked: Vec<_> = (0..runtime.combination().workers().unwrap().get())
            .map(|_| {
                runtime.spawn(async move {
                    block_thread(Duration::from_millis(30));
                    start.elapsed()
                })
            })
            .collect();
        drop(busy);
        for blocked in blocked {
            assert_eq!(runtime.block_on(blocked).unwrap(), Duration::ZERO);
        }
        runtime.block_on(sleeper).unwrap();
        assert_eq!(runtime.block_on(async { start.elapsed() }), hour);
    });
}
