//! Wakers that are used from any thread, and in destructors and sinks.

use crate::kit::{Bench, Kept, is_count, keeps, kinds};
use futures::channel::{mpsc, oneshot};
use futures::stream::StreamExt;
use polyloop_detect::{Detect, Limits};
use std::sync::{Arc, Mutex};
use std::thread;

#[test]
fn wakes_drops_and_polls_from_many_threads() {
    const ROUNDS: u32 = 2_000;
    let detect = Detect::new();
    let (send, mut receive) = mpsc::channel::<u32>(4);
    thread::scope(|scope| {
        for _ in 0..3 {
            let mut send = send.clone();
            scope.spawn(|| {
                futures::executor::block_on(detect.task("sender", async move {
                    use futures::SinkExt;
                    for n in 0..ROUNDS {
                        send.send(n).await.unwrap();
                    }
                }));
            });
        }
        drop(send);
        let sum = futures::executor::block_on(detect.task("receiver", async {
            let mut sum = 0;
            while let Some(n) = receive.next().await {
                sum += u64::from(n);
            }
            sum
        }));
        assert_eq!(sum, 3 * u64::from(ROUNDS) * u64::from(ROUNDS - 1) / 2);
    });
    let found = detect.findings();
    assert!(found.iter().all(is_count), "{found:#?}");
}

#[test]
fn the_last_of_many_clones_is_dropped_by_whatever_thread() {
    for _ in 0..200 {
        let (detect, kept) = (Detect::new(), Kept::default());
        let mut task = Bench::new(detect.task("task", keeps(&kept)));
        assert!(task.poll().is_pending());
        let waker = kept.lock().unwrap().pop().unwrap();
        thread::scope(|scope| {
            for clone in [waker.clone(), waker.clone(), waker] {
                scope.spawn(move || drop(clone));
            }
        });
        assert_eq!(kinds(&detect).len(), 1);
    }
}

#[test]
fn one_wake_among_many_drops_is_enough() {
    for _ in 0..200 {
        let (detect, kept) = (Detect::new(), Kept::default());
        let mut task = Bench::new(detect.task("task", keeps(&kept)));
        assert!(task.poll().is_pending());
        let waker = kept.lock().unwrap().pop().unwrap();
        let last = waker.clone();
        thread::scope(|scope| {
            scope.spawn(move || waker.wake());
            scope.spawn(move || drop(last));
        });
        assert!(!task.run());
        // Whether the wake or the drop came first: the waker was not gone before the wake.
        assert_eq!(kinds(&detect), []);
    }
}

#[test]
fn a_sink_may_use_its_detectors() {
    let slot = Arc::new(Mutex::new(None::<Detect>));
    let (inner, (told, found)) = (slot.clone(), oneshot::channel());
    let told = Mutex::new(Some(told));
    let detect = Detect::with(Limits::default(), move |_| {
        let detect = inner.lock().unwrap().clone().unwrap();
        told.lock().unwrap().take().unwrap().send(detect.findings().len()).unwrap();
    });
    *slot.lock().unwrap() = Some(detect.clone());
    let mut task = Bench::new(detect.task("task", std::future::pending::<()>()));
    assert!(task.poll().is_pending());
    assert_eq!(futures::executor::block_on(found), Ok(1));
}
