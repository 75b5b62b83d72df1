//! Before there is a connection: where the runtime comes from, names, addresses, patience.

use crate::rig::Rig;
use polyloop_net::{Context, TcpListener, TcpStream, UdpSocket, install, lookup_host};
use polyloop_time::ManualClock;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// What a facade does: this thread belongs to the rig's runtime from here on.
fn enter(rig: &Rig) {
    install(|| {
        let current = CURRENT.with_borrow(Clone::clone);
        current.ok_or_else(|| io::Error::other("there is no runtime on this thread"))
    });
    CURRENT.set(Some(rig.net.clone()));
}

fn rig() -> Rig {
    Rig::new(polyloop_reactor::ALL[0].1().unwrap())
}

#[test]
fn outside_of_a_runtime_every_constructor_is_an_error() {
    let rig = rig();
    enter(&rig);
    CURRENT.set(None);
    let expected = "there is no runtime on this thread";
    rig.run(async {
        let address: SocketAddr = ([127, 0, 0, 1], 1).into();
        assert_eq!(TcpListener::bind(address).await.unwrap_err().to_string(), expected);
        assert_eq!(TcpStream::connect(address).await.unwrap_err().to_string(), expected);
        assert_eq!(UdpSocket::bind(address).await.unwrap_err().to_string(), expected);
        assert_eq!(lookup_host(address).await.unwrap_err().to_string(), expected);
    });
}

#[test]
fn an_address_is_not_looked_up_and_a_name_is() {
    let rig = rig();
    enter(&rig);
    rig.run(async {
        let addresses = lookup_host("127.0.0.1:7").await.unwrap();
        assert_eq!(addresses, [SocketAddr::from(([127, 0, 0, 1], 7))]);
        let error = TcpStream::connect("example.invalid:7").await.unwrap_err();
        assert_eq!(error.to_string(), "`example.invalid` was looked up");
        let error = TcpStream::connect("nonsense").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn addresses_are_tried_in_turn() {
    let rig = rig();
    enter(&rig);
    rig.run(async {
        let (gone, dead) = rig.listen();
        drop(gone);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let stream = TcpStream::connect(&[dead, alive][..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        let refused = TcpStream::connect(&[dead, dead][..]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let none = TcpStream::connect(&[][..] as &[SocketAddr]).await.unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn patience_ends_by_the_runtimes_clock() {
    // It moves when nothing else can happen, so that a minute takes no time.
    let clock = Arc::new(ManualClock::automatic());
    let rig = Rig::with_clock(polyloop_reactor::ALL[0].1().unwrap(), clock);
    enter(&rig);
    // A queue that is full drops whoever knocks, and he knocks again after a second.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let connect = |patience| TcpStream::connect_timeout(address, patience);
    rig.run(async {
        let mut inside = Vec::new();
        let late = loop {
            match connect(Duration::from_secs(5)).await {
                Ok(stream) => inside.push(stream),
                Err(error) => break error,
            }
            assert!(inside.len() < 8, "the queue holds one or two");
        };
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    });
    assert_eq!(rig.net.driver.registered_sources(), 0);
    assert_eq!(rig.net.driver.now().as_nanos(), 5_000_000_000);
}

#[test]
fn linger_and_options_are_kept() {
    let rig = rig();
    rig.run(async {
        let (client, _server) = rig.pair().await;
        assert_eq!(client.linger().unwrap(), None);
        client.set_linger(Some(Duration::ZERO)).unwrap();
        assert_eq!(client.linger().unwrap(), Some(Duration::ZERO));
        client.set_nodelay(true).unwrap();
        client.set_ttl(42).unwrap();
        assert_eq!((client.nodelay().unwrap(), client.ttl().unwrap()), (true, 42));
        assert!(client.take_error().unwrap().is_none());
    });
}

#[test]
fn sockets_of_the_standard_library_are_taken_over_and_given_back() {
    let rig = rig();
    enter(&rig);
    rig.run(async {
        let std_listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let number = std_listener.as_raw_fd();
        let listener = TcpListener::try_from(std_listener).unwrap();
        assert_eq!(listener.as_raw_fd(), number);
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let client = TcpStream::try_from(client).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        client.write_all(b"over").await.unwrap();
        let mut word = [0; 4];
        assert_eq!(poll_fn(|cx| server.poll_peek(cx, &mut word)).await.unwrap(), 4);
        server.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"over");
        let udp = UdpSocket::try_from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let address = udp.local_addr().unwrap();
        assert_eq!(udp.into_std().unwrap().local_addr().unwrap(), address);
    });
}
