//! Data that arrives over the network: the lines of a connection as a stream, however they were cut on the way.

use crate::Predicted;
use polyloop::net::{TcpListener, TcpStream};
use std::time::Duration;
use trpl::{ReceiverStream, Stream, StreamExt};

/// The lines that arrive, up to the end of the connection.
fn lines(stream: TcpStream) -> impl Stream<Item = String> + Unpin {
    let (tx, rx) = trpl::channel();
    trpl::spawn_task(async move {
        let (mut rest, mut buffer) = (Vec::new(), [0; 64]);
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            rest.extend_from_slice(&buffer[..read]);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                if tx.send(line).is_err() {
                    return;
                }
            }
        }
    });
    ReceiverStream::new(rx)
}

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sending = trpl::spawn_task(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            for piece in ["one\ntw", "o\nthr", "ee", "\n"] {
                stream.write_all(piece.as_bytes()).await.unwrap();
                trpl::sleep(Duration::from_millis(10)).await;
            }
        });
        let (stream, _) = listener.accept().await.unwrap();
        let mut lines = lines(stream);
        while let Some(line) = lines.next().await {
            println!("{line}");
        }
        sending.await.unwrap();
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["one\ntwo\nthree"])
}
