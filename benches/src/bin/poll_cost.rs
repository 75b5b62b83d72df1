//! Polls a task that yields so many times, and nothing else: for counting instructions.
//!
//! The cost of a poll is the difference between two numbers of polls, divided; what a mechanism costs is the difference to a build
//! without it. `cargo xtask bench watch` does both. By hand:
//!
//! ```sh
//! cargo build --release -p polyloop-benches --bin poll_cost
//! for polls in 100000 200000; do
//!     valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/poll_cost fifo yield $polls
//! done
//! ```
//!
//! The clock stands still, so that the driver turns after so many polls however slow valgrind is, and nobody watches: what the
//! monitor does is no cost of a poll, and differs from run to run. The thread shows itself all the same.

#![forbid(unsafe_code)]

use polyloop::task::JoinHandle;
use polyloop::{Builder, Runtime, task};
use polyloop_time::ManualClock;
use std::future::poll_fn;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let told = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [name, what, polls] => measured(name, what, polls),
        _ => Err("wants an executor, `yield` or `wake`, and a number of polls".into()),
    };
    match told {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("poll_cost: {why}");
            ExitCode::from(2)
        }
    }
}

fn measured(name: &str, what: &str, polls: &str) -> Result<String, String> {
    let polls = polls.parse().map_err(|error| format!("`{polls}` is no number of polls: {error}"))?;
    let block = if name.starts_with("fifo") { "" } else { "+mio+wheel,block=none" };
    let builder = Builder::new().combination(format!("{name}{block}").as_str());
    let built = builder.clock(ManualClock::new()).stall_threshold(None).build();
    let runtime = built.map_err(|error| error.to_string())?;
    let done = match what {
        "yield" => runtime.block_on(yields(&runtime, polls)),
        "wake" => runtime.block_on(wakes(&runtime, polls)),
        other => return Err(format!("`{other}` is neither `yield` nor `wake`")),
    };
    let done = done.map_err(|error| error.to_string())?;
    Ok(format!("{name}: {done} polls"))
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
