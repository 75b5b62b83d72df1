//! A runtime inside somebody else's event loop: a plain one over poll(2), which also has files of its own.
//!
//! Invariant: the loop waits for the runtime's file and its timeout, and for nothing else; what would be lost hangs.

use crate::subjects::{builder, names};
use futures::AsyncReadExt;
use polyloop::{NotPollable, Runtime, Turned, net, task, time};
use polyloop_conformance::{LIMIT, watched};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cell::Cell;
use std::future::pending;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::time::Duration;

/// Everything that a foreign loop can wait for.
fn each(body: fn(Runtime)) {
    for name in names(&[]).into_iter().filter(|name| name.starts_with("fifo") && !name.contains("+poll+")) {
        watched(&name.clone(), LIMIT, move || body(builder(&name).build().unwrap()));
    }
}

/// Waits for the runtime's file; whether it was readable.
fn wait(runtime: &Runtime, timeout: Option<Duration>) -> bool {
    let file = runtime.pollable_fd().unwrap();
    let mut files = [PollFd::new(&file, PollFlags::IN)];
    let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap());
    poll(&mut files, timeout.as_ref()).unwrap() > 0
}

/// Drives the runtime until `done`; how many turns that took.
fn drive(runtime: &Runtime, done: impl Fn() -> bool) -> usize {
    for turns in 1.. {
        let turned = runtime.turn(Duration::ZERO).unwrap();
        if done() {
            return turns;
        }
        wait(runtime, turned.timeout());
    }
    unreachable!("it hangs before")
}

#[test]
fn sockets_and_timers_and_spawns_from_elsewhere_all_come_through() {
    each(|runtime| {
        const CLIENTS: usize = 8;
        const ROUNDS: u8 = 50;
        let (tell, told) = channel();
        let served = runtime.spawn(async move {
            let listener = net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let mut servers = Vec::new();
            for _ in 0..CLIENTS {
                let (mut stream, _) = listener.accept().await.unwrap();
                servers.push(polyloop::spawn(async move {
                    let mut byte = [0];
                    while AsyncReadExt::read(&mut stream, &mut byte).await.unwrap() > 0 {
                        stream.write_all(&byte).await.unwrap();
                    }
                }));
            }
            for server in servers {
                server.await.unwrap();
            }
        });
        let naps: Vec<_> = (0..50_u64)
            .map(|nap| runtime.spawn(async move { time::sleep(Duration::from_micros(nap * 500)).await }))
            .collect();
        let addr = Cell::new(None);
        drive(&runtime, || {
            addr.set(addr.get().or(told.try_recv().ok()));
            addr.get().is_some()
        });
        let addr: std::net::SocketAddr = addr.get().unwrap();
        let spawned = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (handle, spawned) = (runtime.handle().clone(), spawned.clone());
                std::thread::spawn(move || {
                    let mut stream = std::net::TcpStream::connect(addr).unwrap();
                    for round in 0..ROUNDS {
                        let mut byte = [round];
                        stream.write_all(&byte).unwrap();
                        stream.read_exact(&mut byte).unwrap();
                        assert_eq!(byte, [round]);
                        let counted = spawned.clone();
                        drop(handle.spawn(async move {
                            task::yield_now().await;
                            time::sleep(Duration::from_millis(1)).await;
                            counted.fetch_add(1, SeqCst);
                        }));
                    }
                })
            })
            .collect();
        let all = CLIENTS * usize::from(ROUNDS);
        drive(&runtime, || {
            served.is_finished() && naps.iter().all(|nap| nap.is_finished()) && spawned.load(SeqCst) == all
        });
        clients.into_iter().for_each(|client| client.join().unwrap());
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    });
}

#[test]
fn a_runtime_with_nothing_to_do_does_not_call_the_loop() {
    each(|runtime| {
        drop(runtime.spawn(async {
            let _socket = net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            time::sleep(Duration::from_secs(3600)).await;
        }));
        let mut turned = Turned::default();
        // Settles within a few turns.
        for _ in 0..10 {
            turned = runtime.turn(Duration::ZERO).unwrap();
        }
        assert!(!turned.more && turned.next.is_some());
        assert!(turned.timeout().unwrap() > Duration::from_secs(3000));
        assert!(!wait(&runtime, Some(Duration::from_millis(20))), "nobody calls");
        // One call, one turn, and silence again.
        drop(runtime.spawn(pending::<()>()));
        assert!(wait(&runtime, None));
        assert!(!runtime.turn(Duration::ZERO).unwrap().more);
        assert!(!wait(&runtime, Some(Duration::ZERO)), "and once");
    });
}

#[test]
fn a_nearer_deadline_that_is_armed_elsewhere_calls_the_loop() {
    each(|runtime| {
        drop(runtime.spawn(time_of(Duration::from_secs(3600))));
        while runtime.turn(Duration::ZERO).unwrap().more {}
        assert!(!wait(&runtime, Some(Duration::ZERO)));
        // A timer of this runtime, polled by a thread that has nothing to do with it.
        let sleep = {
            let _within = runtime.enter();
            time::sleep(Duration::from_secs(60))
        };
        let elsewhere = std::thread::spawn(move || {
            let mut sleep = Box::pin(sleep);
            assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            sleep
        });
        assert!(wait(&runtime, Some(Duration::from_secs(3600))), "or it would be late by most of an hour");
        let turned = runtime.turn(Duration::ZERO).unwrap();
        assert!(turned.timeout().unwrap() <= Duration::from_secs(60));
        drop(elsewhere.join().unwrap());
    });
}

async fn time_of(duration: Duration) {
    time::sleep(duration).await;
}

#[test]
fn a_turn_polls_what_is_ready_once_and_says_that_there_is_more() {
    each(|runtime| {
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = polls.clone();
        let hog = runtime.spawn(async move {
            loop {
                counted.fetch_add(1, SeqCst);
                task::yield_now().await;
            }
        });
        for turn in 1..=5 {
            assert!(runtime.turn(Duration::ZERO).unwrap().more);
            assert_eq!(polls.load(SeqCst), turn);
        }
        hog.abort();
        let many: Vec<_> = (0..100).map(|_| runtime.spawn(async {})).collect();
        assert!(runtime.turn(Duration::ZERO).unwrap().more, "a turn is short");
        assert!(!runtime.turn(Duration::ZERO).unwrap().more);
        assert!(many.iter().all(|task| task.is_finished()) && hog.is_finished());
    });
}

#[test]
fn a_turn_that_may_wait_does_so_until_there_is_something_to_do() {
    for name in ["fifo+mio", "fifo+polling", "fifo+poll"] {
        watched(name, LIMIT, move || {
            let runtime = builder(name).build().unwrap();
            let nap = runtime.spawn(time_of(Duration::from_millis(2)));
            while !nap.is_finished() {
                runtime.turn(Duration::from_secs(60)).unwrap();
            }
            // A spawn from elsewhere ends the wait.
            let handle = runtime.handle().clone();
            let done = Arc::new(AtomicUsize::new(0));
            let counted = done.clone();
            let elsewhere = std::thread::spawn(move || {
                drop(handle.spawn(async move { counted.store(1, SeqCst) }));
            });
            while done.load(SeqCst) == 0 {
                runtime.turn(Duration::from_secs(60)).unwrap();
            }
            elsewhere.join().unwrap();
            // And so does the end of the patience.
            assert_eq!(runtime.turn(Duration::from_millis(1)).unwrap(), Turned::default());
        });
    }
}

#[test]
fn a_turn_that_waited_does_not_call_the_loop_for_what_it_woke_itself() {
    each(|runtime| {
        assert!(!wait(&runtime, Some(Duration::ZERO)));
        let nap = runtime.spawn(time_of(Duration::from_millis(5)));
        while !nap.is_finished() {
            runtime.turn(Duration::from_secs(60)).unwrap();
        }
        assert!(!wait(&runtime, Some(Duration::ZERO)), "nothing is left to do");
    });
}

#[test]
fn a_paused_clock_moves_in_turns() {
    for name in ["fifo+mio", "fifo+polling", "fifo+poll"] {
        watched(name, LIMIT, move || {
            let runtime = builder(name).start_paused(true).build().unwrap();
            let nap = runtime.spawn(time_of(Duration::from_secs(3600)));
            let turns = Cell::new(0);
            while !nap.is_finished() {
                runtime.turn(Duration::ZERO).unwrap();
                turns.set(turns.get() + 1);
            }
            assert!(turns.get() <= 4, "{} turns", turns.get());
        });
    }
}

#[test]
fn with_a_paused_clock_a_turn_does_not_sleep_over_what_came_before_its_wait() {
    for name in ["fifo+mio", "fifo+polling"] {
        watched(name, LIMIT, move || {
            let handle: Arc<std::sync::OnceLock<polyloop::Handle>> = Arc::default();
            let (late, ran) = (handle.clone(), Arc::new(AtomicUsize::new(0)));
            let counted = ran.clone();
            // Rings the bell, which the look at the kernel before the wait takes in.
            let hook = move || {
                let counted = counted.clone();
                let count = async move { _ = counted.fetch_add(1, SeqCst) };
                late.get().map(|handle| handle.spawn(count));
            };
            let runtime = builder(name).start_paused(true).on_thread_park(hook).build().unwrap();
            let _socket = runtime.spawn(async {
                let socket = net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                socket.recv(&mut [0]).await.unwrap()
            });
            while runtime.turn(Duration::ZERO).unwrap().more || wait(&runtime, Some(Duration::ZERO)) {}
            assert_eq!(runtime.metrics().num_registered_files(), 1);
            handle.set(runtime.handle().clone()).unwrap();
            runtime.turn(Duration::MAX).unwrap();
            assert_eq!(ran.load(SeqCst), 1);
        });
    }
}

#[test]
fn turns_and_block_on_take_turns() {
    each(|runtime| {
        let runtime = Arc::new(runtime);
        assert!(!wait(&runtime, Some(Duration::ZERO)));
        let ((begun, began), (release, released)) = (channel(), channel::<()>());
        let own = runtime.clone();
        let inside = std::thread::spawn(move || {
            own.block_on(async move {
                begun.send(()).unwrap();
                released.recv().unwrap();
            });
        });
        began.recv().unwrap();
        let task = runtime.spawn(async {});
        assert_eq!(runtime.turn(Duration::ZERO).unwrap(), Turned::default(), "the other thread drives");
        release.send(()).unwrap();
        // Either that thread runs it before it leaves, or its leaving calls the loop.
        drive(&runtime, || task.is_finished());
        inside.join().unwrap();
        assert_eq!(runtime.block_on(async { 7 }), 7);
    });
}

#[test]
fn a_turn_within_the_runtime_is_refused() {
    each(|runtime| {
        let runtime = Arc::new(runtime);
        assert!(runtime.block_on(async { runtime.turn(Duration::ZERO) }).is_err());
        let own = runtime.clone();
        let task = runtime.spawn(async move { own.turn(Duration::ZERO).is_err() });
        drive(&runtime, || task.is_finished());
        assert!(futures::executor::block_on(task).unwrap());
    });
}

#[test]
fn a_runtime_that_is_shut_down_in_a_turn_ends_clean() {
    each(|runtime| {
        let runtime = Arc::new(runtime);
        let own = runtime.clone();
        let other = runtime.spawn(pending::<()>());
        let task = runtime.spawn(async move { own.shutdown(Duration::from_secs(60)) });
        drive(&runtime, || task.is_finished());
        let report = futures::executor::block_on(task).unwrap();
        assert_eq!((report.tasks.unfinished.len(), report.tasks.cancelled, report.threads), (1, 1, 0));
        assert!(futures::executor::block_on(other).unwrap_err().is_cancelled());
        assert!(runtime.shutdown(Duration::from_secs(60)).is_clean());
        assert_eq!(runtime.turn(Duration::ZERO).unwrap(), Turned::default());
    });
}

#[test]
fn what_cannot_be_watched_says_why() {
    let poll = builder("fifo+poll").build().unwrap();
    assert_eq!(poll.pollable_fd().unwrap_err(), NotPollable::NoFile);
    let steal = builder("steal:1").build().unwrap();
    assert_eq!(steal.pollable_fd().unwrap_err(), NotPollable::Workers);
    // Its workers need nobody.
    let task = steal.spawn(async { 7 });
    assert_eq!(steal.turn(Duration::from_secs(60)).unwrap(), Turned::default());
    assert_eq!(steal.block_on(task).unwrap(), 7);
    let error = std::io::Error::from(NotPollable::NoFile);
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    assert!(error.to_string().starts_with("this reactor has no file to watch"));
}
