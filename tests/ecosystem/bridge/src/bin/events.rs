//! A server of events, through the bridge, until its input ends.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-bridge --bin events
//! curl --no-buffer http://127.0.0.1:PORT/events
//! ```

#![forbid(unsafe_code)]

use ecosystem_bridge::serve;
use polyloop::net::TcpListener;
use std::io;

#[polyloop::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let end = polyloop::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    polyloop::select! {
        served = serve(listener, true) => served,
        _ = end => Ok(()),
    }
}
