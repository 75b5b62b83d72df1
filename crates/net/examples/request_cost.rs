//! An echo server on a chosen reactor, and a client in a thread of plain blocking calls: what does one request cost?
//!
//! ```text
//! cargo build --release -p polyloop-net --example request_cost
//! strace -f -c target/release/examples/request_cost mio 10000
//! ```
//!
//! prints what the whole process called; the difference between two numbers of requests is the price of those in between.
//! With `plain` as reactor the server blocks as well, for the least that anybody can pay.

#![forbid(unsafe_code)]

use polyloop_core::{Driver, Meta};
use polyloop_fifo::Fifo;
use polyloop_net::{Context, Resolve, Resolving, TcpListener};
use polyloop_time::{Heap, SystemClock};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::Location;
use std::sync::Arc;
use std::thread;

const REQUEST: usize = 64;

struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: String, _: u16) -> Resolving {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

/// Asks so many times, one after the other, then leaves.
fn ask(address: SocketAddr, requests: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answer = [0; REQUEST];
    for request in 0..requests {
        let question = [request as u8; REQUEST];
        stream.write_all(&question)?;
        stream.read_exact(&mut answer)?;
        assert_eq!(answer, question);
    }
    Ok(())
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}

fn serve_plainly(listener: &std::net::TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n])?,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let reactor = arguments.next().unwrap_or_else(|| "mio".into());
    let requests = arguments.next().map_or(Ok(10_000), |number| number.parse())?;
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    if reactor == "plain" {
        let listener = std::net::TcpListener::bind(any_port)?;
        let address = listener.local_addr()?;
        let client = thread::spawn(move || ask(address, requests));
        serve_plainly(&listener)?;
        return Ok(client.join().expect("the client does not panic")?);
    }
    let make = polyloop_reactor::ALL.iter().find(|(name, _)| *name == reactor);
    let (_, make) = make.ok_or_else(|| format!("no reactor `{reactor}`"))?;
    let driver = Driver::new(make()?, Box::new(Heap::new()), Arc::new(SystemClock));
    let context = Context { driver: driver.clone(), resolver: Arc::new(NoNames) };
    let listener = TcpListener::bind_on(&context, any_port)?;
    let address = listener.local_addr()?;
    let client = thread::spawn(move || ask(address, requests));
    Fifo::new(driver).try_block_on(serve(listener), Meta::new(Location::caller()))??;
    Ok(client.join().expect("the client does not panic")?)
}
