//! Sends each argument to a server, and prints what comes back; all by async-rs.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-kit --bin shout -- hello world
//! ```
//!
//! Then it waits for the end of its input.

#![forbid(unsafe_code)]

use async_rs::Runtime;
use async_rs::traits::Executor;
use ecosystem_kit::{ask, shouting, ticks};
use polyloop::Handle;
use std::error::Error;
use std::io;
use std::time::Duration;

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new(Handle::current());
    for word in std::env::args().skip(1) {
        let address = shouting(&runtime)?;
        println!("{}", ask(&runtime, &address.to_string(), &word).await?);
    }
    ticks(&runtime, Duration::from_millis(1), 3).await;
    runtime.spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await?;
    Ok(())
}
