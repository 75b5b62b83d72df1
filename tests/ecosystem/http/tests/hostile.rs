//! Hostile and broken peers, in virtual time: an error or an end for each, never a hang, and the next one is served.
//!
//! Over Unix sockets, for the reason that `timeouts.rs` has.

#![forbid(unsafe_code)]

use ecosystem_http::{BODY, PING as SILENCE, router, serve_one};
use ecosystem_support::alone;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use polyloop::interop::hyper::Io;
use polyloop::net::unix::UnixStream;
use polyloop::time::Instant;
use polyloop::{Handle, time};
use std::time::Duration;

/// By then every deadline of the server has passed several times over.
const NEVER: Duration = Duration::from_secs(3600);

/// A connection that is served on this runtime.
fn connected() -> UnixStream {
    let (client, server) = UnixStream::pair().unwrap();
    polyloop::spawn(serve_one(server, router()));
    client
}

/// Sends `bytes`, then ends its side or stays, and gives what came until the server closed.
async fn attack(bytes: &[u8], ends: bool) -> Vec<u8> {
    let stream = connected();
    let mut answer = Vec::new();
    let talk = async {
        // Reading at the same time: a server that answers before it has read everything must not wait for us.
        let send = async {
            if stream.write_all(bytes).await.is_ok() && ends {
                let _ = stream.shutdown().await;
            }
        };
        let read = async {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                answer.extend_from_slice(&buffer[..n]);
            }
        };
        polyloop::join!(send, read);
    };
    time::timeout(NEVER, talk).await.expect("the server closes");
    answer
}

/// The first line of an HTTP/1 answer.
fn status(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_owned()
}

async fn still_answers() {
    let answer = attack(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", false).await;
    assert_eq!(status(&answer), "HTTP/1.1 200 OK");
}

/// A name, what is sent, and how the answer begins; the empty one means that an end without answer is right as well. A length
/// beside chunks is a request by RFC 9112, in which the chunks count.
fn broken_requests() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let get = |headers: &str| format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n").into_bytes();
    let post = |rest: &str| format!("POST /echo HTTP/1.1\r\nhost: x\r\n{rest}").into_bytes();
    vec![
        ("no method", b"\0\0\0\0\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        ("no version", b"GET /\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        ("a version of the future", b"GET / HTTP/9.9\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        ("a greeting of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "HTTP/1.1 400"),
        ("NUL in a name", get("a\0b: c\r\n"), "HTTP/1.1 400"),
        ("NUL in a value", get("a: b\0c\r\n"), "HTTP/1.1 400"),
        ("a bare carriage return", get("a: b\rc: d\r\n"), "HTTP/1.1 400"),
        ("a name with a blank", get("a b: c\r\n"), "HTTP/1.1 400"),
        ("a folded line", get("a: b\r\n c\r\n"), "HTTP/1.1 400"),
        ("a thousand headers", get(&"a: b\r\n".repeat(1000)), "HTTP/1.1 431"),
        ("a header without end", get(&format!("a: {}", "b".repeat(2 << 20))), "HTTP/1.1 431"),
        (
            "an address without end",
            format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(2 << 20)).into_bytes(),
            "HTTP/1.1 4",
        ),
        ("two lengths", post("content-length: 5\r\ncontent-length: 6\r\n\r\nhello!"), "HTTP/1.1 400"),
        ("a negative length", post("content-length: -1\r\n\r\n"), "HTTP/1.1 400"),
        ("a length out of range", post("content-length: 99999999999999999999\r\n\r\n"), "HTTP/1.1 400"),
        (
            "a length and chunks",
            post("content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            "HTTP/1.1 ",
        ),
        ("an unknown encoding", post("transfer-encoding: zip\r\n\r\n"), "HTTP/1.1 400"),
        ("chunks of no number", post("transfer-encoding: chunked\r\n\r\nzz\r\n"), "HTTP/1.1 400"),
        (
            "a chunk out of range",
            post("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
            "HTTP/1.1 400",
        ),
        (
            "a body that is too long",
            post(&format!("content-length: {}\r\n\r\n{}", BODY + 1, "x".repeat(BODY + 1))),
            "HTTP/1.1 413",
        ),
        ("a body that never comes", post("content-length: 99999999\r\n\r\n"), "HTTP/1.1 408"),
        ("half a body", post("content-length: 9\r\n\r\nfive!"), "HTTP/1.1 408"),
        ("half a header", b"GET / HTTP/1.1\r\nhost".to_vec(), ""),
        ("nothing", Vec::new(), ""),
    ]
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn broken_requests_get_an_error_and_an_end() {
    alone(async {
        for (name, bytes, begins) in broken_requests() {
            // From somebody who stays, so that whatever the server does, it does by itself.
            let answer = attack(&bytes, false).await;
            assert!(answer.starts_with(begins.as_bytes()), "{name}: {}", status(&answer));
            // One who ends its side may be gone for all the server knows, and need not be answered.
            attack(&bytes, true).await;
            still_answers().await;
        }
    })
    .await;
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// `GET http://x/`, by HPACK's static table; without the flag for the end of the headers.
const A_REQUEST: &[u8] = &[0x82, 0x86, 0x84, 0x01, 0x01, b'x'];

fn broken_connections() -> Vec<(&'static str, Vec<u8>)> {
    let rapid_reset = |n: u32| {
        let streams = (0..n).map(|n| 2 * n + 1);
        streams
            .flat_map(|id| {
                [frame(HEADERS, 5, id, A_REQUEST), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat()
            })
            .collect()
    };
    let mut endless = frame(HEADERS, 1, 1, A_REQUEST);
    let field = [&[0x00, 0x01, b'a', 0x7f, 0x81, 0x3e][..], &[b'b'; 8192]].concat();
    (0..2000).for_each(|_| endless.extend(frame(CONTINUATION, 0, 1, &field)));
    vec![
        ("noise", vec![0xaa; 4096]),
        ("a frame longer than allowed", frame(HEADERS, 5, 1, &vec![0; 20_000])),
        ("headers that cannot be decoded", frame(HEADERS, 5, 1, &[0xff; 64])),
        ("an even stream", frame(HEADERS, 5, 2, A_REQUEST)),
        ("a reset of a stream that never was", frame(RST_STREAM, 0, 99, &[0, 0, 0, 8])),
        ("settings of a wrong length", frame(SETTINGS, 0, 0, &[0; 5])),
        ("a window that overflows", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2)),
        ("a ping of a stream", frame(PING, 0, 1, &[0; 8])),
        ("headers that never end", endless),
        ("ten thousand streams that are reset at once", rapid_reset(10_000)),
    ]
}

/// The frames' kinds in what a server sent.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        bytes = rest.get(length..).unwrap_or_default();
    }
    kinds
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn broken_http2_is_sent_away() {
    alone(async {
        let greeting = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
        for (name, bytes) in broken_connections() {
            let start = Instant::now();
            let answer = attack(&[greeting.clone(), bytes].concat(), false).await;
            // At once, and not because it was silent afterwards.
            assert!(start.elapsed() < SILENCE, "{name}: {:?}", start.elapsed());
            let kinds = kinds(&answer);
            assert!(kinds.contains(&GOAWAY), "{name}: {kinds:?}");
            still_answers().await;
        }
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn a_flood_of_pings_and_settings_keeps_nobody_out() {
    alone(async {
        let mut bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
        for _ in 0..10_000 {
            bytes.extend(frame(SETTINGS, 0, 0, &[]));
            bytes.extend(frame(PING, 0, 0, &[0; 8]));
        }
        let attacker = polyloop::spawn(async move { attack(&bytes, false).await });
        for _ in 0..10 {
            still_answers().await;
        }
        attacker.await.unwrap();
    })
    .await;
}

/// A server that sends `answer` to whoever asks, and then ends or stays.
fn liar(answer: Vec<u8>, ends: bool) -> UnixStream {
    let (client, stream) = UnixStream::pair().unwrap();
    polyloop::spawn(async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(&answer).await;
        if ends {
            let _ = stream.shutdown().await;
        }
        // Holds the connection until the client has seen enough.
        while let Ok(1..) = stream.read(&mut request).await {}
    });
    client
}

/// The body of a request over HTTP/1.1, or what went wrong; a minute at most.
async fn asked(server: UnixStream) -> Result<Bytes, String> {
    let talk = async {
        let handshake = http1::Builder::new().handshake(Io::new(server)).await;
        let (mut client, connection) = handshake.map_err(|error| error.to_string())?;
        polyloop::spawn(connection);
        let request = Request::get("/").header("host", "x").body(Empty::<Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.map_err(|error| format!("head: {error}"))?;
        let body = answer.into_body().collect().await.map_err(|error| format!("body: {error}"))?;
        Ok(body.to_bytes())
    };
    time::timeout(Duration::from_secs(60), talk).await.unwrap_or_else(|late| Err(late.to_string()))
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn a_client_of_a_broken_server_gets_an_error() {
    alone(async {
        let good = liar(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec(), true);
        assert_eq!(asked(good).await.as_deref(), Ok(&b"ok"[..]));
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(2 << 20));
        for (name, answer, error) in [
            ("nothing", "", "head"),
            ("noise", "\u{1}\u{2}\u{3}\r\n\r\n", "head"),
            ("half a status", "HTTP/1.1 20", "head"),
            ("half a header", "HTTP/1.1 200 OK\r\ncontent-le", "head"),
            ("a header without end", &endless, "head"),
            ("a header with NUL", "HTTP/1.1 200 OK\r\na: \0\r\n\r\n", "head"),
            ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "head"),
            ("half a body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfive!", "body"),
            ("half a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", "body"),
            ("a chunk of no number", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "body"),
        ] {
            let got = asked(liar(answer.into(), true)).await;
            assert!(got.as_ref().is_err_and(|got| got.starts_with(error)), "{name}: {got:?}");
            // From one that stays it is the same error, or the client's own deadline; in no case a hang.
            let got = asked(liar(answer.into(), false)).await;
            assert!(got.is_err(), "{name}: {got:?}");
        }
    })
    .await;
}

#[polyloop::test(all, workers = 1, start_paused = true)]
async fn a_client_of_broken_http2_gets_an_error() {
    alone(async {
        for (name, answer, ends) in [
            ("an end", Vec::new(), true),
            ("another protocol", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), true),
            ("a frame too long", frame(SETTINGS, 0, 0, &vec![0; 20_000]), false),
            ("silence", Vec::new(), false),
        ] {
            let stream = Io::new(liar(answer, ends));
            let mut builder = http2::Builder::new(Handle::current());
            builder.timer(Handle::current()).keep_alive_interval(Duration::from_secs(5));
            builder.keep_alive_timeout(Duration::from_secs(5)).keep_alive_while_idle(true);
            let asked = async {
                let (mut client, connection) = builder.handshake(stream).await?;
                polyloop::spawn(connection);
                client
                    .send_request(Request::get("http://x/").body(Empty::<Bytes>::new()).unwrap())
                    .await
                    .map(drop)
            };
            // hyper's keep-alive alone ends it, by our timer.
            let asked = time::timeout(NEVER, asked).await.expect("it ends");
            assert!(asked.is_err(), "{name}");
        }
    })
    .await;
}
