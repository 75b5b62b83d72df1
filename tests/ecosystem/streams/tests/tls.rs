//! TLS on every combination, by futures-rustls over `futures-io` and by tokio-rustls over tokio's traits, also one with the other.

#![forbid(unsafe_code)]

use ecosystem_streams::{tls_ask, tls_echo, tokio_tls_ask};
use ecosystem_support::Certified;
use polyloop::net::TcpListener;
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn echoing(certified: &Certified) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    polyloop::spawn(tls_echo(listener, certified.server()));
    address
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8 ^ (n >> 8) as u8).collect()
}

#[polyloop::test(all)]
async fn an_echo_of_all_sizes() {
    let certified = Certified::localhost();
    let address = echoing(&certified).await;
    for length in [0, 1, 16_384, 16_385, 1 << 20] {
        let sent = payload(length);
        assert!(tls_ask(address, certified.client(), &sent).await.unwrap() == sent, "{length} bytes");
    }
}

#[polyloop::test(all)]
async fn many_at_once() {
    let certified = Certified::localhost();
    let address = echoing(&certified).await;
    let asked = (0..30).map(|n| {
        let client = certified.client();
        polyloop::spawn(async move {
            let sent = payload(10_000 + n);
            assert!(tls_ask(address, client, &sent).await.unwrap() == sent);
        })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
}

#[polyloop::test(all)]
async fn a_certificate_that_is_not_trusted_is_an_error() {
    let address = echoing(&Certified::localhost()).await;
    let error = tls_ask(address, Certified::localhost().client(), b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
}

#[polyloop::test(all)]
async fn a_certificate_of_another_name_is_an_error() {
    let elsewhere = Certified::of(&["elsewhere.example"]);
    let address = echoing(&elsewhere).await;
    let error = tls_ask(address, elsewhere.client(), b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
}

#[polyloop::test(all)]
async fn an_end_without_goodbye_is_no_end() {
    let certified = Certified::localhost();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(certified.server());
    polyloop::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        stream.write_all(b"half of it").await.unwrap();
        stream.flush().await.unwrap();
        // Reads until the client has sent all, so that nothing is reset; and then leaves without a word.
        let mut buffer = [0; 64];
        while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    });
    let error = tls_ask(address, certified.client(), b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
}

#[polyloop::test(all)]
async fn tokio_rustls_speaks_through_tokios_traits() {
    let certified = Certified::localhost();
    let address = echoing(&certified).await;
    for length in [0, 1, 16_385, 100_000] {
        let sent = payload(length);
        assert!(tokio_tls_ask(address, certified.client(), &sent).await.unwrap() == sent, "{length} bytes");
    }
}
