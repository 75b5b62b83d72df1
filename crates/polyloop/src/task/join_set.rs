//! Many tasks, joined in the order in which they end.
//!
//! Invariant: *a task's place is in the list of those that have ended exactly once, from its end until it is joined*. Each
//! join handle is polled once when it comes into the set, with a waker that knows its place, and once more when that waker
//! was woken. So joining costs the same however many tasks there are.

use crate::Handle;
use crate::task::coop::poll_proceed;
use crate::task::local_set::spawn_here;
use crate::task::{AbortHandle, Id, JoinError, JoinHandle, LocalSet, NotLocal};
use polyloop_core::Meta;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker, ready};

/// A set of tasks with outputs of one type. **Dropping it aborts all of them.**
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::task::JoinSet;
///
/// let mut set = JoinSet::new();
/// for n in 0..10 {
///     set.spawn(async move { n * n });
/// }
/// let mut sum = 0;
/// while let Some(square) = set.join_next().await {
///     sum += square.unwrap();
/// }
/// assert_eq!(sum, 285);
/// # });
/// ```
pub struct JoinSet<T> {
    places: Vec<Option<Member<T>>>,
    vacant: Vec<usize>,
    ended: Arc<Ended>,
}

/// A task of the set.
struct Member<T> {
    handle: JoinHandle<T>,
    /// If it had ended when it came into the set.
    output: Option<Result<T, JoinError>>,
}

/// The places of the tasks that have ended and were not joined, and who waits for one.
#[derive(Default)]
struct Ended(Mutex<List>);

#[derive(Default)]
struct List {
    places: VecDeque<usize>,
    joiner: Option<Waker>,
}

impl Ended {
    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn pop(&self) -> Option<usize> {
        self.list().places.pop_front()
    }

    /// As [`pop`](Self::pop); if there is none, `joiner` is woken by the next end.
    fn pop_or_tell(&self, joiner: Waker) -> Option<usize> {
        let mut list = self.list();
        let place = list.places.pop_front();
        // Both wakers are somebody else's code, and so not dropped under the lock.
        let dropped = if place.is_some() { Some(joiner) } else { list.joiner.replace(joiner) };
        drop(list);
        drop(dropped);
        place
    }

    fn add(&self, place: usize) {
        let joiner = {
            let mut list = self.list();
            list.places.push_back(place);
            list.joiner.take()
        };
        if let Some(joiner) = joiner {
            joiner.wake();
        }
    }
}

/// What a task's end wakes.
struct Place {
    index: usize,
    ended: Arc<Ended>,
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.ended.add(self.index);
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { places: Vec::new(), vacant: Vec::new(), ended: Arc::default() }
    }

    /// How many tasks are in the set: those that run, and those that have ended and were not joined.
    pub fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn handles(&self) -> impl Iterator<Item = &JoinHandle<T>> {
        self.places.iter().flatten().map(|member| &member.handle)
    }

    /// Asks all tasks to end. They stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        self.handles().for_each(JoinHandle::abort);
    }

    /// Takes all tasks out of the set and lets them run on.
    pub fn detach_all(&mut self) {
        // Those that end from now on are told to a list that nobody looks at.
        let _detached = std::mem::take(self).take_places();
    }

    fn take_places(&mut self) -> Vec<Option<Member<T>>> {
        self.vacant.clear();
        std::mem::take(&mut self.places)
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns into the current runtime; see [`task::spawn`](crate::task::spawn).
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.build_task().spawn(future)
    }

    /// Spawns into the runtime of `handle`.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.build_task().spawn_on(future, handle)
    }

    /// Spawns a task that stays on this thread; see [`task::spawn_local`](crate::task::spawn_local).
    ///
    /// # Panics
    ///
    /// On a thread that is not inside `block_on`.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.build_task().spawn_local(future)
    }

    /// Spawns a task into `local`, where it runs while that is polled.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, future: F, local: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let handle = local.spawn_local(future);
        self.insert(handle)
    }

    /// Runs `job`, which may block; see [`task::spawn_blocking`](crate::task::spawn_blocking). It cannot be aborted once it
    /// has begun.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.spawn_blocking_on(job, &Handle::current())
    }

    /// As [`spawn_blocking`](Self::spawn_blocking), on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, job: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn_blocking(job))
    }

    /// For a task with a name.
    #[track_caller]
    pub fn build_task(&mut self) -> Builder<'_, T> {
        Builder { set: self, meta: Meta::new(Location::caller()) }
    }

    fn insert(&mut self, mut handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let index = self.vacant.pop().unwrap_or(self.places.len());
        let waker = Waker::from(Arc::new(Place { index, ended: Arc::clone(&self.ended) }));
        let output = match Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(output) => Some(output),
        };
        let has_ended = output.is_some();
        let member = Some(Member { handle, output });
        match self.places.get_mut(index) {
            Some(place) => *place = member,
            None => self.places.push(member),
        }
        if has_ended {
            self.ended.add(index);
        }
        abort
    }

    /// Takes the member at `index`, which has ended, out of the set. The handle has yielded and still knows the id.
    fn take(&mut self, index: usize) -> (JoinHandle<T>, Result<T, JoinError>) {
        let Some(Member { mut handle, output }) = self.places[index].take() else {
            unreachable!("a place is told once")
        };
        self.vacant.push(index);
        let output = output.unwrap_or_else(|| {
            match Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(output) => output,
                Poll::Pending => unreachable!("a task wakes its joiner when it has ended"),
            }
        });
        (handle, output)
    }

    fn take_with_id(&mut self, index: usize) -> Result<(Id, T), JoinError> {
        let (handle, output) = self.take(index);
        output.map(|output| (handle.id(), output))
    }

    /// The output of the next task that ends, or ended before; `None` if the set is empty.
    ///
    /// # Errors
    ///
    /// (Inside.) Why that task has no output.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no output is lost.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the task's id. (That of a failed one is in the error.)
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// As [`join_next`](Self::join_next), at once: `None` also if no task has ended.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let index = self.ended.pop()?;
        Some(self.take(index).1)
    }

    /// As [`join_next_with_id`](Self::join_next_with_id), at once: `None` also if no task has ended.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let index = self.ended.pop()?;
        Some(self.take_with_id(index))
    }

    /// Polls for [`join_next`](Self::join_next).
    ///
    /// The waker of the last call counts.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        let index = ready!(self.poll_ended(cx));
        Poll::Ready(index.map(|index| self.take(index).1))
    }

    /// Polls for [`join_next_with_id`](Self::join_next_with_id).
    ///
    /// The waker of the last call counts.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        let index = ready!(self.poll_ended(cx));
        Poll::Ready(index.map(|index| self.take_with_id(index)))
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        let operation = ready!(poll_proceed(cx));
        match self.ended.pop().or_else(|| self.ended.pop_or_tell(cx.waker().clone())) {
            Some(index) => {
                operation.made_progress();
                Poll::Ready(Some(index))
            }
            None => Poll::Pending,
        }
    }

    /// Waits for all tasks, and collects their outputs in the order in which they ended.
    ///
    /// # Panics
    ///
    /// With the panic of the first task that panicked, and if one was aborted. The others are aborted then.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(joined) = self.join_next().await {
            match joined.map_err(JoinError::try_into_panic) {
                Ok(output) => outputs.push(output),
                Err(Ok(payload)) => std::panic::resume_unwind(payload),
                Err(Err(error)) => panic!("{error}"),
            }
        }
        outputs
    }

    /// Aborts all tasks and waits until they have ended. Outputs are dropped.
    ///
    /// # Cancel safety
    ///
    /// The tasks are aborted anyway; those that were not waited for stay in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Spawns each future into the current runtime.
///
/// # Panics
///
/// Outside of a runtime.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        for future in futures {
            set.spawn(future);
        }
        set
    }
}

/// Spawns a task with a name into a set; see [`JoinSet::build_task`].
#[derive(Debug)]
#[must_use = "a builder spawns nothing until it is told to"]
pub struct Builder<'a, T> {
    set: &'a mut JoinSet<T>,
    meta: Meta,
}

impl<T: 'static> Builder<'_, T> {
    /// The name by which diagnostics call the task.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.meta.name = Some(name.into());
        self
    }

    /// As [`JoinSet::spawn`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.spawn_on(future, &Handle::current())
    }

    /// As [`JoinSet::spawn_on`].
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.set.insert(handle.spawn_with(future, self.meta))
    }

    /// As [`JoinSet::spawn_local`].
    ///
    /// # Panics
    ///
    /// On a thread that is not inside `block_on`.
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        match spawn_here(future, self.meta) {
            Ok(handle) => self.set.insert(handle),
            Err(_) => panic!("{NotLocal}"),
        }
    }
}
