//! A QUIC server and its client in one process: the client sends each argument, and prints what comes back.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-quic --bin quic_echo -- hello world
//! ```
//!
//! Then it waits for the end of its input.

#![forbid(unsafe_code)]

use ecosystem_quic::{ask, client, echo, server};
use ecosystem_support::Certified;
use std::error::Error;
use std::io;
use std::time::Duration;

const IDLE: Duration = Duration::from_secs(30);

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let certified = Certified::localhost();
    let server = server(&certified, IDLE)?;
    let address = server.local_addr()?;
    polyloop::spawn(echo(server.clone()));

    let client = client(&certified, IDLE)?;
    let connection = client.connect(address, "localhost")?.await?;
    for word in std::env::args().skip(1) {
        let answer = ask(&connection, word.as_bytes()).await.map_err(|error| error.to_string())?;
        println!("{}", String::from_utf8_lossy(&answer));
    }
    polyloop::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    connection.close(0_u32.into(), b"done");
    client.wait_idle().await;
    server.close(0_u32.into(), b"done");
    server.wait_idle().await;
    println!("closed");
    Ok(())
}
