//! Why there is no page.

use polyloop::task::JoinError;
use rustix::io::Errno;
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
    /// This side could not even ask: it has no descriptor or thread to spare, or its runtime has shut down.
    Local,
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
        Self { url: without_userinfo(url.into()), kind, why: why.into(), source: None }
    }

    pub(super) fn timed_out(url: &Url, limit: Duration, meanwhile: &str) -> Self {
        Self::new(url.as_str(), GetErrorKind::TimedOut, format!("{meanwhile} took longer than {limit:?}"))
    }

    /// What looking up the name came to.
    pub(super) fn of_lookup(url: &Url, error: io::Error) -> Self {
        // Whatever a resolver says of a name is no error of the system, nor of the job that it runs in.
        let is_job = error.get_ref().is_some_and(|inner| inner.is::<JoinError>());
        let is_local = is_job || error.raw_os_error().is_some();
        Self::of_io(url, if is_local { GetErrorKind::Local } else { GetErrorKind::Unreachable }, error)
    }

    /// What connecting came to.
    pub(super) fn of_connect(url: &Url, error: io::Error) -> Self {
        let is_local = is_local(&error);
        Self::of_io(url, if is_local { GetErrorKind::Local } else { GetErrorKind::Unreachable }, error)
    }

    fn of_io(url: &Url, kind: GetErrorKind, error: io::Error) -> Self {
        let why = error.to_string();
        Self { url: url.to_string(), kind, why, source: Some(Box::new(error)) }
    }

    /// What the TLS handshake came to.
    pub(super) fn of_handshake(url: &Url, error: io::Error) -> Self {
        let (kind, why) = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                (GetErrorKind::BadCertificate, format!("the server's certificate cannot be trusted: {why}"))
            }
            Some(why) => (GetErrorKind::Tls, format!("no encrypted connection: {why}")),
            None if is_local(&error) => (GetErrorKind::Local, error.to_string()),
            None => (GetErrorKind::Tls, format!("the connection ended before it was encrypted: {error}")),
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

/// Whether an error of a connection is of this side, and not of the network or whoever answers there.
pub(super) fn is_local(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        Some(errno) => matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS),
        // The runtime's word: it has shut down.
        None => error.kind() == io::ErrorKind::Other,
    }
}

/// An address without the name and password in it, if it has any: errors end in logs.
fn without_userinfo(address: String) -> String {
    match Url::parse(&address) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            // Neither fails where there was one.
            let _ = (url.set_username(""), url.set_password(None));
            url.into()
        }
        Ok(url) if url.has_host() => address,
        // Where they end cannot be known in what is no address, or whose name was taken for a scheme.
        _ => match address.rsplit_once('@') {
            Some((_, rest)) => format!("…@{rest}"),
            None => address,
        },
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
        if self.url.is_empty() {
            return f.write_str(&self.why);
        }
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
            _ => {
                let source = error.source.as_ref().and_then(|source| source.downcast_ref::<Self>());
                source.map_or(io::ErrorKind::Other, Self::kind)
            }
        };
        Self::new(kind, error)
    }
}
