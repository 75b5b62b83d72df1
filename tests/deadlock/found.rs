//! What is a deadlock, and is found.

use crate::Says::{self, Ok as SaysOk};
use crate::{Case, LATE, case, ok};
use polyloop::sync::{Mutex, mpsc, oneshot};
use polyloop::{BlockOnError, Builder, Deadlock, ManualClock, Runtime, task, time};
use polyloop_conformance::block_thread;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    case("pending", SaysOk, pending_for_ever),
    case("own-channel", SaysOk, own_channel),
    case("join-cycle", SaysOk, join_cycle),
    case("forgotten-guard", SaysOk, forgotten_guard),
    case("local-task", SaysOk, local_task),
    case("many-tasks", SaysOk, many_tasks),
    case("after-all-kinds-of-work", SaysOk, after_all_kinds_of_work),
    case("frozen-clock", SaysOk, frozen_clock),
    case("paused-clock", SaysOk, paused_clock),
    case("two-inside", SaysOk, two_inside),
    case("after-a-late-job", SaysOk, after_a_late_job),
    case("after-a-long-poll", SaysOk, after_a_long_poll),
    case("after-a-timer", SaysOk, after_a_timer),
    case("after-a-thread", SaysOk, after_a_thread),
    case("after-relief", SaysOk, after_relief),
    case("told-once", SaysOk, told_once),
    case("line", Says::Line, line),
];

fn build(builder: Builder) -> Runtime {
    builder.build().unwrap()
}

/// The deadlock that `future` ends in.
fn found<F: Future>(runtime: &Runtime, future: F) -> Deadlock {
    match runtime.try_block_on(future) {
        Err(BlockOnError::Deadlock(deadlock)) => deadlock,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("no deadlock was found"),
    }
}

fn pending_for_ever(builder: Builder) {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    let runtime = build(builder);
    let gone = Arc::new(AtomicBool::new(false));
    let dropped = Dropped(gone.clone());
    let deadlock = found(&runtime, async move {
        let _dropped = dropped;
        pending::<()>().await;
    });
    assert_eq!((deadlock.count(), deadlock.tasks()), (0, &[][..]));
    assert!(deadlock.root().location.file().ends_with("found.rs"), "{deadlock}");
    assert!(gone.load(Relaxed), "the future is dropped");
    // The runtime goes on.
    assert_eq!(runtime.try_block_on(async { polyloop::spawn(async { 2 }).await.unwrap() }), Ok(2));
    assert_eq!(runtime.block_on(async { 3 }), 3);
    ok();
}

fn own_channel(builder: Builder) {
    let runtime = build(builder);
    let deadlock = found(&runtime, async {
        let (_keep, wait) = oneshot::channel::<()>();
        wait.await
    });
    assert_eq!(deadlock.count(), 0);
    ok();
}

fn join_cycle(builder: Builder) {
    let runtime = build(builder);
    let deadlock = found(&runtime, async {
        let mut ends = Vec::new();
        let mut gives = Vec::new();
        for _ in 0..2 {
            let (give, take) = oneshot::channel::<polyloop_core::JoinHandle<()>>();
            gives.push(give);
            ends.push(polyloop::spawn(async move {
                let other = take.await.unwrap();
                other.await.unwrap();
            }));
        }
        let [first, second] = <[_; 2]>::try_from(ends).unwrap();
        gives.pop().unwrap().send(first).unwrap();
        gives.pop().unwrap().send(second).unwrap();
        pending::<()>().await;
    });
    assert_eq!((deadlock.count(), deadlock.tasks().len()), (2, 2));
    let said = deadlock.to_string();
    assert!(said.contains("2 tasks") && !said.contains('\n'), "{said}");
    ok();
}

fn forgotten_guard(builder: Builder) {
    let runtime = build(builder);
    let deadlock = found(&runtime, async {
        let lock = Arc::new(Mutex::new(()));
        std::mem::forget(lock.lock().await);
        let waits = task::Builder::new().name("locks").spawn(async move { drop(lock.lock().await) });
        waits.await.unwrap();
    });
    assert_eq!(deadlock.tasks()[0].name.as_deref(), Some("locks"));
    ok();
}

fn local_task(builder: Builder) {
    let runtime = build(builder);
    let deadlock = found(&runtime, async {
        let (_keep, mut wait) = mpsc::channel::<()>(1);
        task::spawn_local(async move { wait.recv().await }).await.unwrap();
    });
    assert_eq!(deadlock.count(), 1);
    ok();
}

fn many_tasks(builder: Builder) {
    let runtime = build(builder);
    let deadlock = found(&runtime, async {
        (0..1000).for_each(|_| drop(polyloop::spawn(pending::<()>())));
        task::spawn_local(pending::<()>()).await.unwrap();
    });
    assert_eq!((deadlock.count(), deadlock.tasks().len()), (1001, 16));
    assert!(deadlock.to_string().ends_with("and 985 more"), "{deadlock}");
    ok();
}

async fn works() {
    let naps = (0..100).map(|n| polyloop::spawn(time::sleep(Duration::from_micros(n * 10))));
    for nap in naps.collect::<Vec<_>>() {
        nap.await.unwrap();
    }
    task::spawn_blocking(|| block_thread(Duration::from_millis(1))).await.unwrap();
    let listener = polyloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = polyloop::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let told = polyloop::spawn(async move { far.read(&mut [0]).await });
    near.write_all(b"!").await.unwrap();
    assert_eq!(told.await.unwrap().unwrap(), 1);
    // Registered, but nobody waits for them.
    std::mem::forget((listener, near));
}

fn after_all_kinds_of_work(builder: Builder) {
    let runtime = build(builder);
    std::thread::spawn(|| ()).join().unwrap();
    found(&runtime, async {
        works().await;
        pending::<()>().await;
    });
    ok();
}

fn frozen_clock(builder: Builder) {
    let runtime = build(builder.clock(ManualClock::new()));
    found(&runtime, pending::<()>());
    ok();
}

fn paused_clock(builder: Builder) {
    let runtime = build(builder.start_paused(true));
    found(&runtime, async {
        time::sleep(Duration::from_secs(3600)).await;
        works().await;
        pending::<()>().await;
    });
    ok();
}

fn two_inside(builder: Builder) {
    let runtime = build(builder);
    std::thread::scope(|scope| {
        let deadlocks = [0, 1].map(|_| scope.spawn(|| found(&runtime, pending::<()>())));
        let mut counts = Vec::new();
        // This thread is a stranger to the others, unless it is inside, too.
        while !deadlocks.iter().all(|other| other.is_finished()) {
            counts.push(found(&runtime, pending::<()>()).count());
        }
        counts.extend(deadlocks.map(|other| other.join().unwrap().count()));
        assert!(counts.contains(&2), "whoever was the first to leave has seen the others: {counts:?}");
    });
    ok();
}

/// When the looks of the first second are over, the last one at work tells.
fn after_a_late_job(builder: Builder) {
    let runtime = build(builder);
    found(&runtime, async {
        drop(task::spawn_blocking(|| block_thread(LATE)));
        pending::<()>().await;
    });
    ok();
}

fn after_a_long_poll(builder: Builder) {
    let runtime = build(builder);
    found(&runtime, async {
        drop(polyloop::spawn(async { block_thread(LATE) }));
        pending::<()>().await;
    });
    ok();
}

fn after_a_timer(builder: Builder) {
    let runtime = build(builder);
    found(&runtime, async {
        drop(polyloop::spawn(time::sleep(LATE)));
        pending::<()>().await;
    });
    ok();
}

fn after_a_thread(builder: Builder) {
    let runtime = build(builder);
    found(&runtime, async {
        // It might have woken somebody.
        std::thread::spawn(|| block_thread(Duration::from_millis(100)));
        pending::<()>().await;
    });
    ok();
}

/// Threads on standby rest.
fn after_relief(builder: Builder) {
    let runtime = build(builder);
    found(&runtime, async {
        for _ in 0..3 {
            drop(polyloop::spawn(async { block_thread(Duration::from_millis(50)) }));
        }
        pending::<()>().await;
    });
    ok();
}

/// `block_on` tells once and waits on; here, the hook sees to it that it ends after all.
fn told_once(builder: Builder) {
    type Wakes = oneshot::Sender<usize>;
    let told = Arc::new(AtomicUsize::new(0));
    let (give, take) = std::sync::mpsc::channel::<Wakes>();
    let take = std::sync::Mutex::new(take);
    let runtime = build(builder.on_deadlock(move |deadlock| {
        assert_eq!(deadlock.count(), 0);
        told.fetch_add(1, Relaxed);
        let wakes = take.lock().unwrap().recv().unwrap();
        let told = told.clone();
        // Later, when there is somebody else, and was time for more looks.
        std::thread::spawn(move || {
            block_thread(LATE);
            wakes.send(told.load(Relaxed)).unwrap();
        });
    }));
    for calls in 1..3 {
        let (wake, wait) = oneshot::channel();
        give.send(wake).unwrap();
        assert_eq!(runtime.block_on(wait), Ok(calls), "once in each call");
    }
    ok();
}

fn line(builder: Builder) {
    let runtime = build(builder);
    runtime.block_on(async {
        let (_keep, wait) = oneshot::channel::<()>();
        drop(task::Builder::new().name("waits").spawn(async move { wait.await.unwrap() }));
        pending::<()>().await;
    });
}
