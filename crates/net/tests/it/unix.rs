//! Unix sockets.

use crate::rig::{Rig, on_every_reactor};
use polyloop_net::unix::{UnixDatagram, UnixListener, UnixStream};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A directory of its own for each test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("polyloop-net-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn a_pair_talks_in_both_directions(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        let echo = rig.spawn(async move {
            let mut buffer = [0; 1000];
            loop {
                match other.read(&mut buffer).await.unwrap() {
                    0 => break,
                    n => other.write_all(&buffer[..n]).await.unwrap(),
                }
            }
        });
        // More than the kernel's buffers hold, so that writing has to wait as well.
        let bytes: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
        let (read, write) = one.into_split();
        let sent = bytes.clone();
        let sending = rig.spawn(async move {
            write.as_ref().write_all(&sent).await.unwrap();
            // Dropping the half ends writing.
        });
        let mut back = vec![0; bytes.len()];
        read.as_ref().read_exact(&mut back).await.unwrap();
        assert!(back == bytes);
        assert_eq!(read.as_ref().read(&mut [0; 1]).await.unwrap(), 0);
        sending.await.unwrap();
        echo.await.unwrap();
    });
}

fn a_listener_accepts_and_knows_its_peer(rig: &Rig) {
    let directory = Directory::new();
    let path = directory.at("socket");
    rig.run(async {
        let listener = UnixListener::bind_on(&rig.net, &path).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        let client = UnixStream::connect_on(&rig.net, &path).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let written = client.write_vectored(&[IoSlice::new(b"vec"), IoSlice::new(b"tored")]).await.unwrap();
        assert!(rig.is_chaotic || written == 8);
        client.write_all(&b"vectored"[written..]).await.unwrap();
        let (mut one, mut other) = ([0; 4], [0; 8]);
        let mut buffers = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        let filled = server.read_vectored(&mut buffers).await.unwrap();
        assert!(rig.is_chaotic || filled == 8);
        let mut both = [&one[..], &other].concat();
        server.read_exact(&mut both[filled..8]).await.unwrap();
        assert_eq!(&both[..8], b"vectored");
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(server.peer_cred().unwrap().pid, Some(std::process::id()));
        client.shut_down(Shutdown::Both).unwrap();
        assert_eq!(server.read(&mut one).await.unwrap(), 0);
    });
}

fn a_full_queue_makes_the_next_one_wait(rig: &Rig) {
    let directory = Directory::new();
    let path = directory.at("socket");
    rig.run(async {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let listener =
            UnixListener::from_std_on(&rig.net, std::os::fd::OwnedFd::from(socket).into()).unwrap();
        let clients: Vec<_> = (0..5)
            .map(|_| {
                let (context, path) = (rig.net.clone(), path.clone());
                rig.spawn(async move { UnixStream::connect_on(&context, path).await.map(drop) })
            })
            .collect();
        rig.sleep(5).await;
        assert!(!clients.iter().all(|client| client.is_finished()), "the queue holds one");
        for _ in 0..5 {
            listener.accept().await.unwrap();
        }
        for client in clients {
            client.await.unwrap().unwrap();
        }
    });
}

fn nobody_listens(rig: &Rig) {
    let directory = Directory::new();
    rig.run(async {
        let missing = UnixStream::connect_on(&rig.net, directory.at("missing")).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let path = directory.at("socket");
        drop(UnixListener::bind_on(&rig.net, &path).unwrap());
        let refused = UnixStream::connect_on(&rig.net, &path).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let long = "x".repeat(300);
        assert!(UnixStream::connect_on(&rig.net, Path::new(&long)).await.is_err());
    });
}

fn datagrams_wait_for_room(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixDatagram::pair_on(&rig.net).unwrap();
        let sending = rig.spawn(async move {
            for number in 0..2000_u32 {
                one.send(&number.to_be_bytes()).await.unwrap();
            }
        });
        rig.sleep(2).await;
        assert!(!sending.is_finished(), "the kernel holds fewer");
        let mut word = [0; 8];
        for number in 0..2000_u32 {
            assert_eq!(other.recv(&mut word).await.unwrap(), 4);
            assert_eq!(word[..4], number.to_be_bytes());
        }
        sending.await.unwrap();
    });
}

fn a_datagram_says_who_sent_it(rig: &Rig) {
    let directory = Directory::new();
    let (here, there) = (directory.at("here"), directory.at("there"));
    rig.run(async {
        let bind = |path| std::os::unix::net::UnixDatagram::bind(path).unwrap();
        let one = UnixDatagram::from_std_on(&rig.net, bind(&here)).unwrap();
        let other = UnixDatagram::from_std_on(&rig.net, bind(&there)).unwrap();
        one.send_to(b"hello", &there).await.unwrap();
        let mut buffer = [0; 8];
        let (n, from) = other.recv_from(&mut buffer).await.unwrap();
        assert_eq!((n, from.as_pathname()), (5, Some(&*here)));
        other.connect(&here).unwrap();
        assert_eq!(other.try_send(b"back").unwrap(), 4);
        assert_eq!(one.recv(&mut buffer).await.unwrap(), 4);
        assert_eq!(one.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    });
}

fn receiving_after_it_was_ended_is_nothing_and_no_spin(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixDatagram::pair_on(&rig.net).unwrap();
        other.send(b"before").await.unwrap();
        let one = Arc::new(one);
        let mut buffer = [0; 8];
        assert_eq!(one.recv(&mut buffer).await.unwrap(), 6);
        let receiving = {
            let one = one.clone();
            rig.spawn(async move { one.recv(&mut [0; 8]).await })
        };
        rig.sleep(2).await;
        one.shutdown(Shutdown::Read).unwrap();
        assert_eq!(receiving.await.unwrap().unwrap(), 0);
        assert_eq!(one.try_recv(&mut buffer).unwrap(), 0);
        let (n, from) = one.recv_from(&mut buffer).await.unwrap();
        assert!(n == 0 && from.is_unnamed());
        assert!(other.send(b"after").await.is_err());
    });
}

fn what_comes_after_a_message_with_a_descriptor_is_read(rig: &Rig) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    rig.run(async {
        let (sender, receiver) = UnixStream::pair_on(&rig.net).unwrap();
        let mut buffer = [0; 64];
        for _ in 0..3 {
            // Until the readiness of the registration is spent.
            sender.write_all(b"x").await.unwrap();
            receiver.read(&mut buffer).await.unwrap();
            rig.sleep(2).await;
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut rights = SendAncillaryBuffer::new(&mut space);
            let files = [sender.as_fd()];
            assert!(rights.push(SendAncillaryMessage::ScmRights(&files)));
            sendmsg(&sender, &[IoSlice::new(b"ab")], &mut rights, SendFlags::empty()).unwrap();
            sender.write_all(b"de").await.unwrap();
            let mut seen = Vec::new();
            while seen.len() < 4 {
                let n = receiver.read(&mut buffer).await.unwrap();
                seen.extend_from_slice(&buffer[..n]);
            }
            assert_eq!(seen, b"abde");
        }
    });
}

on_every_reactor! {
    what_comes_after_a_message_with_a_descriptor_is_read
    receiving_after_it_was_ended_is_nothing_and_no_spin
    a_pair_talks_in_both_directions
    a_listener_accepts_and_knows_its_peer
    a_full_queue_makes_the_next_one_wait
    nobody_listens
    datagrams_wait_for_room
    a_datagram_says_who_sent_it
}
