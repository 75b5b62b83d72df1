//! An echo server: whatever a client sends comes back.
//!
//! One task accepts; each connection is a task of its own, so that a slow client keeps nobody else waiting.
//!
//! ```text
//! cargo run -p polyloop --example echo -- 9000       # then, in another terminal: nc 127.0.0.1 9000
//! POLYLOOP=fifo+poll+heap cargo run -p polyloop --example echo -- --demo
//! ```
//!
//! With `--demo` it is its own client, and one sees `100 clients got 400 KiB back, unchanged`.

#![forbid(unsafe_code)]

use polyloop::Runtime;
use polyloop::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;

/// Reads and writes until the client has sent its last.
async fn echo(client: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match client.read(&mut buffer).await? {
            0 => return Ok(()),
            n => client.write_all(&buffer[..n]).await?,
        }
    }
}

async fn serve(server: TcpListener) -> io::Result<()> {
    loop {
        let (client, address) = server.accept().await?;
        polyloop::spawn(async move {
            if let Err(error) = echo(client).await {
                eprintln!("{address}: {error}");
            }
        });
    }
}

/// A client: sends 4 KiB, and reads as much back.
async fn ask(server: SocketAddr, letter: u8) -> io::Result<usize> {
    let stream = TcpStream::connect(server).await?;
    let (sent, mut answer) = ([letter; 4096], [0; 4096]);
    stream.write_all(&sent).await?;
    stream.read_exact(&mut answer).await?;
    if answer == sent { Ok(answer.len()) } else { Err(io::Error::other("something else came back")) }
}

async fn run(port: &str) -> io::Result<()> {
    let demo = port == "--demo";
    let server = TcpListener::bind(format!("127.0.0.1:{}", if demo { "0" } else { port })).await?;
    let address = server.local_addr()?;
    println!("listening on {address}");
    if !demo {
        return serve(server).await;
    }
    polyloop::spawn(serve(server));
    let clients: Vec<_> = (0..100).map(|letter| polyloop::spawn(ask(address, letter))).collect();
    let mut bytes = 0;
    for client in clients {
        bytes += client.await??;
    }
    println!("100 clients got {} KiB back, unchanged", bytes / 1024);
    Ok(())
}

fn main() {
    let port = std::env::args().nth(1).unwrap_or_else(|| "9000".into());
    let runtime = Runtime::from_env().map_err(io::Error::from);
    if let Err(error) = runtime.and_then(|runtime| runtime.block_on(run(&port))) {
        eprintln!("echo: {error}");
        std::process::exit(if error.kind() == io::ErrorKind::InvalidInput { 2 } else { 1 });
    }
}
