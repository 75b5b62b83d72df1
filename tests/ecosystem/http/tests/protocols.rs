//! What the two protocols can do, through our sockets, tasks and timers, on every combination.

#![forbid(unsafe_code)]

use ecosystem_http::{builder, router, serve};
use futures::future::join_all;
use futures::io::{AsyncReadExt, AsyncWriteExt};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use polyloop::Handle;
use polyloop::interop::hyper::{Io, LocalExecutor};
use polyloop::interop::hyper_util::Connector;
use polyloop::net::{TcpListener, TcpStream};
use polyloop::time::{Instant, sleep};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

async fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn server() -> SocketAddr {
    let (listener, address) = listening().await;
    polyloop::spawn(serve(listener, router(), pending()));
    address
}

/// Bytes of which no two pieces are alike.
fn payload(length: usize) -> Bytes {
    (0..length).map(|n| (n % 251) as u8 ^ (n >> 8) as u8).collect()
}

#[polyloop::test(all)]
async fn a_connection_of_http1_carries_many_requests_and_big_bodies() {
    let stream = Io::new(TcpStream::connect(server().await).await.unwrap());
    let (mut client, connection) = http1::handshake(stream).await.unwrap();
    polyloop::spawn(connection);
    for length in (0..100).chain([1 << 10, 64 << 10, 1 << 20, 5 << 20]) {
        let sent = payload(length);
        let request = Request::post("/echo").header("host", "x").body(Full::new(sent.clone())).unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.into_body().collect().await.unwrap().to_bytes() == sent, "{length} bytes");
        client.ready().await.unwrap();
    }
}

#[polyloop::test(all)]
async fn a_hundred_streams_share_a_connection_of_http2() {
    let stream = Io::new(TcpStream::connect(server().await).await.unwrap());
    let (client, connection) = http2::handshake(Handle::current(), stream).await.unwrap();
    polyloop::spawn(connection);
    let asked = (0..100_usize).map(|n| {
        let mut client = client.clone();
        polyloop::spawn(async move {
            // The odd ones wait on the server, so that all are open at once.
            let (path, length) = if n % 2 == 0 { ("/echo", 40_000 + n) } else { ("/sleep/20", 0) };
            let mut request = Request::post(format!("http://x{path}"));
            if n % 2 == 1 {
                request = request.method("GET");
            }
            let sent = payload(length);
            let answer = client.send_request(request.body(Full::new(sent.clone())).unwrap()).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(n % 2 == 1 || body == sent);
        })
    });
    for asked in join_all(asked).await {
        asked.unwrap();
    }
}

/// An upgrade gives the connection away, and it speaks `futures-io` again.
#[polyloop::test(all)]
async fn an_upgraded_connection_is_a_stream_of_bytes() {
    let (listener, address) = listening().await;
    polyloop::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(async |request: Request<Incoming>| {
            polyloop::spawn(async move {
                let mut upgraded = Io::new(hyper::upgrade::on(request).await.unwrap());
                let mut line = [0; 5];
                upgraded.read_exact(&mut line).await.unwrap();
                line.reverse();
                upgraded.write_all(&line).await.unwrap();
                upgraded.close().await.unwrap();
            });
            let answer =
                Response::builder().status(101).header("connection", "upgrade").header("upgrade", "mirror");
            Ok::<_, Infallible>(answer.body(Empty::<Bytes>::new()).unwrap())
        });
        builder().serve_connection_with_upgrades(Io::new(stream), service).await.unwrap();
    });
    let (mut client, connection) =
        http1::handshake(Io::new(TcpStream::connect(address).await.unwrap())).await.unwrap();
    polyloop::spawn(connection.with_upgrades());
    let request =
        Request::get("/").header("host", "x").header("connection", "upgrade").header("upgrade", "mirror");
    let answer = client.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut upgraded = Io::new(hyper::upgrade::on(answer).await.unwrap());
    upgraded.write_all(b"hello").await.unwrap();
    let mut mirrored = String::new();
    upgraded.read_to_string(&mut mirrored).await.unwrap();
    assert_eq!(mirrored, "olleh");
}

/// Service, executor and connection are not `Send`: everything stays on the thread that blocks.
#[polyloop::test(all)]
async fn a_local_service_of_http2_needs_no_send() {
    let (listener, address) = listening().await;
    let served = Rc::new(Cell::new(0));
    let count = served.clone();
    let server = polyloop::task::spawn_local(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(|_| {
            let count = count.clone();
            async move {
                count.set(count.get() + 1);
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(count.get().to_string()))))
            }
        });
        let builder = hyper::server::conn::http2::Builder::new(LocalExecutor);
        builder.serve_connection(Io::new(stream), service).await
    });
    let stream = Io::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = http2::handshake(Handle::current(), stream).await.unwrap();
    polyloop::spawn(connection);
    for n in 1..=10 {
        let request = Request::get("http://x/").body(Empty::<Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(answer.to_bytes(), n.to_string());
    }
    drop(client);
    server.await.unwrap().unwrap();
    assert_eq!(served.get(), 10);
}

/// How many connections a server has seen, of clients that get one word each.
async fn counting() -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, address) = listening().await;
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    polyloop::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            seen.fetch_add(1, SeqCst);
            let service =
                service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("word")))));
            polyloop::spawn(async move {
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(Io::new(stream), service)
                    .await;
            });
        }
    });
    (address, count)
}

#[polyloop::test(all, start_paused = true)]
async fn a_pooled_client_keeps_a_connection_as_long_as_it_was_told() {
    let (address, count) = counting().await;
    let client: Client<_, Empty<Bytes>> = Client::builder(Handle::current())
        .pool_timer(Handle::current())
        .pool_idle_timeout(Duration::from_secs(60))
        .build(Connector);
    let ask = async || {
        let answer =
            client.get(format!("http://localhost:{}/", address.port()).parse().unwrap()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "word");
    };
    for _ in 0..10 {
        ask().await;
        sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(count.load(SeqCst), 1, "one connection carried all requests");
    sleep(Duration::from_secs(90)).await;
    ask().await;
    assert_eq!(count.load(SeqCst), 2, "the idle one was given up");
}

#[polyloop::test(all)]
async fn a_connector_says_what_it_cannot_do() {
    let client: Client<_, Empty<Bytes>> = Client::builder(Handle::current()).build(Connector);
    for (address, word) in [("https://localhost/", "http://"), ("http://127.0.0.1:1/", "refused")] {
        let error = client.get(address.parse().unwrap()).await.unwrap_err();
        let mut words = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            words.push_str(&error.to_string().to_lowercase());
            cause = error.source();
        }
        assert!(words.contains(word), "{address}: {words}");
    }
}

#[polyloop::test(all, start_paused = true)]
async fn hypers_timer_is_the_runtimes_clock() {
    use hyper::rt::Timer;
    let (timer, start) = (Handle::current(), Instant::now());
    let before = timer.now();
    let mut sleep = timer.sleep(Duration::from_secs(3600));
    timer.reset(&mut sleep, before + Duration::from_secs(7200));
    sleep.await;
    assert_eq!(timer.now() - before, Duration::from_secs(7200));
    assert_eq!(start.elapsed(), Duration::from_secs(7200));
    timer.sleep_until(before).await;
    assert_eq!(start.elapsed(), Duration::from_secs(7200), "the past takes no time");
}
