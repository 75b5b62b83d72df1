//! A web server of parts that want tokio: axum's events with their keep-alive, tower's timeout. Sockets, tasks and HTTP are ours; only
//! what waits for tokio's timer waits in the bridge.

#![forbid(unsafe_code)]

/// The guide's chapter, whose code runs as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/guide/ecosystem.md")]
pub mod guide {}

use axum::BoxError;
use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::get;
use futures::stream::{self, Stream, StreamExt};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use polyloop::Handle;
use polyloop::compat::tokio::compat;
use polyloop::interop::hyper::Io;
use polyloop::net::TcpListener;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::time::Duration;
use tower::ServiceBuilder;
use tower::timeout::TimeoutLayer;

/// How often a quiet stream of events says that it is still there.
pub const ALIVE: Duration = Duration::from_millis(30);
/// How long tower lets a request take.
pub const REQUEST: Duration = Duration::from_millis(100);

/// `/events` has one event and then keeps quiet; `/never` never answers.
pub fn router() -> Router {
    let timeout = ServiceBuilder::new().layer(HandleErrorLayer::new(late)).layer(TimeoutLayer::new(REQUEST));
    Router::new().route("/never", get(async || pending::<String>().await).layer(timeout)).route(
        "/events",
        get(async || Sse::new(events()).keep_alive(KeepAlive::new().interval(ALIVE).text("alive"))),
    )
}

async fn late(error: BoxError) -> (StatusCode, String) {
    (StatusCode::GATEWAY_TIMEOUT, format!("{error}\n"))
}

fn events() -> impl Stream<Item = Result<Event, Infallible>> {
    stream::once(async { Ok(Event::default().data("first")) }).chain(stream::pending())
}

/// Serves until it is dropped. Each connection is polled in tokio's context, if `bridged`.
///
/// # Errors
///
/// The listener's.
pub async fn serve(listener: TcpListener, bridged: bool) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(router());
        let connection = async move {
            // A client that is gone.
            let _ = auto::Builder::new(Handle::current()).serve_connection(Io::new(stream), service).await;
        };
        if bridged {
            polyloop::spawn(compat(connection));
        } else {
            polyloop::spawn(connection);
        }
    }
}
