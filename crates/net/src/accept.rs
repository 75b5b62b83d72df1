//! Accepting, on good days and on bad ones.
//!
//! Invariant: what concerns one connection, or the room for it, never ends the listener; while there is no room, nobody
//! asks the kernel more often than the pauses say; and a connection that was taken from the kernel is given to a caller,
//! sooner or later, unless the listener or the runtime ends.

use crate::Context;
use crate::watched::{Watched, pause};
use polyloop_core::Direction;
use polyloop_core::reactor::Call;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

/// How long to wait when the process or the system has no room for another connection: doubled up to the longest, and
/// from the start again after the first that could be accepted.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

fn is(error: &io::Error, list: &[Errno]) -> bool {
    list.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// No descriptor, no memory, or no watch is left. Each comes back when somebody else lets go of one.
fn is_no_room(error: &io::Error) -> bool {
    is(error, &[Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::NOSPC])
}
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
    // Somebody connected and was gone before he could be accepted.
    if is(&error, &[Errno::CONNABORTED, Errno::PROTO]) || is(&error, OF_THE_CONNECTION) {
        Ok(Next::Again)
    // No room, or a refusal that may concern the next one too, such as a firewall's.
    } else if is_no_room(&error) || is(&error, &[Errno::PERM, Errno::OPNOTSUPP]) {
        Ok(Next::AfterPause)
    } else {
        Err(error)
    }
}

/// A listener `L` whose connections are `S`, from addresses `A`.
pub(crate) struct Acceptor<L, S, A> {
    watched: Watched<L>,
    context: Context,
    /// Takes one connection from the kernel, in non-blocking mode.
    take: fn(&L) -> io::Result<(S, A)>,
    state: Mutex<State<S, A>>,
}

struct State<S, A> {
    /// Connections taken from the kernel for which the reactor had no room; they come before those that the kernel holds.
    unwatched: VecDeque<(Arc<S>, A)>,
    /// The pause that the task is in that polls.
    pause: Option<Pause>,
    /// How long its next one is.
    next: Duration,
}

type Pause = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl<L, S, A> Acceptor<L, S, A>
where
    L: AsFd + Send + Sync + 'static,
    S: AsFd + Send + Sync + 'static,
{
    /// `listener` is in non-blocking mode.
    pub(crate) fn new(
        context: &Context,
        listener: L,
        take: fn(&L) -> io::Result<(S, A)>,
    ) -> io::Result<Self> {
        let state = State { unwatched: VecDeque::new(), pause: None, next: SHORTEST };
        let watched = Watched::new(context, listener, true)?;
        Ok(Self { watched, context: context.clone(), take, state: Mutex::new(state) })
    }

    pub(crate) fn get(&self) -> &L {
        self.watched.get()
    }

    pub(crate) fn into_watched(self) -> Watched<L> {
        self.watched
    }

    fn state(&self) -> MutexGuard<'_, State<S, A>> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn kept(&self) -> Option<(Arc<S>, A)> {
        self.state().unwatched.pop_front()
    }

    /// Watches a connection; if there is no room for that, keeps it for the next try, of whoever makes it.
    fn watch(&self, (stream, address): (Arc<S>, A)) -> io::Result<(Watched<S>, A)> {
        match Watched::share(&self.context, Arc::clone(&stream), true) {
            Ok(watched) => Ok((watched, address)),
            Err(error) => {
                if is_no_room(&error) {
                    self.state().unwatched.push_back((stream, address));
                }
                Err(error)
            }
        }
    }

    fn watch_taken(&self, taken: io::Result<(S, A)>) -> io::Result<(Watched<S>, A)> {
        taken.and_then(|(stream, address)| self.watch((Arc::new(stream), address)))
    }

    /// Takes one connection from the kernel, unless a test wants it to fail.
    fn taking(&self) -> impl Fn(&L) -> io::Result<(S, A)> {
        |listener| {
            self.watched.most(Call::Accept)?;
            (self.take)(listener)
        }
    }

    /// Accepts until there is a connection, or an error that is the listener's own. Any number of tasks may.
    pub(crate) async fn accept(&self) -> io::Result<(Watched<S>, A)> {
        let mut wait = SHORTEST;
        loop {
            let tried = match self.kept() {
                Some(connection) => self.watch(connection),
                None => self.watch_taken(self.watched.io(Direction::Read, self.taking()).await),
            };
            let error = match tried {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            if let Next::AfterPause = judge(error)? {
                pause(&self.context, wait).await?;
                wait = (wait * 2).min(LONGEST);
            }
        }
    }

    /// As [`accept`](Self::accept), for the one task that polls.
    pub(crate) fn poll_accept(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<(Watched<S>, A)>> {
        loop {
            ready!(self.poll_pause(cx))?;
            let tried = match self.kept() {
                Some(connection) => self.watch(connection),
                None => self.watch_taken(ready!(self.watched.poll_io(cx, Direction::Read, self.taking()))),
            };
            match tried {
                Ok(connection) => {
                    self.state().next = SHORTEST;
                    return Poll::Ready(Ok(connection));
                }
                Err(error) => {
                    if let Next::AfterPause = judge(error)? {
                        let context = self.context.clone();
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

impl<L, S, A> fmt::Debug for Acceptor<L, S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.watched.fmt(f)
    }
}
