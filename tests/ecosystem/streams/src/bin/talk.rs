//! A chat over WebSocket and an echo in TLS, each with its own clients in the same process; the second client in TLS is
//! tokio-rustls'.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-streams --bin talk
//! ```
//!
//! Then it waits for the end of its input.

#![forbid(unsafe_code)]

use ecosystem_streams::{Guest, chat, tls_ask, tls_echo, tokio_tls_ask};
use ecosystem_support::Certified;
use polyloop::net::TcpListener;
use std::error::Error;
use std::io;

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    polyloop::spawn(chat(listener));
    let mut ann = Guest::enter(address, "ann").await?;
    let mut bob = Guest::enter(address, "bob").await?;
    bob.says("hello").await?;
    bob.hears().await?;
    bob.leaves().await?;
    for _ in 0..3 {
        println!("{}", ann.hears().await?);
    }

    let certified = Certified::localhost();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    polyloop::spawn(tls_echo(listener, certified.server()));
    let answer = tls_ask(address, certified.client(), b"in TLS").await?;
    println!("{}", String::from_utf8_lossy(&answer));
    let answer = tokio_tls_ask(address, certified.client(), b"in TLS by tokio-rustls").await?;
    println!("{}", String::from_utf8_lossy(&answer));
    polyloop::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}
