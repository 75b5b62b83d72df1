//! Pages for the programs that want one, on loopback, so that the chapter needs no network.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Serves `/fast` and, a second later, `/slow`, until the process ends.
pub(crate) struct Server {
    port: u16,
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A program that hangs up has what it wanted.
                std::thread::spawn(move || drop(answer(stream)));
            }
        });
        Ok(Self { port })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let name = if head.starts_with(b"GET /slow ") { "slow" } else { "fast" };
    if name == "slow" {
        std::thread::park_timeout(Duration::from_secs(1));
    }
    let page = format!("<!doctype html><title>The {name} page</title><h1>Hello</h1>");
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len())
}
