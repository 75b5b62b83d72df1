//! TCP, over the loopback.

use super::{Counter, New};
use futures::future::{join, join_all, poll_fn};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use polyloop_traits::{Runtime, TcpListener};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Two ends of one connection.
pub(crate) async fn pair<R: Runtime>(rt: &R) -> (R::TcpStream, R::TcpStream) {
    let listener = rt.bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();
    let (near, far) = join(rt.connect(addr), listener.accept()).await;
    (near.unwrap(), far.unwrap().0)
}

/// Answers with what comes, in pieces of `size`, until the peer has no more.
async fn echo(mut stream: impl AsyncRead + futures::AsyncWrite + Unpin, size: usize) {
    let mut buffer = vec![0; size];
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            n => stream.write_all(&buffer[..n]).await.unwrap(),
        }
    }
    stream.close().await.unwrap();
}

/// An echo server gives back what it got.
pub fn bytes_come_back<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let (mut near, far) = pair(&rt).await;
        let server = rt.spawn(echo(far, 8));
        for round in 0..10 {
            let sent = [round; 8];
            near.write_all(&sent).await.unwrap();
            let mut got = [0; 8];
            near.read_exact(&mut got).await.unwrap();
            assert_eq!(got, sent);
        }
        drop(near);
        server.await.unwrap();
    });
}

/// A reader that wants more than has come waits for the rest.
pub fn bytes_that_come_in_parts_are_all_read<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let (mut near, mut far) = pair(&rt).await;
        let reader = rt.spawn(async move {
            let mut got = [0; 3];
            near.read_exact(&mut got).await.unwrap();
            got
        });
        for byte in [1, 2, 3] {
            far.write_all(&[byte]).await.unwrap();
            rt.sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(reader.await.unwrap(), [1, 2, 3]);
    });
}

/// The end of one direction is read as such, and the other one still works.
pub fn a_half_closed_connection_still_answers<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let (mut near, mut far) = pair(&rt).await;
        let server = rt.spawn(async move {
            let mut got = Vec::new();
            far.read_to_end(&mut got).await.unwrap();
            far.write_all(&[got.len() as u8]).await.unwrap();
            got
        });
        near.write_all(b"question").await.unwrap();
        near.close().await.unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [8]);
        assert_eq!(server.await.unwrap(), b"question");
    });
}

/// More than the kernel buffers, written and read in odd pieces, so that both sides wait again and again.
pub fn a_mebibyte_through_small_buffers<R: Runtime, K>(new: New<R, K>) {
    const SIZE: usize = 1 << 20;
    let (rt, _alive) = new();
    let byte = |at: usize| (at % 251) as u8;
    rt.block_on(async {
        let (mut near, mut far) = pair(&rt).await;
        let writer = rt.spawn(async move {
            let all: Vec<u8> = (0..SIZE).map(byte).collect();
            for piece in all.chunks(1021) {
                near.write_all(piece).await.unwrap();
            }
            near.close().await.unwrap();
        });
        let mut buffer = [0; 509];
        let mut at = 0;
        loop {
            let got = far.read(&mut buffer).await.unwrap();
            if got == 0 {
                break;
            }
            assert!(buffer[..got].iter().enumerate().all(|(after, got)| *got == byte(at + after)));
            at += got;
        }
        assert_eq!(at, SIZE);
        writer.await.unwrap();
    });
}

/// Fifty clients of one listener, all at the same time.
pub fn many_connections<R: Runtime, K>(new: New<R, K>) {
    const CLIENTS: usize = 50;
    let (rt, _alive) = new();
    rt.block_on(async {
        let listener = rt.bind(loopback()).unwrap();
        let addr = listener.local_addr().unwrap();
        let within = rt.clone();
        let server = rt.spawn(async move {
            let mut echoes = Vec::new();
            for _ in 0..CLIENTS {
                let (stream, _) = listener.accept().await.unwrap();
                echoes.push(within.spawn(echo(stream, 16)));
            }
            join_all(echoes).await.into_iter().for_each(Result::unwrap);
        });
        let client = |number: usize| {
            let within = rt.clone();
            rt.spawn(async move {
                let mut stream = within.connect(addr).await.unwrap();
                let sent = [number as u8; 16];
                let mut got = [0; 16];
                for _ in 0..5 {
                    stream.write_all(&sent).await.unwrap();
                    stream.read_exact(&mut got).await.unwrap();
                    assert_eq!(got, sent);
                }
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        join_all(clients).await.into_iter().for_each(Result::unwrap);
        server.await.unwrap();
    });
}

/// One task reads and another writes the same connection, both waiting at times.
pub fn reader_and_writer_on_one_connection<R: Runtime, K>(new: New<R, K>) {
    const SIZE: usize = 1 << 19;
    let (rt, _alive) = new();
    rt.block_on(async {
        let (near, far) = pair(&rt).await;
        let server = rt.spawn(echo(far, 4096));
        let (mut read, mut write) = near.split();
        let writer = rt.spawn(async move {
            for _ in 0..SIZE / 1024 {
                write.write_all(&[5; 1024]).await.unwrap();
            }
            write.close().await.unwrap();
        });
        let mut got = Vec::new();
        read.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len(), SIZE);
        writer.await.unwrap();
        server.await.unwrap();
    });
}

/// Nobody listens: the kernel's word arrives.
pub fn a_refused_connection_is_an_error<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let addr = {
            let listener = rt.bind(loopback()).unwrap();
            listener.local_addr().unwrap()
        };
        let refused = rt.connect(addr).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

/// An accept that is given up does not take a connection with it.
pub fn a_dropped_accept_loses_no_connection<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let listener = rt.bind(loopback()).unwrap();
        let addr = listener.local_addr().unwrap();
        for _ in 0..3 {
            {
                let mut accept = Box::pin(listener.accept());
                let pending = poll_fn(|cx| Poll::Ready(accept.as_mut().poll(cx).is_pending())).await;
                assert!(pending);
            }
            let (near, far) = join(rt.connect(addr), listener.accept()).await;
            assert!(near.is_ok() && far.is_ok());
        }
    });
}

/// A read that is given up leaves its bytes to the next one.
pub fn a_dropped_read_loses_no_byte<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        let (mut near, mut far) = pair(&rt).await;
        for round in 0..10 {
            {
                let mut byte = [0];
                let mut read = Box::pin(near.read(&mut byte));
                let pending = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_pending())).await;
                assert!(pending);
            }
            far.write_all(&[round]).await.unwrap();
            let mut byte = [0];
            near.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte, [round]);
        }
    });
}

/// A connection that moves from one task to another wakes the one that polled it last.
pub fn a_read_wakes_who_polled_last<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let wakes = Counter::default();
    rt.block_on(async {
        let (mut near, mut far) = pair(&rt).await;
        let waker = Waker::from(Arc::new(wakes.clone()));
        let mut byte = [0];
        let first = Pin::new(&mut near).poll_read(&mut Context::from_waker(&waker), &mut byte);
        assert!(first.is_pending());
        let reader = rt.spawn(async move {
            let mut byte = [0];
            near.read_exact(&mut byte).await.unwrap();
            byte
        });
        // So that the reader has polled; the test holds if it has not.
        rt.sleep(Duration::from_millis(5)).await;
        far.write_all(&[6]).await.unwrap();
        assert_eq!(reader.await.unwrap(), [6]);
    });
}

/// A connection that gets the fd number of one that was closed is not taken for it.
pub fn an_fd_number_used_again_gets_its_events<R: Runtime, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    rt.block_on(async {
        for round in 0..20 {
            let (mut near, mut far) = pair(&rt).await;
            let reader = rt.spawn(async move {
                let mut byte = [0];
                near.read_exact(&mut byte).await.unwrap();
                byte
            });
            rt.yield_now().await;
            rt.sleep(Duration::from_millis(1)).await;
            far.write_all(&[round]).await.unwrap();
            assert_eq!(reader.await.unwrap(), [round]);
        }
    });
}
