//! An axum router, served over HTTP/1.1 and HTTP/2 on any combination, until its input ends.
//!
//! ```text
//! cd tests/ecosystem
//! POLYLOOP=fifo+poll+heap cargo run -p ecosystem-http --bin router -- 127.0.0.1:8080
//! curl http://127.0.0.1:8080/hello/you ; curl --http2-prior-knowledge http://127.0.0.1:8080/
//! ```

#![forbid(unsafe_code)]

use ecosystem_http::{end_of_input, router, serve};
use polyloop::net::TcpListener;
use std::io;

#[polyloop::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    serve(listener, router(), end_of_input()).await
}
