//! Sets of tasks that need not be `Send`.
//!
//! Invariant: the innermost set that a thread is in is the one that `spawn_local` spawns into. A set that is polled is entered
//! meanwhile; [`LocalSet::enter`] enters it until its guard goes.

use crate::{Handle, Runtime};
use polyloop_core::{JoinHandle, LocalSet as Tasks, Meta};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

thread_local! {
    /// The sets that this thread is in, each under a number of its own.
    static ENTERED: RefCell<Vec<(u64, Rc<Tasks>)>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// Spawns into the innermost set that this thread is in, or else into its own queue.
///
/// # Errors
///
/// The future, on a thread that has neither.
pub(crate) fn spawn_here<F>(future: F, meta: Meta) -> Result<JoinHandle<F::Output>, F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let innermost = ENTERED.try_with(|sets| sets.borrow().last().map(|(_, set)| Rc::clone(set)));
    match innermost {
        Ok(Some(set)) => Ok(set.spawn(future, meta)),
        _ => polyloop_core::spawn_local(future, meta),
    }
}

/// Tasks that need not be `Send`. They run on the thread where the set lives, and only while the set is polled: by
/// [`run_until`](Self::run_until), or awaited itself, which waits for all of them. **Dropping it drops them**, there.
///
/// A thread inside `block_on` has a queue for such tasks already, and [`spawn_local`](super::spawn_local) alone is enough there. A set is
/// for tasks that are to outlive one `block_on`, or to be waited for together.
///
/// Of the tasks that are ready one poll runs 61 at most, so that the set does not keep its thread from others, and for how often timers
/// and I/O are looked at each of them counts. Dumps of a runtime list the tasks of a set from the first time on that it is polled there,
/// until it is polled on another one or dropped.
///
/// # Examples
///
/// ```
/// use polyloop::{Runtime, task};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// let runtime = Runtime::from_name("steal:2")?;
/// let set = task::LocalSet::new();
/// let sum = Rc::new(Cell::new(0));
/// for n in 1..=4 {
///     let sum = sum.clone();
///     set.spawn_local(async move {
///         task::yield_now().await;
///         sum.set(sum.get() + n);
///     });
/// }
/// runtime.block_on(set);
/// assert_eq!(sum.get(), 10);
/// # Ok::<(), polyloop::BuildError>(())
/// ```
#[derive(Default)]
pub struct LocalSet {
    tasks: Rc<Tasks>,
}

impl LocalSet {
    /// A set without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Spawns a task into the set, from within or without. It runs when the set is polled.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.spawn_with(future, Meta::new(Location::caller()))
    }

    pub(crate) fn spawn_with<F>(&self, future: F, meta: Meta) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.tasks.spawn(future, meta)
    }

    /// Waits for `future`, and runs the tasks of the set meanwhile. `spawn_local` within spawns into the set.
    ///
    /// Tasks that have not ended when `future` has stay in the set, for the next call.
    ///
    /// # Cancel safety
    ///
    /// As `future`: the tasks stay.
    ///
    /// # Examples
    ///
    /// ```
    /// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
    /// # runtime.block_on(async {
    /// use polyloop::task::{LocalSet, spawn_local};
    /// use std::rc::Rc;
    ///
    /// let set = LocalSet::new();
    /// let length = set.run_until(async {
    ///     let text = Rc::new("not `Send`".to_owned());
    ///     spawn_local(async move { text.len() }).await.unwrap()
    /// });
    /// assert_eq!(length.await, 10);
    /// # });
    /// ```
    pub async fn run_until<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let seat = self.tasks.seat();
        poll_fn(|cx| {
            self.list();
            let _entered = self.enter();
            self.tasks.poll_until(&seat, future.as_mut(), cx)
        })
        .await
    }

    /// Runs `future` on `runtime` with the set, on the calling thread; see [`Runtime::block_on`].
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn block_on<E, R, T, F: Future>(&self, runtime: &Runtime<E, R, T>, future: F) -> F::Output {
        runtime.handle().block_on(self.run_until(future))
    }

    /// Has the runtime that polls the set tell of its tasks.
    fn list(&self) {
        if let Some(handle) = Handle::running() {
            self.tasks.list_with(handle.space());
        }
    }

    /// Lets `spawn_local` on this thread spawn into the set until the guard is dropped. Nothing runs by that.
    pub fn enter(&self) -> LocalEnterGuard {
        let number = NEXT.get();
        NEXT.set(number + 1);
        ENTERED.with(|sets| sets.borrow_mut().push((number, Rc::clone(&self.tasks))));
        LocalEnterGuard { number, not_send: PhantomData }
    }
}

/// Ready once every task of the set has ended.
impl Future for LocalSet {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.list();
        let _entered = self.enter();
        self.tasks.poll_tasks(cx)
    }
}

impl Drop for LocalSet {
    fn drop(&mut self) {
        // A guard may keep the set.
        let _entered = ENTERED.try_with(|_| ()).is_ok().then(|| self.enter());
        self.tasks.close();
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tasks.fmt(f)
    }
}

/// Keeps a thread in a set; see [`LocalSet::enter`]. Guards may be dropped in any order.
#[derive(Debug)]
#[must_use = "dropped at once it enters nothing"]
pub struct LocalEnterGuard {
    number: u64,
    not_send: PhantomData<*const ()>,
}

impl Drop for LocalEnterGuard {
    fn drop(&mut self) {
        let left = ENTERED.try_with(|sets| {
            let mut sets = sets.borrow_mut();
            let at = sets.iter().rposition(|(number, _)| *number == self.number);
            at.map(|at| sets.remove(at))
        });
        // It may be the last that keeps the set, whose drop runs foreign code.
        drop(left);
    }
}
