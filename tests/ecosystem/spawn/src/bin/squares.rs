//! Tasks spawned through the trait of `futures`, by a future that is run through the trait of `criterion`.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-spawn --bin squares
//! ```
//!
//! Then it waits for the end of its input.

#![forbid(unsafe_code)]

use criterion::async_executor::AsyncExecutor;
use ecosystem_spawn::squares;
use polyloop::Runtime;
use std::error::Error;
use std::io;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::from_env()?;
    println!("{:?}", AsyncExecutor::block_on(&runtime, squares(runtime.handle(), 0..10)));
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
