//! The handle: spawn into a runtime, and find it from within.
//!
//! Invariant: a handle does not keep its runtime running. What is spawned through the handle of a runtime that has shut
//! down is cancelled at once.

use crate::blocking_io::has_shut_down;
use crate::dump::{self, Dump, SchedulerDump};
use crate::foreign::{self, NotPollable, Turned};
use crate::id::Id;
use crate::net::Names;
use crate::shutdown::Beginning;
use crate::threads::Threads;
use crate::{Combination, RuntimeMetrics};
use polyloop_blocking::stall::{Post, Stalls};
use polyloop_blocking::{BlockingPool, Limits, OsThread};
use polyloop_core::block_on::{BlockOnError, Host, Nested, Watch, block_on, refuse_nested, try_block_on};
use polyloop_core::park::{Parking, ThreadParker};
use polyloop_core::{Driver, Entered, Fairness, Gauges, JoinHandle, Meta, TaskSpace, context};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::os::fd::BorrowedFd;
use std::panic::Location;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// Spawns into a runtime, from any thread. Clones are the same handle.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// A handle that keeps nothing.
#[derive(Debug)]
pub(crate) struct WeakHandle(Weak<Shared>);

impl WeakHandle {
    pub(crate) fn upgrade(&self) -> Option<Handle> {
        self.0.upgrade().map(Handle)
    }

    pub(crate) fn is_there(&self) -> bool {
        self.0.strong_count() > 0
    }
}

struct Shared {
    id: Id,
    name: Option<String>,
    entry: Entry,
    combination: Combination,
    blocking: Arc<BlockingPool>,
    net: polyloop_net::Context,
    beginning: Beginning,
    stalls: Stalls,
}

/// By what a runtime is entered.
pub(crate) enum Entry {
    /// Tasks run on the threads inside `block_on`.
    Here(polyloop_fifo::Fifo),
    /// Tasks run on workers.
    Pool { space: Arc<TaskSpace>, driver: Arc<Driver>, gauges: Arc<dyn Gauges> },
}

/// The handle as workers find it. They start before there is one, but no task does.
#[derive(Clone, Default)]
pub(crate) struct Ambient(pub(crate) Arc<OnceLock<Handle>>);

/// A worker of the runtime, from here on.
pub(crate) struct AtWork {
    ambient: Ambient,
    /// As in [`Within`], which stands before this: a worker may block in place.
    since: u64,
}

impl Ambient {
    pub(crate) fn at_work(&self) -> AtWork {
        AtWork { ambient: self.clone(), since: GUARDS.get().last }
    }
}

/// A runtime whose code this thread runs from here on: inside `block_on`, in a turn, or in a blocking job.
struct Within {
    handle: Handle,
    /// The last guard that there was before: those that come after it are within.
    since: u64,
}

impl Within {
    fn new(handle: Handle) -> Self {
        Self { handle, since: GUARDS.get().last }
    }
}

/// The runtimes that a thread has entered by a guard, by the guards' numbers.
type Stack = RefCell<Vec<(u64, Handle)>>;

/// The guards of a thread, by number, from 1 on; 0 is none.
#[derive(Clone, Copy)]
struct Guards {
    /// The last one that was made.
    last: u64,
    /// The newest of those that are there.
    newest: u64,
}

thread_local! {
    static ENTERED: Stack = const { RefCell::new(Vec::new()) };

    /// In place of `ENTERED` for destructors of thread-locals that run after it is gone. It has none itself, so it is
    /// always there; guards empty it.
    static ENTERED_LATE: ManuallyDrop<Stack> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };

    /// Has no destructor either.
    static GUARDS: Cell<Guards> = const { Cell::new(Guards { last: 0, newest: 0 }) };
}

/// Calls `f` with the thread's stack.
fn with_entered<R>(f: impl FnOnce(&mut Vec<(u64, Handle)>) -> R) -> R {
    match ENTERED.try_with(|_| ()) {
        Ok(()) => ENTERED.with(|entered| f(&mut entered.borrow_mut())),
        Err(_) => ENTERED_LATE.with(|entered| {
            let entered = &mut *entered.borrow_mut();
            let result = f(entered);
            if entered.is_empty() {
                // Nothing else gives back the memory of a stack that has no destructor.
                *entered = Vec::new();
            }
            result
        }),
    }
}

impl Handle {
    pub(crate) fn new(
        name: Option<String>,
        entry: Entry,
        combination: Combination,
        limits: Limits,
        threads: &Threads,
        names: Names,
        stalls: Stalls,
    ) -> Self {
        let driver = Arc::clone(entry.driver());
        let blocking = BlockingPool::with_threads_from(Arc::clone(&driver), limits, threads.starter());
        let blocking = Arc::new(blocking);
        let resolver = names.resolver(&blocking);
        polyloop_net::install(crate::net::current);
        let net = polyloop_net::Context { driver, resolver };
        let beginning = Beginning::default();
        let handle = Self(Arc::new(Shared {
            id: Id::next(),
            name,
            entry,
            combination,
            blocking,
            net,
            beginning,
            stalls,
        }));
        dump::enlist(&handle);
        handle
    }

    /// The runtime that the calling code runs on, or that its thread has entered.
    ///
    /// # Panics
    ///
    /// Outside of any; see [`try_current`](Self::try_current).
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    /// The runtime that the calling code runs on, or that its thread has entered.
    ///
    /// # Errors
    ///
    /// [`NoRuntime`] outside of any.
    pub fn try_current() -> Result<Self, NoRuntime> {
        let Guards { newest, .. } = GUARDS.get();
        if newest > 0 {
            let within = context::with_scope(|within: Option<&Within>| within.map(|within| within.since));
            let at_work = || context::with_scope(|at_work: Option<&AtWork>| at_work.map(|it| it.since));
            if newest > within.or_else(at_work).unwrap_or_default()
                && let Some(handle) = with_entered(|entered| entered.last().map(|(_, handle)| handle.clone()))
            {
                return Ok(handle);
            }
        }
        Self::running().ok_or(NoRuntime)
    }

    /// The runtime that the calling code runs on, whatever its thread has entered.
    pub(crate) fn running() -> Option<Self> {
        let within =
            || context::with_scope(|within: Option<&Within>| within.map(|within| within.handle.clone()));
        let working = || context::with_scope(|at_work: Option<&AtWork>| at_work?.ambient.0.get().cloned());
        within().or_else(working)
    }

    /// Spawns a task. It begins when its turn comes, whether or not the handle is awaited.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.space().spawn(future, Meta::new(Location::caller()))
    }

    /// Spawns a task, unless the runtime has shut down.
    ///
    /// If it shuts down in the same moment, the task may be cancelled all the same, and its handle says so.
    ///
    /// # Errors
    ///
    /// [`ShutDown`], with the future.
    #[track_caller]
    pub fn try_spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, ShutDown<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if self.is_shut_down() {
            return Err(ShutDown(future));
        }
        Ok(self.space().spawn(future, Meta::new(Location::caller())))
    }

    /// Whether the runtime has begun to shut down.
    pub fn is_shut_down(&self) -> bool {
        self.0.beginning.has_begun()
    }

    pub(crate) fn shutdown_beginning(&self) -> &Beginning {
        &self.0.beginning
    }

    pub(crate) fn spawn_with<F>(&self, future: F, meta: Meta) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.space().spawn(future, meta)
    }

    /// Runs `job`, which may block, on a thread of its own. Dropping the handle detaches it; aborting it has no effect
    /// once it has begun.
    ///
    /// The handle's error can say that no thread was to be had
    /// ([`JoinError::is_no_thread`](polyloop_core::JoinError::is_no_thread)).
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_blocking_with(job, Meta::new(Location::caller()))
    }

    pub(crate) fn spawn_blocking_with<F, T>(&self, job: F, meta: Meta) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let here = self.clone();
        let job = move || context::enter_scope(&Within::new(here), job);
        self.0.blocking.spawn_as(job, meta)
    }

    /// Whether the calling thread has a queue for local tasks, and it is inside `block_on` or a turn of this very runtime.
    pub(crate) fn has_this_thread(&self) -> bool {
        let is_this = |running: Self| Arc::ptr_eq(&running.0, &self.0);
        polyloop_core::has_local_queue() && Self::running().is_some_and(is_this)
    }

    /// Spawns a task that stays on the calling thread, into that thread's own queue.
    ///
    /// # Errors
    ///
    /// The future, unless [`has_this_thread`](Self::has_this_thread).
    pub(crate) fn spawn_on_this_thread<F>(&self, future: F, meta: Meta) -> Result<JoinHandle<F::Output>, F>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if self.has_this_thread() { polyloop_core::spawn_local(future, meta) } else { Err(future) }
    }

    /// As [`spawn_blocking`](Self::spawn_blocking), of a job that runs also if the runtime ends before its turn: somebody was told that
    /// it is as good as done. A report of what has not ended calls it `name`.
    pub(crate) fn spawn_mandatory<F, T>(&self, name: &str, job: F) -> std::io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let here = self.clone();
        let job = move || context::enter_scope(&Within::new(here), job);
        let mut meta = Meta::new(Location::caller());
        meta.name = Some(name.into());
        self.0.blocking.spawn_mandatory(job, meta).map_err(|_| has_shut_down())
    }

    /// Runs `future` to its end on the calling thread. It need be neither `Send` nor `'static`.
    ///
    /// If nothing is left that could wake it, that is told once, in one line on stderr or by the
    /// [hook](crate::Builder::on_deadlock), and this waits on; see [`Deadlock`](crate::Deadlock) for when that is known.
    ///
    /// # Panics
    ///
    /// With the panic of the future; and on a thread that is inside a runtime already, see
    /// [`try_block_on`](Self::try_block_on).
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let meta = Meta::new(Location::caller());
        let ran = self.inside(|| match &self.0.entry {
            Entry::Here(fifo) => fifo.block_on(future, meta),
            Entry::Pool { space, driver, .. } => {
                let host = Alone::new(&self.0.stalls, space);
                space.enter(|| block_on(driver, parker(), &host, future, meta))
            }
        });
        match ran {
            Ok(output) => output,
            Err(nested) => panic!("{nested}"),
        }
    }

    /// Runs `future` to its end on the calling thread.
    ///
    /// # Errors
    ///
    /// [`BlockOnError::Nested`], on a thread that is inside a `block_on`, is a worker, or polls a task: it would wait for
    /// itself.
    ///
    /// [`BlockOnError::Deadlock`], when nothing is left that could wake the future; see [`Deadlock`](crate::Deadlock) for when
    /// that is known. The future has been dropped then, and this thread's local tasks with it; the runtime goes on.
    ///
    /// # Panics
    ///
    /// With the panic of the future.
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::{BlockOnError, Runtime};
    ///
    /// let runtime = Runtime::from_name("fifo")?;
    /// # if cfg!(target_os = "linux") {
    /// match runtime.try_block_on(std::future::pending::<()>()) {
    ///     Err(BlockOnError::Deadlock(deadlock)) => println!("{deadlock}"),
    ///     other => unreachable!("{other:?}"),
    /// }
    /// # }
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, BlockOnError> {
        let meta = Meta::new(Location::caller());
        self.inside(|| match &self.0.entry {
            Entry::Here(fifo) => fifo.try_block_on(future, meta),
            Entry::Pool { space, driver, .. } => {
                let host = Alone::new(&self.0.stalls, space);
                space.enter(|| try_block_on(driver, parker(), &host, future, meta))
            }
        })
    }

    /// Runs `block`, which blocks on something of this runtime.
    fn inside<R>(&self, block: impl FnOnce() -> R) -> R {
        // In a blocking job, the pool counts this thread as waiting, so that what it waits for finds another one.
        polyloop_blocking::while_waiting(|| context::enter_scope(&Within::new(self.clone()), block))
    }

    pub(crate) fn turn(&self, most: Duration) -> Result<Turned, Nested> {
        match &self.0.entry {
            Entry::Here(fifo) => {
                let turned = context::enter_scope(&Within::new(self.clone()), || fifo.turn(most))?;
                Ok(foreign::turned(turned, fifo.driver().now()))
            }
            Entry::Pool { .. } => refuse_nested().map(|()| Turned::default()),
        }
    }

    pub(crate) fn pollable_fd(&self) -> Result<BorrowedFd<'_>, NotPollable> {
        let Entry::Here(fifo) = &self.0.entry else { return Err(NotPollable::Workers) };
        let file = fifo.driver().reactor().pollable().ok_or(NotPollable::NoFile)?;
        fifo.watch_from_outside();
        Ok(file)
    }

    /// Makes this runtime the current one of the calling thread until the guard is dropped, so that timers and sockets
    /// can be made and tasks be spawned outside of `block_on`. Also within another runtime's code; whatever of that is polled
    /// on this thread meanwhile finds this one, so a guard is best dropped before an await.
    pub fn enter(&self) -> EnterGuard {
        let number = GUARDS.get().last + 1;
        with_entered(|entered| entered.push((number, self.clone())));
        GUARDS.set(Guards { last: number, newest: number });
        EnterGuard { number, not_send: std::marker::PhantomData }
    }

    /// The runtime's number, which no other runtime of the process has or had.
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::Runtime;
    ///
    /// let (one, other) = (Runtime::from_name("fifo+poll+heap")?, Runtime::from_name("fifo+poll+heap")?);
    /// assert_ne!(one.handle().id(), other.handle().id());
    /// assert_eq!(one.block_on(async { polyloop::Handle::current().id() }), one.handle().id());
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    pub fn id(&self) -> Id {
        self.0.id
    }

    /// The runtime's name, if it was [given one](crate::Builder::name).
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// What the runtime was built from.
    pub fn combination(&self) -> &Combination {
        &self.0.combination
    }

    /// The driver of its timers and files.
    pub fn driver(&self) -> &Arc<Driver> {
        self.0.entry.driver()
    }

    /// What sockets need of this runtime, for the constructors that take it.
    pub fn net_context(&self) -> &polyloop_net::Context {
        &self.0.net
    }

    /// The constants that its executor declares: how many polls there are at most between two turns of the driver, and before
    /// a ready task has its turn. The tests hold every executor to them.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
    /// println!("{}", runtime.handle().fairness());
    /// assert_eq!(runtime.handle().fairness().ready_bound.map(|polls| polls(10)), Some(10));
    /// ```
    pub fn fairness(&self) -> Fairness {
        self.gauges().fairness()
    }

    /// What the runtime is doing, in numbers. Takes time in proportion to the tasks that are alive, a few nanoseconds each,
    /// and stops nobody.
    pub fn metrics(&self) -> RuntimeMetrics {
        RuntimeMetrics::of(self)
    }

    pub(crate) fn stalls(&self) -> &Stalls {
        &self.0.stalls
    }

    /// What the runtime and each of its tasks are doing at this moment: name, spawn site, state, and since when. From any
    /// thread, also from within a task, and while everything goes on; see [`dump`].
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::dump::TaskState;
    ///
    /// let runtime = polyloop::Runtime::from_name("fifo+poll+heap")?;
    /// let task = runtime.block_on(async {
    ///     let task = polyloop::task::Builder::new().name("waits").spawn(std::future::pending::<()>());
    ///     polyloop::task::yield_now().await;
    ///     task
    /// });
    /// let dump = runtime.handle().dump();
    /// let [row] = dump.tasks() else { panic!("{dump}") };
    /// assert_eq!((row.name(), row.state()), (Some("waits"), &TaskState::Waiting));
    /// # drop(task);
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    pub fn dump(&self) -> Dump {
        Dump::of(self)
    }

    /// What the runtime's workers, queues and driver are doing at this moment; the same line that `POLYLOOP_SCHEDTRACE` has
    /// written every so often.
    pub fn scheduler_dump(&self) -> SchedulerDump {
        SchedulerDump::of(self)
    }

    pub(crate) fn downgrade(&self) -> WeakHandle {
        WeakHandle(Arc::downgrade(&self.0))
    }

    pub(crate) fn gauges(&self) -> Arc<dyn Gauges> {
        match &self.0.entry {
            Entry::Here(fifo) => fifo.gauges(),
            Entry::Pool { gauges, .. } => Arc::clone(gauges),
        }
    }

    pub(crate) fn blocking(&self) -> &BlockingPool {
        &self.0.blocking
    }

    /// Where its tasks live.
    pub(crate) fn space(&self) -> &Arc<TaskSpace> {
        match &self.0.entry {
            Entry::Here(fifo) => fifo.space(),
            Entry::Pool { space, .. } => space,
        }
    }
}

impl Entry {
    fn driver(&self) -> &Arc<Driver> {
        match self {
            Self::Here(fifo) => fifo.driver(),
            Self::Pool { driver, .. } => driver,
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Handle");
        shown.field("id", &self.0.id.to_string());
        if let Some(name) = self.name() {
            shown.field("name", &name);
        }
        shown.field("combination", &self.0.combination.to_string()).finish_non_exhaustive()
    }
}

/// There is no runtime here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRuntime;

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no polyloop runtime here: call this within `Runtime::block_on` or a spawned task, or hold `Handle::enter`")
    }
}

impl std::error::Error for NoRuntime {}

impl From<NoRuntime> for std::io::Error {
    fn from(error: NoRuntime) -> Self {
        Self::other(error)
    }
}

/// The runtime has shut down; the future comes back.
pub struct ShutDown<F>(pub F);

impl<F> fmt::Debug for ShutDown<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShutDown")
    }
}

impl<F> fmt::Display for ShutDown<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runtime has shut down, and runs no more tasks")
    }
}

impl<F> std::error::Error for ShutDown<F> {}

/// Keeps a runtime the current one of its thread; see [`Handle::enter`].
#[derive(Debug)]
#[must_use = "the runtime is left as soon as this is dropped"]
pub struct EnterGuard {
    number: u64,
    not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        // Guards may be dropped in any order; each takes out its own entry. The handle is dropped outside of the borrow.
        let (own, newest) = with_entered(|entered| {
            let at = entered.iter().rposition(|(number, _)| *number == self.number);
            let own = at.map(|at| entered.remove(at));
            (own, entered.last().map_or(0, |(number, _)| *number))
        });
        GUARDS.set(Guards { newest, ..GUARDS.get() });
        drop(own);
    }
}

/// A thread inside `block_on` of an executor whose tasks run elsewhere: only its own future and local tasks run here.
struct Alone<'a> {
    space: &'a Arc<TaskSpace>,
    post: Post,
}

impl<'a> Alone<'a> {
    fn new(stalls: &Stalls, space: &'a Arc<TaskSpace>) -> Self {
        Self { space, post: Post::new(stalls, space) }
    }
}

impl Host for Alone<'_> {
    fn watch(&self) -> &impl Watch {
        &self.post
    }

    fn space(&self) -> Option<&Arc<TaskSpace>> {
        Some(self.space)
    }

    fn collect(&self, _: &Entered<'_>, _: &Arc<Parking>) {}

    /// The workers do. This thread may leave at any moment, or block in its own future, and then nobody would be in the
    /// driver: the workers sleep elsewhere while somebody is.
    fn may_drive(&self) -> bool {
        false
    }

    fn leave(&self, _: &Entered<'_>, _: &Arc<Parking>) {}
}

/// Parks the calling thread.
fn parker() -> Box<dyn ThreadParker> {
    Box::new(OsThread::current())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Runtime;

    /// Which of these two is the current one: 1 or 2, or none.
    fn current(one: &Handle, two: &Handle) -> Option<u8> {
        let current = Handle::try_current().ok()?;
        let is = |other: &Handle| Arc::ptr_eq(&current.0, &other.0);
        Some(if is(one) { 1 } else { u8::from(is(two)) * 2 })
    }

    /// What `look` sees before, in, and after a guard of the second runtime.
    fn around_a_guard(one: &Handle, two: &Handle) -> [Option<u8>; 3] {
        let before = current(one, two);
        let guard = two.enter();
        let within = current(one, two);
        drop(guard);
        [before, within, current(one, two)]
    }

    #[test]
    fn a_guard_within_a_runtimes_code_stands_before_that_runtime() {
        for name in ["fifo+poll+heap", "steal:1+poll+heap"] {
            let (one, two) =
                (Runtime::from_name(name).unwrap(), Runtime::from_name("fifo+poll+heap").unwrap());
            let (one, two) = (one.handle(), two.handle());
            let seen = [Some(1), Some(2), Some(1)];
            let look = || {
                let (one, two) = (one.clone(), two.clone());
                move || around_a_guard(&one, &two)
            };
            let (task, job) = (look(), look());
            assert_eq!(one.block_on(async { around_a_guard(one, two) }), seen, "{name}");
            assert_eq!(one.block_on(one.spawn(async move { task() })).unwrap(), seen, "{name}");
            assert_eq!(one.block_on(one.spawn_blocking(job)).unwrap(), seen, "{name}");
        }
    }

    #[test]
    fn a_worker_is_its_own_runtimes_whatever_a_hook_has_entered_before() {
        let two = Runtime::from_name("fifo+poll+heap").unwrap();
        let entered = two.handle().clone();
        let builder = crate::Builder::new().combination("steal:1+poll+heap");
        let one = builder.on_thread_start(move || std::mem::forget(entered.enter())).build().unwrap();
        let (first, second) = (one.handle().clone(), two.handle().clone());
        let seen = one.block_on(one.spawn(async move { around_a_guard(&first, &second) })).unwrap();
        assert_eq!(seen, [Some(1), Some(2), Some(1)]);
    }

    #[test]
    fn a_runtime_that_is_entered_within_a_guard_stands_before_it() {
        let runtimes = [(); 2].map(|()| Runtime::from_name("fifo+poll+heap").unwrap());
        let [one, two] = [runtimes[0].handle(), runtimes[1].handle()];
        assert_eq!(around_a_guard(one, two), [None, Some(2), None]);
        let (first, second) = (two.enter(), two.enter());
        assert_eq!(one.block_on(async { around_a_guard(one, two) }), [Some(1), Some(2), Some(1)]);
        // The older ones go within, in any order, and a new one comes.
        let seen = one.block_on(async {
            drop(first);
            let seen = around_a_guard(one, two);
            drop(second);
            [seen, around_a_guard(one, two)]
        });
        assert_eq!(seen, [[Some(1), Some(2), Some(1)]; 2]);
        assert_eq!(current(one, two), None);
    }
}
