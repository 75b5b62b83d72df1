//! The suite for declared fairness: C2 and C3 on any runtime with one worker, its numbers declared beforehand.
//!
//! Invariant: what is counted are polls. Where [`executor!`](crate::executor!) owns the clock and sees every turn of the driver,
//! this suite sees only what any program could: how many polls of others come between something that happens and the
//! poll of the task that waits for it. So it asks the same of the peers.
//!
//! Where another thread has turned the driver, C2 is kept without a count: the driver was nobody's hostage. Only smol may do that,
//! whose reactor has a thread of its own. Who turned is told by the thread that called the waker.
//!
//! What the peers declare is in [`PEERS`], read from their sources. A subject needs a process in which nothing else drives its
//! reactor.

use crate::executor::{Tasks, beside_tasks_that_wake_themselves, beside_two_that_wake_each_other, bound};
use crate::{LIMIT, block_thread, watched};
use futures::io::AsyncReadExt;
use polyloop_core::Fairness;
use polyloop_traits::{Join, Runtime, TcpListener};
use std::future::{Future, poll_fn};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// A peer with one worker, by the name of its mount.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The name.
    pub subject: &'static str,
    /// Its numbers.
    pub declared: Fairness,
    /// Where they are from.
    pub source: &'static str,
    /// Whether a thread of the peer's own may have the reactor in the worker's place. Then its numbers say nothing of what
    /// that thread finds.
    pub has_helper: bool,
    /// How many more long polls a task has that yields after each, before those have theirs who became ready in one of them.
    pub passed_over: u32,
}

/// The peers' constants.
pub const PEERS: &[Peer] = &[
    Peer {
        subject: "tokio_ct",
        declared: Fairness {
            max_polls_between_turns: 61,
            polls_after_interval: None,
            ready_bound: Some(|place| place + place / 31 + 1),
            orphan_bound: None,
        },
        source: "tokio 1.54.1, `Builder::event_interval` (61) and `global_queue_interval` (31): one of 31 tasks comes \
                 from outside, the others in their order; who yields is kept aside until the driver has turned",
        has_helper: false,
        passed_over: 0,
    },
    Peer {
        subject: "tokio_mt_1",
        declared: Fairness {
            max_polls_between_turns: 61 * (1 + TOKIO_LIFO_POLLS),
            polls_after_interval: None,
            ready_bound: Some(|place| (1 + TOKIO_LIFO_POLLS) * (place + place / 2 + 1)),
            orphan_bound: None,
        },
        source: "tokio 1.54.1, `event_interval` (61) ticks, each with up to `MAX_LIFO_POLLS_PER_TICK` (3) polls more from the \
                 LIFO slot; `global_queue_interval` tunes itself down to one tick of two; who yields is kept aside until the \
                 driver has turned, and then comes first all the same, as is seen and not declared",
        has_helper: false,
        passed_over: 1,
    },
    Peer { subject: "smol_1", declared: SMOL, source: SMOL_SOURCE, has_helper: true, passed_over: 0 },
    Peer { subject: "smol_n_1", declared: SMOL, source: SMOL_SOURCE, has_helper: true, passed_over: 0 },
];

const TOKIO_LIFO_POLLS: u64 = 3;

const SMOL: Fairness = Fairness {
    max_polls_between_turns: 200,
    polls_after_interval: None,
    ready_bound: Some(|place| place + 1),
    orphan_bound: None,
};

const SMOL_SOURCE: &str = "async-executor 1.14.1, `Executor::run`: 200 tasks, then a yield to `async_io::block_on`, which \
                           turns the reactor if nobody else does, as the thread `async-io` may; the queues are in order";

/// What this peer declares.
///
/// # Panics
///
/// If there is none of this name.
pub fn declared(subject: &str) -> Fairness {
    let peer = PEERS.iter().find(|peer| peer.subject == subject);
    peer.unwrap_or_else(|| panic!("no peer is called {subject}")).declared
}

/// Makes a handle of a new runtime, and what keeps that runtime alive.
pub type New<R, K> = fn() -> (R, K);

/// A property of a runtime with one worker.
pub type Property<R, K> = fn(&Subject<R, K>, Fairness);

/// Runs one property under the watchdog, after all others that have begun.
///
/// # Panics
///
/// If the property does not hold.
pub fn check<R: Runtime, K: Send + Sync + 'static>(
    subject: &str,
    test: &str,
    new: New<R, K>,
    tasks: On,
    declared: Fairness,
    property: Property<R, K>,
) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let peer = PEERS.iter().find(|peer| peer.subject == subject);
    let (has_helper, passed_over) = peer.map_or((false, 0), |peer| (peer.has_helper, peer.passed_over));
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    watched(&format!("{subject}::{test}"), LIMIT, move || {
        let (runtime, alive) = new();
        property(&Subject { runtime, tasks, has_helper, passed_over, _alive: alive }, declared);
    });
}

/// Mounts the suite: `fairness!(name, declared, on, constructor)`, where `on` says where the tasks run: [`On`]. The
/// constructor is an expression of type `(R, K)`, see [`New`](crate::fairness::New).
#[macro_export]
macro_rules! fairness {
    ($name:ident, $declared:expr, $on:expr, $new:expr) => {
        $crate::fairness! { @ $name, $declared, $on, $new,
            a_ready_socket_is_seen_within_the_promise
            a_due_timer_fires_within_the_promise
            a_timer_due_during_a_long_poll_comes_before_that_polls_own_yield
            each_ready_task_has_its_turn
            each_ready_task_has_its_turn_beside_two_that_wake_each_other
        }
    };
    (@ $name:ident, $declared:expr, $on:expr, $new:expr, $($property:ident)*) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $property() {
                    let property = $crate::fairness::$property;
                    $crate::fairness::check(
                        stringify!($name), stringify!($property), || $new, $on, $declared, property,
                    );
                }
            )*
        }
    };
}

/// Where a runtime's tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// On the thread that is in `block_on`.
    Caller,
    /// On a worker. The calling thread waits outside of the runtime, so that it drives nothing.
    Worker,
}

/// A runtime under test.
#[derive(Debug)]
pub struct Subject<R, K> {
    runtime: R,
    tasks: On,
    has_helper: bool,
    passed_over: u32,
    _alive: K,
}

impl<R: Runtime, K: Send + Sync + 'static> Tasks for Subject<R, K> {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        self.runtime.spawn(future).detach();
    }

    fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (give, given) = mpsc::channel();
        let task = self.runtime.spawn(async move { give.send(future.await).expect("somebody waits") });
        match self.tasks {
            On::Caller => self.runtime.block_on(task).expect("the task has not panicked"),
            On::Worker => task.detach(),
        }
        given.recv().expect("the task has not panicked")
    }
}

/// Notes who wakes.
#[derive(Debug)]
struct Spy {
    woken: Waker,
    by: Arc<Mutex<Option<ThreadId>>>,
}

impl Wake for Spy {
    fn wake(self: Arc<Self>) {
        *self.by.lock().expect("unpoisoned") = Some(thread::current().id());
        self.woken.wake_by_ref();
    }
}

/// Polls `waiting`; which thread woke it last.
async fn spied(mut waiting: Waiting) -> Option<ThreadId> {
    let by = Arc::default();
    poll_fn(|cx| {
        let spy = Spy { woken: cx.waker().clone(), by: Arc::clone(&by) };
        waiting.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(spy))))
    })
    .await;
    *by.lock().expect("unpoisoned")
}

/// How many polls of a task that wakes itself come between `happen`, which is called in one of them once `waiting` has begun
/// to wait, and the end of `waiting`; `Some(None)` if another thread than the one that polls has turned the driver, and `None` if
/// `waiting` was over before `happen` was called.
fn polls_until<R: Runtime, K: Send + Sync + 'static>(
    subject: &Subject<R, K>,
    waiting: impl FnOnce(Arc<AtomicBool>) -> Waiting,
    mut happen: impl FnMut() + Send + 'static,
) -> Option<Option<u64>> {
    /// So many polls before it happens, so that it falls in step with nothing, and at most afterwards.
    const BEFORE: u64 = 2503;
    const AFTER: u64 = 100_000;
    let begun = Arc::new(AtomicBool::new(false));
    let polls = Arc::new(AtomicU64::new(0));
    let seen = Arc::new(AtomicU64::new(0));
    let (waiting, counted, noticed) = (waiting(begun.clone()), polls.clone(), seen.clone());
    let by_other = Arc::new(AtomicBool::new(false));
    let told = by_other.clone();
    subject.spawn(async move {
        let by = spied(waiting).await;
        told.store(by != Some(thread::current().id()), SeqCst);
        noticed.store(counted.load(SeqCst), SeqCst);
    });
    let noticed = seen.clone();
    let mut happened = 0;
    let at = subject.run(async move {
        let mut waits = 0;
        let mut step = move || {
            let now = polls.fetch_add(1, SeqCst) + 1;
            if happened == 0 && begun.load(SeqCst) {
                waits += 1;
                if waits == BEFORE {
                    happened = now;
                    happen();
                }
            }
            let over = noticed.load(SeqCst) > 0 || happened > 0 && now - happened > AFTER;
            over.then_some(happened)
        };
        loop {
            if let Some(happened) = step() {
                return happened;
            }
            polyloop_core::yield_now().await;
        }
    });
    let seen = seen.load(SeqCst);
    if at == 0 {
        return None;
    }
    assert!(seen > 0, "it has not been noticed in {AFTER} polls");
    Some((!by_other.load(SeqCst)).then(|| seen.saturating_sub(at)))
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn within<R: Runtime, K: Send + Sync + 'static>(
    subject: &Subject<R, K>,
    declared: Fairness,
    polls: Option<u64>,
) {
    let Some(polls) = polls else {
        assert!(subject.has_helper, "another thread than the worker has turned the driver");
        return;
    };
    // The two of them are ready then.
    let most = declared.max_polls_between_turns + bound(declared, 2);
    assert!(polls <= most, "{polls} polls on {:?}, {most} at most", subject.tasks);
}

/// C2: a socket that is ready is seen although a task is always ready.
pub fn a_ready_socket_is_seen_within_the_promise<R: Runtime, K: Send + Sync + 'static>(
    subject: &Subject<R, K>,
    declared: Fairness,
) {
    let rt = subject.runtime.clone();
    let (tell, told) = mpsc::channel::<SocketAddr>();
    let (connect, connected) = mpsc::channel::<TcpStream>();
    let connecting = thread::spawn(move || {
        let client = TcpStream::connect(told.recv().expect("an address")).expect("a connection");
        client.set_nodelay(true).expect("a socket's option");
        connect.send(client).expect("the test waits");
    });
    let mut client: Option<TcpStream> = None;
    let polls = polls_until(
        subject,
        move |begun| {
            Box::pin(async move {
                let listener = rt.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
                tell.send(listener.local_addr().expect("an address")).expect("a client");
                let (mut stream, _) = listener.accept().await.expect("a connection");
                begun.store(true, SeqCst);
                stream.read_exact(&mut [0]).await.expect("a byte");
            })
        },
        move || {
            let client = client.get_or_insert_with(|| connected.recv().expect("a client"));
            client.write_all(&[1]).expect("room for a byte");
        },
    );
    connecting.join().expect("the client has not panicked");
    within(subject, declared, polls.expect("no byte comes before it is sent"));
}

/// C2: a timer that is due fires although a task is always ready.
pub fn a_due_timer_fires_within_the_promise<R: Runtime, K: Send + Sync + 'static>(
    subject: &Subject<R, K>,
    declared: Fairness,
) {
    /// Far enough that it has not fired before the poll in which it becomes due; the longer ones for a busy machine.
    const DELAYS: [u64; 4] = [200, 400, 800, 1_600];
    let polls = DELAYS.map(Duration::from_millis).into_iter().find_map(|delay| {
        let rt = subject.runtime.clone();
        polls_until(
            subject,
            move |begun| {
                Box::pin(async move {
                    let sleep = rt.sleep(delay);
                    begun.store(true, SeqCst);
                    sleep.await;
                })
            },
            // The resolution of a peer's timers is a millisecond.
            move || block_thread(delay + Duration::from_millis(2)),
        )
    });
    within(subject, declared, polls.expect("the timer fires before the polls that come first are over"));
}

/// A driver is due after a long poll: whom its turn wakes comes before the next poll of the task that took so long, if that has
/// yielded by the runtime's own `yield_now`. A peer may pass it over as often as its line in [`PEERS`] says.
pub fn a_timer_due_during_a_long_poll_comes_before_that_polls_own_yield<
    R: Runtime,
    K: Send + Sync + 'static,
>(
    subject: &Subject<R, K>,
    _: Fairness,
) {
    /// Many polls, after which whoever adapts to long ones has done so. The first one's
    /// 21st poll ends when the timer is surely due, and its 20th when it is not.
    const DELAYS: [u64; 10] = [103, 101, 104, 102, 100, 103, 101, 104, 102, 100];
    if subject.has_helper {
        // The timer fires on a thread that may come at any moment.
        return;
    }
    let words = "polls that began although the timer was due when the one before ended";
    let mut most = 0;
    for delay in DELAYS.map(Duration::from_millis) {
        let passed_over = polls_that_pass_over_a_timer(subject, delay);
        assert!(passed_over <= subject.passed_over, "{passed_over} {words}");
        most = most.max(passed_over);
        if most == subject.passed_over {
            return;
        }
    }
    // No less either: what is told of a peer is true. A single attempt may not show it: of a poll that ends within the timer's
    // resolution nobody can tell whether the timer was due.
    assert_eq!(most, subject.passed_over, "{words}");
}

/// Polls of 5 ms that begin although a timer, `delay` from now, was due when the one before ended.
fn polls_that_pass_over_a_timer<R: Runtime, K: Send + Sync + 'static>(
    subject: &Subject<R, K>,
    delay: Duration,
) -> u32 {
    const POLL: Duration = Duration::from_millis(5);
    /// Of a peer's timers, and a little.
    const RESOLUTION: Duration = Duration::from_millis(2);
    let rt = subject.runtime.clone();
    let fired = Arc::new(AtomicBool::new(false));
    let due = rt.now() + delay;
    let (sleep, fires) = (rt.sleep_until(due), fired.clone());
    subject.spawn(async move {
        sleep.await;
        fires.store(true, SeqCst);
    });
    subject.run(async move {
        let mut passed_over = 0;
        let mut is_due = false;
        while !fired.load(SeqCst) {
            passed_over += u32::from(is_due);
            block_thread(POLL);
            is_due = rt.now() >= due + RESOLUTION;
            rt.yield_now().await;
        }
        passed_over
    })
}

/// C3: beside tasks that wake themselves.
pub fn each_ready_task_has_its_turn<R: Runtime, K: Send + Sync + 'static>(
    subject: &Subject<R, K>,
    declared: Fairness,
) {
    beside_tasks_that_wake_themselves(subject, declared);
}

/// C3: beside two that hand each other the turn.
pub fn each_ready_task_has_its_turn_beside_two_that_wake_each_other<R: Runtime, K: Send + Sync + 'static>(
    subject: &Subject<R, K>,
    declared: Fairness,
) {
    beside_two_that_wake_each_other(subject, declared);
}
