//! One request and its answer, over a connection of its own.
//!
//! Invariant: the connection is driven by whoever waits for the answer, so nothing outlives the [`Exchange`].

use super::error::{GetError, GetErrorKind, is_local};
use futures::StreamExt;
use futures::io::{AsyncRead, AsyncWrite};
use futures::stream::FuturesUnordered;
use futures_rustls::TlsConnector;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use polyloop::interop::hyper::Io;
use polyloop::net::{TcpStream, lookup_host};
use polyloop::time::timeout;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use url::{Host, Position, Url};

/// One address has so long to answer.
const CONNECT: Duration = Duration::from_secs(10);

/// After so long without an answer the next address is tried as well, as RFC 8305 has it.
const HEAD_START: Duration = Duration::from_millis(250);

/// The head of an answer may be as large.
const HEAD: usize = 64 * 1024;

/// The head of an answer, and the connection that its body comes from.
pub(super) struct Exchange {
    pub(super) head: Response<()>,
    body: Incoming,
    wire: Driven,
}

/// The connection's own work, until it is done.
struct Driven(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

impl Driven {
    /// Whether it is done. What went wrong is told to whoever waits for the answer.
    fn poll_done(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(work) = &mut self.0 else { return true };
        let done = work.as_mut().poll(cx).is_ready();
        if done {
            self.0 = None;
        }
        done
    }

    /// Waits for `future`, doing the connection's work. `None`, if that is done and the future still not ready.
    async fn while_waiting<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            if !self.poll_done(cx) {
                return Poll::Pending;
            }
            // Its last work may have been what the future waits for.
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending => Poll::Ready(None),
            }
        })
        .await
    }
}

/// Asks for `url`, and waits for the head of the answer.
pub(super) async fn ask(url: &Url, tls: &Arc<ClientConfig>) -> Result<Exchange, GetError> {
    let (host, port) = destination(url)?;
    let addresses = look_up(&host, port).await.map_err(|error| GetError::of_lookup(url, error))?;
    let stream = connect(addresses).await.map_err(|error| GetError::of_connect(url, error))?;
    if url.scheme() != "https" {
        return converse(url, stream).await;
    }
    let name = match host {
        Host::Domain(name) => ServerName::try_from(name).map_err(|_| {
            GetError::new(url.as_str(), GetErrorKind::BadUrl, "the host's name cannot be in a certificate")
        })?,
        Host::Ipv4(address) => ServerName::IpAddress(address.into()),
        Host::Ipv6(address) => ServerName::IpAddress(address.into()),
    };
    let encrypted = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    converse(url, encrypted.map_err(|error| GetError::of_handshake(url, error))?).await
}

fn destination(url: &Url) -> Result<(Host<String>, u16), GetError> {
    let bad = |why| GetError::new(url.as_str(), GetErrorKind::BadUrl, why);
    let host = url.host().ok_or_else(|| bad("the address names no host"))?.to_owned();
    let port = url.port_or_known_default().ok_or_else(|| bad("the address names no port"))?;
    Ok((host, port))
}

async fn look_up(host: &Host<String>, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(match host {
        Host::Domain(name) => lookup_host((name.as_str(), port)).await?,
        Host::Ipv4(address) => vec![SocketAddr::from((*address, port))],
        Host::Ipv6(address) => vec![SocketAddr::from((*address, port))],
    })
}

/// A connection to the first address that answers. They are tried in their order, the next one as soon as one has failed or had its
/// head start.
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut untried = addresses.into_iter();
    let mut tried = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        tried.extend(untried.next().map(attempt));
        let head_start = if untried.len() > 0 { HEAD_START } else { Duration::MAX };
        match timeout(head_start, tried.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => last = error,
            Ok(None) => return Err(last),
            Err(_) => {}
        }
    }
}

async fn attempt(address: SocketAddr) -> io::Result<TcpStream> {
    match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if is_local(&error) => Err(error),
        Ok(Err(error)) => Err(io::Error::new(error.kind(), format!("{address} does not answer: {error}"))),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer"))),
    }
}

async fn converse<T>(url: &Url, stream: T) -> Result<Exchange, GetError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error| GetError::of_http(url, error);
    let incomplete = || {
        GetError::new(url.as_str(), GetErrorKind::Incomplete, "the connection ended before the answer did")
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD);
    let (mut sender, connection) = builder.handshake::<_, String>(Io::new(stream)).await.map_err(failed)?;
    let mut wire = Driven(Some(Box::pin(connection)));
    let request = Request::get(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .header(USER_AGENT, concat!("polyloop-trpl/", env!("CARGO_PKG_VERSION")))
        .body(String::new())
        .map_err(|error| GetError::new(url.as_str(), GetErrorKind::BadUrl, error.to_string()))?;
    let answer = wire.while_waiting(sender.send_request(request)).await.ok_or_else(incomplete)?;
    let (head, body) = answer.map_err(failed)?.into_parts();
    Ok(Exchange { head: Response::from_parts(head, ()), body, wire })
}

impl Exchange {
    /// How long the body is, if the answer says so.
    pub(super) fn announced(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next piece of the body.
    pub(super) async fn piece(&mut self, url: &Url) -> Result<Option<Bytes>, GetError> {
        let Self { body, wire, .. } = self;
        loop {
            let frame = wire.while_waiting(poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx))).await;
            match frame {
                Some(Some(Ok(frame))) => {
                    // Trailers are passed over.
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
                Some(Some(Err(error))) => return Err(GetError::of_http(url, error)),
                Some(None) => return Ok(None),
                None => {
                    let why = "the connection ended before the answer did";
                    return Err(GetError::new(url.as_str(), GetErrorKind::Incomplete, why));
                }
            }
        }
    }
}
