//! UDP.

use crate::rig::{Rig, on_every_reactor};
use polyloop_net::UdpSocket;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;

const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn two(rig: &Rig) -> [(UdpSocket, SocketAddr); 2] {
    [(), ()].map(|()| {
        let socket = UdpSocket::bind_on(&rig.net, ANY_PORT.into()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    })
}

fn datagrams_keep_their_bounds_and_senders(rig: &Rig) {
    rig.run(async {
        let [(one, one_at), (other, other_at)] = two(rig);
        let receiving = rig.spawn(async move {
            let mut buffer = [0; 64];
            let mut seen = Vec::new();
            for _ in 0..4 {
                let (n, from) = other.recv_from(&mut buffer).await.unwrap();
                seen.push((buffer[..n].to_vec(), from));
            }
            seen
        });
        for bytes in [&b"first"[..], b"", b"third", &[7; 64]] {
            assert_eq!(one.send_to(bytes, other_at).await.unwrap(), bytes.len());
        }
        let seen = receiving.await.unwrap();
        let lengths: Vec<_> = seen.iter().map(|(bytes, _)| bytes.len()).collect();
        // A datagram without content is one, too.
        assert_eq!(lengths, [5, 0, 5, 64]);
        assert!(seen.iter().all(|(_, from)| *from == one_at));
    });
}

fn connected_sockets_hear_each_other_alone(rig: &Rig) {
    rig.run(async {
        let [(one, one_at), (other, other_at)] = two(rig);
        let [(stranger, _), _] = two(rig);
        one.connect(other_at).await.unwrap();
        other.connect(one_at).await.unwrap();
        assert_eq!(one.peer_addr().unwrap(), other_at);
        stranger.send_to(b"ignored", other_at).await.unwrap();
        one.send(b"heard").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(other.recv(&mut buffer).await.unwrap(), 5);
        assert_eq!(&buffer[..5], b"heard");
        assert_eq!(other.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    });
}

fn what_was_peeked_is_still_there(rig: &Rig) {
    rig.run(async {
        let [(one, _), (other, other_at)] = two(rig);
        one.send_to(b"twice", other_at).await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(other.peek_from(&mut buffer).await.unwrap().0, 5);
        assert_eq!(poll_fn(|cx| other.poll_recv_from(cx, &mut buffer)).await.unwrap().0, 5);
        assert_eq!(other.try_recv_from(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        poll_fn(|cx| one.poll_send_to(cx, b"again", other_at)).await.unwrap();
        other.readable().await.unwrap();
        assert_eq!(other.recv(&mut buffer).await.unwrap(), 5);
    });
}

fn a_port_where_nobody_is_refuses(rig: &Rig) {
    rig.run(async {
        let [(one, _), (other, other_at)] = two(rig);
        one.connect(other_at).await.unwrap();
        drop(other.into_std().unwrap());
        one.send(b"anybody?").await.unwrap();
        let refused = one.recv(&mut [0; 8]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    });
}

fn several_receivers_share_the_datagrams(rig: &Rig) {
    rig.run(async {
        let [(one, _), (other, other_at)] = two(rig);
        let other = std::sync::Arc::new(other);
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let other = other.clone();
                rig.spawn(async move {
                    let mut byte = [0; 1];
                    other.recv(&mut byte).await.unwrap();
                    byte[0]
                })
            })
            .collect();
        rig.sleep(2).await;
        for number in 0..4 {
            one.send_to(&[number], other_at).await.unwrap();
        }
        let mut seen = Vec::new();
        for receiver in receivers {
            seen.push(receiver.await.unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3]);
    });
}

fn options_are_kept(rig: &Rig) {
    let [(one, _), _] = two(rig);
    one.set_broadcast(true).unwrap();
    one.set_ttl(9).unwrap();
    one.set_multicast_ttl_v4(3).unwrap();
    one.set_multicast_loop_v4(false).unwrap();
    assert!(one.broadcast().unwrap());
    assert_eq!((one.ttl().unwrap(), one.multicast_ttl_v4().unwrap()), (9, 3));
    assert!(!one.multicast_loop_v4().unwrap());
    assert!(one.take_error().unwrap().is_none());
    // An address that is no group's is refused by the kernel, and said so.
    assert!(one.join_multicast_v4(&Ipv4Addr::LOCALHOST, &Ipv4Addr::UNSPECIFIED).is_err());
}

fn an_error_that_was_taken_leaves_no_spin(rig: &Rig) {
    rig.run(async {
        let [(one, one_at), (other, other_at)] = two(rig);
        drop(other);
        one.connect(other_at).await.unwrap();
        one.send(b"to nobody").await.unwrap();
        let mut buffer = [0; 8];
        let refused = one.recv(&mut buffer).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        // Nobody is there, so that each poll of this finds nothing.
        let mut polls = 0;
        let turns = rig.net.driver.turns();
        {
            let (mut pause, mut receiving) = (pin!(rig.sleep(20)), pin!(one.recv(&mut buffer)));
            poll_fn(|cx| {
                polls += 1;
                assert!(receiving.as_mut().poll(cx).is_pending());
                pause.as_mut().poll(cx)
            })
            .await;
        }
        let turns = rig.net.driver.turns() - turns;
        assert!(polls <= turns + 2, "{polls} polls in {turns} turns");
        assert!(rig.is_chaotic || turns < 10, "{turns} turns");
        // And now somebody is.
        let there = std::net::UdpSocket::bind(other_at).unwrap();
        there.send_to(b"hello", one_at).unwrap();
        assert_eq!(one.recv(&mut buffer).await.unwrap(), 5);
    });
}

on_every_reactor! {
    an_error_that_was_taken_leaves_no_spin
    datagrams_keep_their_bounds_and_senders
    connected_sockets_hear_each_other_alone
    what_was_peeked_is_still_there
    a_port_where_nobody_is_refuses
    several_receivers_share_the_datagrams
    options_are_kept
}
