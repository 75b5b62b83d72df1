//! File descriptors: who inherits them, who hears of them, and what is left of them.

use crate::rig::{Rig, on_every_reactor};
use crate::unix::Directory;
use polyloop_net::unix::{UnixDatagram, UnixStream};
use polyloop_net::{AsyncFd, Interest, UdpSocket};
use rustix::fs::OFlags;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn bug_46_every_descriptor_is_closed_on_exec_and_never_blocks(rig: &Rig) {
    rig.run(async {
        let (listener, _) = rig.listen();
        let (client, server) = rig.pair().await;
        let udp = UdpSocket::bind_on(&rig.net, ([127, 0, 0, 1], 0).into()).unwrap();
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        let (datagram, _other) = UnixDatagram::pair_on(&rig.net).unwrap();
        let files: [&dyn AsFd; 7] = [&listener, &client, &server, &udp, &one, &other, &datagram];
        for file in files {
            let flags = rustix::io::fcntl_getfd(file).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            assert!(rustix::fs::fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK));
        }
    });
}

fn bug_37_a_reused_descriptor_wakes_nobody_else(rig: &Rig) {
    rig.run(async {
        let (mut waiting, mut quiet) = (Vec::new(), Vec::new());
        let polls = Arc::new(AtomicUsize::new(0));
        for _ in 0..4 {
            let (reader, writer) = UnixStream::pair_on(&rig.net).unwrap();
            let polls = polls.clone();
            waiting.push(rig.spawn(async move {
                let mut byte = [0; 1];
                let mut reading = pin!(reader.read(&mut byte));
                poll_fn(|cx| {
                    polls.fetch_add(1, Relaxed);
                    reading.as_mut().poll(cx)
                })
                .await
            }));
            quiet.push(writer);
        }
        rig.sleep(1).await;
        let before = polls.load(Relaxed);
        for round in 0..2000_u32 {
            // The kernel gives the lowest free number, so that each pair gets those of the last one, with events under way.
            let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
            one.try_write(&round.to_be_bytes()).unwrap();
            if round % 2 == 0 {
                let mut word = [0; 4];
                other.read_exact(&mut word).await.unwrap();
                assert_eq!(word, round.to_be_bytes());
            }
        }
        // The bad days wake for nothing on purpose; a turn has one such event at most.
        let chaotic = rig.net.driver.turns() as usize;
        let spurious = if rig.is_chaotic { chaotic } else { 0 };
        assert!(polls.load(Relaxed) - before <= spurious, "{} foreign wakes", polls.load(Relaxed) - before);
        assert!(waiting.iter().all(|task| !task.is_finished()));
        for (writer, task) in quiet.iter().zip(waiting) {
            writer.write_all(b"x").await.unwrap();
            assert_eq!(task.await.unwrap().unwrap(), 1);
        }
    });
    assert_eq!(rig.net.driver.registered_sources(), 0);
}

fn bug_38_a_duplicate_keeps_no_registration(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        let duplicate = one.as_fd().try_clone_to_owned().unwrap();
        drop(one);
        assert_eq!(rig.net.driver.registered_sources(), 1);
        // The open file lives on in the duplicate, and is readable from here on.
        other.write_all(b"still open").await.unwrap();
        let (fresh, _peer) = UnixStream::pair_on(&rig.net).unwrap();
        let turns = rig.net.driver.turns();
        assert_eq!(fresh.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        rig.sleep(30).await;
        if !rig.is_chaotic {
            assert_eq!(fresh.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        // A spin would be thousands.
        assert!(rig.net.driver.turns() - turns < 100);
        drop(duplicate);
    });
}

fn into_std_and_back(rig: &Rig) {
    rig.run(async {
        let (one, other) = UnixStream::pair_on(&rig.net).unwrap();
        let mut one = one.into_std().unwrap();
        assert_eq!(rig.net.driver.registered_sources(), 1);
        one.write_all(b"by hand").unwrap();
        let mut word = [0; 7];
        other.read_exact(&mut word).await.unwrap();
        let one = UnixStream::from_std_on(&rig.net, one).unwrap();
        other.write_all(&word).await.unwrap();
        one.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"by hand");
    });
}

fn any_file_can_be_watched(rig: &Rig) {
    rig.run(async {
        let (reader, mut writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let reader = AsyncFd::new_on(&rig.net, reader).unwrap();
        let mut buffer = [0; 8];
        let reading = rig.spawn(async move {
            let mut guard = reader.readable().await.unwrap();
            // New files count as ready until they were tried.
            let tried = guard.try_io(|mut pipe| pipe.read(&mut buffer));
            assert_eq!(tried.unwrap_err().kind(), io::ErrorKind::WouldBlock);
            let n = reader.async_io(Interest::READABLE, |mut pipe| pipe.read(&mut buffer)).await.unwrap();
            let both = reader.async_io(Interest::READABLE | Interest::WRITABLE, |_| Ok(())).await;
            assert_eq!(both.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            (n, buffer)
        });
        rig.sleep(2).await;
        writer.write_all(b"piped").unwrap();
        let (n, buffer) = reading.await.unwrap();
        assert_eq!(&buffer[..n], b"piped");
    });
}

fn either_direction_of_a_file_can_be_waited_for(rig: &Rig) {
    rig.run(async {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let both = Interest::READABLE | Interest::WRITABLE;
        let near = AsyncFd::new_on(&rig.net, near).unwrap();
        // New files count as ready for both until they were tried.
        let mut guard = near.ready(both).await.unwrap();
        assert!(guard.ready().is_readable() && guard.ready().is_writable());
        let tried = guard.try_io(|mut stream| stream.read(&mut [0; 8]));
        assert_eq!(tried.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(near.ready(both).await.unwrap().ready().is_writable(), "the reactor says so again");
        far.write_all(b"x").unwrap();
        let guard = near.ready(Interest::READABLE).await.unwrap();
        assert!(
            guard.ready().is_readable() && !guard.ready().is_writable(),
            "what was not asked is not told"
        );
    });
}

fn what_a_file_is_not_watched_for_is_an_error(rig: &Rig) {
    rig.run(async {
        let (reader, mut writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let reader = AsyncFd::with_interest_on(&rig.net, reader, Interest::READABLE).unwrap();
        assert_eq!(reader.writable().await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let both = reader.ready(Interest::READABLE | Interest::WRITABLE).await;
        assert_eq!(both.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let tried = reader.try_io(Interest::WRITABLE, |_| Ok(()));
        assert_eq!(tried.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let tried = reader.try_io(Interest::READABLE, |mut pipe| pipe.read(&mut [0; 8]));
        assert_eq!(tried.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        writer.write_all(b"piped").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(reader.read_with(|mut pipe| pipe.read(&mut buffer)).await.unwrap(), 5);
    });
}

fn the_other_end_of_a_pipe_closes(rig: &Rig) {
    rig.run(async {
        let (reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let reader = AsyncFd::new_on(&rig.net, reader).unwrap();
        let reading =
            rig.spawn(async move { reader.read_with(|mut pipe| pipe.read(&mut [0; 8])).await.unwrap() });
        rig.sleep(2).await;
        drop(writer);
        assert_eq!(reading.await.unwrap(), 0);
    });
}

fn a_fifo_whose_writer_went_and_came_back_does_not_spin(rig: &Rig) {
    let directory = Directory::new();
    let path = directory.at("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let open = |flags| rustix::fs::open(&path, flags | OFlags::NONBLOCK, rustix::fs::Mode::empty()).unwrap();
    rig.run(async {
        let reader = File::from(open(OFlags::RDONLY));
        let reader = AsyncFd::new_on(&rig.net, reader).unwrap();
        drop(open(OFlags::WRONLY));
        let tries = AtomicUsize::new(0);
        let read = |mut fifo: &File, buffer: &mut [u8]| {
            tries.fetch_add(1, Relaxed);
            fifo.read(buffer)
        };
        // Until it was told that the writer went.
        rig.sleep(5).await;
        assert_eq!(reader.read_with(|fifo| read(fifo, &mut [0; 8])).await.unwrap(), 0);
        let mut writer = File::from(open(OFlags::WRONLY));
        let (before, turns) = (tries.load(Relaxed), rig.net.driver.turns());
        let mut buffer = [0; 8];
        {
            let mut reading = pin!(reader.read_with(|fifo| read(fifo, &mut buffer)));
            let mut pause = pin!(rig.sleep(20));
            poll_fn(|cx| {
                assert!(reading.as_mut().poll(cx).is_pending());
                pause.as_mut().poll(cx)
            })
            .await;
            let (tries, turns) = (tries.load(Relaxed) - before, rig.net.driver.turns() - turns);
            assert!(tries as u64 <= turns + 2, "{tries} tries in {turns} turns");
            assert!(rig.is_chaotic || turns < 10, "{turns} turns");
            writer.write_all(b"back").unwrap();
            assert_eq!(reading.await.unwrap(), 4);
        }
        assert_eq!(&buffer[..4], b"back");
    });
}

fn a_file_comes_back_when_nobody_watches_it_any_more(rig: &Rig) {
    rig.run(async {
        for _ in 0..20 {
            let (reader, mut writer) = io::pipe().unwrap();
            rustix::io::ioctl_fionbio(&reader, true).unwrap();
            let reader = AsyncFd::new_on(&rig.net, reader).unwrap();
            writer.write_all(b"one").unwrap();
            let mut buffer = [0; 3];
            assert_eq!(reader.read_with(|mut pipe| pipe.read(&mut buffer)).await.unwrap(), 3);
            let mut reader = reader.into_inner();
            writer.write_all(b"two").unwrap();
            reader.read_exact(&mut buffer).unwrap();
            assert_eq!(&buffer, b"two");
        }
    });
    assert_eq!(rig.net.driver.registered_sources(), 0);
}

on_every_reactor! {
    a_file_comes_back_when_nobody_watches_it_any_more
    a_fifo_whose_writer_went_and_came_back_does_not_spin
    bug_46_every_descriptor_is_closed_on_exec_and_never_blocks
    bug_37_a_reused_descriptor_wakes_nobody_else
    bug_38_a_duplicate_keeps_no_registration
    into_std_and_back
    any_file_can_be_watched
    either_direction_of_a_file_can_be_waited_for
    what_a_file_is_not_watched_for_is_an_error
    the_other_end_of_a_pipe_closes
}
