//! Good programs on good runtimes: nothing is found.
//!
//! A heuristic that counts polls may speak when a thread is preempted: an `AtomicWaker` between whose flag and whose waker the
//! kernel stops the waking thread has the woken one spin, and smol on one thread polls the future of `block_on` whenever it
//! polls anything. Such counts are true and no fault of the program, so they are left out.

use crate::kit::is_count;
use futures::channel::mpsc;
use futures::future::{Either, join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, SinkExt};
use polyloop_detect::{Detect, Lock, watched};
use polyloop_traits::{Runtime, Smol, Tokio};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(1);

fn quiet<R: Runtime>(rt: &R) {
    let detect = Detect::new();
    rt.block_on(detect.task("main", async {
        let (send, mut receive) = mpsc::channel::<u32>(2);
        let lock = Arc::new(Lock::new("sum", tokio::sync::Mutex::new(0)));
        let other = Arc::new(Lock::new("other", smol::lock::Mutex::new(0)));
        let notify = Arc::new(tokio::sync::Notify::new());
        let mut tasks = Vec::new();
        for n in 0..8 {
            let (rt2, lock, other, mut send) = (rt.clone(), lock.clone(), other.clone(), send.clone());
            tasks.push(rt.spawn(detect.task("worker", async move {
                for m in 0..20 {
                    *lock.acquire(|lock| lock.lock()).await += 1;
                    let guard = other.acquire(|lock| lock.lock()).await;
                    rt2.yield_now().await;
                    drop(guard);
                    watched("send", send.send(n * 20 + m)).await.unwrap();
                    if m % 5 == 0 {
                        watched("nap", rt2.sleep(MOMENT)).await;
                    }
                }
            })));
        }
        drop(send);
        let told = notify.clone();
        let waits = rt.spawn(detect.task("waits", async move { told.notified().await }));
        let mut sum = 0;
        loop {
            // Losers are dropped, and polled anew in the next round.
            match select(watched("next", receive.next()), pin!(rt.sleep(10 * MOMENT))).await {
                Either::Left((Some(n), _)) => sum += n,
                Either::Left((None, _)) => break,
                Either::Right(_) => {}
            }
        }
        assert_eq!(sum, (0..160).sum());
        notify.notify_one();
        waits.await.unwrap_or_else(|_| panic!("it ends"));
        join_all((0..50).map(|n| watched("joined", rt.sleep(n % 3 * MOMENT)))).await;
        let mut set: FuturesUnordered<_> = (0..50)
            .map(|n| {
                watched("member", async move {
                    for _ in 0..n % 7 {
                        rt.yield_now().await;
                    }
                })
            })
            .collect();
        while set.next().await.is_some() {}
        let shared = async { rt.sleep(MOMENT).await }.shared();
        join_all([shared.clone(), shared.clone(), shared]).await;
        for task in tasks {
            task.await.unwrap_or_else(|_| panic!("it ends"));
        }
        assert_eq!(*lock.acquire(|lock| lock.lock()).await, 160);
    }));
    let found = detect.findings();
    let found: Vec<_> = found.iter().filter(|finding| !is_count(finding)).map(ToString::to_string).collect();
    assert!(found.is_empty(), "{found:#?}");
    let counts = detect.counts();
    let sleeps = counts.iter().find(|(name, _)| name == "joined").expect("polled").1;
    assert!(sleeps.polls >= 50, "{sleeps:?}");
    assert!(counts.iter().any(|(_, counts)| counts.wakes > 0), "{counts:?}");
}

#[test]
fn on_tokio_with_one_thread() {
    quiet(&Tokio::current_thread().unwrap());
}

#[test]
fn on_tokio_with_workers() {
    quiet(&Tokio::multi_thread(2).unwrap());
}

#[test]
fn on_smol_with_one_thread() {
    quiet(&Smol::one_thread());
}

#[test]
fn on_smol_with_threads() {
    quiet(&Smol::threads(2).unwrap());
}
