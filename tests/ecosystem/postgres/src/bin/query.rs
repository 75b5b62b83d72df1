//! Asks a PostgreSQL server for its version, and prints the answer.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-postgres --bin query -- 127.0.0.1:5432 postgres
//! ```
//!
//! Then it waits for the end of its input.

#![forbid(unsafe_code)]

use ecosystem_postgres::connect;
use std::error::Error;
use std::io;

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("an address like 127.0.0.1:5432 is expected")?.parse()?;
    let user = arguments.next().unwrap_or_else(|| "postgres".to_owned());
    let client = connect(address, &user).await?;
    println!("{}", client.query_one("SELECT version()", &[]).await?.get::<_, &str>(0));
    polyloop::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}
