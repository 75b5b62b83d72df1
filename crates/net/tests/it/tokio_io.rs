//! Streams by tokio's traits.

use crate::rig::{Rig, on_every_reactor};
use polyloop_net::unix::UnixStream;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};

/// So many that writing has to wait for the reader.
const MANY: usize = 1 << 20;

fn bytes() -> Vec<u8> {
    (0..MANY).map(|at| (at % 251) as u8).collect()
}

fn what_is_copied_comes_back_whole(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        let echo = rig.spawn(async move {
            let (mut read, mut write) = server.into_split();
            tokio::io::copy(&mut read, &mut write).await.unwrap()
            // Dropping the half ends writing.
        });
        let (mut read, mut write) = client.into_split();
        let sending = rig.spawn(async move {
            AsyncWriteExt::write_all(&mut write, &bytes()).await.unwrap();
            AsyncWriteExt::shutdown(&mut write).await.unwrap();
            write
        });
        let mut back = Vec::new();
        assert_eq!(read.read_to_end(&mut back).await.unwrap(), MANY);
        assert!(back == bytes());
        assert_eq!(echo.await.unwrap(), MANY as u64);
        drop(sending.await.unwrap());
    });
}

fn memory_that_nobody_wrote_to_is_filled_and_not_more_of_it_than_was_read(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        one.write_all(b"hello").await.unwrap();
        let mut memory = vec![MaybeUninit::uninit(); MANY];
        let mut buffer = ReadBuf::uninit(&mut memory);
        let mut stream = &other;
        while buffer.filled().len() < 5 {
            poll_fn(|cx| AsyncRead::poll_read(Pin::new(&mut stream), cx, &mut buffer)).await.unwrap();
        }
        assert_eq!(buffer.filled(), b"hello");
        assert!(buffer.initialized().len() < MANY / 2, "clearing costs time");
        // No room is no read, and not the end.
        let mut none = ReadBuf::new(&mut []);
        poll_fn(|cx| AsyncRead::poll_read(Pin::new(&mut stream), cx, &mut none)).await.unwrap();
        // What another family of traits left is there for this one.
        one.write_all(b"more").await.unwrap();
        let mut word = [0; 4];
        AsyncReadExt::read_exact(&mut stream, &mut word).await.unwrap();
        assert_eq!(&word, b"more");
    });
}

fn lines_end_with_the_stream(rig: &Rig) {
    rig.run(async {
        let (one, mut other) = UnixStream::pair_on(&rig.net).unwrap();
        let sending = rig.spawn(async move {
            let (_, mut write) = other.split();
            for n in 0..100 {
                AsyncWriteExt::write_all(&mut write, format!("line {n}\n").as_bytes()).await.unwrap();
            }
            AsyncWriteExt::shutdown(&mut write).await.unwrap();
            other
        });
        let mut lines = BufReader::new(one).lines();
        for n in 0..100 {
            assert_eq!(lines.next_line().await.unwrap(), Some(format!("line {n}")));
        }
        assert_eq!(lines.next_line().await.unwrap(), None);
        drop(sending.await.unwrap());
    });
}

fn several_buffers_are_written_at_once(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        assert!(one.is_write_vectored());
        let parts = [IoSlice::new(b"vec"), IoSlice::new(b"tored")];
        let written = AsyncWriteExt::write_vectored(&mut &one, &parts).await.unwrap();
        assert!(rig.is_chaotic || written == 8);
        let mut word = vec![0; written];
        other.read_exact(&mut word).await.unwrap();
        assert_eq!(word, b"vectored"[..written]);
    });
}

fn reading_ends_with_the_runtime(rig: &Rig) {
    let (one, _other) = UnixStream::pair_on(&rig.net).unwrap();
    rig.fifo.shut_down(std::time::Duration::ZERO);
    let elsewhere = Rig::new(polyloop_reactor::ALL[0].1().unwrap());
    elsewhere.run(async {
        let mut stream = &one;
        let error = AsyncReadExt::read(&mut stream, &mut [0]).await.unwrap_err();
        assert!(error.to_string().contains("shut down"), "{error}");
        let error = AsyncWriteExt::write(&mut stream, &[0]).await.unwrap_err();
        assert!(error.to_string().contains("shut down"), "{error}");
    });
}

fn the_task_that_polled_last_is_woken(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        let one = std::sync::Arc::new(one);
        let mut memory = [0; 1];
        // This task polls first, and the spawned one takes its place.
        poll_fn(|cx| {
            let mut buffer = ReadBuf::new(&mut memory);
            assert!(AsyncRead::poll_read(Pin::new(&mut &*one), cx, &mut buffer).is_pending());
            Poll::Ready(())
        })
        .await;
        let reading = rig.spawn(async move { AsyncReadExt::read_u8(&mut &*one).await });
        rig.sleep(2).await;
        other.write_all(b"x").await.unwrap();
        assert_eq!(reading.await.unwrap().unwrap(), b'x');
        Ok::<_, io::Error>(())
    })
    .unwrap();
}

on_every_reactor! {
    what_is_copied_comes_back_whole
    memory_that_nobody_wrote_to_is_filled_and_not_more_of_it_than_was_read
    lines_end_with_the_stream
    several_buffers_are_written_at_once
    reading_ends_with_the_runtime
    the_task_that_polled_last_is_woken
}
