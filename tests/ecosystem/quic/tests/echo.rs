//! QUIC on every combination: many streams, many connections, datagrams, and peers that are not there.

#![forbid(unsafe_code)]

use ecosystem_quic::{ask, client, echo, server};
use ecosystem_support::{Certified, Program, on_each};
use futures::future::join_all;
use polyloop::time::{Instant, timeout};
use quinn::{ConnectionError, Endpoint, VarInt};
use std::net::SocketAddr;
use std::time::Duration;

/// Longer than any pause of a busy machine.
const IDLE: Duration = Duration::from_secs(60);

fn echoing(certified: &Certified) -> (Endpoint, SocketAddr) {
    let server = server(certified, IDLE).unwrap();
    let address = server.local_addr().unwrap();
    polyloop::spawn(echo(server.clone()));
    (server, address)
}

fn payload(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + seed) as u8 ^ (n >> 8) as u8).collect()
}

#[polyloop::test(all)]
async fn streams_of_all_sizes_come_back() {
    let certified = Certified::localhost();
    let (_server, address) = echoing(&certified);
    let connection = client(&certified, IDLE).unwrap().connect(address, "localhost").unwrap().await.unwrap();
    // Two megabytes fill the windows and the socket's buffers several times over, so that senders wait.
    for length in [0, 1, 1200, 100_000, 2 << 20] {
        let sent = payload(length, length);
        assert!(ask(&connection, &sent).await.unwrap() == sent, "{length} bytes");
    }
}

#[polyloop::test(all)]
async fn many_connections_with_many_streams_each_wait_by_places_of_their_own() {
    let certified = Certified::localhost();
    let (_server, address) = echoing(&certified);
    // One endpoint: all its connections send through one socket, and each waits for room by itself.
    let client = client(&certified, IDLE).unwrap();
    let connections = (0..10).map(|n| {
        let connecting = client.connect(address, "localhost").unwrap();
        polyloop::spawn(async move {
            let connection = connecting.await.unwrap();
            let asked = (0..10).map(|m| {
                let connection = connection.clone();
                polyloop::spawn(async move {
                    let sent = payload(n * 10 + m, 20_000);
                    assert!(ask(&connection, &sent).await.unwrap() == sent);
                })
            });
            join_all(asked).await.into_iter().for_each(|asked| asked.unwrap());
        })
    });
    let connections: Vec<_> = connections.collect();
    join_all(connections).await.into_iter().for_each(|done| done.unwrap());
}

#[polyloop::test(all)]
async fn datagrams_come_back() {
    let certified = Certified::localhost();
    let (_server, address) = echoing(&certified);
    let connection = client(&certified, IDLE).unwrap().connect(address, "localhost").unwrap().await.unwrap();
    for n in 0..100_u32 {
        // One at a time: datagrams may be dropped where many wait.
        connection.send_datagram(n.to_be_bytes().to_vec().into()).unwrap();
        let back = connection.read_datagram().await.unwrap();
        assert_eq!(&back[..], n.to_be_bytes());
    }
}

/// A timer that is set again and again, and that nothing else ends.
#[polyloop::test(all)]
async fn who_does_not_answer_is_given_up_by_the_timer() {
    let certified = Certified::localhost();
    // A socket that nobody reads.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = client(&certified, Duration::from_millis(300)).unwrap();
    let start = Instant::now();
    let error = client.connect(silent.local_addr().unwrap(), "localhost").unwrap().await.unwrap_err();
    assert!(matches!(error, ConnectionError::TimedOut), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
}

#[polyloop::test(all)]
async fn nobody_there_is_no_end_of_the_endpoint() {
    let certified = Certified::localhost();
    let (_server, address) = echoing(&certified);
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client(&certified, Duration::from_millis(500)).unwrap();
    // The kernel tells it to connected sockets alone, which an endpoint's is not; `interop/quinn.rs` has a test of one that is.
    client.connect(nobody, "localhost").unwrap().await.unwrap_err();
    let connection = client.connect(address, "localhost").unwrap().await.unwrap();
    assert_eq!(ask(&connection, b"still here").await.unwrap(), b"still here");
}

#[polyloop::test(all)]
async fn a_certificate_of_somebody_else_is_refused() {
    let (_server, address) = echoing(&Certified::localhost());
    let client = client(&Certified::localhost(), IDLE).unwrap();
    let error = client.connect(address, "localhost").unwrap().await.unwrap_err();
    assert!(matches!(error, ConnectionError::TransportError(_)), "{error}");
}

#[polyloop::test(all)]
async fn a_closed_connection_says_why_to_both_sides() {
    let certified = Certified::localhost();
    let server = server(&certified, IDLE).unwrap();
    let address = server.local_addr().unwrap();
    let accepting =
        polyloop::spawn(async move { server.accept().await.unwrap().await.unwrap().closed().await });
    let client = client(&certified, IDLE).unwrap();
    let connection = client.connect(address, "localhost").unwrap().await.unwrap();
    connection.close(VarInt::from_u32(7), b"enough");
    let ConnectionError::ApplicationClosed(close) = timeout(IDLE, accepting).await.unwrap().unwrap() else {
        panic!("another end")
    };
    assert_eq!((close.error_code, &close.reason[..]), (VarInt::from_u32(7), &b"enough"[..]));
    timeout(IDLE, client.wait_idle()).await.unwrap();
}

fn the_program_has_no_reactor_but_ours(combination: &str) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_quic_echo"), combination, ["hello", "world"]);
    assert_eq!(program.line(), "hello");
    assert_eq!(program.line(), "world");
    program.facts().assert_native(combination);
    assert_eq!(program.finish(), "closed\n");
}
on_each!(the_program_has_no_reactor_but_ours);
