//! The limits and the trust of a client, redirects, and the answer.

use super::error::{GetError, GetErrorKind};
use super::exchange::{Exchange, ask};
use crate::here;
use hyper::StatusCode;
use hyper::header::LOCATION;
use polyloop::time::{Instant, timeout_at};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Fetches pages within limits of its own; [`get`](super::get) has one with the limits of [`new`](Self::new).
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use trpl::Client;
///
/// let client = Client::new().time_limit(Duration::from_secs(5)).size_limit(100 * 1024);
/// let text = trpl::run(async { client.get("https://www.rust-lang.org").await?.try_text().await })?;
/// println!("{} bytes", text.len());
/// # Ok::<(), trpl::GetError>(())
/// ```
#[derive(Clone)]
pub struct Client {
    roots: RootCertStore,
    tls: Arc<ClientConfig>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    time: Duration,
    size: usize,
    redirects: usize,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client that trusts the roots that browsers trust (webpki-roots), and gives a transfer 60 seconds from the first look-up to
    /// the end of its body, 16 MiB of body, and 10 redirects.
    pub fn new() -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let limits = Limits { time: Duration::from_secs(60), size: 16 * 1024 * 1024, redirects: 10 };
        Self { tls: tls(&roots), roots, limits }
    }

    /// Trusts this root as well: a certificate in DER.
    ///
    /// # Errors
    ///
    /// That this is no certificate; the address in the error is empty.
    pub fn trust(mut self, certificate: &[u8]) -> Result<Self, GetError> {
        let added = self.roots.add(CertificateDer::from(certificate));
        added.map_err(|error| {
            let why = format!("this is no certificate in DER that can be a root: {error}");
            GetError::new("", GetErrorKind::BadCertificate, why)
        })?;
        self.tls = tls(&self.roots);
        Ok(self)
    }

    /// How long a transfer may take, from the look-up of the name to the end of the body, with all redirects.
    #[must_use]
    pub fn time_limit(mut self, time: Duration) -> Self {
        self.limits.time = time;
        self
    }

    /// How many bytes a body may have.
    #[must_use]
    pub fn size_limit(mut self, bytes: usize) -> Self {
        self.limits.size = bytes;
        self
    }

    /// How many redirects are followed; with 0 the first is an error.
    #[must_use]
    pub fn redirect_limit(mut self, redirects: usize) -> Self {
        self.limits.redirects = redirects;
        self
    }

    /// Fetches a page; see [`try_get`](super::try_get).
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the connection.
    pub async fn get(&self, url: &str) -> Result<Response, GetError> {
        here::try_handle().map_err(|error| GetError::new(url, GetErrorKind::NoRuntime, error.to_string()))?;
        let limits = self.limits;
        let deadline = Instant::now() + limits.time;
        let mut url = parsed(url)?;
        for _ in 0..=limits.redirects {
            let Ok(asked) = timeout_at(deadline, ask(&url, &self.tls)).await else {
                return Err(GetError::timed_out(&url, limits.time, "the answer"));
            };
            let exchange = asked?;
            match led_to(&exchange, &url)? {
                Some(next) => url = next,
                None => return Ok(Response { exchange, url, deadline, limits }),
            }
        }
        let why = format!("there are more than {} redirects", limits.redirects);
        Err(GetError::new(url, GetErrorKind::TooManyRedirects, why))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("limits", &self.limits)
            .field("roots", &self.roots.len())
            .finish_non_exhaustive()
    }
}

fn tls(roots: &RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3");
    let mut config = config.with_root_certificates(roots.clone()).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The address, if it can be fetched.
fn parsed(text: &str) -> Result<Url, GetError> {
    let bad = |why: String| GetError::new(text, GetErrorKind::BadUrl, why);
    let no_scheme = || bad("the address must begin with http:// or https://".to_owned());
    let mut url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => no_scheme(),
        error => bad(format!("this is no address: {error}")),
    })?;
    // What looks like a scheme is the name in `name:password@host`.
    if !url.has_host() && text.contains('@') {
        return Err(no_scheme());
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(format!("`{}` is not spoken here, only http and https", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("a name and password in an address are not sent; leave them out".to_owned()));
    }
    url.set_fragment(None);
    Ok(url)
}

/// Where the answer redirects to.
fn led_to(exchange: &Exchange, url: &Url) -> Result<Option<Url>, GetError> {
    let redirects = matches!(
        exchange.head.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = exchange.head.headers().get(LOCATION).filter(|_| redirects) else { return Ok(None) };
    let nowhere =
        || GetError::new(url.as_str(), GetErrorKind::BadResponse, "the redirect leads to no address");
    let location = std::str::from_utf8(location.as_bytes()).map_err(|_| nowhere())?;
    let next = parsed(url.join(location).map_err(|_| nowhere())?.as_str())?;
    if url.scheme() == "https" && next.scheme() == "http" {
        let why = format!("refused: `{url}` is encrypted, and redirects to this address, which is not");
        return Err(GetError::new(next, GetErrorKind::Downgrade, why));
    }
    Ok(Some(next))
}

/// An answer, of which the head is there. Dropping it closes the connection.
pub struct Response {
    exchange: Exchange,
    url: Url,
    deadline: Instant,
    limits: Limits,
}

impl Response {
    /// The whole body as text. What is not UTF-8 is replaced by `�`.
    ///
    /// # Panics
    ///
    /// If the body does not come, with one sentence that says why, and where this was called; [`try_text`](Self::try_text) returns it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the connection.
    #[track_caller]
    pub fn text(self) -> impl Future<Output = String> + Send {
        // What panics is the poll, whose place says nothing.
        let caller = Location::caller();
        async move {
            match self.try_text().await {
                Ok(text) => text,
                Err(error) => panic!("trpl::Response::text at {caller}: {error}"),
            }
        }
    }

    /// As [`text`](Self::text).
    ///
    /// # Errors
    ///
    /// That the connection ended too early, the body is larger than allowed, or the time was up.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn try_text(mut self) -> Result<String, GetError> {
        let reading = read(&mut self.exchange, &self.url, self.limits.size);
        let body = match timeout_at(self.deadline, reading).await {
            Ok(body) => body?,
            Err(_) => return Err(GetError::timed_out(&self.url, self.limits.time, "the whole body")),
        };
        Ok(String::from_utf8(body)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The status, as in 200 or 404.
    pub fn status(&self) -> u16 {
        self.exchange.head.status().as_u16()
    }

    /// Where it came from, after redirects.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }
}

async fn read(exchange: &mut Exchange, url: &Url, most: usize) -> Result<Vec<u8>, GetError> {
    let too_large = || {
        GetError::new(url.as_str(), GetErrorKind::TooLarge, format!("the body is larger than {most} bytes"))
    };
    if exchange.announced().is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(piece) = exchange.piece(url).await? {
        if piece.len() > most - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
