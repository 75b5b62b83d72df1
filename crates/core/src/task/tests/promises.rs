//! What may be sent and shared, and how much memory a task takes: promises that a change must not break unseen.

use super::super::cell::Header;
use super::*;
use crate::{RunQueue, RunSlot, WakeBatch};
use std::panic::{RefUnwindSafe, UnwindSafe};

const fn is_send<T: Send>() {}
const fn is_sync<T: Sync>() {}
const fn is_unpin<T: Unpin>() {}
const fn unwinds<T: UnwindSafe + RefUnwindSafe>() {}

/// Sendable and shareable, or only sendable. What must not be either is in the doc tests of the types.
const _: () = {
    is_send::<Runnable>();
    is_sync::<Runnable>();
    is_send::<Ran>();
    is_send::<JoinHandle<std::cell::Cell<u8>>>();
    is_sync::<JoinHandle<std::cell::Cell<u8>>>();
    is_unpin::<JoinHandle<std::marker::PhantomPinned>>();
    unwinds::<JoinHandle<&mut u8>>();
    is_send::<AbortHandle>();
    is_sync::<AbortHandle>();
    unwinds::<AbortHandle>();
    is_send::<JoinError>();
    is_sync::<JoinError>();
    is_send::<Id>();
    is_sync::<Id>();
    is_send::<TaskSpace>();
    is_sync::<TaskSpace>();
    is_send::<RunQueue>();
    is_send::<RunSlot>();
    is_sync::<RunSlot>();
    is_send::<WakeBatch>();
    is_sync::<WakeBatch>();
    is_send::<Meta>();
    is_sync::<Meta>();
};

/// How many tasks of this future a page of 64 KiB holds, by filling pages.
fn per_page<F: Future<Output = ()> + Send + 'static>(make: impl Fn() -> F) -> usize {
    let world = World::new();
    let mut tasks = 0;
    while world.space.allocated_bytes() <= 64 * 1024 {
        drop(world.spawn(make()));
        tasks += 1;
    }
    world.assert_empty();
    tasks - 1
}

#[test]
#[cfg_attr(miri, ignore = "sizes are no other under Miri, which takes long over a thousand tasks")]
fn an_empty_task_takes_64_bytes() {
    assert_eq!((size_of::<Header>(), size_of::<Result<(), JoinError>>()), (48, 8));
    let tasks = per_page(|| async {});
    // 1,024 less what the page's own header takes; the next size of a slot would give 819.
    assert!((1000..=1024).contains(&tasks), "{tasks} in a page");
}

#[test]
fn a_task_of_256_bytes_takes_its_header_more() {
    let tasks = per_page(|| {
        std::future::poll_fn::<(), _>({
            let bytes = [0_u8; 256];
            move |_| {
                std::hint::black_box(&bytes);
                Poll::Ready(())
            }
        })
    });
    assert!(64 * 1024 / tasks < 256 + 48 + 16, "{tasks} in a page");
}

#[test]
fn handles_are_small() {
    assert_eq!(size_of::<Runnable>(), 8);
    assert_eq!(size_of::<Option<Runnable>>(), 8);
    assert_eq!(size_of::<AbortHandle>(), 16);
    assert!(size_of::<JoinHandle<[u8; 100]>>() <= 32);
}
