//! PostgreSQL through `tokio-postgres`, over a stream of ours and with its connection as a task of ours.

#![forbid(unsafe_code)]

use polyloop::net::TcpStream;
use std::error::Error;
use std::net::SocketAddr;
use tokio_postgres::{Client, Config, NoTls};

/// Connects as `user`; the connection is a task of the current runtime.
///
/// # Errors
///
/// The kernel's word, or the database's.
pub async fn connect(address: SocketAddr, user: &str) -> Result<Client, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // `Config::connect` would look for tokio's sockets and timers; this takes what it is given.
    let (client, connection) = Config::new().user(user).dbname("postgres").connect_raw(stream, NoTls).await?;
    polyloop::spawn(connection);
    Ok(client)
}
