//! Models of waiting: a notification and a wait, and a task that comes home while its thread falls asleep.

use super::*;
use crate::local::LocalQueue;
use crate::loom_parts::{Bell, BellParker, driver};
use crate::task::{Meta, Ran};
use core::future::poll_fn;
use core::panic::Location;
use core::task::{Poll, Waker};
use loom::sync::Mutex as LoomMutex;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

fn parking(driver: &Arc<Driver>) -> Arc<Parking> {
    Arc::new(Parking::new(driver.clone(), Box::new(BellParker(Bell::new()))))
}

#[test]
fn loom_a_notification_ends_the_wait_in_the_driver() {
    loom::model(|| {
        let driver = driver();
        let parking = parking(&driver);
        let notifying = {
            let parking = parking.clone();
            thread::spawn(move || parking.unpark())
        };
        let mut lease = driver.try_lease().expect("nobody else takes it");
        // loom reports a deadlock if this does not return.
        parking.wait_in_driver(&mut lease, Turn::Wait, &mut Wakes::new()).unwrap();
        drop(lease);
        notifying.join().unwrap();
    });
}

#[test]
fn loom_a_notification_finds_a_thread_that_has_left_the_driver() {
    loom::model(|| {
        let driver = driver();
        let parking = parking(&driver);
        driver.unpark();
        let work = loom::sync::Arc::new(AtomicUsize::new(0));
        let notifying = {
            let (parking, work) = (parking.clone(), work.clone());
            thread::spawn(move || {
                work.store(1, Relaxed);
                parking.unpark();
            })
        };
        // The first wait ends by the call above, unless by the notification.
        let mut lease = driver.try_lease().expect("nobody else takes it");
        parking.wait_in_driver(&mut lease, Turn::Wait, &mut Wakes::new()).unwrap();
        drop(lease);
        parking.heed();
        while work.load(Relaxed) == 0 {
            // The next wait is elsewhere, as somebody else may have the lease by now.
            parking.wait_in_thread();
            parking.heed();
        }
        notifying.join().unwrap();
    });
}

#[test]
fn loom_a_task_that_comes_home_finds_its_thread_awake() {
    loom::model(|| {
        let driver = driver();
        let parking = parking(&driver);
        let local = LocalQueue::new(parking.clone());
        let (hand_out, waker) = {
            let slot = loom::sync::Arc::new(LoomMutex::new(None::<Waker>));
            (slot.clone(), slot)
        };
        local.enter(|entered| {
            let mut polls = 0;
            let task = entered.spawn(
                poll_fn(move |cx| {
                    polls += 1;
                    if polls == 2 {
                        return Poll::Ready(());
                    }
                    *hand_out.lock().unwrap() = Some(cx.waker().clone());
                    Poll::Pending
                }),
                Meta::new(Location::caller()),
            );
            let ran = entered.pop().expect("the task was spawned").run();
            assert!(matches!(ran, Ran::Pending));
            let waking = thread::spawn(move || {
                let waker = waker.lock().unwrap().take().expect("the task left it");
                waker.wake();
            });
            // As the loop of `block_on` does it.
            loop {
                parking.heed();
                while let Some(runnable) = entered.pop() {
                    let _ = runnable.run();
                }
                if task.is_finished() {
                    break;
                }
                parking.wait_in_thread();
            }
            waking.join().unwrap();
        });
    });
}
