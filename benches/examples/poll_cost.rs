//! Polls a task that yields so many times, and nothing else: for counting instructions.
//!
//! The cost of a poll is the difference between two numbers of polls, divided; what a mechanism costs is the difference to a build
//! without it. `cargo xtask bench watch` does both. By hand:
//!
//! ```sh
//! cargo build --release -p polyloop-benches --example poll_cost
//! for polls in 100000 200000; do
//!     valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/poll_cost fifo yield $polls
//! done
//! ```
//!
//! The clock stands still, so that the driver turns after so many polls however slow valgrind is, and nobody watches: what the
//! monitor does is no cost of a poll, and differs from run to run. The thread shows itself all the same.

use polyloop::task::JoinHandle;
use polyloop::{Builder, Runtime, task};
use polyloop_time::ManualClock;
use std::error::Error;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "fifo".to_owned());
    let what = words.next().unwrap_or_else(|| "yield".to_owned());
    let polls: u32 = words.next().and_then(|polls| polls.parse().ok()).unwrap_or(100_000);
    let block = if name.starts_with("fifo") { "" } else { "+mio+wheel,block=none" };
    let builder = Builder::new().combination(format!("{name}{block}").as_str());
    let runtime = builder.clock(ManualClock::new()).stall_threshold(None).build()?;
    let done = match what.as_str() {
        "yield" => runtime.block_on(yields(&runtime, polls)),
        "wake" => runtime.block_on(wakes(&runtime, polls)),
        other => return Err(format!("`{other}` is neither `yield` nor `wake`").into()),
    };
    println!("{name}: {done:?} polls");
    Ok(())
}

/// A task that yields.
fn yields(runtime: &Runtime, polls: u32) -> JoinHandle<u32> {
    runtime.spawn(async move {
        for _ in 0..polls {
            task::yield_now().await;
        }
        polls
    })
}

/// Two tasks that wake each other by turns.
fn wakes(runtime: &Runtime, polls: u32) -> JoinHandle<u32> {
    let waiting: [Arc<Mutex<Option<Waker>>>; 2] = Default::default();
    let player = |mine: usize| {
        let (mine, other) = (Arc::clone(&waiting[mine]), Arc::clone(&waiting[1 - mine]));
        let mut left = polls / 2;
        poll_fn(move |cx| {
            if let Ok(mut mine) = mine.lock() {
                match &mut *mine {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *mine = Some(cx.waker().clone()),
                }
            }
            if let Some(waker) = other.lock().ok().as_deref().and_then(Option::as_ref) {
                waker.wake_by_ref();
            }
            left = left.saturating_sub(1);
            if left == 0 { Poll::Ready(polls) } else { Poll::Pending }
        })
    };
    drop(runtime.spawn(player(0)));
    runtime.spawn(player(1))
}
