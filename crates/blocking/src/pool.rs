//! The blocking pool: one queue, threads that come when they are needed and go when they are not.
//!
//! Invariant: *while jobs are queued, some thread is going to look at the queue before it does anything else that may take
//! for ever, or is being started*. A thread counts as idle from the moment it is promised until the moment it takes a
//! job, and looks at the queue once more before it ends; so as many jobs as there are idle threads are provided for, and
//! only one more than that needs another thread. Where none can be had and none exists, the queue is failed.
//!
//! Threads that rest are called one at a time: whoever takes a job and leaves others in the queue calls the next one before it
//! begins. So many short jobs at once wake no more threads than have something to do.
//!
//! All of it is one mutex: a job that blocks costs more than any contention on it, and sharded versions of this queue have
//! lost jobs (tokio #8056). That is also why it names `parking_lot` itself; there is nothing here for a model to explore.
//!
//! A *mandatory* job was promised to somebody who does not wait for it, such as a write to a file. A shutdown leaves it in the queue,
//! and the threads end only once the queue is empty. It is told by its class, which nothing else here heeds.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering::AcqRel};
use core::task::{Context, Poll};
use core::time::Duration;
use parking_lot::{Condvar, Mutex, MutexGuard};
use polyloop_core::context;
use polyloop_core::deadlock::{AtRest, RestGauge};
use polyloop_core::task::contain;
use polyloop_core::{
    Busy, Driver, JoinError, JoinHandle, Meta, Ran, RunQueue, Runnable, Schedule, TaskSpace, Why,
};
use std::io;
use std::sync::{Arc, Weak};

/// How large the pool may grow, and how long a thread stays without work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most threads that work at a time; 0 counts as 1. 512 by default.
    pub threads: usize,
    /// How long an idle thread waits for a job before it ends. 10 s by default. Each wakes by this timer once, which is the
    /// one exception from C11.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { threads: 512, keep_alive: Duration::from_secs(10) }
    }
}

/// Starts a thread of this name that runs this function, or says why not.
pub type StartThread = Box<dyn Fn(String, Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync>;

fn start_std_thread(name: String, main: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    crate::thread(name, None)?.spawn(main).map(drop)
}

/// Runs closures that block, each on a thread of its own.
///
/// Dropping the pool is a [`shutdown`](Self::shutdown) that does not wait.
///
/// # Examples
///
/// ```
/// # use polyloop_blocking::{BlockingPool, Limits};
/// # use polyloop_core::Driver;
/// # use std::sync::Arc;
/// # let reactor = polyloop_reactor::ALL[0].1()?;
/// # let driver = Driver::new(reactor, Box::new(polyloop_time::Heap::new()), Arc::new(polyloop_time::SystemClock));
/// # let executor = polyloop_fifo::Fifo::new(Arc::clone(&driver));
/// let pool = BlockingPool::new(driver, Limits::default());
/// let answer = pool.spawn(|| 6 * 7);
/// # let meta = polyloop_core::Meta::new(std::panic::Location::caller());
/// # let answer = executor.try_block_on(answer, meta).unwrap();
/// assert_eq!(answer.unwrap(), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct BlockingPool {
    shared: Arc<Shared>,
    space: Arc<TaskSpace>,
}

/// The pool as its threads and its jobs' wakers know it.
struct Shared {
    state: Mutex<State>,
    /// A job came, or the pool closed.
    jobs: Condvar,
    /// A thread has ended, or the last mandatory job.
    ended: Condvar,
    limits: Limits,
    start: StartThread,
    driver: Arc<Driver>,
    me: Weak<Self>,
}

#[derive(Default)]
struct State {
    queue: RunQueue,
    /// Threads that exist or are being started.
    threads: usize,
    /// Those of them that look at the queue next.
    idle: usize,
    /// Those of them that wait for a job, asleep or about to be.
    resting: usize,
    /// Whether one of them was called, and has not looked at the queue since.
    called: bool,
    /// How often one of them has gone on.
    moves: u64,
    /// Those of them that run a job which has said that it waits ([`while_waiting`]).
    waiting: usize,
    /// Jobs that are being run.
    running: usize,
    /// Mandatory jobs that are queued or being run.
    mandatory: usize,
    /// Places given out by `try_spawn` whose jobs are not in the queue yet.
    promised: usize,
    /// Threads ever started, for their names.
    started: u64,
    /// As long as a job is queued or runs, a manual clock stands still.
    busy: Option<Busy>,
    closed: bool,
}

/// What the pool is doing at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Threads that exist or are being started.
    pub threads: usize,
    /// Threads without a job, those that are being started included.
    pub idle: usize,
    /// Jobs that wait for a thread.
    pub queued: usize,
    /// Jobs that are being run.
    pub running: usize,
}

/// What became of the pool's jobs at its shutdown.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Jobs that had not begun, and never will.
    pub cancelled: usize,
    /// Jobs that were running, or had to run, and ended in time.
    pub finished: usize,
    /// Jobs that still run, or will. Their threads end with them; the process need not wait.
    pub running: usize,
}

/// The pool has shut down, and takes no job that it would have to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the blocking pool has shut down")
    }
}

impl std::error::Error for Closed {}

/// The pool has no thread to spare; the closure comes back.
pub struct Saturated<F>(pub F);

impl<F> fmt::Debug for Saturated<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Saturated")
    }
}

impl<F> fmt::Display for Saturated<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every thread of the blocking pool is at work")
    }
}

impl<F> std::error::Error for Saturated<F> {}

/// That the job which this thread hands to its pool next has a place that was promised to it.
struct Promise(Cell<bool>);

/// Whether the mandatory job which this thread hands to its pool was refused.
#[derive(Default)]
struct Refused(Cell<bool>);

/// The class of mandatory jobs.
const MANDATORY: u8 = 1;

fn is_mandatory(job: &Runnable) -> bool {
    job.wishes().class == MANDATORY
}

/// A closure as a task: its first poll runs it.
struct Job<F>(Option<F>);

impl<F> Unpin for Job<F> {}

impl<F: FnOnce() -> T, T> Future for Job<F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let run = self.0.take().expect("a future is not polled after it has ended");
        // It is a task only to be joined and aborted: it may block, and so it may call `block_on`.
        Poll::Ready(context::outside_of_tasks(run))
    }
}

impl BlockingPool {
    /// A pool without threads yet. While it has jobs, `driver` counts as busy ([`Driver::hold`]).
    pub fn new(driver: Arc<Driver>, limits: Limits) -> Self {
        Self::with_threads_from(driver, limits, Box::new(start_std_thread))
    }

    /// A pool whose threads are started by `start`: with another stack size, a signal mask, or a refusal.
    pub fn with_threads_from(driver: Arc<Driver>, limits: Limits, start: StartThread) -> Self {
        let limits = Limits { threads: limits.threads.max(1), ..limits };
        let shared = Arc::new_cyclic(|me| Shared {
            state: Mutex::default(),
            jobs: Condvar::new(),
            ended: Condvar::new(),
            limits,
            start,
            driver,
            me: Weak::clone(me),
        });
        let space = TaskSpace::new(Arc::clone(&shared) as Arc<dyn Schedule>);
        Self { shared, space }
    }

    /// Runs `job` on a thread of the pool, after the jobs that were there before it if all threads are at work.
    ///
    /// The handle yields what `job` returns, or an error: it panicked; it was aborted before it began, or the pool shut
    /// down first; or [no thread](JoinError::is_no_thread) could be had. A job that has begun cannot be aborted. Dropping
    /// the handle detaches the job.
    #[track_caller]
    pub fn spawn<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_as(job, Meta::new(Location::caller()))
    }

    /// As [`spawn`](Self::spawn), under a name or on behalf of another place. Its class is of no matter.
    pub fn spawn_as<F, T>(&self, job: F, mut meta: Meta) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        meta.class = 0;
        self.space.spawn(Job(Some(job)), meta)
    }

    /// As [`spawn_as`](Self::spawn_as), of a job that runs also if the pool shuts down before its turn, as long as the process
    /// lives; [`finish`](Self::finish) waits for it. For what somebody was told is as good as done.
    ///
    /// # Errors
    ///
    /// [`Closed`], when the pool has shut down. The job is dropped.
    pub fn spawn_mandatory<F, T>(&self, job: F, mut meta: Meta) -> Result<JoinHandle<T>, Closed>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let refused = Refused::default();
        meta.class = MANDATORY;
        let handle = context::enter_scope(&refused, || self.space.spawn(Job(Some(job)), meta));
        if refused.0.get() { Err(Closed) } else { Ok(handle) }
    }

    /// Runs `job` only if a thread is free for it now, or may be started.
    ///
    /// Calls of `try_spawn` do not take one another's places; a plain [`spawn`](Self::spawn) in the same moment may, and
    /// then the job waits for its turn after all.
    ///
    /// # Errors
    ///
    /// [`Saturated`], with the closure, when every thread is taken and there may be no more.
    #[track_caller]
    pub fn try_spawn<F, T>(&self, job: F) -> Result<JoinHandle<T>, Saturated<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        {
            let mut state = self.shared.state.lock();
            let places = state.idle + self.shared.limits.threads.saturating_sub(state.active());
            if places <= state.queue.len() + state.promised && !state.closed {
                return Err(Saturated(job));
            }
            state.promised += 1;
        }
        let meta = Meta::new(Location::caller());
        Ok(context::enter_scope(&Promise(Cell::new(true)), || self.spawn_as(job, meta)))
    }

    /// Where its jobs live: who has not ended, and how many there were.
    pub fn space(&self) -> &Arc<TaskSpace> {
        &self.space
    }

    /// Tells whether no job is queued or runs, and all threads wait for one.
    pub fn rest_gauge(&self) -> RestGauge {
        let pool = Weak::clone(&self.shared.me);
        Box::new(move || pool.upgrade()?.state.lock().at_rest())
    }

    /// What the pool is doing at this moment.
    pub fn metrics(&self) -> Metrics {
        let state = self.shared.state.lock();
        Metrics {
            threads: state.threads,
            idle: state.idle,
            queued: state.queue.len(),
            running: state.running,
        }
    }

    /// Cancels the jobs that have not begun, unless they are [mandatory](Self::spawn_mandatory), and waits for the others, `patience`
    /// at most. Jobs that are spawned from now on are cancelled at once.
    ///
    /// A job that calls this does not wait for itself. Called again, it waits once more for what was left the last time.
    pub fn shutdown(&self, patience: Duration) -> Report {
        let shared = &*self.shared;
        let (mut given_up, going_on) = {
            let mut state = shared.state.lock();
            state.closed = true;
            shared.jobs.notify_all();
            let mut given_up = RunQueue::new();
            let mut all = core::mem::take(&mut state.queue);
            while let Some(job) = all.pop_front() {
                if is_mandatory(&job) { state.queue.push_back(job) } else { given_up.push_back(job) }
            }
            (given_up, state.running + state.queue.len())
        };
        let cancelled = given_up.len();
        while let Some(runnable) = given_up.pop_front() {
            runnable.cancel();
        }
        let own = usize::from(PoolThread::here(|thread| core::ptr::eq(Arc::as_ptr(&thread.pool), shared)));
        let mut state = shared.state.lock();
        state.settle();
        if state.threads > own && !patience.is_zero() {
            shared.ended.wait_while_for(&mut state, |state| state.threads > own, patience);
        }
        let still = state.running + state.queue.len();
        drop(state);
        self.space.retire();
        Report { cancelled, finished: going_on - still, running: still }
    }

    /// Waits for the [mandatory](Self::spawn_mandatory) jobs there are, `patience` at most. How many have not ended.
    pub fn finish(&self, patience: Duration) -> usize {
        // One of them may wait for the thread that waits here.
        while_waiting(|| {
            let mut state = self.shared.state.lock();
            if state.mandatory > 0 && !patience.is_zero() {
                self.shared.ended.wait_while_for(&mut state, |state| state.mandatory > 0, patience);
            }
            state.mandatory
        })
    }
}

impl Drop for BlockingPool {
    fn drop(&mut self) {
        let _ = self.shutdown(Duration::ZERO);
    }
}

impl State {
    /// Threads that count against the limit.
    fn active(&self) -> usize {
        self.threads - self.waiting
    }

    /// Counts one more thread, to be started by the caller, if the queue needs one and may have it.
    fn promise_thread(&mut self, limit: usize) -> bool {
        let needed = self.queue.len() > self.idle && self.active() < limit;
        if needed {
            self.threads += 1;
            self.idle += 1;
        }
        needed
    }

    fn at_rest(&self) -> Option<AtRest> {
        let jobs = self.queue.len() + self.running + self.promised;
        let rests = jobs == 0 && self.resting == self.threads;
        rests.then_some(AtRest { threads: self.threads, moves: self.moves })
    }

    /// Lets the clock go on if there is no job left.
    fn settle(&mut self) {
        if self.queue.is_empty() && self.running == 0 {
            self.busy = None;
        }
    }
}

impl Schedule for Shared {
    fn schedule(&self, runnable: Runnable, _: Why) {
        let mandatory = is_mandatory(&runnable);
        let promised = context::with_scope(|promise: Option<&Promise>| promise.is_some_and(|it| it.0.take()));
        let start = {
            let mut state = self.state.lock();
            // From here on the job itself is counted.
            state.promised -= usize::from(promised);
            if state.closed {
                drop(state);
                if mandatory {
                    context::with_scope(|refused: Option<&Refused>| refused.map(|it| it.0.set(true)));
                }
                // By its spawn: a job is polled once, and no waker can bring it.
                return runnable.cancel();
            }
            state.mandatory += usize::from(mandatory);
            if state.busy.is_none() {
                state.busy = Some(self.driver.hold());
            }
            state.queue.push_back(runnable);
            self.call_one(&mut state);
            state.promise_thread(self.limits.threads)
        };
        if start {
            self.start_thread();
        }
    }

    fn tell_time(&self) {
        self.driver.now();
    }
}

impl Shared {
    /// Starts the thread that was promised.
    fn start_thread(&self) {
        let Some(pool) = self.me.upgrade() else { return };
        let number = {
            let mut state = self.state.lock();
            state.started += 1;
            state.started
        };
        let coming = Coming { pool: Some(pool), seen: Arc::default() };
        let seen = Arc::clone(&coming.seen);
        // The program may have a word in how threads are started.
        let mut started = Err(io::Error::other("starting a thread panicked"));
        contain(|| started = (self.start)(format!("poly-block-{number}"), Box::new(move || coming.begin())));
        match started {
            Err(error) => self.nobody_comes(&error),
            Ok(()) if seen.swap(true, AcqRel) => self.nobody_comes(&gone()),
            Ok(()) => {}
        }
    }

    /// The thread that was promised does not come. If there is none that could do its work, the queued jobs fail with the
    /// reason (tokio #8406).
    fn nobody_comes(&self, error: &io::Error) {
        let mut orphans = {
            let mut state = self.state.lock();
            state.threads -= 1;
            state.idle -= 1;
            self.ended.notify_all();
            if state.active() > 0 {
                return;
            }
            core::mem::take(&mut state.queue)
        };
        let mut promised = 0;
        while let Some(runnable) = orphans.pop_front() {
            promised += usize::from(is_mandatory(&runnable));
            runnable.fail(JoinError::no_thread(again(error)));
        }
        let mut state = self.state.lock();
        state.settle();
        self.done(&mut state, promised);
    }

    /// Calls a thread that rests, unless one that was called is still on its way: that one calls the next.
    fn call_one(&self, state: &mut State) {
        if !state.called && state.resting > 0 && !state.queue.is_empty() {
            // If none waits, all who count as resting are about to look at the queue.
            state.called = self.jobs.notify_one();
        }
    }

    /// A thread's life: jobs, as long as there are any within the keep-alive.
    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            while let Some(runnable) = state.queue.pop_front() {
                self.run(&mut state, runnable);
            }
            let surplus = state.active() > self.limits.threads;
            if state.closed || surplus {
                break;
            }
            state.resting += 1;
            // Who looks for deadlocks looks at the state, too: either he is seen here, or he sees that this one rests.
            MutexGuard::unlocked(&mut state, || self.driver.deadlocks().somebody_rests());
            // Meanwhile a job may have come, with nobody to be told.
            let mut waited = false;
            if state.queue.is_empty() && !state.closed {
                waited = self.jobs.wait_for(&mut state, self.limits.keep_alive).timed_out();
                state.called &= waited;
            }
            state.resting -= 1;
            state.moves += 1;
            // A job may have come at the last moment, and nobody else may have been told.
            if waited && state.queue.is_empty() {
                break;
            }
        }
        state.idle -= 1;
        state.threads -= 1;
        self.ended.notify_all();
    }

    /// So many mandatory jobs have ended.
    fn done(&self, state: &mut State, jobs: usize) {
        state.mandatory -= jobs;
        if jobs > 0 && state.mandatory == 0 {
            self.ended.notify_all();
        }
    }

    fn run(&self, state: &mut MutexGuard<'_, State>, runnable: Runnable) {
        let mandatory = is_mandatory(&runnable);
        state.idle -= 1;
        state.running += 1;
        self.call_one(state);
        MutexGuard::unlocked(state, || {
            // For the stamp of its beginning: this thread may have waited for long.
            self.driver.now();
            let ran = runnable.run();
            debug_assert!(matches!(ran, Ran::Done), "a job ends with its first poll");
        });
        state.running -= 1;
        state.idle += 1;
        // Not before the joiner was woken: between the two nothing may look idle.
        state.settle();
        self.done(state, usize::from(mandatory));
    }
}

/// A thread that was promised and has not begun. It may not come although nobody refused it: a hook of its start panics.
struct Coming {
    pool: Option<Arc<Shared>>,
    /// Whether the starter has seen it off, or it was dropped: the second of the two sees that nobody comes.
    seen: Arc<AtomicBool>,
}

impl Coming {
    fn begin(mut self) {
        let Some(pool) = self.pool.take() else { return };
        let thread = PoolThread { pool, waiting: Cell::new(false) };
        context::enter_scope(&thread, || thread.pool.serve());
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take()
            && self.seen.swap(true, AcqRel)
        {
            pool.nobody_comes(&gone());
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread ended before it began")
}

/// An error that can be told to several.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// A thread of a pool, as code that runs on it finds it.
struct PoolThread {
    pool: Arc<Shared>,
    waiting: Cell<bool>,
}

impl PoolThread {
    fn here(is: impl FnOnce(&Self) -> bool) -> bool {
        context::with_scope(|thread: Option<&Self>| thread.is_some_and(is))
    }
}

/// Runs `f`, which waits for somebody else. On a thread of a blocking pool, that thread does not count against the
/// pool's limit meanwhile; anywhere else this is just a call of `f`.
///
/// A job that waits for another job would wait for ever in a pool that is full of such jobs. An executor's `block_on` wraps itself
/// in this; a job that waits by other means, on a channel or a lock, may do so too.
pub fn while_waiting<R>(f: impl FnOnce() -> R) -> R {
    struct Waiting(Arc<Shared>);
    impl Drop for Waiting {
        fn drop(&mut self) {
            self.0.state.lock().waiting -= 1;
            PoolThread::here(|thread| thread.waiting.replace(false));
        }
    }
    let pool = context::with_scope(|thread: Option<&PoolThread>| {
        let thread = thread.filter(|thread| !thread.waiting.replace(true))?;
        Some(Arc::clone(&thread.pool))
    });
    let Some(pool) = pool else { return f() };
    let start = {
        let mut state = pool.state.lock();
        state.waiting += 1;
        state.promise_thread(pool.limits.threads)
    };
    let waiting = Waiting(pool);
    if start {
        waiting.0.start_thread();
    }
    f()
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("BlockingPool")
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("queued", &state.queue.len())
            .field("running", &state.running)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.shared, f)
    }
}
