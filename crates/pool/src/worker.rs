//! The life of a worker: run, share, turn, sleep.

use crate::config::Config;
use crate::idle::AfterSearch;
use crate::shared::Shared;
use polyloop_blocking::monitor;
use polyloop_core::block_on::{TurnPacer, as_worker};
use polyloop_core::time::Instant;
use polyloop_core::{Busy, Driver, Notify, Ran, Runnable, Scheduler, TaskSpace, Turn, Wakes, Why, context};
use std::cell::RefCell;
use std::io;
use std::sync::Arc;

/// A worker's local part, as wakes on its thread find it.
pub(crate) struct Here<S: Scheduler> {
    shared: *const Shared<S>,
    local: RefCell<S::Local>,
}

impl<S: Scheduler> Here<S> {
    pub(crate) fn is_in(&self, shared: &Shared<S>) -> bool {
        std::ptr::eq(self.shared, shared)
    }

    pub(crate) fn push(&self, scheduler: &S, runnable: Runnable, why: Why) -> Notify {
        scheduler.push(Some(&mut self.local.borrow_mut()), runnable, why)
    }
}

/// Starts worker `index`.
pub(crate) fn start<S: Scheduler>(
    shared: &Arc<Shared<S>>,
    space: &Arc<TaskSpace>,
    index: usize,
    config: &Config,
) -> io::Result<()> {
    let mut builder = std::thread::Builder::new().name((config.thread_name)(index));
    if let Some(size) = config.stack_size {
        builder = builder.stack_size(size);
    }
    let around = Arc::clone(&config.around);
    // At work from here on, so that no clock moves past what is pushed before the thread has started.
    let mut busy = Some(shared.driver().hold());
    let ended = Ended { shared: Arc::clone(shared), space: Arc::clone(space), index };
    shared.alive.lock().push(index);
    builder.spawn(move || {
        let Ended { shared, space, .. } = &ended;
        shared.seat(index).sit_down();
        around(index, &mut || as_worker(|| live(shared, space, index, busy.take())));
    })?;
    Ok(())
}

/// Counts a worker out, however it ends, also if its thread never started.
struct Ended<S: Scheduler> {
    shared: Arc<Shared<S>>,
    space: Arc<TaskSpace>,
    index: usize,
}

impl<S: Scheduler> Drop for Ended<S> {
    fn drop(&mut self) {
        close_if_panicking(&self.shared, &self.space);
        self.shared.alive.lock().retain(|index| *index != self.index);
        self.shared.ended.notify_all();
    }
}

/// A panic that gets here comes from no task: the reactor cannot wait, or a hook of the program failed. A pool that went
/// on with fewer workers, and at last with none, would leave its tasks hanging; so it ends, and every joiner hears of it
/// (C10).
fn close_if_panicking<S: Scheduler>(shared: &Shared<S>, space: &TaskSpace) {
    if std::thread::panicking() {
        shared.close();
        shared.cancel_all(space);
        shared.driver().close();
    }
}

/// The end of a worker's life, also if that unwinds.
struct Leave<'a, S: Scheduler> {
    shared: &'a Shared<S>,
    space: &'a TaskSpace,
    index: usize,
}

impl<S: Scheduler> Drop for Leave<'_, S> {
    fn drop(&mut self) {
        self.shared.seat(self.index).parking.leave();
        close_if_panicking(self.shared, self.space);
        // Whatever this worker was polling when the others left is idle or queued now.
        self.shared.cancel_all(self.space);
    }
}

fn live<S: Scheduler>(shared: &Arc<Shared<S>>, space: &Arc<TaskSpace>, index: usize, busy: Option<Busy>) {
    let _leave = Leave { shared, space, index };
    let here = Here { shared: Arc::as_ptr(shared), local: RefCell::new(shared.scheduler.local(index)) };
    space.enter(|| {
        context::enter_scope(&here, || {
            let driver = Arc::clone(shared.driver());
            let mut worker = Worker {
                shared,
                here: &here,
                index,
                wakes: Wakes::new(),
                pacer: TurnPacer::new(&driver),
                busy,
                rested: true,
                stretch: Stretch { since: driver.now(), polls: 0 },
                driver,
            };
            shared.idle.begin_search();
            worker.run();
        });
    });
}

struct Worker<'a, S: Scheduler> {
    shared: &'a Arc<Shared<S>>,
    here: &'a Here<S>,
    index: usize,
    driver: Arc<Driver>,
    wakes: Wakes,
    pacer: TurnPacer,
    busy: Option<Busy>,
    /// Whether it has run no code of others since it was called: the monitor may sleep.
    rested: bool,
    stretch: Stretch,
}

/// Polls without a pause in between, for the average that a scheduler weighs costs by.
struct Stretch {
    since: Instant,
    polls: u32,
}

impl<S: Scheduler> Worker<'_, S> {
    /// Searches first: a worker that begins is counted as searching.
    fn run(&mut self) {
        let mut searching = true;
        loop {
            self.shared.seat(self.index).parking.heed();
            if self.shared.is_closed() {
                if searching {
                    let _ = self.shared.idle.found();
                }
                return;
            }
            match self.next() {
                Some(runnable) => {
                    if std::mem::take(&mut searching) {
                        self.end_search();
                    }
                    self.work(runnable);
                }
                None if !searching => {
                    searching = true;
                    self.shared.idle.begin_search();
                }
                None => self.sleep(),
            }
        }
    }

    fn next(&self) -> Option<Runnable> {
        self.shared.scheduler.next(&mut self.here.local.borrow_mut())
    }

    /// This worker has found work. If nobody else searches, what is left is somebody else's.
    fn end_search(&self) {
        if self.shared.idle.found() == AfterSearch::CallNext && self.shared.scheduler.has_work() {
            self.shared.call_one();
        }
    }

    /// Polls `runnable` and whatever comes after it, until there is nothing left or the pool closes.
    fn work(&mut self, mut runnable: Runnable) {
        loop {
            let ran = self.watched(|_| runnable.run());
            match ran {
                Ran::Yielded(runnable) => self.push(runnable, Why::Yield),
                Ran::Woken(runnable) => self.push(runnable, Why::Wake),
                Ran::Pending | Ran::Done => {}
            }
            self.stretch.polls += 1;
            // Looked at after every poll: a task that is polled after the end finds its driver gone.
            if self.shared.is_closed() {
                return;
            }
            if self.pacer.polled(&self.driver) {
                self.turn();
            }
            match self.next() {
                Some(next) => runnable = next,
                None => return,
            }
        }
    }

    /// Runs code of others, which may block, where the monitor sees it.
    #[inline]
    fn watched<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        self.shared.seat(self.index).step();
        if std::mem::take(&mut self.rested) {
            // After the step: the monitor sees that, or is seen asleep.
            monitor::kick();
        }
        let result = f(self);
        self.shared.seat(self.index).step();
        result
    }

    /// Wakes whom a turn has found. Their wakers may be anybody's, and this worker may count as searching meanwhile, so that
    /// others rely on it: if it gets stuck here, the monitor calls somebody else.
    fn wake_all(&mut self) {
        if !self.wakes.is_empty() {
            self.watched(|worker| worker.wakes.wake_all());
        }
    }

    fn push(&self, runnable: Runnable, why: Why) {
        if self.here.push(&self.shared.scheduler, runnable, why) == Notify::One
            && self.shared.idle.anybody_sleeps()
        {
            self.shared.call_one();
        }
    }

    /// A driver turn that does not wait, unless somebody is in the driver anyway.
    fn turn(&mut self) {
        let shared = self.shared;
        if let Some(mut lease) = shared.driver().try_lease() {
            let turned = lease.turn(Turn::Poll, &mut self.wakes);
            drop(lease);
            self.wake_all();
            self.report(turned);
        }
        let now = self.driver.now();
        self.observe(now);
        self.pacer.turned(now);
    }

    /// Tells the scheduler how long a poll takes here.
    fn observe(&mut self, now: Instant) {
        let Stretch { since, polls } = std::mem::replace(&mut self.stretch, Stretch { since: now, polls: 0 });
        if polls > 0 {
            let nanos = (now - since).as_nanos() / u128::from(polls);
            let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
            self.shared.scheduler.observe_poll(&mut self.here.local.borrow_mut(), nanos);
        }
    }

    /// Sleeps, in the driver if nobody else does, until there may be work. Counted as searching before and after.
    fn sleep(&mut self) {
        let now = self.driver.now();
        self.observe(now);
        let idle = &self.shared.idle;
        idle.announce(self.index);
        // The second look: see `idle/README.md`.
        if self.shared.scheduler.has_work() || self.shared.is_closed() {
            return idle.retract(self.index);
        }
        let parking = Arc::clone(&self.shared.seat(self.index).parking);
        let shared = self.shared;
        match shared.driver().rest(&mut self.busy) {
            Some(mut lease) => {
                let turned = parking.wait_in_driver(&mut lease, Turn::Wait, &mut self.wakes);
                // At work before the lease is free: the next one to have it must not take those who are woken below
                // for idle, and move the clock past them.
                self.awake();
                drop(lease);
                self.wake_all();
                self.report(turned);
            }
            None => {
                parking.wait_in_thread();
                self.awake();
            }
        }
        let now = self.driver.now();
        self.stretch = Stretch { since: now, polls: 0 };
        self.pacer.turned(now);
    }

    fn awake(&mut self) {
        self.busy.replace(self.driver.hold());
        self.shared.idle.retract(self.index);
        self.rested = true;
    }

    fn report(&self, turned: io::Result<()>) {
        if let Err(error) = turned {
            panic!("the reactor `{}` cannot wait: {error}", self.driver.reactor().name());
        }
    }
}
