//! Fetching a page: HTTP/1.1 by hyper, TLS by rustls, on the sockets and timers of the current runtime.
//!
//! Invariant: a transfer ends. Time, size and redirects have limits, and whatever goes wrong is an error of [`try_get`].

mod client;
mod error;
mod exchange;

pub use client::{Client, Response};
pub use error::{GetError, GetErrorKind};

use std::panic::Location;
use std::sync::OnceLock;

/// Fetches a page, following redirects. A status like 404 is an answer, too.
///
/// The limits are those of [`Client::new`].
///
/// # Panics
///
/// If there is no answer, with one sentence that says why, and where this was called; [`try_get`] returns it.
///
/// # Cancel safety
///
/// Dropping it closes the connection.
///
/// # Examples
///
/// ```no_run
/// let text = trpl::run(async { trpl::get("https://www.rust-lang.org").await.text().await });
/// println!("{} bytes", text.len());
/// ```
#[track_caller]
pub fn get(url: &str) -> impl Future<Output = Response> + Send {
    // What panics is the poll, whose place says nothing.
    let caller = Location::caller();
    async move {
        match try_get(url).await {
            Ok(response) => response,
            Err(error) => panic!("trpl::get at {caller}: {error}"),
        }
    }
}

/// As [`get`].
///
/// # Errors
///
/// Why there is no answer.
///
/// # Cancel safety
///
/// As there.
///
/// # Examples
///
/// ```
/// use trpl::GetErrorKind;
///
/// let error = trpl::run(async { trpl::try_get("no address").await }).unwrap_err();
/// assert_eq!(error.kind(), GetErrorKind::BadUrl);
/// ```
pub async fn try_get(url: &str) -> Result<Response, GetError> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(Client::new).get(url).await
}
