//! Why there is no page.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;
use url::Url;

/// Why a page could not be fetched: the address, one sentence, and what to tell apart by [`kind`](Self::kind).
#[derive(Debug)]
pub struct GetError {
    url: String,
    kind: GetErrorKind,
    why: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a program may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GetErrorKind {
    /// There is no runtime here.
    NoRuntime,
    /// The address, or the one that a redirect leads to, cannot be fetched.
    BadUrl,
    /// The name is unknown, or nobody answers there.
    Unreachable,
    /// The server's certificate is expired, not valid yet, for another host, or signed by nobody that is trusted.
    BadCertificate,
    /// The connection could not be encrypted, for another reason than the certificate.
    Tls,
    /// What came is not HTTP/1.1, or its head is larger than allowed.
    BadResponse,
    /// The connection ended before the answer did.
    Incomplete,
    /// The body is larger than allowed.
    TooLarge,
    /// The time was up.
    TimedOut,
    /// There were more redirects than allowed.
    TooManyRedirects,
    /// A redirect leads from an encrypted address to one that is not.
    Downgrade,
}

impl GetError {
    pub(super) fn new(url: impl Into<String>, kind: GetErrorKind, why: impl Into<String>) -> Self {
        Self { url: url.into(), kind, why: why.into(), source: None }
    }

    pub(super) fn timed_out(url: &Url, limit: Duration, meanwhile: &str) -> Self {
        Self::new(url.as_str(), GetErrorKind::TimedOut, format!("{meanwhile} took longer than {limit:?}"))
    }

    /// What connecting or the TLS handshake came to.
    pub(super) fn of_io(url: &Url, error: io::Error) -> Self {
        let (kind, why) = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                (GetErrorKind::BadCertificate, format!("the server's certificate cannot be trusted: {why}"))
            }
            Some(why) => (GetErrorKind::Tls, format!("no encrypted connection: {why}")),
            None => (GetErrorKind::Unreachable, error.to_string()),
        };
        Self { url: url.to_string(), kind, why, source: Some(Box::new(error)) }
    }

    /// What hyper, or the connection below it, says.
    pub(super) fn of_http(url: &Url, error: hyper::Error) -> Self {
        let below = std::iter::successors(error.source(), |error| (*error).source());
        let broken = below.filter_map(|error| error.downcast_ref::<io::Error>()).next();
        let (kind, why) = match broken {
            Some(broken) if broken.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                (GetErrorKind::Tls, format!("the encrypted connection broke: {broken}"))
            }
            Some(broken) => {
                (GetErrorKind::Incomplete, format!("the connection ended before the answer did: {broken}"))
            }
            None if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => {
                (GetErrorKind::Incomplete, "the connection ended before the answer did".to_owned())
            }
            None => (GetErrorKind::BadResponse, format!("what came is no HTTP/1.1 answer: {}", told(&error))),
        };
        Self { url: url.to_string(), kind, why, source: Some(Box::new(error)) }
    }

    /// What to tell apart.
    pub fn kind(&self) -> GetErrorKind {
        self.kind
    }

    /// The address at which it went wrong, after redirects.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The error and what it comes from.
fn told(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may come from anywhere, and may be anything.
        write!(f, "`{}`: {}", self.url.escape_debug(), self.why)
    }
}

impl Error for GetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<GetError> for io::Error {
    fn from(error: GetError) -> Self {
        let kind = match error.kind {
            GetErrorKind::BadUrl => io::ErrorKind::InvalidInput,
            GetErrorKind::TimedOut => io::ErrorKind::TimedOut,
            GetErrorKind::Incomplete => io::ErrorKind::UnexpectedEof,
            GetErrorKind::BadResponse | GetErrorKind::BadCertificate => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
