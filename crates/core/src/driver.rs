//! The driver: one reactor, one timer queue, one clock, turned by whoever holds the lease.
//!
//! One turn: *timeout from the nearest deadline → wait → mark sources → fire timers*, and then, with the lease and every
//! lock given back, *wake the batch*. Invariant: the lease is never held while a task is polled, so that no task can keep
//! timers and I/O from others (C5).

#[cfg(all(test, polyloop_loom))]
mod loom_tests;
#[cfg(all(test, not(polyloop_loom)))]
pub(crate) mod tests;
mod work;

use crate::WakeBatch;
use crate::context;
use crate::deadlock::Watch;
use crate::probe::Count;
use crate::reactor::{Events, Reactor, ReactorHandle};
use crate::schedule::Why;
use crate::shim::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::shim::sync::{Mutex, TryLock, TryLockGuard};
use crate::source::SourceTable;
use crate::time::{Clock, Instant, TimerKey, Timers, Wait};
use core::fmt;
use core::task::Waker;
use core::time::Duration;
use std::io;
use std::sync::Arc;
use work::{Calm, Work};

/// How a turn waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Not at all.
    Poll,
    /// Until something happens.
    Wait,
    /// Until something happens, at most for so long on the kernel's clock. Asks the kernel even if no file is registered,
    /// and even for no time at all: for a loop that watches the reactor's own file.
    For(Duration),
}

impl Turn {
    fn limit(self, wait: Wait) -> Wait {
        match (self, wait) {
            (Self::For(Duration::ZERO), _) => Wait::Now,
            (Self::For(most), Wait::For(wait)) => Wait::For(wait.min(most)),
            (Self::For(most), Wait::Forever) => Wait::For(most),
            (_, wait) => wait,
        }
    }

    /// The same without waiting.
    fn at_once(self) -> Self {
        match self {
            Self::Poll | Self::Wait => Self::Poll,
            Self::For(_) => Self::For(Duration::ZERO),
        }
    }
}

/// Those who are to be woken after a turn, with no lock held.
#[derive(Debug, Default)]
pub struct Wakes {
    io: WakeBatch,
    timers: WakeBatch,
}

impl Wakes {
    /// Nobody.
    pub const fn new() -> Self {
        Self { io: WakeBatch::new(), timers: WakeBatch::new() }
    }

    /// Whether nobody is to be woken.
    pub fn is_empty(&self) -> bool {
        self.io.is_empty() && self.timers.is_empty()
    }

    /// How many are to be woken.
    pub fn len(&self) -> usize {
        self.io.len() + self.timers.len()
    }

    /// Wakes them all: first the tasks whose sources are ready, then those whose deadline has passed, and last, in the same
    /// order, wakers of others, which may block.
    pub fn wake_all(&mut self) {
        self.wake_all_and(|| ());
    }

    /// As [`wake_all`](Self::wake_all), and calls `put_back` in the middle: once all tasks are woken, and before code of others
    /// runs. For what is to be queued behind those tasks and must not wait for that code.
    pub fn wake_all_and(&mut self, put_back: impl FnOnce()) {
        if self.is_empty() {
            return put_back();
        }
        if !self.io.is_empty() {
            context::waking_because(Why::Io, || self.io.wake_tasks());
        }
        if !self.timers.is_empty() {
            context::waking_because(Why::Timer, || self.timers.wake_tasks());
        }
        put_back();
        if !self.io.is_empty() {
            context::waking_because(Why::Io, || self.io.wake_foreign());
        }
        if !self.timers.is_empty() {
            context::waking_because(Why::Timer, || self.timers.wake_foreign());
        }
    }
}

/// A reactor, a timer queue and a clock.
pub struct Driver {
    turner: TryLock<Turner>,
    /// Whether somebody has the lease, for a look that takes nothing: one that tried the lock would keep somebody who wants
    /// to wait in the driver out of it, and so leave it to nobody.
    leased: AtomicBool,
    reactor: Arc<dyn ReactorHandle>,
    timers: Mutex<TimerState>,
    clock: Arc<dyn Clock>,
    sources: SourceTable,
    /// Counted by whoever has the lease, as the next one.
    turns: Count,
    ready_events: Count,
    /// Threads and jobs of the executor at work, if the clock wants to know.
    work: Work,
    /// Odd while somebody waits in the reactor; moves whenever that begins or ends. Written by whoever has the lease.
    waits: AtomicU64,
    watch: Watch,
}

/// What the lease is about.
struct Turner {
    reactor: Box<dyn Reactor>,
    events: Events,
}

struct TimerState {
    queue: Box<dyn Timers>,
    /// While somebody waits: until when at most. Whoever inserts an earlier deadline calls him out of it. Written and
    /// read under the same lock as the queue, so that no deadline falls between (tokio #6682).
    waiting_until: Option<Instant>,
    closed: bool,
}

/// The driver of a timer or a file has shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runtime that drives this timer has shut down")
    }
}

impl std::error::Error for Gone {}

impl Driver {
    /// Puts the parts together.
    pub fn new(reactor: Box<dyn Reactor>, timers: Box<dyn Timers>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let handle = reactor.handle();
        clock.attach(Arc::downgrade(&handle));
        Arc::new(Self {
            turner: TryLock::new(Turner { reactor, events: Events::new() }),
            leased: AtomicBool::new(false),
            reactor: handle,
            timers: Mutex::new(TimerState { queue: timers, waiting_until: None, closed: false }),
            clock,
            sources: SourceTable::new(),
            turns: Count::new(),
            ready_events: Count::new(),
            work: Work::new(),
            waits: AtomicU64::new(0),
            watch: Watch::new(),
        })
    }

    /// The present, on this driver's clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Moves the [coarse clock](crate::tick) on, if this driver's is the one that does.
    pub fn tell_time(&self) {
        if self.clock.moves_tick() {
            self.clock.now();
        }
    }

    /// This driver's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The reactor's handle.
    pub fn reactor(&self) -> &Arc<dyn ReactorHandle> {
        &self.reactor
    }

    /// How many turns there have been.
    pub fn turns(&self) -> u64 {
        self.turns.get()
    }

    /// How many events of files there have been.
    pub fn ready_events(&self) -> u64 {
        self.ready_events.get()
    }

    /// How many timers are armed.
    pub fn armed_timers(&self) -> usize {
        self.timers.lock().queue.len()
    }

    /// How many files are registered.
    pub fn registered_sources(&self) -> usize {
        self.sources.len()
    }

    /// Who looks for deadlocks of the runtime that this driver belongs to.
    pub fn deadlocks(&self) -> &Watch {
        &self.watch
    }

    /// Odd while somebody waits in the reactor, and has not yet done anything with what it brought.
    pub(crate) fn waits(&self) -> u64 {
        self.waits.load(Acquire)
    }

    pub(crate) fn is_in_kernel(&self) -> bool {
        !self.waits().is_multiple_of(2)
    }

    pub(crate) fn sources(&self) -> &SourceTable {
        &self.sources
    }

    /// The right to turn this driver, unless somebody has it.
    pub fn try_lease(&self) -> Option<Lease<'_>> {
        debug_assert!(!context::is_polling(), "the lease is never held during a poll");
        let turner = self.turner.try_lock()?;
        self.leased.store(true, Relaxed);
        Some(Lease { driver: self, turner })
    }

    /// Whether somebody has the lease at this moment, or had it a moment ago. Looking does not take it.
    pub fn is_leased(&self) -> bool {
        self.leased.load(Relaxed)
    }

    /// For a thread that runs dry and may wait in the driver: it is not at work any more, and has the lease if that is free.
    ///
    /// If it was the last one at work and somebody else has the lease, that one is called, because his clock may move
    /// now. Nobody is called otherwise: the caller would end its own wait, for ever.
    pub fn rest(&self, busy: &mut Option<Busy>) -> Option<Lease<'_>> {
        let was_last = busy.take().is_some_and(|mut busy| busy.end());
        let lease = self.try_lease();
        #[cfg(not(polyloop_mutant = "rest_calls_nobody"))]
        if was_last && lease.is_none() {
            self.unpark();
        }
        #[cfg(polyloop_mutant = "rest_calls_nobody")]
        let _ = was_last;
        lease
    }

    /// Ends the present wait of whoever holds the lease, or his next one.
    pub fn unpark(&self) {
        self.reactor.unpark();
    }

    /// Says that a thread or a job of the executor is at work, until the guard goes: nothing is idle meanwhile, and a
    /// manual clock stands still. Whoever turns the driver does not hold this.
    ///
    /// Costs nothing with a clock that does not care.
    pub fn hold(self: &Arc<Self>) -> Busy {
        if !self.clock.distinguishes_idle() {
            return Busy(None);
        }
        self.work.begin();
        Busy(Some(Arc::clone(self)))
    }

    /// Ends all waiting for good: every source and every timer is told that the driver is gone.
    ///
    /// Called by the executor when it shuts down, after the last turn; the lease must be free.
    pub fn close(&self) {
        let mut wakes = Wakes::new();
        self.sources.close(&mut wakes.io);
        {
            let mut timers = self.timers.lock();
            timers.closed = true;
            timers.queue.fire(Instant::FAR_FUTURE, &mut wakes.timers);
        }
        wakes.wake_all();
    }

    /// Arms a timer.
    ///
    /// # Errors
    ///
    /// [`Gone`] after [`close`](Self::close).
    pub fn arm(&self, deadline: Instant, waker: Waker) -> Result<TimerKey, Gone> {
        let (key, earlier) = {
            let mut timers = self.timers.lock();
            if timers.closed {
                return Err(Gone);
            }
            let key = timers.queue.insert(deadline, waker);
            (key, timers.call_out(deadline))
        };
        if earlier {
            self.unpark();
        }
        Ok(key)
    }

    /// Moves an armed timer; `false` if it has fired.
    pub fn rearm(&self, key: TimerKey, deadline: Instant) -> bool {
        let (live, earlier) = {
            let mut timers = self.timers.lock();
            let live = timers.queue.update(key, deadline);
            (live, live && timers.call_out(deadline))
        };
        if earlier {
            self.unpark();
        }
        live
    }

    /// Disarms a timer, if it has not fired. Its waker is dropped here, with no lock held.
    pub fn disarm(&self, key: TimerKey) {
        let waker = self.timers.lock().queue.remove(key);
        drop(waker);
    }

    /// Makes an armed timer wake `waker` from now on.
    ///
    /// # Errors
    ///
    /// [`Gone`] after [`close`](Self::close). `Ok(false)` if the timer has fired.
    pub fn watch(&self, key: TimerKey, waker: &Waker) -> Result<bool, Gone> {
        // Cloned and dropped with no lock held: both run foreign code.
        let mut spare = None;
        loop {
            {
                let mut timers = self.timers.lock();
                if timers.closed {
                    return Err(Gone);
                }
                match timers.queue.waker_mut(key) {
                    #[cfg(not(polyloop_mutant = "watch_trusts_its_look"))]
                    None => return Ok(false),
                    // It was there before the waker was cloned.
                    #[cfg(polyloop_mutant = "watch_trusts_its_look")]
                    None => return Ok(spare.is_some()),
                    Some(present) if present.will_wake(waker) => return Ok(true),
                    Some(present) => {
                        if let Some(new) = &mut spare {
                            core::mem::swap(present, new);
                            return Ok(true);
                        }
                    }
                }
            }
            spare = Some(waker.clone());
        }
    }
}

/// Somebody is at work; see [`Driver::hold`].
#[derive(Debug)]
#[must_use = "the driver counts as idle as soon as this is dropped"]
pub struct Busy(Option<Arc<Driver>>);

impl Busy {
    /// Whether this was the last one at work.
    fn end(&mut self) -> bool {
        self.leave().is_some()
    }

    /// The driver, if this was the last one at work there.
    fn leave(&mut self) -> Option<Arc<Driver>> {
        self.0.take().filter(|driver| driver.work.end())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(driver) = self.leave() {
            // Whoever waits in the driver may be waiting for a clock that can move now.
            driver.unpark();
        }
    }
}

impl TimerState {
    /// Whether somebody waits beyond `deadline` and must be called out; once for each wait.
    fn call_out(&mut self, deadline: Instant) -> bool {
        let beyond = self.waiting_until.is_some_and(|until| deadline < until);
        if beyond {
            self.waiting_until = Some(deadline);
        }
        beyond
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("reactor", &self.reactor)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// What is known of the time before a turn that may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// Nothing.
    Never,
    /// The kernel was asked, and had nothing; it was as calm as this before.
    Since(Option<Calm>),
    /// The thread is called: it does not wait, and no clock moves.
    Called,
}

/// The right to turn a driver. Given back before anybody is woken.
pub struct Lease<'a> {
    driver: &'a Driver,
    turner: TryLockGuard<'a, Turner>,
}

impl Lease<'_> {
    /// One turn: waits as told, marks the sources that are ready, and fires what is due. Who is to be woken is left in
    /// `wakes`, for the caller to wake after it has given the lease back.
    ///
    /// A turn that does not wait makes no system call if no file is registered.
    ///
    /// # Errors
    ///
    /// The kernel's word, if the wait itself failed. Due timers have fired all the same.
    pub fn turn(&mut self, turn: Turn, wakes: &mut Wakes) -> io::Result<()> {
        self.turn_unless(turn, wakes, || false)
    }

    /// As [`turn`](Self::turn), for a thread that others may call meanwhile, which ends its wait by an unpark: `is_called`, asked
    /// before each look at the kernel, says whether there is nothing to wait for.
    ///
    /// A clock that moves when all are idle must overtake neither what the kernel has ready nor what others have armed or
    /// sent. So it moves only if nobody has been at work from before a look that found nothing until after it; while that
    /// is not so, another look comes first. (Between the last question and the move a foreign thread may still wake somebody; that
    /// is as if it came a moment later.) An unpark that is used up by a look was a call, or concerned the clock or a
    /// deadline, which are asked again.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn turn_unless(
        &mut self,
        turn: Turn,
        wakes: &mut Wakes,
        is_called: impl Fn() -> bool,
    ) -> io::Result<()> {
        let mut looked = Looked::Never;
        loop {
            let before = self.driver.work.calm();
            let (turn, since) = if is_called() { (turn.at_once(), Looked::Called) } else { (turn, looked) };
            let is_look = self.take_turn(turn, since, wakes)?;
            if !is_look || !wakes.is_empty() {
                return Ok(());
            }
            looked = Looked::Since(before);
        }
    }

    /// How long a turn waits, and whether it is just a look because the clock might move too early.
    fn wait(&self, next: Option<Instant>, looked: Looked) -> (Wait, bool) {
        let Driver { clock, work, .. } = self.driver;
        // Read after the nearest deadline: whoever has armed a nearer one was at work until after that, or is.
        let calm = work.calm();
        // A look at any time would do, as if nobody could send anything after it.
        #[cfg(polyloop_mutant = "clock_trusts_its_look")]
        if looked == Looked::Never {
            return (Wait::Now, true);
        }
        if looked == Looked::Called || calm.is_none() {
            return (clock.busy(next), false);
        }
        #[cfg(not(polyloop_mutant = "clock_trusts_its_look"))]
        let may_move = looked == Looked::Since(calm);
        #[cfg(polyloop_mutant = "clock_trusts_its_look")]
        let may_move = true;
        if may_move || !clock.distinguishes_idle() { (clock.idle(next), false) } else { (Wait::Now, true) }
    }

    /// One turn; whether it was just a look.
    fn take_turn(&mut self, turn: Turn, looked: Looked, wakes: &mut Wakes) -> io::Result<bool> {
        let driver = self.driver;
        driver.turns.add(1);
        let (wait, is_look) = match turn {
            Turn::Poll => (Wait::Now, false),
            Turn::Wait | Turn::For(_) => {
                let next = {
                    let mut timers = driver.timers.lock();
                    let next = timers.queue.next();
                    #[cfg(polyloop_mutant = "waiting_until_outside_lock")]
                    let mut timers = {
                        drop(timers);
                        driver.timers.lock()
                    };
                    timers.waiting_until = Some(next.unwrap_or(Instant::FAR_FUTURE));
                    next.filter(|next| *next < Instant::FAR_FUTURE)
                };
                let (wait, is_look) = self.wait(next, looked);
                (turn.limit(wait), is_look)
            }
        };
        let only_looks = turn == Turn::Poll || is_look;
        let Turner { reactor, events } = &mut *self.turner;
        let waited = if only_looks && driver.sources.is_empty() {
            Ok(())
        } else if only_looks {
            reactor.turn(wait, events)
        } else {
            let before = driver.waits.load(Relaxed);
            driver.waits.store(before.wrapping_add(1), Release);
            let waited = reactor.turn(wait, events);
            // Ordering: Release, and the locks below: whoever sees what the events have led to sees that the wait was over.
            driver.waits.store(before.wrapping_add(2), Release);
            waited
        };
        driver.ready_events.add(events.len() as u64);
        driver.sources.apply(events, &mut wakes.io);
        let armed = {
            let mut timers = driver.timers.lock();
            timers.waiting_until = None;
            !timers.queue.is_empty()
        };
        if armed {
            // The clock may be anybody's: it is read with no lock held.
            let now = driver.clock.now();
            let mut timers = driver.timers.lock();
            if !timers.closed {
                timers.queue.fire(now, &mut wakes.timers);
            }
        }
        waited.map(|()| is_look)
    }

    /// Leaves the wait to somebody who watches the reactor's own file, and tells him the nearest deadline. Whoever arms a
    /// nearer one before the next turn calls him by that file.
    pub fn leave_wait(&mut self) -> Option<Instant> {
        let mut timers = self.driver.timers.lock();
        let next = timers.queue.next().filter(|next| *next < Instant::FAR_FUTURE);
        timers.waiting_until = Some(next.unwrap_or(Instant::FAR_FUTURE));
        next
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.driver.leased.store(false, Relaxed);
    }
}

impl fmt::Debug for Lease<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(self.driver).finish()
    }
}
