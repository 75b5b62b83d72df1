//! An example of a library that is generic over runtimes: it connects to whichever of several addresses answers first (RFC 8305,
//! "Happy Eyeballs", without its sorting of addresses).
//!
//! It depends on `polyloop-traits` alone. Its bounds say what it needs, and its caller brings the runtime, so that it runs on tokio, on
//! smol, on every combination of polyloop, and on [`AnyRuntime`](polyloop_traits::AnyRuntime) for callers who keep one in a field.
//!
//! Invariant: whoever drops the future of [`connect_first`] leaves no attempt behind.

#![forbid(unsafe_code)]

use polyloop_traits::{Join, Runtime};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long an address has for itself before the next one is tried beside it, unless you know better.
pub const STAGGER: Duration = Duration::from_millis(250);

/// Connects to the first of `addrs` that answers. Each is tried `stagger` after the one before, or at once when an attempt has failed.
///
/// # Errors
///
/// The last attempt's, if all have failed; `InvalidInput` without an address.
///
/// # Cancel safety
///
/// Dropping the future gives all attempts up.
pub async fn connect_first<R: Runtime>(
    rt: &R,
    addrs: &[SocketAddr],
    stagger: Duration,
) -> io::Result<R::TcpStream> {
    let mut attempts = Attempts::<R>(Vec::new());
    let mut untried = addrs.iter();
    let mut pause = None::<Pin<Box<R::Sleep>>>;
    let mut error = io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
    poll_fn(|cx| {
        loop {
            let failed = match attempts.poll(cx) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                Poll::Ready(Err(newer)) => {
                    error = newer;
                    true
                }
                Poll::Pending => false,
            };
            let over = pause.as_mut().is_none_or(|pause| pause.as_mut().poll(cx).is_ready());
            match untried.as_slice() {
                [] if attempts.0.is_empty() => {
                    let nothing = io::Error::from(io::ErrorKind::Other);
                    return Poll::Ready(Err(std::mem::replace(&mut error, nothing)));
                }
                // Another one may have failed, too.
                [] if failed => continue,
                [] => return Poll::Pending,
                [_, ..] if !failed && !over => return Poll::Pending,
                [..] => {}
            }
            if let Some(&addr) = untried.next() {
                let connecting = rt.clone();
                attempts.0.push(rt.spawn(async move { connecting.connect(addr).await }));
            }
            // Nobody waits for the last one's pause.
            pause = (!untried.as_slice().is_empty()).then(|| Box::pin(rt.sleep(stagger)));
        }
    })
    .await
}

type Attempt<R> = <R as polyloop_traits::Spawn>::Join<io::Result<<R as polyloop_traits::Net>::TcpStream>>;

/// The attempts that are under way.
struct Attempts<R: Runtime>(Vec<Attempt<R>>);

impl<R: Runtime> Attempts<R> {
    /// The outcome of one that has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R::TcpStream>> {
        for index in 0..self.0.len() {
            if let Poll::Ready(ended) = Pin::new(&mut self.0[index]).poll(cx) {
                drop(self.0.swap_remove(index));
                return Poll::Ready(ended.unwrap_or_else(|failed| Err(io::Error::other(failed))));
            }
        }
        Poll::Pending
    }
}

impl<R: Runtime> Drop for Attempts<R> {
    fn drop(&mut self) {
        for attempt in &mut self.0 {
            attempt.abort();
        }
    }
}
