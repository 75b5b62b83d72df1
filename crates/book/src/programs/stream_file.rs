//! A file that is too large to be held at once: chunks of it, read on a thread that may block, no faster than they are taken.

use crate::Predicted;
use polyloop::sync::mpsc;
use polyloop::task::spawn_blocking;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::task::Poll;
use trpl::{Stream, StreamExt};

const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 100;

/// The file in chunks. Two of them wait at most, and then the reading does.
fn chunks(path: PathBuf) -> impl Stream<Item = io::Result<Vec<u8>>> + Unpin {
    let (tx, rx) = mpsc::channel(2);
    spawn_blocking(move || {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return drop(tx.blocking_send(Err(error))),
        };
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
            let item = match read {
                Ok(0) => return,
                Ok(_) => Ok(chunk),
                Err(error) => Err(error),
            };
            let failed = item.is_err();
            // Nobody wants the rest if the stream was dropped.
            if tx.blocking_send(item).is_err() || failed {
                return;
            }
        }
    });
    Chunks(rx)
}

/// The receiver as a stream.
struct Chunks(mpsc::Receiver<io::Result<Vec<u8>>>);

impl Stream for Chunks {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

pub(super) fn main(_: &[String]) {
    let path = std::env::temp_dir().join(format!("polyloop-book-{}", std::process::id()));
    let line = b"a line of a large file, sixty-four bytes long with its newline.\n";
    std::fs::write(&path, line.repeat(CHUNK * CHUNKS / line.len())).unwrap();
    trpl::run(async {
        let (mut count, mut lines, mut largest) = (0, 0, 0);
        let mut chunks = chunks(path.clone());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.unwrap();
            count += 1;
            lines += chunk.iter().filter(|byte| **byte == b'\n').count();
            largest = largest.max(chunk.len());
        }
        println!("{lines} lines in {count} chunks of at most {largest} bytes");
    });
    std::fs::remove_file(path).unwrap();
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["102400 lines in 100 chunks of at most 65536 bytes"])
}
