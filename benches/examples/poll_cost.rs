//! Polls a task that yields so many times, and nothing else: for counting instructions.
//!
//! The cost of a poll is the difference between two numbers of polls, divided; what the watch over polls costs is the difference
//! to a build without it:
//!
//! ```sh
//! cargo build --release -p polyloop-benches --example poll_cost
//! for polls in 100000 200000; do
//!     valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/poll_cost fifo $polls
//! done
//! ```

use polyloop::{BuildError, Runtime, task};

fn main() -> Result<(), BuildError> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "fifo".to_owned());
    let polls: u32 = words.next().and_then(|polls| polls.parse().ok()).unwrap_or(100_000);
    let runtime = Runtime::from_name(&name)?;
    let task = runtime.spawn(async move {
        for _ in 0..polls {
            task::yield_now().await;
        }
        polls
    });
    let done = runtime.block_on(task);
    println!("{name}: {done:?} polls");
    Ok(())
}
