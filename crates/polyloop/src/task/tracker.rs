//! Waiting for tasks whose outputs nobody wants.
//!
//! Invariant: whoever waits is called in the moment in which a tracker is closed and tracks nothing, whichever of the two comes
//! last; both are changed under one lock, so that one of two threads sees it.

use crate::Handle;
use crate::task::coop::poll_proceed;
use crate::task::{JoinHandle, NotLocal};
use crate::task::{LocalSet, spawn_here};
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use polyloop_core::Meta;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Counts tasks until they have ended, so that a shutdown can wait for all of them. Clones are the same tracker.
///
/// Unlike a [`JoinSet`](super::JoinSet) it keeps no outputs, so that a server that spawns for ever does not grow; and dropping it
/// aborts nothing. [`wait`](Self::wait) ends when the tracker is closed *and* empty. With a
/// [`CancellationToken`](crate::sync::CancellationToken) it makes a graceful shutdown.
///
/// Names and semantics are those of `tokio_util::task::TaskTracker`.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("steal:2+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::sync::CancellationToken;
/// use polyloop::task::TaskTracker;
///
/// let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
/// for _ in 0..10 {
///     let token = token.clone();
///     tracker.spawn(async move { token.cancelled().await });
/// }
/// tracker.close();
/// token.cancel();
/// tracker.wait().await;
/// assert!(tracker.is_empty());
/// # });
/// ```
pub struct TaskTracker {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    over: Notify,
}

#[derive(Default)]
struct State {
    tracked: usize,
    closed: bool,
}

impl State {
    fn is_over(&self) -> bool {
        self.closed && self.tracked == 0
    }
}

impl Inner {
    /// Changes the state, and calls whoever waits if that ended the wait.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (changed, over) = {
            let mut state = self.state.lock();
            let was_over = state.is_over();
            let changed = change(&mut state);
            (changed, state.is_over() && !was_over)
        };
        if over {
            self.over.notify_waiters();
        }
        changed
    }
}

impl TaskTracker {
    /// A tracker that is open and tracks nothing.
    pub fn new() -> Self {
        Self { inner: Arc::default() }
    }

    /// Waits until the tracker is closed and tracks nothing. A moment in which that is so, after this call, is enough, even if
    /// the tracker is opened again before the next poll.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn wait(&self) -> TaskTrackerWaitFuture<'_> {
        // Made before the look, so that it hears of what comes after.
        let over = self.inner.over.notified();
        TaskTrackerWaitFuture { over, was_over: self.inner.state.lock().is_over() }
    }

    /// Lets [`wait`](Self::wait) end when nothing is tracked. Tasks can be added all the same. False if it was closed already.
    pub fn close(&self) -> bool {
        self.inner.change(|state| !std::mem::replace(&mut state.closed, true))
    }

    /// Takes [`close`](Self::close) back. False if it was open.
    pub fn reopen(&self) -> bool {
        self.inner.change(|state| std::mem::replace(&mut state.closed, false))
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.inner.state.lock().closed
    }

    /// How many tasks it tracks.
    pub fn len(&self) -> usize {
        self.inner.state.lock().tracked
    }

    /// Whether it tracks nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Spawns a task into the current runtime, and tracks it.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_on(future, &Handle::current())
    }

    /// As [`spawn`](Self::spawn), into the runtime of `handle`.
    #[track_caller]
    pub fn spawn_on<F>(&self, future: F, handle: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        handle.spawn_with(self.track_future(future), Meta::new(Location::caller()))
    }

    /// Spawns a task that stays on this thread, and tracks it; see [`task::spawn_local`](super::spawn_local).
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match spawn_here(self.track_future(future), Meta::new(Location::caller())) {
            Ok(handle) => handle,
            Err(_) => panic!("{NotLocal}"),
        }
    }

    /// Spawns a task into `local`, and tracks it.
    #[track_caller]
    pub fn spawn_local_on<F>(&self, future: F, local: &LocalSet) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        local.spawn_with(self.track_future(future), Meta::new(Location::caller()))
    }

    /// Runs `job`, which may block, and tracks it; see [`task::spawn_blocking`](super::spawn_blocking).
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_blocking_on(job, &Handle::current())
    }

    /// As [`spawn_blocking`](Self::spawn_blocking), on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_blocking_on<F, T>(&self, job: F, handle: &Handle) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let token = self.token();
        handle.spawn_blocking(move || {
            let _token = token;
            job()
        })
    }

    /// `future`, tracked from now on until it is dropped, which an executor does when it is ready.
    pub fn track_future<F: Future>(&self, future: F) -> TrackedFuture<F> {
        TrackedFuture { future, token: self.token() }
    }

    /// Counts as one task until it is dropped.
    pub fn token(&self) -> TaskTrackerToken {
        self.inner.change(|state| state.tracked += 1);
        TaskTrackerToken { tracker: self.clone() }
    }

    /// Whether both are the same tracker.
    pub fn ptr_eq(left: &Self, right: &Self) -> bool {
        Arc::ptr_eq(&left.inner, &right.inner)
    }
}

impl Clone for TaskTracker {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl Default for TaskTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TaskTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.inner.state.lock();
        f.debug_struct("TaskTracker").field("len", &state.tracked).field("is_closed", &state.closed).finish()
    }
}

/// Counts as one task of a tracker; a clone counts as another one.
#[derive(Debug)]
pub struct TaskTrackerToken {
    tracker: TaskTracker,
}

impl TaskTrackerToken {
    /// The tracker that counts it.
    pub fn task_tracker(&self) -> &TaskTracker {
        &self.tracker
    }
}

impl Clone for TaskTrackerToken {
    fn clone(&self) -> Self {
        self.tracker.token()
    }
}

impl Drop for TaskTrackerToken {
    fn drop(&mut self) {
        self.tracker.inner.change(|state| state.tracked -= 1);
    }
}

pin_project! {
    /// A future that a tracker counts; see [`TaskTracker::track_future`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct TrackedFuture<F> {
        #[pin]
        future: F,
        token: TaskTrackerToken,
    }
}

impl<F: Future> Future for TrackedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

pin_project! {
    /// The future of [`TaskTracker::wait`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct TaskTrackerWaitFuture<'a> {
        #[pin]
        over: Notified<'a>,
        was_over: bool,
    }
}

impl Future for TaskTrackerWaitFuture<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let operation = ready!(poll_proceed(cx));
        if !*this.was_over {
            ready!(this.over.poll(cx));
            // For whoever polls again.
            *this.was_over = true;
        }
        operation.made_progress();
        Poll::Ready(())
    }
}
