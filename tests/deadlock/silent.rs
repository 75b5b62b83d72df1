//! What looks like a deadlock and is none: somebody, or something, is left.

use crate::Says::{Nothing, Ok as SaysOk};
use crate::{Case, LATE, case, ok};
use polyloop::net::unix::UnixStream;
use polyloop::net::{AsyncFd, TcpListener, UdpSocket};
use polyloop::sync::oneshot;
use polyloop::{Builder, ManualClock, Runtime, task, time};
use polyloop_conformance::block_thread;
use std::future::pending;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    case("thread-with-a-waker", SaysOk, thread_with_a_waker),
    case("thread-with-a-waker-soon", SaysOk, thread_with_a_waker_soon),
    case("thread-that-waits", Nothing, thread_that_waits),
    case("running-job", SaysOk, running_job),
    case("queued-job", SaysOk, queued_job),
    case("sleeping-task", SaysOk, sleeping_task),
    case("long-poll", SaysOk, long_poll),
    case("input", SaysOk, input),
    case("accept", Nothing, accept),
    case("udp", Nothing, udp),
    case("unix", Nothing, unix),
    case("frozen-timer", Nothing, frozen_timer),
    case("clock-moved-by-a-thread", SaysOk, clock_moved_by_a_thread),
    case("paused-timer", SaysOk, paused_timer),
    case("other-runtime", SaysOk, other_runtime),
    case("other-inside", SaysOk, other_inside),
    case("other-inside-in-a-poll", SaysOk, other_inside_in_a_poll),
    case("foreign-loop-before", Nothing, foreign_loop_before),
    case("foreign-loop", SaysOk, foreign_loop),
    case("ends-are-seen", Nothing, ends_are_seen),
    case("switched-off", Nothing, switched_off),
    case("dumps-by-signal", Nothing, dumps_by_signal),
    case("nobody-ticks", SaysOk, nobody_ticks),
    case("spawned-from-outside", SaysOk, spawned_from_outside),
];

fn build(builder: Builder) -> Runtime {
    builder.build().unwrap()
}

fn thread_with_a_waker(builder: Builder) {
    woken_by_a_thread(builder, LATE);
}

fn thread_with_a_waker_soon(builder: Builder) {
    woken_by_a_thread(builder, Duration::from_millis(50));
}

fn woken_by_a_thread(builder: Builder, after: Duration) {
    let runtime = build(builder);
    let woken = runtime.try_block_on(async {
        let (wake, wait) = oneshot::channel();
        std::thread::spawn(move || {
            block_thread(after);
            wake.send(3).unwrap();
        });
        polyloop::spawn(wait).await.unwrap()
    });
    assert_eq!(woken, Ok(Ok(3)));
    ok();
}

fn thread_that_waits(builder: Builder) {
    let runtime = build(builder);
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    panic!("{:?}", runtime.try_block_on(pending::<()>()));
}

fn running_job(builder: Builder) {
    let runtime = build(builder);
    let (wake, wait) = oneshot::channel();
    drop(runtime.spawn_blocking(move || {
        block_thread(LATE);
        wake.send(3).unwrap();
    }));
    assert_eq!(runtime.try_block_on(wait), Ok(Ok(3)));
    ok();
}

fn queued_job(builder: Builder) {
    let runtime = build(builder.max_blocking_threads(1));
    let jobs = [1, 2, 3].map(|number| {
        runtime.spawn_blocking(move || {
            block_thread(LATE / 3);
            number
        })
    });
    let sum = runtime.try_block_on(async {
        let mut sum = 0;
        for job in jobs {
            sum += job.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, Ok(6));
    ok();
}

fn sleeping_task(builder: Builder) {
    let runtime = build(builder);
    let slept = runtime.try_block_on(async { polyloop::spawn(time::sleep(LATE)).await.unwrap() });
    assert_eq!(slept, Ok(()));
    ok();
}

fn long_poll(builder: Builder) {
    let runtime = build(builder);
    let (wake, wait) = oneshot::channel();
    drop(runtime.spawn(async move {
        block_thread(LATE);
        wake.send(3).unwrap();
    }));
    assert_eq!(runtime.try_block_on(wait), Ok(Ok(3)));
    ok();
}

/// The harness writes, later.
fn input(builder: Builder) {
    let runtime = build(builder);
    let read = runtime.try_block_on(async {
        let file = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
        let file = AsyncFd::new(file).unwrap();
        polyloop::spawn(async move { file.readable().await.map(drop) }).await.unwrap()
    });
    assert!(read.unwrap().is_ok());
    ok();
}

fn accept(builder: Builder) {
    let runtime = build(builder);
    let ended = runtime.try_block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        polyloop::spawn(async move { listener.accept().await.map(drop) }).await.unwrap()
    });
    panic!("{ended:?}");
}

fn udp(builder: Builder) {
    let runtime = build(builder);
    let ended = runtime.try_block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.recv_from(&mut [0]).await.map(drop)
    });
    panic!("{ended:?}");
}

fn unix(builder: Builder) {
    let runtime = build(builder);
    let ended = runtime.try_block_on(async {
        let (near, _far) = UnixStream::pair().unwrap();
        task::spawn_local(async move { near.read(&mut [0]).await }).await.unwrap()
    });
    panic!("{ended:?}");
}

/// A hand might move the clock.
fn frozen_timer(builder: Builder) {
    let runtime = build(builder.clock(ManualClock::new()));
    panic!("{:?}", runtime.try_block_on(async { time::sleep(Duration::from_millis(1)).await }));
}

fn clock_moved_by_a_thread(builder: Builder) {
    let clock = Arc::new(ManualClock::new());
    let moves = clock.clone();
    let runtime = build(builder.clock(Shared(clock)));
    std::thread::spawn(move || {
        block_thread(LATE);
        moves.advance(Duration::from_secs(1));
    });
    assert_eq!(runtime.try_block_on(async { time::sleep(Duration::from_secs(1)).await }), Ok(()));
    ok();
}

#[derive(Debug)]
struct Shared(Arc<ManualClock>);

impl polyloop_core::time::Clock for Shared {
    fn now(&self) -> polyloop_core::time::Instant {
        self.0.now()
    }

    fn busy(&self, next: Option<polyloop_core::time::Instant>) -> polyloop_core::time::Wait {
        self.0.busy(next)
    }

    fn idle(&self, next: Option<polyloop_core::time::Instant>) -> polyloop_core::time::Wait {
        self.0.idle(next)
    }

    fn distinguishes_idle(&self) -> bool {
        self.0.distinguishes_idle()
    }

    fn attach(&self, handle: std::sync::Weak<dyn polyloop_core::reactor::ReactorHandle>) {
        self.0.attach(handle);
    }
}

/// Virtual time goes on while nothing else does; a job holds it up for longer than the looks take.
fn paused_timer(builder: Builder) {
    let runtime = build(builder.start_paused(true));
    let slept = runtime.try_block_on(async {
        for _ in 0..100 {
            polyloop::spawn(time::sleep(Duration::from_secs(3600))).await.unwrap();
        }
        let job = task::spawn_blocking(|| block_thread(LATE));
        time::sleep(Duration::from_secs(3600)).await;
        job.await.unwrap();
    });
    assert_eq!(slept, Ok(()));
    ok();
}

/// A task of another runtime has the sender. It sleeps, which this runtime knows nothing of.
fn other_runtime(builder: Builder) {
    let runtime = build(builder);
    let other = Runtime::from_name("steal:1").unwrap();
    let (wake, wait) = oneshot::channel();
    drop(other.spawn(async move {
        time::sleep(LATE).await;
        wake.send(3).unwrap();
    }));
    assert_eq!(runtime.try_block_on(wait), Ok(Ok(3)));
    ok();
}

fn other_inside(builder: Builder) {
    let runtime = build(builder);
    let (wake, wait) = oneshot::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let slept = runtime.try_block_on(async {
                time::sleep(LATE).await;
                wake.send(3).unwrap();
            });
            assert_eq!(slept, Ok(()));
        });
        assert_eq!(runtime.try_block_on(wait), Ok(Ok(3)));
    });
    ok();
}

fn other_inside_in_a_poll(builder: Builder) {
    let runtime = build(builder);
    let (wake, wait) = oneshot::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let ran = runtime.try_block_on(async {
                block_thread(LATE);
                wake.send(3).unwrap();
            });
            assert_eq!(ran, Ok(()));
        });
        assert_eq!(runtime.try_block_on(wait), Ok(Ok(3)));
    });
    ok();
}

/// Where a foreign event loop ever took a turn, it may do so again. Workers need none, so that nothing is known of it there.
fn foreign_loop_before(builder: Builder) {
    let runtime = build(builder);
    runtime.turn(Duration::ZERO).unwrap();
    if runtime.combination().executor() == "fifo" {
        panic!("{:?}", runtime.try_block_on(pending::<()>()));
    }
    std::thread::park();
}

fn foreign_loop(builder: Builder) {
    let runtime = build(builder);
    let (wake, wait) = oneshot::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..90 {
                runtime.turn(Duration::ZERO).unwrap();
                block_thread(LATE / 90);
            }
            wake.send(3).unwrap();
        });
        assert_eq!(runtime.try_block_on(wait), Ok(Ok(3)));
    });
    ok();
}

/// The hook of a thread's end may wake somebody, when the thread has had no job for long enough.
fn ends_are_seen(builder: Builder) {
    let runtime = build(builder.on_thread_stop(|| ()));
    let ended = runtime.try_block_on(async {
        task::spawn_blocking(|| ()).await.unwrap();
        pending::<()>().await;
    });
    panic!("{ended:?}");
}

fn switched_off(builder: Builder) {
    let runtime = build(builder.detect_deadlocks(false));
    panic!("{:?}", runtime.try_block_on(pending::<()>()));
}

/// A handler, and a thread that waits for it: nobody knows what these will do.
fn dumps_by_signal(builder: Builder) {
    // SIGUSR1 on Linux.
    polyloop::dump::on_signal(10).unwrap();
    let runtime = build(builder);
    panic!("{:?}", runtime.try_block_on(pending::<()>()));
}

/// A thread that only drives, for others to spawn.
fn spawned_from_outside(builder: Builder) {
    let runtime = Arc::new(build(builder));
    let drives = runtime.clone();
    std::thread::spawn(move || drives.try_block_on(pending::<()>()));
    block_thread(LATE);
    let (tell, told) = std::sync::mpsc::channel();
    drop(runtime.spawn(async move { tell.send(3).unwrap() }));
    assert_eq!(told.recv(), Ok(3));
    ok();
}

/// Two threads inside, who cannot know whether somebody moves the clock, do not call each other to look once more.
fn nobody_ticks(builder: Builder) {
    let runtime = Arc::new(build(builder.clock(ManualClock::new())));
    for _ in 0..2 {
        let inside = runtime.clone();
        std::thread::spawn(move || inside.try_block_on(async { time::sleep(Duration::from_secs(1)).await }));
    }
    block_thread(Duration::from_secs(2));
    let before = switches();
    block_thread(Duration::from_secs(2));
    // This thread has slept once.
    let woken = switches() - before;
    assert!(woken <= 2, "{woken} times woken");
    ok();
}

/// How often the threads of this process have gone to sleep.
fn switches() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let statuses = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap());
    let count = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    statuses.map(count).sum()
}
