//! Pipes.

use crate::rig::{Rig, on_every_reactor};
use polyloop_net::unix::pipe::{Receiver, pipe_on};
use std::io::{self, Read};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn more_than_a_pipe_holds_goes_through_and_ends(rig: &Rig) {
    rig.run(async {
        let (sender, mut receiver) = pipe_on(&rig.net).unwrap();
        let bytes: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
        let sent = bytes.clone();
        let sending = rig.spawn(async move { sender.write_all(&sent).await });
        let mut all = Vec::new();
        receiver.read_to_end(&mut all).await.unwrap();
        assert!(all == bytes);
        sending.await.unwrap().unwrap();
        assert_eq!(rig.net.driver.registered_sources(), 1);
    });
}

fn nobody_reads(rig: &Rig) {
    rig.run(async {
        let (mut sender, receiver) = pipe_on(&rig.net).unwrap();
        assert_eq!(receiver.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(receiver);
        let broken = AsyncWriteExt::write_all(&mut sender, b"x").await.unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
    });
}

fn a_full_pipe_wakes_its_writer_when_there_is_room(rig: &Rig) {
    rig.run(async {
        let (sender, receiver) = pipe_on(&rig.net).unwrap();
        let mut full = 0;
        while let Ok(n) = sender.try_write(&[1; 4096]) {
            full += n;
        }
        let sending = rig.spawn(async move { sender.write_all(b"last").await });
        rig.sleep(2).await;
        assert!(!sending.is_finished());
        let mut all = vec![0; full + 4];
        receiver.read_exact(&mut all).await.unwrap();
        assert_eq!(&all[full..], b"last");
        sending.await.unwrap().unwrap();
    });
}

fn descriptors_are_given_back_as_they_are_wanted(rig: &Rig) {
    rig.run(async {
        let (sender, receiver) = pipe_on(&rig.net).unwrap();
        sender.write_all(b"hello").await.unwrap();
        let mut blocking = io::PipeReader::from(receiver.into_blocking_fd().unwrap());
        drop(sender);
        let mut text = String::new();
        blocking.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        let again = Receiver::from_owned_fd_on(&rig.net, blocking.into()).unwrap();
        assert_eq!(again.read(&mut [0]).await.unwrap(), 0);
    });
}

fn a_pipe_whose_runtime_is_gone_is_an_error(rig: &Rig) {
    let (sender, receiver) = pipe_on(&rig.net).unwrap();
    rig.fifo.shut_down(Duration::ZERO);
    let elsewhere = Rig::new(polyloop_reactor::ALL[0].1().unwrap());
    elsewhere.run(async {
        for error in [sender.write(b"x").await.unwrap_err(), receiver.read(&mut [0]).await.unwrap_err()] {
            assert!(error.to_string().contains("shut down"), "{error}");
        }
    });
}

on_every_reactor! {
    more_than_a_pipe_holds_goes_through_and_ends
    nobody_reads
    a_full_pipe_wakes_its_writer_when_there_is_room
    descriptors_are_given_back_as_they_are_wanted
    a_pipe_whose_runtime_is_gone_is_an_error
}
