//! Slow clients are closed, in virtual time: on a clock that moves when nothing else can happen.
//!
//! Over a pair of Unix sockets, which deliver within the call that sends. What is on its way through the loopback device of a busy
//! machine nobody can see, and the clock would overtake it.

#![forbid(unsafe_code)]

use ecosystem_http::{HEADERS, PING, PONG, REQUEST, STALL, router, serve_one};
use ecosystem_support::alone;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use polyloop::Handle;
use polyloop::interop::hyper::Io;
use polyloop::net::unix::UnixStream;
use polyloop::task::JoinHandle;
use polyloop::time::{Instant, sleep, timeout};
use std::time::Duration;

/// A connection that is served on this runtime.
fn connected() -> UnixStream {
    let (client, server) = UnixStream::pair().unwrap();
    polyloop::spawn(serve_one(server, router()));
    client
}

/// Everything that comes until the server closes.
async fn rest(stream: &UnixStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    // A server that closes while something is left to read resets the connection; that is an end, too.
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        bytes.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends `bytes` and nothing after, and gives the answer and how long it took until the server closed.
async fn silent_after(bytes: &[u8]) -> (String, Duration) {
    let stream = connected();
    let start = Instant::now();
    stream.write_all(bytes).await.unwrap();
    let answer = rest(&stream).await;
    (answer, start.elapsed())
}

#[track_caller]
fn assert_took(took: Duration, expected: Duration) {
    // The clock moves by itself only to deadlines, and there are no others.
    assert!(took >= expected && took < expected + Duration::from_secs(1), "{took:?}, not {expected:?}");
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_says_nothing_is_closed() {
    alone(async {
        assert_took(silent_after(b"").await.1, HEADERS);
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_might_speak_either_protocol_and_stops_is_closed() {
    alone(async {
        assert_took(silent_after(b"PRI * HT").await.1, HEADERS);
        // The first letter of HTTP/2, and of a POST.
        assert_took(silent_after(b"P").await.1, HEADERS);
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_sends_half_a_header_is_closed() {
    alone(async {
        let (answer, took) = silent_after(b"GET / HTTP/1.1\r\nhost: x\r\nwei").await;
        assert_took(took, HEADERS);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn a_byte_per_second_of_a_header_does_not_help() {
    alone(async {
        let stream = connected();
        let start = Instant::now();
        let header = b"GET / HTTP/1.1\r\nhost: somebody-who-has-all-the-time-in-the-world\r\n\r\n";
        let mut sent = 0;
        for byte in header.chunks(1) {
            if stream.write_all(byte).await.is_err() {
                break;
            }
            sent += 1;
            sleep(Duration::from_secs(1)).await;
        }
        assert!((10..15).contains(&sent), "{sent} bytes were taken");
        rest(&stream).await;
        assert!(start.elapsed() < HEADERS + Duration::from_secs(5));
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_trickles_a_body_is_told_that_it_took_too_long() {
    alone(async {
        let (answer, took) =
            silent_after(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfive!").await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert_took(took, REQUEST);
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_asks_once_and_idles_is_closed() {
    alone(async {
        let (answer, took) = silent_after(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello\n"), "{answer}");
        assert_took(took, HEADERS);
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_begins_http2_and_is_silent_is_asked_for_a_sign_of_life() {
    alone(async {
        // The preface and empty settings; the ping is never answered.
        let (answer, took) = silent_after(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        assert!(!answer.is_empty(), "the server's settings");
        assert_took(took, PING + PONG);
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_does_not_read_the_answer_is_closed() {
    alone(async {
        let stream = connected();
        let start = Instant::now();
        // More than the kernel's buffers take.
        stream.write_all(b"GET /zeros/16000000 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        sleep(STALL + Duration::from_secs(5)).await;
        let answer = rest(&stream).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.len() < 16_000_000, "{} bytes", answer.len());
        assert!(start.elapsed() < STALL + Duration::from_secs(6));
    })
    .await;
}

/// A client of HTTP/2 that reads all that comes, answers each ping, and opens windows of `window` bytes.
async fn over_http2(
    window: u32,
    path: &str,
) -> (http2::SendRequest<Empty<Bytes>>, Incoming, JoinHandle<hyper::Result<()>>) {
    let mut builder = http2::Builder::new(Handle::current());
    builder.initial_stream_window_size(window);
    let (mut client, connection) = builder.handshake(Io::new(connected())).await.unwrap();
    let connection = polyloop::spawn(connection);
    let request = Request::get(format!("http://x{path}")).body(Empty::<Bytes>::new()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    // The connection lives as long as somebody might ask again.
    (client, answer.into_body(), connection)
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_opens_no_window_for_an_answer_in_http2_is_closed() {
    alone(async {
        for (window, path) in [
            // Far more than the window, a little more, and an answer whose last bytes alone are left.
            (65_535, "/zeros/16000000"),
            (65_535, "/zeros/65536"),
            (1, "/"),
        ] {
            let start = Instant::now();
            let (_client, _body, connection) = over_http2(window, path).await;
            let _ = timeout(Duration::from_secs(3600), connection).await.expect("it is closed");
            assert_took(start.elapsed(), STALL);
        }
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_takes_its_time_with_an_answer_in_http2_but_not_too_long_is_kept() {
    alone(async {
        let (_client, mut body, _connection) = over_http2(20_000, "/zeros/100000").await;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().into_data().unwrap().len();
            // A window is opened once it is half used up, which is not with each frame.
            sleep(STALL / 3).await;
        }
        assert_eq!(length, 100_000);
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn who_takes_its_time_between_requests_but_not_too_long_is_kept() {
    alone(async {
        let stream = connected();
        for _ in 0..10 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
            while !answer.ends_with(b"hello\n") {
                let n = stream.read(&mut buffer).await.unwrap();
                assert_ne!(n, 0, "the server closed");
                answer.extend_from_slice(&buffer[..n]);
            }
            sleep(HEADERS - Duration::from_secs(1)).await;
        }
    })
    .await;
}
