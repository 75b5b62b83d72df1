//! A chat room: the first line that one sends is one's name, and every further line is shown to everybody.
//!
//! A member is two tasks: one reads lines and tells the room, the other writes what comes into the member's inbox. Who is
//! gone, or doesn't read until his inbox is full, is told no more, and keeps nobody waiting.
//!
//! ```text
//! cargo run -p polyloop --example chat -- 9001       # then, in other terminals: nc 127.0.0.1 9001
//! POLYLOOP=fifo+poll+heap cargo run -p polyloop --example chat -- --demo     # ann hears bob come, say hello and go
//! ```

#![forbid(unsafe_code)]

use futures::channel::mpsc::{Sender, channel};
use futures::io::BufReader;
use futures::{AsyncBufReadExt, AsyncWriteExt, StreamExt};
use polyloop::Runtime;
use polyloop::net::{TcpListener, TcpStream};
use std::io;
use std::sync::{Arc, Mutex};

type Room = Arc<Mutex<Vec<Sender<String>>>>;

fn tell(room: &Room, line: &str) {
    room.lock().unwrap().retain_mut(|inbox| inbox.try_send(format!("{line}\n")).is_ok());
}

async fn member(stream: TcpStream, room: Room) {
    let (read, write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let Some(Ok(name)) = lines.next().await else { return };
    let (sender, inbox) = channel(64);
    room.lock().unwrap().push(sender);
    polyloop::spawn(inbox.map(Ok).forward(write.into_sink()));
    tell(&room, &format!("* {name} came"));
    while let Some(Ok(line)) = lines.next().await {
        tell(&room, &format!("{name}: {line}"));
    }
    tell(&room, &format!("* {name} went"));
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let room = Room::default();
    loop {
        let (stream, _) = listener.accept().await?;
        polyloop::spawn(member(stream, room.clone()));
    }
}

async fn run(port: &str) -> io::Result<()> {
    let demo = port == "--demo";
    let listener = TcpListener::bind(format!("127.0.0.1:{}", if demo { "0" } else { port })).await?;
    let room = listener.local_addr()?;
    eprintln!("listening on {room}");
    let serving = polyloop::spawn(serve(listener));
    if !demo {
        return serving.await?;
    }
    let ann = TcpStream::connect(room).await?;
    ann.write_all(b"ann\n").await?;
    let mut heard = BufReader::new(ann).lines();
    while let Some(line) = heard.next().await.transpose()? {
        println!("{line}");
        match line.as_str() {
            "* ann came" => TcpStream::connect(room).await?.write_all(b"bob\nhello\n").await?,
            "* bob went" => break,
            _ => {}
        }
    }
    Ok(())
}

fn main() {
    let port = std::env::args().nth(1).unwrap_or_else(|| "9001".into());
    let runtime = Runtime::from_env().map_err(io::Error::from);
    if let Err(error) = runtime.and_then(|runtime| runtime.block_on(run(&port))) {
        eprintln!("chat: {error}");
        std::process::exit(if error.kind() == io::ErrorKind::InvalidInput { 2 } else { 1 });
    }
}
