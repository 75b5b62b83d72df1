//! A library that knows no runtime but async-rs' kit of one: it spawns, blocks, sleeps, ticks, connects and watches.

#![forbid(unsafe_code)]

use async_rs::Runtime;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// Upper-cases what one client sends, on a thread that blocks, for this kit has no listener. The address.
///
/// # Errors
///
/// The kernel's word.
pub fn shouting<K: RuntimeKit>(runtime: &Runtime<K>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    // Dropping the task detaches it.
    drop(runtime.spawn_blocking(move || {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer)? {
                0 => return io::Result::Ok(()),
                n => stream.write_all(&buffer[..n].to_ascii_uppercase())?,
            }
        }
    }));
    Ok(address)
}

/// Sends `text` to who listens at `address`, a host and a port, and gives what comes back.
///
/// # Errors
///
/// The kernel's word, or the resolver's.
pub async fn ask<K: RuntimeKit + Sync>(
    runtime: &Runtime<K>,
    address: &str,
    text: &str,
) -> io::Result<String> {
    let addresses = runtime.to_socket_addrs(address.to_owned());
    let stream = runtime.tcp_connect(addresses).await?;
    exchange(stream, text).await
}

/// Sends `text` through a connection that was made elsewhere, and gives what comes back.
///
/// # Errors
///
/// The kernel's word.
pub async fn ask_by<K: RuntimeKit>(
    runtime: &Runtime<K>,
    connection: std::net::TcpStream,
    text: &str,
) -> io::Result<String> {
    exchange(runtime.register(connection)?, text).await
}

async fn exchange(
    mut stream: impl futures::AsyncRead + futures::AsyncWrite + Unpin,
    text: &str,
) -> io::Result<String> {
    // Both at once: neither side has room for all of it.
    let (mut reading, mut writing) = (&mut stream).split();
    let mut answer = vec![0; text.len()];
    let sent = async {
        writing.write_all(text.as_bytes()).await?;
        writing.flush().await
    };
    futures::try_join!(sent, reading.read_exact(&mut answer))?;
    String::from_utf8(answer).map_err(io::Error::other)
}

/// How long the first `count` ticks take.
pub async fn ticks<K: RuntimeKit>(runtime: &Runtime<K>, period: Duration, count: usize) -> Duration {
    let ticks: Vec<Instant> = std::pin::pin!(runtime.interval(period)).take(count).collect().await;
    match ticks.as_slice() {
        [first, .., last] => *last - *first,
        _ => Duration::ZERO,
    }
}
