//! A web server of real crates: axum's router, hyper-util's HTTP/1.1 and HTTP/2, hyper's protocols; sockets, timers and tasks are
//! whatever combination it runs on.
//!
//! Invariant: no client keeps a connection by doing nothing. Each state in which it is the client's turn has a deadline.

#![forbid(unsafe_code)]

mod answer;
mod impatient;

pub use answer::{Answer, Noted, Untaken};
pub use impatient::Impatient;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::io::{AsyncRead, AsyncWrite};
use futures::stream::{self, StreamExt};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use polyloop::interop::hyper::Io;
use polyloop::net::TcpListener;
use polyloop::{Handle, time};
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

/// How long a client may take to send a request's headers, and to say which protocol it speaks.
pub const HEADERS: Duration = Duration::from_secs(10);
/// How long a request may take, its body included.
pub const REQUEST: Duration = Duration::from_secs(30);
/// How long a client may take to read some more of an answer; of each, if there are several at a time.
pub const STALL: Duration = Duration::from_secs(30);
/// After so long without a sign of life an HTTP/2 client is asked for one,
pub const PING: Duration = Duration::from_secs(20);
/// and has so long to answer.
pub const PONG: Duration = Duration::from_secs(10);
/// How long the end of the server waits for requests that are under way.
pub const GRACE: Duration = Duration::from_secs(5);
/// The most that a body may have.
pub const BODY: usize = 6 << 20;

/// The routes that the tests ask for.
pub fn router() -> Router {
    Router::new()
        .route("/", get(async || "hello\n"))
        .route("/drip/{count}", get(drip))
        .route("/echo", post(async |body: Bytes| body))
        .route("/hello/{name}", get(async |Path(name): Path<String>| format!("hello, {name}\n")))
        .route("/sleep/{milliseconds}", get(nap))
        .route("/zeros/{count}", get(async |Path(count): Path<usize>| vec![0; count.min(64 << 20)]))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn(within_its_time))
}

async fn nap(Path(milliseconds): Path<u64>) -> String {
    time::sleep(Duration::from_millis(milliseconds)).await;
    format!("slept for {milliseconds} ms\n")
}

/// So many lines, one every 100 ms; the first at once.
async fn drip(Path(count): Path<u32>) -> Body {
    let lines = stream::iter(0..count).then(async |n| {
        if n > 0 {
            time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, Infallible>(format!("line {n}\n"))
    });
    Body::from_stream(lines)
}

/// What tower's `Timeout` does with tokio's timer, with ours.
async fn within_its_time(request: Request, next: Next) -> Response {
    match time::timeout(REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, [("connection", "close")], Body::empty()).into_response(),
    }
}

/// Serves HTTP/1.1 and HTTP/2, whichever a client speaks, until `end`; then lets requests that are under way finish, for a
/// while.
///
/// # Errors
///
/// The listener's.
pub async fn serve(listener: TcpListener, router: Router, end: impl Future<Output = ()>) -> io::Result<()> {
    let builder = builder();
    let graceful = GracefulShutdown::new();
    let mut end = pin!(end);
    loop {
        let stream = polyloop::select! {
            accepted = listener.accept() => accepted?.0,
            () = &mut end => break,
        };
        // A connection may be over before it has begun. That is no end of the server, and the next call finds out.
        let _ = stream.set_nodelay(true);
        let (stream, service) = watched(stream, router.clone());
        let connection = builder.serve_connection_with_upgrades(stream, service).into_owned();
        let connection = graceful.watch(connection);
        polyloop::spawn(async move {
            // What a client did wrong, or that it is gone; both are its business.
            let _ = connection.await;
        });
    }
    // What is under way after that is cut off with the runtime.
    let _ = time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

/// Serves one connection, which need not be a TCP one.
///
/// # Errors
///
/// What the client did wrong, or that it is gone.
pub async fn serve_one<S>(stream: S, router: Router) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, service) = watched(stream, router);
    builder().serve_connection_with_upgrades(stream, service).await
}

/// A connection and what answers on it; the one knows what of the other's answers was not taken.
fn watched<S>(
    stream: S,
    router: Router,
) -> (
    Io<Impatient<S>>,
    impl Service<
        hyper::Request<Incoming>,
        Response = hyper::Response<Answer>,
        Error = Infallible,
        Future: Send + 'static,
    > + Send
    + 'static,
) {
    let untaken = Untaken::default();
    let stream = Io::new(Impatient::new(stream, HEADERS, STALL, untaken.clone()));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        let (answer, untaken) = (router.call(request), untaken.clone());
        async move { Ok(answer.await?.map(|body| Answer::new(body, untaken))) }
    });
    (stream, service)
}

/// hyper-util's server with our executor and our timer, and a deadline for whatever it has one for.
pub fn builder() -> auto::Builder<Handle> {
    let handle = Handle::current();
    let mut builder = auto::Builder::new(handle.clone());
    builder.http1().timer(handle.clone()).header_read_timeout(HEADERS);
    builder.http2().timer(handle).keep_alive_interval(PING).keep_alive_timeout(PONG);
    builder
}

/// Ends with the standard input.
pub async fn end_of_input() {
    let read = polyloop::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await;
    if let Ok(Err(error)) = read {
        eprintln!("the standard input: {error}");
    }
}
