//! A future that never yields starves the others of its task; whether it starves other tasks is up to the executor.
//!
//! `a` and `b` hold their thread step by step. Raced, both are one task, and no runtime can change what happens: without
//! yields `a` is through before `b` is polled at all, with yields they take turns. Spawned, they are two tasks: on one
//! thread they run in turn, on two workers side by side.
//!
//! ```text
//! POLYLOOP=fifo cargo run -p polyloop --example starvation
//! POLYLOOP=steal:2 cargo run -p polyloop --example starvation
//! ```
//!
//! One sees the steps, each named by its milliseconds, as they end. With `fifo`; `steal:2` needs 135 ms for each of the last two:
//!
//! ```text
//! one task,  no yields    60 ms  a30 a10 a20 a-end
//! one task,  yields      160 ms  a30 b75 a10 b10 a20 b15 a-end
//! two tasks, no yields   195 ms  a30 a10 a20 a-end b75 b10 b15 b35 b-end
//! two tasks, yields      195 ms  a30 b75 a10 b10 a20 b15 a-end b35 b-end
//! ```

#![forbid(unsafe_code)]

use futures::future::select;
use polyloop::Runtime;
use polyloop::task::{JoinError, yield_now};
use polyloop::time::Instant;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Log = Arc<Mutex<Vec<String>>>;

/// Keeps the thread, as a computation would.
#[expect(clippy::disallowed_methods, reason = "holding the thread is what this shows")]
fn slow(log: &Log, name: &str, millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
    log.lock().unwrap().push(format!("{name}{millis}"));
}

async fn steps(log: Log, name: &'static str, steps: &[u64], yields: bool) {
    for millis in steps {
        slow(&log, name, *millis);
        if yields {
            yield_now().await;
        }
    }
    log.lock().unwrap().push(format!("{name}-end"));
}

/// Runs both; what they did, and in how many milliseconds.
async fn run(spawned: bool, yields: bool) -> Result<(String, u128), JoinError> {
    let (log, start) = (Log::default(), Instant::now());
    let a = steps(log.clone(), "a", &[30, 10, 20], yields);
    let b = steps(log.clone(), "b", &[75, 10, 15, 35], yields);
    if spawned {
        let (a, b) = (polyloop::spawn(a), polyloop::spawn(b));
        a.await?;
        b.await?;
    } else {
        select(pin!(a), pin!(b)).await;
    }
    let said = log.lock().unwrap().join(" ");
    Ok((said, start.elapsed().as_millis()))
}

fn main() {
    let runtime = Runtime::from_env().unwrap_or_else(|error| {
        eprintln!("starvation: {error}");
        std::process::exit(2)
    });
    for (form, spawned) in [("one task, ", false), ("two tasks,", true)] {
        for (how, yields) in [("no yields", false), ("yields", true)] {
            let (said, millis) = runtime.block_on(run(spawned, yields)).expect("neither panics");
            println!("{form} {how:<9} {millis:>5} ms  {said}");
        }
    }
}
