//! The loop of a thread inside `block_on`, the same for every executor.
//!
//! Invariant: the future is an ordinary task of the thread's own queue, so it has its place in the order like any
//! other, and its wakers are like any other. It need be neither `Send` nor `'static`: it is polled and dropped on this thread,
//! before the loop returns.
//!
//! What the executor adds is a [`Host`]: whether it has runnables for this thread, and whether this thread may drive.

use crate::context;
use crate::deadlock::{Deadlock, Vigil};
use crate::desk::Desk;
use crate::driver::{Driver, Turn, Wakes};
use crate::hooks::Hooks;
use crate::local::{Entered, LocalQueue, Unpark};
use crate::park::{Parking, ThreadParker};
use crate::probe::WorkerCounts;
use crate::task::{Listed, Meta, TaskPtr, TaskSpace};
use crate::time::Instant;
use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;

/// The most polls between two driver turns, whatever the clock says (C2).
pub const MAX_POLLS: u32 = 16 * CHECK_POLLS;

/// How often the clock is looked at, in polls: once [`TURN_INTERVAL`] has passed, this many at most come before the
/// turn (C2).
pub const CHECK_POLLS: u32 = 61;

/// How long tasks may be polled before the driver turns (C2).
pub const TURN_INTERVAL: Duration = Duration::from_micros(100);

const _: () = assert!(MAX_POLLS <= 1024);

/// Who watches a thread inside `block_on`.
pub trait Watch {
    /// Where the thread shows what it does.
    fn desk(&self) -> &Desk;

    /// Called at the beginning. The thread's local tasks live in `local`; its own future is the one that
    /// [lies](crate::Polled::address) at `own`.
    fn arrive(&self, local: &Arc<TaskSpace>, own: usize);

    /// Called whenever the thread goes from rest to work, after its desk has shown that.
    fn rise(&self);
}

/// A desk that nobody looks at.
impl Watch for Desk {
    fn desk(&self) -> &Desk {
        self
    }

    fn arrive(&self, _: &Arc<TaskSpace>, _: usize) {}

    fn rise(&self) {}
}

/// What an executor adds to a thread inside `block_on`.
pub trait Host {
    /// Who watches this thread.
    fn watch(&self) -> &impl Watch;

    /// Called before every poll: hands this thread what the executor has for it, if anything. Also called before a task that
    /// yielded is put back after a turn of the driver, so that it comes behind.
    fn collect(&self, entered: &Entered<'_>, parking: &Arc<Parking>);

    /// Whether this thread may turn the driver, if the lease is free.
    ///
    /// A thread that may must be the only one that waits: when it leaves, it calls nobody to wait in its place.
    fn may_drive(&self) -> bool;

    /// Where this thread counts what it does, if it is one of the executor's workers at this moment.
    fn counts(&self) -> Option<&WorkerCounts> {
        None
    }

    /// Who wants to know when this thread waits, if it is one of the executor's workers at this moment.
    fn hooks(&self) -> Option<&Hooks> {
        None
    }

    /// The executor's tasks, among which the thread's own are to be told.
    fn space(&self) -> Option<&Arc<TaskSpace>> {
        None
    }

    /// Called at the end, also when the loop unwinds: takes back what was handed out.
    fn leave(&self, entered: &Entered<'_>, parking: &Arc<Parking>);
}

/// `block_on` was called on a thread that is inside one already, that is a worker, or that polls a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nested;

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "`block_on` was called from within a runtime: this thread would wait for itself; await instead",
        )
    }
}

impl std::error::Error for Nested {}

/// Why a future was not run to its end by [`try_block_on`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockOnError {
    /// It was not begun: the thread would have waited for itself. As [`Nested`].
    Nested,
    /// It was dropped: nothing is left that could wake it.
    Deadlock(Deadlock),
}

impl BlockOnError {
    /// Whether the future was not begun, because the thread would have waited for itself.
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::Nested)
    }

    /// Whether the future was dropped, because nothing is left that could wake it.
    pub fn is_deadlock(&self) -> bool {
        matches!(self, Self::Deadlock(_))
    }
}

impl fmt::Display for BlockOnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nested => Nested.fmt(f),
            Self::Deadlock(deadlock) => deadlock.fmt(f),
        }
    }
}

impl std::error::Error for BlockOnError {}

impl From<Nested> for BlockOnError {
    fn from(Nested: Nested) -> Self {
        Self::Nested
    }
}

impl From<Deadlock> for BlockOnError {
    fn from(deadlock: Deadlock) -> Self {
        Self::Deadlock(deadlock)
    }
}

/// That this thread is inside `block_on` or a worker; or, with `false`, that it is so no more for a while.
struct Inside(bool);

/// Refuses a thread that is inside `block_on`, is a worker, or polls a task.
///
/// # Errors
///
/// [`Nested`], on such a thread.
pub fn refuse_nested() -> Result<(), Nested> {
    let inside = context::with_scope(|inside: Option<&Inside>| inside.is_some_and(|inside| inside.0));
    if context::is_polling() || inside { Err(Nested) } else { Ok(()) }
}

/// Runs `life`, the whole life of a worker: [`try_block_on`] is refused on this thread meanwhile.
///
/// Also between polls a worker runs code of others, the drops of outputs and their wakers, which would wait for the worker
/// that they keep.
pub fn as_worker<R>(life: impl FnOnce() -> R) -> R {
    context::enter_scope(&Inside(true), life)
}

/// Runs `f`, on a worker that has given its place away, as if this thread were nobody's: it may block.
pub fn as_stranger<R>(f: impl FnOnce() -> R) -> R {
    context::enter_scope(&Inside(false), || context::outside_of_tasks(f))
}

/// For so many polls after a long one the clock is looked at after each, then ever more rarely.
const CALM: u32 = 64;

/// Decides when the driver is due, by polls and by the clock.
///
/// The clock is looked at as often as polls have been long lately: after every poll of the 64 that come after one as long as
/// the interval, because whoever takes long once does so again, and from there to every [`CHECK_POLLS`]. Where long polls
/// come after many short ones, the monitor sees it before the count does, and hails the thread.
///
/// The polls are counted by the thread's [desk](Desk), where they have to be seen anyway.
#[derive(Debug)]
pub struct TurnPacer<'a> {
    desk: &'a Desk,
    /// Polls between the last turn and the last look at the clock.
    polls: u32,
    /// How many polls there were to be from that look to the next one.
    stride: u32,
    /// How many polls there have been since a look last found that the interval had passed since the one before it.
    calm: u32,
    checked: Instant,
    turned: Instant,
    /// The count of a thread that nobody watches: for measuring what that costs.
    alone: u32,
}

impl<'a> TurnPacer<'a> {
    /// A pacer that counts from now, for the thread whose desk this is.
    pub fn new(driver: &Driver, desk: &'a Desk) -> Self {
        let now = driver.now();
        let mut pacer = Self { desk, polls: 0, stride: 0, calm: 0, checked: now, turned: now, alone: 0 };
        pacer.count_down();
        pacer
    }

    /// A poll is over. Whether the thread is to look up: at [the clock](Self::is_due), and at what was left for it if it was hailed.
    #[inline(always)]
    pub fn polled(&mut self) -> bool {
        // `cargo xtask bench watch`: the least that counting costs.
        if cfg!(polyloop_without = "watch") {
            self.alone = self.alone.wrapping_sub(1);
            return self.alone == 0;
        }
        self.desk.goes_on()
    }

    /// The thread looks up; whether the driver is due. Whoever was [hailed](Desk::hail) sees what was left for it.
    #[cold]
    pub fn is_due(&mut self, driver: &Driver) -> bool {
        self.desk.take_hail();
        let (now, polls) = (driver.now(), self.polls());
        let since = polls - self.polls;
        self.calm = if now - self.checked >= TURN_INTERVAL { 0 } else { self.calm.saturating_add(since) };
        (self.checked, self.polls) = (now, polls);
        self.count_down();
        now - self.turned >= TURN_INTERVAL || polls + self.stride > MAX_POLLS
    }

    fn count_down(&mut self) {
        self.stride = (self.calm / CALM).clamp(1, CHECK_POLLS);
        self.alone = self.stride;
        self.desk.count_down(self.stride);
    }

    /// The polls since the last turn.
    pub fn polls(&self) -> u32 {
        self.polls
            + if cfg!(polyloop_without = "watch") {
                self.stride - self.alone
            } else {
                self.desk.passed(self.stride)
            }
    }

    /// Notes that the driver has turned, now.
    pub fn turned(&mut self, now: Instant) {
        self.polls = 0;
        (self.checked, self.turned) = (now, now);
        self.count_down();
    }

    /// Adds the polls since the last turn to `counts`.
    fn count(&self, counts: &WorkerCounts, now: Instant) {
        counts.polled(self.polls(), now - self.turned);
    }
}

/// Runs `future` to its end on this thread, and beside it this thread's local tasks and whatever the host brings.
///
/// A deadlock is reported as the driver's [`Watch`](crate::deadlock::Watch) says, once, and the thread waits on.
///
/// # Errors
///
/// [`Nested`], when this thread is inside a `block_on`, is a worker ([`as_worker`]), or polls a task.
///
/// # Panics
///
/// With the panic of the future; and if the kernel refuses the driver's wait.
pub fn block_on<F: Future>(
    driver: &Arc<Driver>,
    thread: Box<dyn ThreadParker>,
    host: &impl Host,
    future: F,
    meta: Meta,
) -> Result<F::Output, Nested> {
    refuse_nested()?;
    match run_to_end(driver, thread, host, future, meta, false) {
        Ok(output) => Ok(output),
        Err(deadlock) => unreachable!("told not to end by it: {deadlock}"),
    }
}

/// As [`block_on`], but ends with a deadlock.
///
/// # Errors
///
/// [`BlockOnError::Nested`], as there. [`BlockOnError::Deadlock`], when nothing is left that could wake the future; it has been
/// dropped then, and this thread's local tasks with it.
///
/// # Panics
///
/// As there.
pub fn try_block_on<F: Future>(
    driver: &Arc<Driver>,
    thread: Box<dyn ThreadParker>,
    host: &impl Host,
    future: F,
    meta: Meta,
) -> Result<F::Output, BlockOnError> {
    refuse_nested()?;
    Ok(run_to_end(driver, thread, host, future, meta, true)?)
}

fn run_to_end<F: Future>(
    driver: &Arc<Driver>,
    thread: Box<dyn ThreadParker>,
    host: &impl Host,
    future: F,
    meta: Meta,
    ends_by_deadlock: bool,
) -> Result<F::Output, Deadlock> {
    let parking = Arc::new(Parking::new(Arc::clone(driver), thread));
    let poll_time = host.space().and_then(|space| space.poll_time().cloned());
    let local = LocalQueue::with_poll_time(Arc::clone(&parking) as Arc<dyn Unpark>, poll_time);
    let about = meta.clone();
    let output = context::enter_scope(&Inside(true), || {
        local.enter_with(future, meta, |entered, root| {
            let _post = Post::take(host, entered, &parking, root.address());
            let mut root = pin!(root);
            let future = Root { task: root.task(), meta: &about, ends_by_deadlock };
            if let Some(deadlock) = attend(driver, &parking, host, entered, &future) {
                return Err(deadlock);
            }
            match root.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(output) => Ok(output),
                Poll::Pending => unreachable!("the loop ends when the future has"),
            }
        })
    });
    match output? {
        Ok(output) => Ok(output),
        Err(error) => match error.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            Err(error) => unreachable!("nobody can abort the future of `block_on`: {error}"),
        },
    }
}

/// The future of a `block_on`. From here on nobody knows its type, so that a debug build compiles what follows once for each kind of
/// host, and not for each future.
struct Root<'a> {
    /// Kept by the join handle of whoever made this.
    task: TaskPtr,
    meta: &'a Meta,
    /// Whether a deadlock ends the `block_on`, or is only told.
    ends_by_deadlock: bool,
}

/// The thread's place at its host. The fields go in this order: first the host takes back what it handed out, then it no longer
/// tells the thread's own tasks among its own.
struct Post<'a, 'e, H: Host> {
    _leave: Leave<'a, 'e, H>,
    _listed: Option<Listed>,
}

impl<'a, 'e, H: Host> Post<'a, 'e, H> {
    fn take(host: &'a H, entered: &'a Entered<'e>, parking: &'a Arc<Parking>, own: usize) -> Self {
        let listed = host.space().map(|space| space.list_local(entered.space()));
        let leave = Leave { host, entered, parking };
        host.watch().arrive(entered.space(), own);
        Self { _leave: leave, _listed: listed }
    }
}

struct Leave<'a, 'e, H: Host> {
    host: &'a H,
    parking: &'a Arc<Parking>,
    entered: &'a Entered<'e>,
}

impl<H: Host> Drop for Leave<'_, '_, H> {
    fn drop(&mut self) {
        self.host.leave(self.entered, self.parking);
        self.parking.leave();
    }
}

/// Runs what there is to run until `root` has ended, or a deadlock ends it.
///
/// Where speed counts, it and the loop are made part of each `block_on`: the loop then keeps at hand what it looks at after every
/// poll, and the watch costs a poll an instruction less (`cargo xtask bench watch`).
#[cfg_attr(not(debug_assertions), inline(always))]
fn attend(
    driver: &Arc<Driver>,
    parking: &Arc<Parking>,
    host: &impl Host,
    entered: &Entered<'_>,
    root: &Root<'_>,
) -> Option<Deadlock> {
    // For polls that run other tasks, which count like all others.
    context::enter_scope(host.watch().desk(), || run(driver, parking, host, entered, root))
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn run(
    driver: &Arc<Driver>,
    parking: &Arc<Parking>,
    host: &impl Host,
    entered: &Entered<'_>,
    root: &Root<'_>,
) -> Option<Deadlock> {
    let mut vigil = Vigil::begin(driver, parking, entered.space());
    // Looked at after every poll.
    let state = root.task.state();
    let finished = || state.load().done();
    let mut wakes = Wakes::new();
    let watch = host.watch();
    let desk = watch.desk();
    let mut pacer = TurnPacer::new(driver, desk);
    let mut busy = Some(driver.hold());
    let count = |pacer: &TurnPacer<'_>, now: Instant| {
        if let Some(counts) = host.counts() {
            pacer.count(counts, now);
            counts.queued(entered.len());
        }
    };
    loop {
        parking.heed();
        if desk.rise() {
            watch.rise();
        }
        loop {
            host.collect(entered, parking);
            let Some(runnable) = entered.pop() else { break };
            let again = runnable.run().again();
            // Apart from the rest, so that a poll after which nothing is due does not carry the question through what follows.
            if pacer.polled() && pacer.is_due(driver) {
                // What became ready during its poll comes first, which is seen only now.
                if let Some(runnable) = again {
                    entered.set_aside(runnable);
                }
                if finished() {
                    count(&pacer, driver.now());
                    return None;
                }
                if host.may_drive() {
                    turn(driver, &mut wakes);
                }
                host.collect(entered, parking);
                entered.bring_back();
                let now = driver.now();
                count(&pacer, now);
                pacer.turned(now);
                continue;
            }
            if let Some(runnable) = again {
                entered.push(runnable);
            }
            if finished() {
                count(&pacer, driver.now());
                return None;
            }
        }
        if finished() {
            return None;
        }
        let hooks = host.hooks().filter(|hooks| hooks.watches_waits());
        if let Some(hooks) = hooks {
            hooks.parks();
            if !entered.is_empty() {
                // The hook has made work.
                hooks.unparks();
                continue;
            }
        }
        if let Some(counts) = host.counts() {
            count(&pacer, driver.now());
            counts.parked();
        }
        desk.rest();
        let lease = if host.may_drive() {
            driver.rest(&mut busy)
        } else {
            busy.take();
            None
        };
        let deadlock = match lease {
            Some(mut lease) => {
                let mut turned = Ok(());
                let events = driver.ready_events();
                let deadlock = vigil.wait((root.task, root.meta), |most| {
                    let turn = most.map_or(Turn::Wait, Turn::For);
                    turned = parking.wait_in_driver(&mut lease, turn, &mut wakes);
                    let is_called = !wakes.is_empty() || parking.is_notified();
                    is_called || turned.is_err() || driver.ready_events() != events
                });
                // At work before the lease is free: the next one to have it must not take those who are woken below
                // for idle, and move the clock past them.
                busy.replace(driver.hold());
                drop(lease);
                wakes.wake_all();
                report(driver, turned);
                deadlock
            }
            None => {
                let deadlock = vigil.wait((root.task, root.meta), |most| {
                    parking.wait_in_thread_for(most);
                    parking.is_notified()
                });
                busy.replace(driver.hold());
                deadlock
            }
        };
        pacer.turned(driver.now());
        if let Some(hooks) = hooks {
            hooks.unparks();
        }
        if let Some(deadlock) = deadlock {
            driver.deadlocks().tell(&deadlock, root.ends_by_deadlock);
            if root.ends_by_deadlock {
                return Some(deadlock);
            }
        }
    }
}

/// Turns the driver without waiting if the lease is free, and wakes whom it concerns once it is free again.
fn turn(driver: &Driver, wakes: &mut Wakes) {
    let Some(mut lease) = driver.try_lease() else { return };
    let turned = lease.turn(Turn::Poll, wakes);
    drop(lease);
    wakes.wake_all();
    report(driver, turned);
}

fn report(driver: &Driver, turned: std::io::Result<()>) {
    if let Err(error) = turned {
        panic!("the reactor `{}` cannot wait: {error}", driver.reactor().name());
    }
}
