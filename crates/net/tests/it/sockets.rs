//! What is set on a socket before it connects or listens.

use crate::rig::{Rig, on_every_reactor};
use polyloop_net::TcpSocket;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

fn bound() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    socket
}

fn a_connection_comes_from_the_address_that_was_bound(rig: &Rig) {
    rig.run(async {
        let (listener, address) = rig.listen();
        let socket = bound();
        let chosen = socket.local_addr().unwrap();
        let client = socket.connect_on(&rig.net, address).await.unwrap();
        assert_eq!(client.local_addr().unwrap(), chosen);
        let (server, from) = listener.accept().await.unwrap();
        assert_eq!(from, chosen);
        client.write_all(b"hello").await.unwrap();
        server.read_exact(&mut [0; 5]).await.unwrap();
    });
}

fn two_listeners_share_a_port_if_both_say_so(rig: &Rig) {
    rig.run(async {
        let listen = |address: SocketAddr, share: bool| {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseport(share)?;
            assert_eq!(socket.reuseport()?, share);
            socket.bind(address)?;
            socket.listen_on(&rig.net, 16)
        };
        let one = listen((Ipv4Addr::LOCALHOST, 0).into(), true).unwrap();
        let address = one.local_addr().unwrap();
        let _other = listen(address, true).unwrap();
        let refused = listen(address, false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    });
}

fn a_listener_of_ones_own_accepts(rig: &Rig) {
    rig.run(async {
        let listener = bound().listen_on(&rig.net, u32::MAX).unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpSocket::new_v4().unwrap().connect_on(&rig.net, address).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
    });
}

fn a_refused_connection_is_an_error_here_too(rig: &Rig) {
    rig.run(async {
        let (listener, address) = rig.listen();
        drop(listener);
        let refused = bound().connect_on(&rig.net, address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let six: SocketAddr = "[::1]:9".parse().unwrap();
        bound().connect_on(&rig.net, six).await.unwrap_err();
    });
    assert_eq!(rig.net.driver.registered_sources(), 0);
}

fn options_are_kept_by_the_connection(rig: &Rig) {
    rig.run(async {
        let (_listener, address) = rig.listen();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_keepalive(true).unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        socket.set_send_buffer_size(20_000).unwrap();
        socket.set_recv_buffer_size(20_000).unwrap();
        assert!(socket.nodelay().unwrap() && socket.keepalive().unwrap() && socket.reuseaddr().unwrap());
        assert!(socket.send_buffer_size().unwrap() >= 20_000 && socket.recv_buffer_size().unwrap() >= 20_000);
        assert!(socket.take_error().unwrap().is_none());
        let stream = socket.connect_on(&rig.net, address).await.unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(stream.linger().unwrap(), Some(Duration::ZERO));
    });
}

on_every_reactor! {
    a_connection_comes_from_the_address_that_was_bound
    two_listeners_share_a_port_if_both_say_so
    a_listener_of_ones_own_accepts
    a_refused_connection_is_an_error_here_too
    options_are_kept_by_the_connection
}
