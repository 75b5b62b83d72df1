//! A server of lines, which gives each back in capitals.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-util --bin lines
//! ```
//!
//! It stops with the end of its input, and says how many connections there were.

#![forbid(unsafe_code)]

use ecosystem_util::shout;
use polyloop::net::TcpListener;
use std::error::Error;
use std::io;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let server = polyloop::spawn(shout(listener, stop.clone()));
    let (say, hear) = mpsc::channel(1);
    polyloop::task::spawn_blocking(move || {
        io::stdin().lines().map_while(Result::ok).try_for_each(|line| say.blocking_send(line))
    });
    let mut input = ReceiverStream::new(hear);
    while input.next().await.is_some() {}
    stop.cancel();
    println!("connections: {}", server.await?);
    Ok(())
}
