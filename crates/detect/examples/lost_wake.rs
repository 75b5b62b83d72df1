//! A channel of one value that loses a wake-up: it sets the value and drops the waker that it was to wake.
//!
//! ```text
//! cargo run -p polyloop-detect --example lost_wake
//! ```

#![forbid(unsafe_code)]

use polyloop_detect::{Detect, Finding, Limits};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};

/// The value, and who waits for it.
type Slot = Arc<Mutex<(Option<u32>, Option<Waker>)>>;

async fn receive(slot: Slot) -> u32 {
    poll_fn(|cx| {
        let mut slot = slot.lock().expect("nobody panics");
        match slot.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

fn send(slot: &Slot, value: u32) {
    let waiting = {
        let mut slot = slot.lock().expect("nobody panics");
        slot.0 = Some(value);
        slot.1.take()
    };
    drop(waiting); // `wake` was meant.
}

/// What is found, at the very moment at which the waker is dropped.
pub(crate) fn run() -> Option<Finding> {
    let (told, findings) = mpsc::channel();
    let detect = Detect::with(Limits::default(), move |finding| _ = told.send(finding.clone()));
    let slot = Slot::default();
    let executor = smol::LocalExecutor::new();
    executor.spawn(detect.task("receiver", receive(slot.clone()))).detach();
    while executor.try_tick() {}
    send(&slot, 7);
    findings.try_recv().ok()
}

#[cfg(not(test))]
fn main() {
    match run() {
        Some(finding) => println!("{finding}"),
        None => println!("nothing found"),
    }
}
