//! A thousand tasks that say something, wait, and say something again, take as long as one of them.
//!
//! A task that waits costs no thread: it stands in the timer queue, and the runtime sleeps until the nearest deadline.
//!
//! ```text
//! cargo run -p polyloop --example delay_message          # a delay of 2 s
//! POLYLOOP=fifo+polling+heap cargo run -p polyloop --example delay_message -- 10
//! ```
//!
//! One sees `1000 messages, each delayed by 2s, took 2.01s`, and never 2000 s.

#![forbid(unsafe_code)]

use polyloop::Runtime;
use polyloop::time::{Instant, sleep};
use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

async fn delay_message(number: usize, delay: Duration) -> io::Result<()> {
    writeln!(io::stdout(), "{number}: step 1")?;
    sleep(delay).await;
    writeln!(io::stdout(), "{number}: step 2")
}

async fn run(delay: Duration) -> io::Result<()> {
    let start = Instant::now();
    let messages: Vec<_> = (0..1000).map(|number| polyloop::spawn(delay_message(number, delay))).collect();
    for message in messages {
        message.await??;
    }
    writeln!(io::stdout(), "1000 messages, each delayed by {delay:?}, took {:.2?}", start.elapsed())
}

fn fail(code: i32, why: impl Display) -> ! {
    eprintln!("delay_message: {why}");
    std::process::exit(code)
}

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "2".into());
    let delay = argument.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let delay = delay.unwrap_or_else(|| fail(2, format!("`{argument}` is no number of seconds")));
    let runtime = Runtime::from_env().unwrap_or_else(|error| fail(2, error));
    runtime.block_on(run(delay)).unwrap_or_else(|error| fail(1, error));
}
