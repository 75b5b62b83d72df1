//! The runtime's threads: names, stacks, hooks, and threads that are not to be had.
//!
//! Invariant: what cannot be is an error of `build` or of a job's handle, never a panic and never a hang.

use crate::subjects::{builder, names};
use polyloop::{BlockPolicy, Builder, Handle, Runtime, task};
use polyloop_conformance::{LIMIT, watched};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::time::Duration;

/// Longer than anything takes that is not held back.
const LONG: Duration = Duration::from_secs(60);

fn each(body: fn(Builder)) {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || body(builder(&name)));
    }
}

/// How the kernel calls the calling thread, or on other systems the standard library.
fn own_name() -> String {
    if cfg!(target_os = "linux") {
        return std::fs::read_to_string("/proc/thread-self/comm").unwrap().trim_end().to_owned();
    }
    std::thread::current().name().unwrap_or_default().to_owned()
}

/// The names of both workers and of one thread for blocking jobs.
fn all_names(builder: Builder) -> Vec<String> {
    let runtime = builder.build().unwrap();
    let barrier = Arc::new(Barrier::new(2));
    let polled = |barrier: Arc<Barrier>| async move {
        // Keeps its worker until the other one has the other task.
        barrier.wait();
        own_name()
    };
    let workers: Vec<_> = (0..2).map(|_| runtime.spawn(polled(barrier.clone()))).collect();
    let job = runtime.spawn_blocking(own_name);
    runtime.block_on(async {
        let mut names = vec![job.await.unwrap()];
        for worker in workers {
            names.push(worker.await.unwrap());
        }
        names.sort();
        names
    })
}

#[test]
fn the_kernel_knows_the_threads_by_their_names() {
    assert_eq!(all_names(builder("steal:2")), ["poly-block-1", "poly-worker-0", "poly-worker-1"]);
    assert_eq!(all_names(builder("steal:2").thread_name("web")), ["web"; 3]);
    let next = AtomicUsize::new(0);
    let numbered = builder("steal:2").thread_name_fn(move || format!("web-{}", next.fetch_add(1, SeqCst)));
    assert_eq!(all_names(numbered), ["web-0", "web-1", "web-2"]);
}

/// The monitor starts those that take a blocked worker's place, and there is one monitor for all runtimes.
#[test]
fn a_function_that_names_threads_and_waits_holds_up_no_relief_elsewhere() {
    watched("steal:1", LIMIT, || {
        let hands_off = |builder: Builder| {
            let policy = BlockPolicy::HandOff { after: BlockPolicy::LEAST_AFTER, max_threads: 4 };
            builder.block_policy(policy).stall_threshold(None)
        };
        let ((asked, is_asked), (answer, answered)) = (channel(), channel::<()>());
        let (next, answered) = (AtomicUsize::new(0), Mutex::new(answered));
        let name = move || {
            let number = next.fetch_add(1, SeqCst);
            // The worker's, and the one in reserve.
            if number >= 2 {
                asked.send(()).unwrap();
                let _ = answered.lock().unwrap().recv();
            }
            format!("web-{number}")
        };
        let named = hands_off(builder("steal:1").thread_name_fn(name)).build().unwrap();
        let other = hands_off(builder("steal:1")).build().unwrap();
        // Another task runs although the only worker is in a poll that ends no earlier.
        let relieved = |runtime: &Runtime| {
            let (release, released) = channel::<()>();
            let (begin, begun) = channel();
            let blocked = runtime.spawn(async move {
                begin.send(()).unwrap();
                let _ = released.recv();
            });
            begun.recv().unwrap();
            let (tell, told) = channel();
            drop(runtime.spawn(async move { tell.send(own_name()).unwrap() }));
            (release, blocked, told)
        };
        let (release, blocked, told) = relieved(&named);
        is_asked.recv().unwrap();
        {
            let (_release, _blocked, told) = relieved(&other);
            told.recv().unwrap();
        }
        drop(answer);
        assert_eq!(told.recv().unwrap(), "web-1");
        drop(release);
        named.block_on(blocked).unwrap();
    });
}

/// Uses some 6 MiB of stack, three times what a thread has by default.
fn deep(levels: usize) -> usize {
    let room = std::hint::black_box([levels as u8; 1024]);
    if levels == 0 { 0 } else { deep(levels - 1) + usize::from(room[levels % 1024] == levels as u8) }
}

#[test]
fn stacks_are_as_big_as_was_asked_for() {
    each(|builder| {
        let runtime = builder.thread_stack_size(64 << 20).build().unwrap();
        let job = runtime.spawn_blocking(|| deep(6_000));
        if runtime.combination().executor() != "fifo" {
            assert_eq!(runtime.block_on(runtime.spawn(async { deep(6_000) })).unwrap(), 6_000);
        }
        assert_eq!(runtime.block_on(job).unwrap(), 6_000);
    });
}

#[test]
fn a_stack_that_cannot_be_had_is_an_error_that_names_it() {
    for bytes in [usize::MAX, 1 << 62, 1 << 50] {
        let error = builder("steal:2").thread_stack_size(bytes).build().unwrap_err();
        let said = error.to_string();
        let begins = format!("a thread with a stack of {bytes} bytes could not be started: ");
        assert!(said.starts_with(&begins) && said.len() > begins.len(), "{said}");
        // One thread is there anyway; the others are started for jobs, whose handles say so.
        let runtime = builder("fifo").thread_stack_size(bytes).build().unwrap();
        let job = runtime.spawn_blocking(|| ());
        assert!(runtime.block_on(job).unwrap_err().is_no_thread());
        assert!(runtime.shutdown(LONG).is_clean());
    }
}

#[test]
fn a_name_that_cannot_be_is_an_error() {
    let said = builder("steal:2").thread_name("we\0b").build().unwrap_err().to_string();
    assert_eq!(said, r#"a thread could not be started: the name "we\0b" of a thread has a zero byte in it"#);
    let runtime = builder("fifo").thread_name("we\0b").build().unwrap();
    let job = runtime.spawn_blocking(|| ());
    assert!(runtime.block_on(job).unwrap_err().is_no_thread());
}

/// Counts calls.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn hook(&self) -> impl Fn() + Send + Sync + 'static {
        let calls = self.0.clone();
        move || {
            calls.fetch_add(1, SeqCst);
        }
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    fn until(&self, count: usize) {
        while self.count() != count {
            std::thread::yield_now();
        }
    }
}

#[test]
fn when_the_third_thread_cannot_be_started_the_first_two_end() {
    watched("steal:4", LIMIT, || {
        let (started, stopped, next) = (Calls::default(), Calls::default(), AtomicUsize::new(0));
        let name = move || if next.fetch_add(1, SeqCst) == 2 { "\0" } else { "fine" }.to_owned();
        let builder = builder("steal:4").thread_name_fn(name);
        let error = builder.on_thread_start(started.hook()).on_thread_stop(stopped.hook()).build();
        assert!(error.is_err());
        stopped.until(2);
        assert_eq!(started.count(), 2);
    });
}

#[test]
fn every_thread_that_is_started_tells_of_its_start_and_its_stop() {
    each(|builder| {
        let (started, stopped) = (Calls::default(), Calls::default());
        let builder = builder.on_thread_start(started.hook()).on_thread_stop(stopped.hook());
        let runtime = builder.build().unwrap();
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
        let workers =
            if runtime.combination().executor() != "fifo" { runtime.metrics().num_workers() } else { 0 };
        assert!(runtime.shutdown(LONG).is_clean());
        assert_eq!(started.count(), workers + 1);
        // The thread for blocking jobs is through with the runtime before it is through with the hook.
        stopped.until(workers + 1);
    });
}

#[test]
fn every_wait_of_a_worker_is_told_before_and_after() {
    each(|builder| {
        let (parks, unparks) = (Calls::default(), Calls::default());
        let builder = builder.on_thread_park(parks.hook()).on_thread_unpark(unparks.hook());
        // With a clock that moves only while all wait.
        let runtime = builder.start_paused(true).build().unwrap();
        runtime.block_on(async {
            for _ in 0..5 {
                polyloop::spawn(polyloop::time::sleep(Duration::from_millis(1))).await.unwrap();
            }
        });
        assert!(parks.count() >= 5, "{}", parks.count());
        assert!(runtime.shutdown(LONG).is_clean());
        assert_eq!(parks.count(), unparks.count());
    });
}

#[test]
fn what_a_hook_spawns_before_a_wait_is_run() {
    each(|builder| {
        let handle: Arc<OnceLock<Handle>> = Arc::default();
        let (spawned, own) = (AtomicBool::new(false), handle.clone());
        let (tell, told) = channel();
        let builder = builder.on_thread_park(move || {
            if let Some(handle) = own.get()
                && !spawned.swap(true, SeqCst)
            {
                let tell = tell.clone();
                drop(handle.spawn(async move { tell.send(()).unwrap() }));
            }
        });
        let runtime = builder.build().unwrap();
        handle.set(runtime.handle().clone()).unwrap();
        // Makes the workers go to wait once more.
        let done = Arc::new(AtomicBool::new(false));
        let over = done.clone();
        let waking = runtime.handle().clone();
        let driving = std::thread::spawn(move || {
            while !over.load(SeqCst) {
                waking.block_on(async { polyloop::spawn(async {}).await.unwrap() });
                waking.block_on(async { polyloop::time::sleep(Duration::from_millis(1)).await });
            }
        });
        told.recv().unwrap();
        done.store(true, SeqCst);
        driving.join().unwrap();
    });
}

#[test]
fn every_task_is_told_of_when_it_is_spawned_and_when_it_has_ended() {
    each(|builder| {
        let begun = Arc::new(Mutex::new(Vec::new()));
        let ended = begun.clone();
        let spawned = begun.clone();
        let name = |meta: &task::Meta| meta.name.as_deref().unwrap_or("-").to_owned();
        let builder = builder
            .on_task_spawn(move |meta| spawned.lock().unwrap().push(format!("+{}", name(meta))))
            .on_task_terminate(move |meta| ended.lock().unwrap().push(format!("-{}", name(meta))));
        let runtime = builder.build().unwrap();
        let heard = |what: &str| begun.lock().unwrap().iter().filter(|heard| *heard == what).count();
        runtime.block_on(async {
            let named = |name: &str| task::Builder::new().name(name);
            named("ends").spawn(async {}).await.unwrap();
            // The joiner comes after the hook.
            assert_eq!((heard("+ends"), heard("-ends")), (1, 1));
            let aborted = named("aborted").spawn(pending::<()>());
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_cancelled());
            let panics = named("panics").spawn(async { panic!("as the test wants it") });
            assert!(panics.await.unwrap_err().is_panic());
            drop(named("idle").spawn(pending::<()>()));
        });
        assert_eq!((heard("-aborted"), heard("-panics"), heard("-idle")), (1, 1, 0));
        assert!(runtime.shutdown(LONG).is_clean());
        drop(runtime.spawn(async {}));
        let mut all = begun.lock().unwrap().clone();
        all.sort();
        let told =
            ["+-", "+aborted", "+ends", "+idle", "+panics", "--", "-aborted", "-ends", "-idle", "-panics"];
        assert_eq!(all, told);
    });
}

#[test]
fn a_panic_in_a_hook_of_a_task_is_the_spawners_or_contained() {
    each(|builder| {
        let panics = AtomicBool::new(true);
        let builder = builder
            .on_task_spawn(move |_| assert!(!panics.swap(false, SeqCst), "as the test wants it"))
            .on_task_terminate(|_| panic!("as the test wants it"));
        let runtime = builder.build().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| runtime.spawn(async {}))).is_err());
        let before = runtime.metrics().contained_panics_count();
        assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).unwrap(), 7);
        assert!(runtime.metrics().contained_panics_count() > before);
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    });
}

#[test]
fn a_worker_whose_hook_panics_ends_the_runtime_and_nobody_hangs() {
    for name in ["steal:1", "steal:2"] {
        watched(name, LIMIT, move || {
            let runtime = builder(name).on_thread_start(|| panic!("as the test wants it")).build().unwrap();
            let task = runtime.spawn(pending::<()>());
            assert!(runtime.block_on(task).unwrap_err().is_cancelled());
            let report = runtime.shutdown(LONG);
            assert!(report.is_clean(), "{report}");
        });
    }
}
