//! The event loop of the text that this project began from, with the defects that it has there: a mutant of a whole runtime.
//!
//! Invariant: `run`, the wakers, the poller and the futures do what the text's Python does, step by step, exceptions and
//! all (they are panics here). What a runtime must have beyond the text is the least that lets a suite talk to it. Not in the text
//! is the fuse, which turns a loop without end and a wait without end into a panic, so that a test ends; and, unless it is
//! [as written](SeedLoop::as_written), that `run` returns when `main` has ended. The text's goes on to wait for events when
//! nothing is left that could bring one, so no program of it ever ends, and a suite would see nothing else.
//!
//! The names in capitals are the text's own.

mod futures;
mod io;

pub use futures::{SeedJoin, SeedSleep, SeedYield};
pub use io::{SeedListener, SeedStream};

use io::SimplePoller;
use polyloop_traits::{BlockOn, Spawn, SpawnBlocking, Time, Yield};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::ops::{Add, Sub};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// So many polls without a look at the clock are a loop without end, and so many waits that bring nothing.
const FUSE: u32 = 200_000;

/// The loop; clones are the same one.
#[derive(Clone, Debug)]
pub struct SeedLoop {
    globals: Arc<Globals>,
    as_written: bool,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the text keeps in globals.
#[derive(Default)]
#[expect(non_snake_case, reason = "the text's own names")]
struct Globals {
    READY_QUEUE: Mutex<VecDeque<u64>>,
    TASKS: Mutex<HashMap<u64, Arc<Mutex<Task>>>>,
    TIMER_HEAP: Mutex<BinaryHeap<TimerEntry>>,
    POLLER: SimplePoller,
    next_id: Mutex<u64>,
}

/// `Waker(task_id)`: appends the id, whatever is queued and whoever lives.
struct SeedWaker {
    task_id: u64,
    globals: Arc<Globals>,
}

impl Wake for SeedWaker {
    fn wake(self: Arc<Self>) {
        self.globals.READY_QUEUE.lock().unwrap().push_back(self.task_id);
    }
}

/// `(deadline, waker)`, compared as Python compares tuples: by the waker where the deadlines are equal.
struct TimerEntry {
    deadline: Moment,
    waker: Waker,
}

impl Ord for TimerEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        match other.deadline.cmp(&self.deadline) {
            // The same object is equal to itself; no other order is defined.
            Ordering::Equal if !self.waker.will_wake(&other.waker) => {
                panic!("TypeError: '<' not supported between instances of 'Waker' and 'Waker'")
            }
            // A Python heap has its smallest on top, ours its largest.
            order => order,
        }
    }
}

impl PartialOrd for TimerEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TimerEntry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TimerEntry {}

/// `time.monotonic()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "the text reads the clock itself")]
    fn now() -> Self {
        static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        Self(ORIGIN.get_or_init(Instant::now).elapsed())
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl SeedLoop {
    /// The loop, with an end: it returns when `main` has ended.
    #[expect(clippy::new_without_default, reason = "a runtime is made, not defaulted to")]
    pub fn new() -> Self {
        Self { globals: Arc::default(), as_written: false }
    }

    /// The loop to the letter.
    pub fn as_written() -> Self {
        Self { as_written: true, ..Self::new() }
    }

    fn waker(&self, task_id: u64) -> Waker {
        Waker::from(Arc::new(SeedWaker { task_id, globals: self.globals.clone() }))
    }

    fn next_id(&self) -> u64 {
        let mut next = self.globals.next_id.lock().unwrap();
        *next += 1;
        *next
    }

    /// `run()`. The future of `main` cannot be boxed here, as it may borrow, so it is polled through `main` under its id.
    fn run(&self, main_id: u64, mut main: impl FnMut(&mut Context<'_>) -> Poll<()>) {
        let globals = &*self.globals;
        let mut main_done = false;
        let mut idle_waits = 0;
        // "Either there is any ready task, or the selector isn't tracking any I/O events"
        while !globals.READY_QUEUE.lock().unwrap().is_empty() || globals.POLLER.tracks_any() {
            // 1. execute all tasks that are immediately runnable
            let mut polls = 0;
            loop {
                let popped = globals.READY_QUEUE.lock().unwrap().pop_front();
                let Some(task_id) = popped else { break };
                polls += 1;
                assert!(polls < FUSE, "fuse: {FUSE} polls without a look at timers and files");
                idle_waits = 0;
                let waker = self.waker(task_id);
                let mut cx = Context::from_waker(&waker);
                if task_id == main_id {
                    assert!(!main_done, "KeyError: {task_id}");
                    main_done = main(&mut cx).is_ready();
                    if main_done && !self.as_written {
                        return;
                    }
                    continue;
                }
                let task = globals.TASKS.lock().unwrap().get(&task_id).cloned();
                let task = task.unwrap_or_else(|| panic!("KeyError: {task_id}"));
                // An exception of the task goes through, as there.
                if task.lock().unwrap().as_mut().poll(&mut cx).is_ready() {
                    globals.TASKS.lock().unwrap().remove(&task_id);
                }
            }
            // 2. figure out how long we may sleep
            let now = Moment::now();
            let timeout = globals.TIMER_HEAP.lock().unwrap().peek().map(|first| first.deadline - now);
            // 3. block on I/O (or not at all if timeout == 0)
            let events = globals.POLLER.wait(timeout);
            if events.is_empty() && timeout.is_none() {
                panic!(
                    "fuse: a wait without end; {}",
                    if main_done { "main has ended" } else { "main has not" }
                );
            }
            idle_waits += 1;
            assert!(idle_waits < FUSE, "fuse: {FUSE} waits that woke nobody");
            // 4. wake any tasks whose fds became ready
            for fd in events {
                globals.POLLER.waker_for(fd).wake();
            }
            // 5. expire timers
            let now = Moment::now();
            loop {
                let mut heap = globals.TIMER_HEAP.lock().unwrap();
                if heap.peek().is_none_or(|first| first.deadline > now) {
                    break;
                }
                let due = heap.pop();
                drop(heap);
                due.into_iter().for_each(|due| due.waker.wake());
            }
        }
    }
}

impl BlockOn for SeedLoop {
    /// `spawn(fut)`, `run()`.
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut output = None;
        let id = self.next_id();
        self.globals.READY_QUEUE.lock().unwrap().push_back(id);
        self.run(id, |cx| future.as_mut().poll(cx).map(|value| output = Some(value)));
        output.expect("run() has returned, and main has not ended")
    }
}

impl Spawn for SeedLoop {
    type Join<T: Send + 'static> = SeedJoin<T>;

    fn spawn<F>(&self, future: F) -> SeedJoin<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, join) = futures::joinable(future);
        let id = self.next_id();
        self.globals.TASKS.lock().unwrap().insert(id, Arc::new(Mutex::new(Box::pin(task))));
        self.globals.READY_QUEUE.lock().unwrap().push_back(id);
        join
    }
}

impl SpawnBlocking for SeedLoop {
    type BlockingJoin<T: Send + 'static> = SeedJoin<T>;

    fn spawn_blocking<F, T>(&self, _: F) -> SeedJoin<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        panic!("the text has no threads")
    }
}

impl Yield for SeedLoop {
    type Yield = SeedYield;

    fn yield_now(&self) -> SeedYield {
        SeedYield::default()
    }
}

impl Time for SeedLoop {
    type Instant = Moment;
    type Sleep = SeedSleep;

    fn now(&self) -> Moment {
        Moment::now()
    }

    fn sleep(&self, duration: Duration) -> SeedSleep {
        self.sleep_until(Moment::now() + duration)
    }

    fn sleep_until(&self, deadline: Moment) -> SeedSleep {
        SeedSleep { globals: self.globals.clone(), deadline }
    }
}

impl fmt::Debug for Globals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeedLoop").finish_non_exhaustive()
    }
}
