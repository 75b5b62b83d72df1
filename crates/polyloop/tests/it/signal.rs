//! Signals of the process.
//!
//! Invariant: each test has a signal of its own, because they are the process's; and a listener, so that none of them ends it.

use polyloop::net::unix::UnixStream;
use polyloop::signal::ctrl_c;
use polyloop::signal::unix::{Signal, SignalKind, signal};
use polyloop::time::timeout;
use polyloop::{Handle, Runtime, spawn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGUSR1};
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

/// Used up by a failure alone.
const LIMIT: Duration = Duration::from_secs(20);

/// To this very thread, so that the handler has run when this returns.
fn raise(number: i32) {
    signal_hook::low_level::raise(number).unwrap();
}

async fn hears(signal: &mut Signal) {
    assert_eq!(timeout(LIMIT, signal.recv()).await, Ok(Some(())));
}

async fn hears_nothing(signal: &mut Signal) {
    poll_fn(|cx| {
        assert!(signal.poll_recv(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn each_listener_hears_of_each_signal_and_of_none_that_did_not_come() {
    crate::everywhere(|runtime| {
        let sources = runtime.handle().driver().registered_sources();
        runtime.block_on(async {
            let mut one = signal(SignalKind::user_defined1()).unwrap();
            let mut other = signal(SignalKind::user_defined1()).unwrap();
            hears_nothing(&mut one).await;
            for _ in 0..3 {
                raise(SIGUSR1);
                hears(&mut one).await;
                hears(&mut other).await;
                hears_nothing(&mut one).await;
            }
            // Those that come while nobody listens are one; more of them than a read takes.
            for _ in 0..200 {
                raise(SIGUSR1);
            }
            hears(&mut one).await;
            hears_nothing(&mut one).await;
            let waiting = spawn(async move { other.recv().await });
            drop(one);
            assert_eq!(waiting.await.unwrap(), Some(()));
            // Nobody listens, and the process goes on.
            raise(SIGUSR1);
        });
        assert_eq!(runtime.handle().driver().registered_sources(), sources);
    });
}

#[test]
fn what_was_opened_for_a_signal_is_closed() {
    // Other tests open files meanwhile, so many rounds are compared with a few.
    let runtime = Runtime::from_name("fifo+poll+heap").unwrap();
    runtime.block_on(async {
        for _ in 0..3000 {
            drop(signal(SignalKind::window_change()).unwrap());
        }
    });
    assert!(open_files() < 2000, "{} files are open", open_files());
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[test]
fn ctrl_c_is_waited_for() {
    crate::everywhere(|runtime| {
        // So that none comes before somebody listens.
        let _keep = runtime.block_on(async { signal(SignalKind::interrupt()).unwrap() });
        runtime.block_on(async {
            let (sender, receiver) = UnixStream::pair().unwrap();
            let waiting = spawn(async move {
                let mut waiting = std::pin::pin!(ctrl_c());
                poll_fn(|cx| {
                    assert!(waiting.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                sender.write_all(b"listens").await.unwrap();
                waiting.await
            });
            receiver.read_exact(&mut [0; 7]).await.unwrap();
            raise(SIGINT);
            timeout(LIMIT, waiting).await.unwrap().unwrap().unwrap();
        });
    });
}

#[test]
fn a_listener_of_a_runtime_that_is_gone_hears_no_more() {
    crate::everywhere(|runtime| {
        let name = runtime.combination().to_string();
        let own = Runtime::from_name(&name).unwrap();
        let (mut early, mut late) = own.block_on(async {
            (signal(SignalKind::hangup()).unwrap(), signal(SignalKind::hangup()).unwrap())
        });
        // Any runtime may wait as long as its own is driven, here by the thread that waits for this one.
        let handle = own.handle().clone();
        raise(SIGHUP);
        own.block_on(async { hears(&mut early).await });
        drop(own);
        runtime.block_on(async {
            assert_eq!(early.recv().await, None);
            assert!(late.next().await.unwrap_err().to_string().contains("shut down"));
        });
        let _within = handle.enter();
        assert!(signal(SignalKind::hangup()).unwrap_err().to_string().contains("shut down"));
        assert!(Handle::current().is_shut_down());
    });
}

#[polyloop::test(all)]
async fn what_cannot_be_caught_is_refused() {
    for number in [9, 19, 11, 4, 8] {
        let refused = signal(SignalKind::from_raw(number)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{number}");
    }
    for number in [-1, 0, 1000] {
        assert!(signal(SignalKind::from_raw(number)).is_err(), "{number}");
    }
    assert_eq!(i32::from(SignalKind::from(15)), SignalKind::terminate().as_raw_value());
}

#[test]
fn outside_of_a_runtime_there_is_no_signal() {
    let error = signal(SignalKind::user_defined2()).unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
}
