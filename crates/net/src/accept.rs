//! Accepting, on good days and on bad ones.
//!
//! Invariant: what concerns one connection, or the room for it, never ends the listener; and while there is no room, nobody
//! asks the kernel more often than the pauses say.

use crate::Context;
use crate::watched::{Watched, pause};
use polyloop_core::Direction;
use polyloop_core::reactor::Call;
use rustix::io::Errno;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

/// How long to wait when the process or the system has no room for another connection: doubled up to the longest, and
/// from the start again after the first that could be accepted.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

/// What the network did to a new connection: Linux says so where it is accepted. `EOPNOTSUPP`, which may mean that as
/// well, is also what a socket says that can never accept: that one is tried again after a pause.
#[cfg(any(target_os = "linux", target_os = "android"))]
const OF_THE_CONNECTION: &[Errno] = &[
    Errno::NETDOWN,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::NONET,
    Errno::HOSTUNREACH,
    Errno::NETUNREACH,
];
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const OF_THE_CONNECTION: &[Errno] = &[];

/// What to do after a connection could not be accepted.
enum Next {
    Again,
    AfterPause,
}

fn judge(error: io::Error) -> io::Result<Next> {
    let is = |list: &[Errno]| list.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    // Somebody connected and was gone before he could be accepted.
    if is(&[Errno::CONNABORTED, Errno::PROTO]) || is(OF_THE_CONNECTION) {
        Ok(Next::Again)
    // No room, or a refusal that may concern the next one too, such as a firewall's.
    } else if is(&[Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::PERM, Errno::OPNOTSUPP]) {
        Ok(Next::AfterPause)
    } else {
        Err(error)
    }
}

fn unless_faulty<S: AsFd + Send + Sync + 'static, R>(
    watched: &Watched<S>,
    socket: &S,
    take: &mut impl FnMut(&S) -> io::Result<R>,
) -> io::Result<R> {
    watched.most(Call::Accept)?;
    take(socket)
}

/// Accepts by `take` until there is a connection, or an error that is the listener's own.
pub(crate) async fn accept<S: AsFd + Send + Sync + 'static, R>(
    context: &Context,
    watched: &Watched<S>,
    mut take: impl FnMut(&S) -> io::Result<R>,
) -> io::Result<R> {
    let mut wait = SHORTEST;
    loop {
        let error =
            match watched.io(Direction::Read, |socket| unless_faulty(watched, socket, &mut take)).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
        if let Next::AfterPause = judge(error)? {
            pause(context, wait).await?;
            wait = (wait * 2).min(LONGEST);
        }
    }
}

type Pause = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// The pause that a listener is in whose accepting is polled.
pub(crate) struct Pausing(Mutex<State>);

struct State {
    pause: Option<Pause>,
    /// How long the next one is.
    next: Duration,
}

impl Default for Pausing {
    fn default() -> Self {
        Self(Mutex::new(State { pause: None, next: SHORTEST }))
    }
}

impl Pausing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// As [`accept`], for the one task that polls.
    pub(crate) fn poll_accept<S: AsFd + Send + Sync + 'static, R>(
        &self,
        cx: &mut TaskContext<'_>,
        context: &Context,
        watched: &Watched<S>,
        mut take: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            ready!(self.poll_pause(cx))?;
            let taken =
                watched.poll_io(cx, Direction::Read, |socket| unless_faulty(watched, socket, &mut take));
            match ready!(taken) {
                Ok(connection) => {
                    self.state().next = SHORTEST;
                    return Poll::Ready(Ok(connection));
                }
                Err(error) => {
                    if let Next::AfterPause = judge(error)? {
                        let context = context.clone();
                        let mut state = self.state();
                        let time = state.next;
                        state.next = (time * 2).min(LONGEST);
                        state.pause = Some(Box::pin(async move { pause(&context, time).await }));
                    }
                }
            }
        }
    }

    fn poll_pause(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        // Polled outside of the lock, because that handles wakers.
        let present = self.state().pause.take();
        let Some(mut pause) = present else { return Poll::Ready(Ok(())) };
        let polled = pause.as_mut().poll(cx);
        if polled.is_pending() {
            self.state().pause = Some(pause);
        }
        polled
    }
}

impl fmt::Debug for Pausing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pausing")
    }
}
