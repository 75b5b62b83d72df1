//! What the traits promise, on every adapter. Local tasks and watched files have suites of the conformance crate's, which the
//! workspace's tests mount on the adapters and on every combination.
#![cfg(all(feature = "smol", feature = "tokio"))]

use futures::io::{AsyncReadExt, AsyncWriteExt};
use polyloop_traits::{
    BlockOn, Join, Net, OnDrop, Runtime, Smol, Spawn, TcpListener, TcpStream, Time, Tokio,
};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

macro_rules! on_every_adapter {
    ($($name:ident)*) => {
        mod tokio_ct { $( #[test] fn $name() { super::$name(super::Tokio::current_thread().unwrap()); } )* }
        mod tokio_mt { $( #[test] fn $name() { super::$name(super::Tokio::multi_thread(2).unwrap()); } )* }
        mod smol_one { $( #[test] fn $name() { super::$name(super::Smol::one_thread()); } )* }
        mod smol_n { $( #[test] fn $name() { super::$name(super::Smol::threads(2).unwrap()); } )* }
    };
}

on_every_adapter! {
    a_task_gives_its_value
    a_panic_reaches_the_joiner_and_nobody_else
    an_aborted_task_is_dropped_before_its_handle_resolves
    abort_after_the_end_keeps_the_value
    abort_after_a_panic_keeps_the_panic
    a_task_of_a_runtime_that_is_gone_was_cancelled
    a_detached_task_runs_on
    dropping_a_handle_does_what_on_drop_says
    a_blocking_closure_gives_its_value_and_its_panic
    sleep_is_never_early
    sleep_and_sockets_need_no_context
    an_interval_ticks_in_its_rhythm_and_never_early
    yield_lets_another_task_run
    bytes_come_back_over_tcp
    spawn_from_a_foreign_thread_wakes_the_runtime
    two_runtimes_at_once
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn a_task_gives_its_value(rt: impl Runtime) {
    let doubled = rt.block_on(async { rt.spawn(async { 21 * 2 }).await });
    assert_eq!(doubled.unwrap(), 42);
}

fn a_panic_reaches_the_joiner_and_nobody_else(rt: impl Runtime) {
    rt.block_on(async {
        let failed = rt.spawn(async { std::panic::panic_any("on purpose") }).await.unwrap_err();
        assert!(failed.is_panic() && !failed.is_cancelled());
        assert_eq!(failed.to_string(), "the task panicked: on purpose");
        assert_eq!(failed.into_panic().unwrap().downcast_ref(), Some(&"on purpose"));
        assert_eq!(rt.spawn(async { "still alive" }).await.unwrap(), "still alive");
    });
}

fn an_aborted_task_is_dropped_before_its_handle_resolves(rt: impl Runtime) {
    let drops = Arc::new(AtomicUsize::new(0));
    rt.block_on(async {
        let counted = Counted(drops.clone());
        let mut join = rt.spawn(async move {
            let _counted = counted;
            pending::<()>().await;
        });
        rt.yield_now().await;
        join.abort();
        assert!(join.await.unwrap_err().is_cancelled());
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

fn abort_after_the_end_keeps_the_value(rt: impl Runtime) {
    rt.block_on(async {
        let (sender, receiver) = mpsc::channel::<()>();
        let mut join = rt.spawn(async move {
            let _tells = sender;
            7
        });
        // The sender's drop is the last thing before the task's end; a little later it is certainly over.
        while receiver.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
            rt.yield_now().await;
        }
        rt.sleep(Duration::from_millis(20)).await;
        join.abort();
        assert_eq!(join.await.unwrap(), 7);
    });
}

fn abort_after_a_panic_keeps_the_panic(rt: impl Runtime) {
    rt.block_on(async {
        let (sender, receiver) = mpsc::channel::<()>();
        let mut join = rt.spawn(async move {
            let _tells = sender;
            std::panic::panic_any("before")
        });
        // Before the sender is dropped the panic is printed, which may take long; a little after its drop the task is certainly over.
        while receiver.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
            rt.yield_now().await;
        }
        rt.sleep(Duration::from_millis(20)).await;
        join.abort();
        assert_eq!(join.await.unwrap_err().to_string(), "the task panicked: before");
    });
}

fn a_task_of_a_runtime_that_is_gone_was_cancelled(rt: impl Runtime) {
    let join = rt.spawn(pending::<()>());
    drop(rt);
    assert!(futures::executor::block_on(join).unwrap_err().is_cancelled());
}

fn a_detached_task_runs_on(rt: impl Runtime) {
    let (sender, receiver) = mpsc::channel();
    let timer = rt.clone();
    rt.block_on(async {
        rt.spawn(async move {
            timer.sleep(Duration::from_millis(1)).await;
            sender.send("done").unwrap();
        })
        .detach();
        while receiver.try_recv() != Ok("done") {
            rt.sleep(Duration::from_millis(1)).await;
        }
    });
}

fn dropping_a_handle_does_what_on_drop_says<R: Runtime>(rt: R) {
    fn policy<J: Join<T>, T>(_: &J) -> OnDrop {
        J::ON_DROP
    }
    let drops = Arc::new(AtomicUsize::new(0));
    rt.block_on(async {
        let counted = Counted(drops.clone());
        let (open, gate) = futures::channel::oneshot::channel::<()>();
        let join = rt.spawn(async move {
            let _counted = counted;
            gate.await.ok();
        });
        let policy = policy(&join);
        drop(join);
        rt.spawn(async {}).await.unwrap();
        rt.sleep(Duration::from_millis(20)).await;
        assert_eq!(drops.load(Ordering::SeqCst), usize::from(policy == OnDrop::Abort));
        drop(open);
        while drops.load(Ordering::SeqCst) == 0 {
            rt.yield_now().await;
        }
    });
}

fn a_blocking_closure_gives_its_value_and_its_panic(rt: impl Runtime) {
    rt.block_on(async {
        assert_eq!(rt.spawn_blocking(|| 6 * 7).await.unwrap(), 42);
        let failed = rt.spawn_blocking(|| std::panic::panic_any("blocked")).await.unwrap_err();
        assert_eq!(failed.to_string(), "the task panicked: blocked");
    });
}

fn sleep_is_never_early(rt: impl Runtime) {
    rt.block_on(async {
        for micros in [0, 1, 999, 1_000, 2_500] {
            let (start, wait) = (rt.now(), Duration::from_micros(micros));
            rt.sleep(wait).await;
            assert!(rt.now() >= start + wait, "{wait:?} ended early");
            rt.sleep_until(start).await;
        }
    });
}

fn an_interval_ticks_in_its_rhythm_and_never_early(rt: impl Runtime) {
    rt.block_on(async {
        let (start, period) = (rt.now(), Duration::from_millis(2));
        let mut interval = rt.interval(period);
        let first = interval.tick().await;
        for n in 1..=5 {
            // Ticks that come late keep the rhythm: the default is to catch up.
            assert_eq!(interval.tick().await, first + n * period);
            assert!(rt.now() >= start + n * period);
        }
    });
}

fn sleep_and_sockets_need_no_context(rt: impl Runtime) {
    // Made outside, and polled by another executor while a thread drives the runtime.
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    let driven = rt.clone();
    let driver = std::thread::spawn(move || driven.block_on(stopped));
    futures::executor::block_on(async {
        rt.sleep(Duration::from_millis(2)).await;
        let listener = rt.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = rt.connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        assert_eq!(client.local_addr().unwrap(), peer);
        assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    });
    stop.send(()).unwrap();
    driver.join().unwrap().unwrap();
}

fn yield_lets_another_task_run(rt: impl Runtime) {
    let ran = Arc::new(AtomicUsize::new(0));
    rt.block_on(async {
        let flag = ran.clone();
        let join = rt.spawn(async move { flag.store(1, Ordering::SeqCst) });
        while ran.load(Ordering::SeqCst) == 0 {
            rt.yield_now().await;
        }
        join.await.unwrap();
    });
}

fn bytes_come_back_over_tcp(rt: impl Runtime) {
    rt.block_on(async {
        let listener = rt.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = rt.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut bytes = vec![0; 100_000];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.close().await.unwrap();
        });
        let mut client = rt.connect(addr).await.unwrap();
        let sent: Vec<u8> = (0..100_000).map(|i| i as u8).collect();
        client.write_all(&sent).await.unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        assert!(received == sent);
        server.await.unwrap();
        assert!(rt.connect(addr).await.is_err(), "nobody listens any more");
    });
}

fn spawn_from_a_foreign_thread_wakes_the_runtime(rt: impl Runtime) {
    let (sender, receiver) = futures::channel::oneshot::channel();
    let handle = rt.clone();
    let thread = std::thread::spawn(move || handle.spawn(async move { sender.send(5).unwrap() }).detach());
    assert_eq!(rt.block_on(receiver).unwrap(), 5);
    thread.join().unwrap();
}

fn two_runtimes_at_once<R: Runtime>(rt: R) {
    let other = Smol::threads(1).unwrap();
    rt.block_on(async {
        let there = other.spawn(async { 1 });
        let here = rt.spawn(async { 2 });
        assert_eq!(there.await.unwrap() + here.await.unwrap(), 3);
    });
}

/// Somebody has entered another runtime of tokio's, which nobody drives: what is made by our handle is our runtime's.
#[test]
fn within_a_guard_of_another_runtime_things_belong_to_their_own() {
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for rt in [Tokio::current_thread().unwrap(), Tokio::multi_thread(1).unwrap()] {
        let within = rt.clone();
        let foreign = other.handle().clone();
        let limit = rt.sleep(Duration::from_secs(60));
        let both = async {
            // In `block_on`, and in a task.
            made_within(&rt, &foreign).await;
            let foreign = foreign.clone();
            rt.spawn(async move { made_within(&within, &foreign).await }).await.unwrap();
        };
        rt.block_on(async {
            let both = std::pin::pin!(both);
            let limit = std::pin::pin!(limit);
            if let futures::future::Either::Right(_) = futures::future::select(both, limit).await {
                panic!("what was made waits for a runtime that nobody drives");
            }
        });
    }
}

async fn made_within(rt: &Tokio, foreign: &tokio::runtime::Handle) {
    let (sleep, listener) = {
        let _guard = foreign.enter();
        (rt.sleep(Duration::from_millis(1)), rt.bind("127.0.0.1:0".parse().unwrap()).unwrap())
    };
    sleep.await;
    let address = listener.local_addr().unwrap();
    let (accepted, connected) = futures::join!(listener.accept(), rt.connect(address));
    accepted.unwrap();
    connected.unwrap();
}
