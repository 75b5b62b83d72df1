//! Waiting first and trying then, for one direction or either; and buffers that grow.

use crate::rig::{Rig, on_every_reactor};
use polyloop_net::unix::{UnixDatagram, UnixStream};
use polyloop_net::{AsyncFd, Interest, UdpSocket};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind::WouldBlock, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::pin::pin;
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const EITHER: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Finds the socket empty, so that it no longer counts as readable.
#[track_caller]
fn empty(result: io::Result<usize>) {
    assert_eq!(result.unwrap_err().kind(), WouldBlock);
}

fn what_is_waited_for_is_what_is_found(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        empty(server.try_read(&mut [0; 1]));
        let found = server.ready(EITHER).await.unwrap();
        assert!(found.is_writable());
        assert!(!found.is_readable() || rig.is_chaotic);
        assert!(!server.ready(Interest::WRITABLE).await.unwrap().is_readable(), "nobody asked");
        {
            let mut reading = pin!(server.ready(Interest::READABLE));
            let first = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx).is_pending())).await;
            assert!(first || rig.is_chaotic, "there is nothing to read yet");
            client.write_all(b"now").await.unwrap();
            assert!(reading.await.unwrap().is_readable());
        }
        let mut buffer = [0; 8];
        // A bad day's event may have come before the data.
        let n = loop {
            match server.try_read(&mut buffer) {
                Err(error) if error.kind() == WouldBlock => server.readable().await.unwrap(),
                read => break read.unwrap(),
            }
        };
        assert_eq!(&buffer[..n], b"now");
        drop(client);
        while server.read(&mut buffer).await.unwrap() > 0 {}
        assert!(server.ready(EITHER).await.unwrap().is_readable(), "the end can be read");
    });
}

fn an_operation_of_ones_own_is_tried_when_it_is_worth_it(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        let take = |socket: &dyn AsFd| -> io::Result<usize> { Ok(rustix::io::read(socket, &mut [0; 8])?) };
        for _ in 0..3 {
            let tries = Cell::new(0);
            let mut reading = pin!(server.async_io(Interest::READABLE, || {
                tries.set(tries.get() + 1);
                take(&server)
            }));
            poll_fn(|cx| {
                assert!(reading.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            client.write_all(b"by hand").await.unwrap();
            assert_eq!(reading.await.unwrap(), 7);
            assert!(tries.get() >= 2);
        }
        empty(server.try_io(Interest::READABLE, || take(&server)));
        let mut asked = false;
        let blocked = server.try_io(Interest::READABLE, || {
            asked = true;
            Ok(0)
        });
        if !rig.is_chaotic {
            empty(blocked);
            assert!(!asked, "it was known that a read would block");
        }
        assert_eq!(server.try_io(Interest::WRITABLE, || Ok(5)).unwrap(), 5);
    });
}

fn an_operation_waits_for_one_direction_alone(rig: &Rig) {
    rig.run(async {
        let (_client, server) = rig.pair().await;
        // A reactor that reports levels would call the other, ready direction ready for ever.
        let refused = server.async_io(EITHER, || -> io::Result<()> { unreachable!() }).await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let refused = server.try_io(EITHER, || -> io::Result<()> { unreachable!() });
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    });
}

fn buffers_grow_by_what_was_read(rig: &Rig) {
    rig.run(async {
        let (client, server) = rig.pair().await;
        let mut buffer = Vec::new();
        empty(server.try_read_buf(&mut buffer));
        client.write_all(&[7; 3000]).await.unwrap();
        drop(client);
        loop {
            let before = buffer.len();
            match server.read_append(&mut buffer).await.unwrap() {
                0 => break,
                n => assert_eq!(buffer.len(), before + n),
            }
        }
        assert_eq!(buffer, [7; 3000]);
        // The rest of a buffer is not touched, and its beginning stays.
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        let mut buffer = Vec::with_capacity(8);
        buffer.extend(b"abc");
        one.write_all(b"defghijk").await.unwrap();
        other.readable().await.unwrap();
        let room = buffer.capacity() - 3;
        let n = other.read_append(&mut buffer).await.unwrap();
        assert_eq!(n, room.min(8));
        assert_eq!(buffer, b"abcdefghijk"[..3 + n]);
    });
}

fn several_buffers_are_tried_at_once(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        let written = one.try_write_vectored(&[IoSlice::new(b"vec"), IoSlice::new(b"tored")]).unwrap();
        assert_eq!(written, 8);
        other.readable().await.unwrap();
        let (mut first, mut rest) = ([0; 4], [0; 8]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut rest)];
        assert_eq!(other.try_read_vectored(&mut buffers).unwrap(), 8);
        assert_eq!((&first, &rest[..4]), (b"vect", &b"ored"[..]));
        poll_fn(|cx| one.poll_write_ready(cx)).await.unwrap();
    });
}

fn halves_read_and_write_like_the_whole(rig: &Rig) {
    rig.run(async {
        let (mut client, server) = rig.pair().await;
        let (mut read, mut write) = server.into_split();
        assert_eq!(read.peer_addr().unwrap(), client.local_addr().unwrap());
        assert_eq!(write.local_addr().unwrap(), client.peer_addr().unwrap());
        let echo = rig.spawn(async move {
            let mut word = [0; 4];
            while read.read_exact(&mut word).await.is_ok() {
                write.write_all(&word).await.unwrap();
            }
            write.shutdown().await.unwrap();
            read.reunite(write).unwrap()
        });
        {
            let (mut read, mut write) = client.split();
            for round in 0..100_u32 {
                write.writable().await.unwrap();
                write.write_all(&round.to_be_bytes()).await.unwrap();
                read.readable().await.unwrap();
                let mut word = [0; 4];
                read.read_exact(&mut word).await.unwrap();
                assert_eq!(word, round.to_be_bytes());
            }
            empty(read.try_read(&mut [0; 1]));
            assert_eq!(write.try_write(b"last").unwrap(), 4);
            read.read_exact(&mut [0; 4]).await.unwrap();
            write.shutdown().await.unwrap();
            assert_eq!(read.read(&mut [0; 1]).await.unwrap(), 0);
        }
        echo.await.unwrap();
    });
}

/// What the halves of either kind of stream have in common, with a name for each type.
macro_rules! trying_halves {
    ($read:expr, $write:expr, $peer:expr) => {{
        let (read, write, peer) = (&$read, &$write, &$peer);
        empty(read.try_read_buf(&mut Vec::new()));
        empty(read.try_read_vectored(&mut [IoSliceMut::new(&mut [0; 1])]));
        let found = read.ready(EITHER).await.unwrap();
        assert!(found.is_writable(), "a half may ask about the whole");
        assert!(write.ready(Interest::WRITABLE).await.unwrap().is_writable());
        let written = write.try_write_vectored(&[IoSlice::new(b"by "), IoSlice::new(b"half")]).unwrap();
        assert_eq!(written, 7);
        let mut bytes = [0; 7];
        peer.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"by half");
        peer.write_all(b"several buffers").await.unwrap();
        let (mut first, mut all) = ([0; 8], Vec::with_capacity(64));
        // A bad day's event may have come before the data, and its read be short.
        while all.len() < 15 {
            assert!(read.ready(Interest::READABLE).await.unwrap().is_readable());
            let tried = match all.len() {
                0 => read.try_read_vectored(&mut [IoSliceMut::new(&mut []), IoSliceMut::new(&mut first)]),
                _ => read.try_read_buf(&mut all).map(|_| 0),
            };
            match tried {
                Ok(n) => all.extend(&first[..n]),
                Err(error) => assert_eq!(error.kind(), WouldBlock),
            }
        }
        assert_eq!(all, b"several buffers");
    }};
}

fn halves_wait_first_and_try_then(rig: &Rig) {
    rig.run(async {
        let (mut near, far) = rig.pair().await;
        {
            let (read, write) = near.split();
            trying_halves!(read, write, far);
        }
        let (read, write) = near.into_split();
        trying_halves!(read, write, far);

        let (mut near, far) = UnixStream::pair_on(&rig.net).unwrap();
        {
            let (read, write) = near.split();
            trying_halves!(read, write, far);
        }
        let (read, write) = near.into_split();
        trying_halves!(read, write, far);
        // The peer's end is told to the half that reads.
        drop(far);
        assert!(read.ready(Interest::READABLE).await.unwrap().is_readable());
        drop(write);
    });
}

fn a_reading_half_peeks(rig: &Rig) {
    rig.run(async {
        let (mut near, far) = rig.pair().await;
        let mut buffer = [0; 8];
        {
            let (read, _write) = near.split();
            let n = {
                let mut peeking = pin!(read.peek(&mut buffer));
                poll_fn(|cx| {
                    assert!(peeking.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                far.write_all(b"look").await.unwrap();
                peeking.await.unwrap()
            };
            assert!(n > 0 && buffer[..n] == b"look"[..n]);
        }
        let (mut read, _write) = near.into_split();
        let n = poll_fn(|cx| read.poll_peek(cx, &mut buffer)).await.unwrap();
        assert!(n > 0 && buffer[..n] == b"look"[..n]);
        let mut word = [0; 4];
        read.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"look", "nobody took it");
        drop(far);
        assert_eq!(read.peek(&mut buffer).await.unwrap(), 0);
    });
}

fn datagrams_are_tried_and_peeked(rig: &Rig) {
    rig.run(async {
        let [one, other] = [(); 2].map(|()| {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            UdpSocket::from_std_on(&rig.net, socket).unwrap()
        });
        one.connect(other.local_addr().unwrap()).await.unwrap();
        other.connect(one.local_addr().unwrap()).await.unwrap();
        assert_eq!(poll_fn(|cx| one.poll_send(cx, b"peeked")).await.unwrap(), 6);
        let mut buffer = [0; 16];
        assert_eq!(other.peek(&mut buffer).await.unwrap(), 6);
        assert_eq!(poll_fn(|cx| other.poll_recv(cx, &mut buffer)).await.unwrap(), 6);

        let (one, other) = UnixDatagram::pair_on(&rig.net).unwrap();
        empty(other.try_recv(&mut buffer));
        one.try_send(b"unix").unwrap();
        other.ready(Interest::READABLE).await.unwrap();
        let (n, from) = other.recv_from(&mut buffer).await.unwrap();
        assert_eq!((n, from.is_unnamed()), (4, true));
    });
}

fn files_are_polled_until_they_are_ready(rig: &Rig) {
    rig.run(async {
        let (reader, mut writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let reader = AsyncFd::new_on(&rig.net, reader).unwrap();
        assert_eq!(reader.as_raw_fd(), reader.get_ref().as_raw_fd());
        let mut written = false;
        let byte = poll_fn(|cx| {
            loop {
                let mut guard = std::task::ready!(reader.poll_read_ready(cx)).unwrap();
                let mut byte = [0; 1];
                match guard.try_io(|mut pipe| pipe.read(&mut byte)) {
                    Ok(_) => return Poll::Ready(byte[0]),
                    Err(error) => assert_eq!(error.kind(), WouldBlock),
                }
                if !written {
                    written = true;
                    writer.write_all(b"!").unwrap();
                }
            }
        });
        assert_eq!(byte.await, b'!');
    });
}

on_every_reactor! {
    what_is_waited_for_is_what_is_found
    an_operation_of_ones_own_is_tried_when_it_is_worth_it
    an_operation_waits_for_one_direction_alone
    buffers_grow_by_what_was_read
    several_buffers_are_tried_at_once
    halves_read_and_write_like_the_whole
    halves_wait_first_and_try_then
    a_reading_half_peeks
    datagrams_are_tried_and_peeked
    files_are_polled_until_they_are_ready
}
