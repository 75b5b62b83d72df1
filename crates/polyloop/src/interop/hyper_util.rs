//! hyper-util's pooled client on any combination (feature `hyper-util`): what connects it.
//!
//! Its server, `server::conn::auto::Builder`, needs nothing of this: it takes a [`Handle`](crate::Handle) as its executor and
//! an [`Io`] as its connection.

use super::hyper::Io;
use crate::net::TcpStream;
use ::hyper::Uri;
use ::hyper_util::client::legacy::connect::{Connected, Connection};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

/// Connects `http://` addresses for hyper-util's client; names are looked up by the runtime's
/// [resolver](crate::Builder::resolver).
///
/// # Errors
///
/// Its future gives `InvalidInput` for another scheme than `http` and for an address without a host, and otherwise the
/// resolver's or the kernel's word.
///
/// # Examples
///
/// ```no_run
/// # #[polyloop::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hyper_util::client::legacy::Client;
/// use polyloop::Handle;
/// use polyloop::interop::hyper_util::Connector;
/// use std::time::Duration;
///
/// let client: Client<_, String> = Client::builder(Handle::current())
///     .pool_timer(Handle::current())
///     .pool_idle_timeout(Duration::from_secs(30))
///     .build(Connector);
/// let answer = client.get("http://localhost:8080/".parse()?).await?;
/// println!("{}", answer.status());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Connector;

impl Service<Uri> for Connector {
    type Response = Io<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Io<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(async move {
            let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, format!("{uri}: {what}"));
            if uri.scheme_str() != Some("http") {
                return Err(invalid("this connector speaks http:// only, for anything else wrap it in TLS"));
            }
            let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| invalid("no host"))?;
            // An IPv6 address stands in brackets there, and in no other place.
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
            stream.set_nodelay(true)?;
            Ok(Io::new(stream))
        })
    }
}

/// A connection without TLS and without a proxy: nothing is to be said about it.
impl<T> Connection for Io<T> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
