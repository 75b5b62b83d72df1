//! The first of two answers wins, and nobody waits longer than he wants to.
//!
//! A future that is no longer wanted is dropped, and with it goes what it held: that is all that cancelling is.
//!
//! ```text
//! cargo run -p polyloop --example race_timeout
//! POLYLOOP=fifo+polling+heap cargo run -p polyloop --example race_timeout -- 10      # waits for 10 ms at most
//! ```
//!
//! One sees which of the two ended, which was given up, and when:
//!
//! ```text
//! fast: an answer after 50 ms
//! slow: given up after 50 ms
//! alone: given up after 100 ms
//! nobody answered within 100ms
//! ```

#![forbid(unsafe_code)]

use futures::future::{Either, select};
use polyloop::Runtime;
use polyloop::time::{Instant, sleep, timeout};
use std::pin::pin;
use std::time::Duration;

/// Says how its life ended, and after how long.
struct Life {
    name: &'static str,
    start: Instant,
    end: &'static str,
}

impl Drop for Life {
    fn drop(&mut self) {
        println!("{}: {} after {} ms", self.name, self.end, self.start.elapsed().as_millis());
    }
}

async fn answer(name: &'static str, after: Duration) -> &'static str {
    let mut life = Life { name, start: Instant::now(), end: "given up" };
    sleep(after).await;
    life.end = "an answer";
    name
}

async fn run(patience: Duration) {
    {
        let fast = pin!(answer("fast", Duration::from_millis(50)));
        let slow = pin!(answer("slow", Duration::from_secs(5)));
        let (Either::Left((first, _)) | Either::Right((first, _))) = select(fast, slow).await;
        assert_eq!(first, "fast");
    }
    match timeout(patience, answer("alone", Duration::from_secs(5))).await {
        Ok(name) => println!("{name} answered in time"),
        Err(_) => println!("nobody answered within {patience:?}"),
    }
}

fn fail(why: impl std::fmt::Display) -> ! {
    eprintln!("race_timeout: {why}");
    std::process::exit(2)
}

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "100".into());
    let millis =
        argument.parse().unwrap_or_else(|_| fail(format!("`{argument}` is no number of milliseconds")));
    let runtime = Runtime::from_env().unwrap_or_else(|error| fail(error));
    runtime.block_on(run(Duration::from_millis(millis)));
}
