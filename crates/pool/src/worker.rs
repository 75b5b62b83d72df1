//! The life of a worker: run, share, turn, sleep.

use crate::block_in_place::OnWorker;
use crate::idle::AfterSearch;
use crate::relief::{Crew, NoRelief};
use crate::shared::{Seat, Shared};
use polyloop_blocking::monitor;
use polyloop_core::block_on::{TurnPacer, as_worker};
use polyloop_core::time::Instant;
use polyloop_core::{
    Busy, Desk, Driver, Hooks, Notify, Ran, Runnable, Scheduler, TaskSpace, Turn, Wakes, Why, context,
};
use std::cell::{Cell, RefCell};
use std::io;
use std::ptr::null;
use std::rc::Rc;
use std::sync::Arc;

/// A worker's local part, as wakes on its thread find it.
pub(crate) struct Here<S: Scheduler> {
    /// Null while the worker has given its place away of its own accord: what it pushes then is anybody's.
    shared: Cell<*const Shared<S>>,
    local: RefCell<S::Local>,
    crew: Arc<Crew<S>>,
    pub(crate) index: usize,
}

impl<S: Scheduler> Here<S> {
    pub(crate) fn is_in(&self, shared: &Shared<S>) -> bool {
        std::ptr::eq(self.shared.get(), shared)
    }

    #[inline(always)]
    pub(crate) fn push(&self, scheduler: &S, runnable: Runnable, why: Why) -> Notify {
        scheduler.push(Some(&mut self.local.borrow_mut()), runnable, why)
    }

    /// Whether this is a worker of the pool to which `shared` belongs, also while it has given its place away.
    pub(crate) fn works_for(&self, shared: &Arc<Shared<S>>) -> bool {
        Arc::ptr_eq(&self.crew.shared, shared)
    }

    /// Has somebody else go on duty for this worker, which is about to block, and gives him all there is.
    pub(crate) fn give_place_away(&self) -> Result<(), NoRelief> {
        self.crew.relieve(self.index)?;
        self.crew.give_away(self.index);
        let shared = &self.crew.shared;
        if shared.scheduler.has_work() {
            shared.call_any();
        }
        Ok(())
    }

    /// Runs `f`, during which this thread's pushes go to the others, whose wakes it would keep waiting.
    pub(crate) fn aside<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Back<'a, S>(&'a Cell<*const S>, *const S);
        impl<S> Drop for Back<'_, S> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _back = Back(&self.shared, self.shared.replace(null()));
        // What a closure does that may block is no stall of the task; it runs outside of tasks.
        self.crew.shared.seat(self.index).desk.apart(f)
    }
}

/// Starts a thread on seat `index`.
pub(crate) fn start<S: Scheduler>(crew: &Arc<Crew<S>>, index: usize) -> io::Result<()> {
    let config = &crew.config;
    let name = (config.thread_name)(index);
    let builder = polyloop_blocking::thread(name.clone(), config.stack_size)?;
    let around = Arc::clone(&config.around);
    // At work from here on, so that no clock moves past what is pushed before the thread has started.
    let mut busy = Some(crew.shared.driver().hold());
    let mut ended = Ended { crew: Arc::clone(crew), index, begun: false };
    crew.shared.alive.lock().push(index);
    let main = move || {
        ended.begun = true;
        let Ended { crew, .. } = &ended;
        crew.shared.seat(index).sit_down();
        around(index, &mut || as_worker(|| live(crew, index, busy.take())));
    };
    (config.start_thread)(builder, Box::new(main)).inspect_err(|_| (config.name_unused)(index, name))
}

/// Counts a worker out, however it ends, also if its thread never started.
struct Ended<S: Scheduler> {
    crew: Arc<Crew<S>>,
    index: usize,
    /// A panic before that is the starter's, who is told by it that there is no thread.
    begun: bool,
}

impl<S: Scheduler> Drop for Ended<S> {
    fn drop(&mut self) {
        let shared = &self.crew.shared;
        if self.begun {
            close_if_panicking(shared, &self.crew.space);
        }
        let mut alive = shared.alive.lock();
        // One entry: the next thread on this seat may have begun.
        if let Some(at) = alive.iter().position(|index| *index == self.index) {
            alive.swap_remove(at);
        }
        shared.ended.notify_all();
    }
}

/// A panic that gets here comes from no task: the reactor cannot wait, or a hook of the program failed. A pool that went
/// on with fewer workers, and at last with none, would leave its tasks hanging; so it ends, and every joiner hears of it
/// (C10).
fn close_if_panicking<S: Scheduler>(shared: &Shared<S>, space: &TaskSpace) {
    if std::thread::panicking() {
        shared.close(space);
        drop(space.attend());
        shared.driver().close();
    }
}

/// The end of a worker's life, also if that unwinds.
struct Leave<'a, S: Scheduler> {
    crew: &'a Crew<S>,
    index: usize,
}

impl<S: Scheduler> Drop for Leave<'_, S> {
    fn drop(&mut self) {
        let Crew { shared, space, .. } = self.crew;
        let seat = shared.seat(self.index);
        seat.stand_up();
        seat.parking.leave();
        close_if_panicking(shared, space);
    }
}

fn live<S: Scheduler>(crew: &Arc<Crew<S>>, index: usize, busy: Option<Busy>) {
    let shared = &crew.shared;
    let seat = shared.seat(index);
    let leave = Leave { crew, index };
    seat.parking.come_back();
    let left = seat.left.lock().take();
    let here = Rc::new(Here {
        shared: Cell::new(Arc::as_ptr(shared)),
        local: RefCell::new(left.unwrap_or_else(|| shared.scheduler.local(index))),
        crew: Arc::clone(crew),
        index,
    });
    let on_worker = OnWorker::new(Rc::clone(&here));
    crew.space.enter(|| {
        context::enter_scope(&on_worker, || {
            context::enter_scope(&*here, || {
                // At the end it cancels what is left, here, where a future that shuts the pool down does not wait for this worker.
                let _attends = crew.space.attend();
                let driver = Arc::clone(shared.driver());
                let mut worker = Worker {
                    shared,
                    seat,
                    here: &here,
                    hooks: &crew.config.hooks,
                    wakes: Wakes::new(),
                    pacer: TurnPacer::new(&driver, &seat.desk),
                    busy,
                    rested: true,
                    stretch: Stretch { since: driver.now(), from: 0 },
                    driver,
                };
                shared.idle.begin_search();
                worker.run();
            });
        });
    });
    drop(on_worker);
    drop(leave);
    // Only now may another thread have the seat.
    if let Some(here) = Rc::into_inner(here) {
        *seat.left.lock() = Some(here.local.into_inner());
        crew.roster.vacate(index);
    }
}

struct Worker<'a, S: Scheduler> {
    shared: &'a Arc<Shared<S>>,
    seat: &'a Seat<S::Local>,
    here: &'a Here<S>,
    hooks: &'a Hooks,
    driver: Arc<Driver>,
    wakes: Wakes,
    pacer: TurnPacer<'a>,
    busy: Option<Busy>,
    /// Whether it has run no code of others since it was called: the monitor may sleep.
    rested: bool,
    stretch: Stretch,
}

/// Polls without a pause in between, for the average that a scheduler weighs costs by.
struct Stretch {
    since: Instant,
    /// What the pacer had counted when it began.
    from: u32,
}

impl<S: Scheduler> Worker<'_, S> {
    /// Searches first: a worker that begins is counted as searching.
    fn run(&mut self) {
        let mut searching = true;
        loop {
            self.seat.parking.heed();
            if self.shared.is_closed() {
                if searching {
                    let _ = self.shared.idle.found();
                }
                return self.observe(self.driver.now());
            }
            if self.seat.mark.is_set() {
                if !searching {
                    self.shared.idle.begin_search();
                }
                if !self.stand_by() {
                    return;
                }
                searching = true;
                self.shared.idle.begin_search();
                continue;
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
                None if self.hooks.watches_waits() => self.sleep_and_tell(),
                None => self.sleep(),
            }
        }
    }

    /// Sleeps between two calls of the program's hooks, which may block, and may make work that only this worker would look
    /// for: then it does not sleep.
    fn sleep_and_tell(&mut self) {
        let hooks = self.hooks;
        self.watched(|_| hooks.parks());
        match self.next() {
            None => self.sleep(),
            // From outside, so that the search that has been counted finds it.
            Some(runnable) => {
                let _ = self.shared.scheduler.push(None, runnable, Why::Wake);
            }
        }
        self.watched(|_| hooks.unparks());
    }

    fn next(&self) -> Option<Runnable> {
        self.shared.scheduler.next(&mut self.here.local.borrow_mut())
    }

    /// This worker has found work. If nobody else searches, what is left is somebody else's.
    fn end_search(&self) {
        let shared = self.shared;
        if shared.idle.found() == AfterSearch::CallNext
            && (shared.scheduler.has_work() || shared.is_driver_deserted())
        {
            shared.call_one();
        }
    }

    /// Polls `runnable` and whatever comes after it, until there is nothing left or the pool closes.
    fn work(&mut self, mut runnable: Runnable) {
        struct Rest<'a>(&'a Desk);
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.0.rest();
            }
        }
        let desk = &self.seat.desk;
        desk.rise();
        let _rest = Rest(desk);
        self.rise();
        loop {
            let ran = self.measured(runnable);
            // Not at rest between two polls, where nothing waits: so it is one step for each.
            if self.pacer.polled() {
                if self.is_to_stop(ran) {
                    return;
                }
            } else {
                let again = match ran {
                    Ran::Yielded(runnable) => Some((runnable, Why::Yield)),
                    Ran::Woken(runnable) => Some((runnable, Why::Wake)),
                    Ran::Pending | Ran::Done => None,
                };
                if let Some((runnable, why)) = again {
                    self.push(runnable, why);
                }
            }
            // Who is not watched hears no hail: for measuring what it costs to hear it.
            if cfg!(polyloop_without = "watch") && self.shared.is_closed() {
                return;
            }
            let Some(next) = self.next() else { return };
            runnable = next;
        }
    }

    /// Looks up from the polls: whether the pool ends, or somebody else is on duty for this worker. Else the driver turns, if that
    /// is due. The task of the last poll is put back.
    #[cold]
    fn is_to_stop(&mut self, ran: Ran) -> bool {
        let due = self.pacer.is_due(&self.driver);
        // A task that is polled after the end finds its driver gone.
        let is_to_stop = self.shared.is_closed() || self.seat.mark.is_set();
        if due && !is_to_stop {
            self.turn(ran);
        } else {
            self.put_back(ran);
        }
        is_to_stop
    }

    /// Pushes the task of a poll behind all others, if it is to be polled again. Also one that somebody else woke: in a slot it would
    /// be next.
    #[cold]
    fn put_back(&self, ran: Ran) {
        if let Ran::Yielded(runnable) | Ran::Woken(runnable) = ran {
            self.push(runnable, Why::Yield);
        }
    }

    /// Polls, and tells a scheduler that wants to know how long it took.
    #[inline(always)]
    fn measured(&mut self, runnable: Runnable) -> Ran {
        let begun = S::MEASURES_POLLS.then(|| (self.driver.clock().leaps(), self.driver.now()));
        let ran = runnable.run();
        if let Some((leaps, begun)) = begun {
            let took = (self.driver.now() - begun).as_nanos();
            // An hour that a clock has leapt over was nobody's work.
            let has_leapt = leaps.is_none() || leaps != self.driver.clock().leaps();
            let took = if has_leapt { 0 } else { u64::try_from(took).unwrap_or(u64::MAX) };
            self.shared.scheduler.polled(&mut self.here.local.borrow_mut(), took);
        }
        ran
    }

    /// Runs code of others, which may block, where the monitor sees it.
    #[inline]
    fn watched<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let desk = &self.seat.desk;
        desk.apart(|| {
            self.rise();
            f(self)
        })
    }

    /// Comes after the first step since the rest: the monitor sees that, or is seen asleep.
    fn rise(&mut self) {
        if std::mem::take(&mut self.rested) {
            monitor::kick();
        }
    }

    /// Wakes whom a turn has found. Their wakers may be anybody's, and this worker may count as searching meanwhile, so that
    /// others rely on it: if it gets stuck here, the monitor calls somebody else.
    fn wake_all(&mut self) {
        self.wake_all_and_put_back(Ran::Pending);
    }

    /// The same, and puts the task of the last poll behind the tasks among them, where others can take it before code of others
    /// runs (C5).
    fn wake_all_and_put_back(&mut self, ran: Ran) {
        if self.wakes.is_empty() {
            return self.put_back(ran);
        }
        self.watched(|worker| {
            let mut wakes = std::mem::take(&mut worker.wakes);
            wakes.wake_all_and(|| worker.put_back(ran));
            // With the room that it has got.
            worker.wakes = wakes;
        });
    }

    #[inline(always)]
    fn push(&self, runnable: Runnable, why: Why) {
        let notify = self.here.push(&self.shared.scheduler, runnable, why);
        self.shared.notify(notify);
    }

    /// A driver turn that does not wait, unless somebody is in the driver anyway. The task that has just been polled, if it is
    /// to be polled again, comes behind those that became ready during its poll, which only the turn finds out.
    #[cold]
    fn turn(&mut self, ran: Ran) {
        let shared = self.shared;
        let lease = shared.driver().try_lease();
        let turned = lease.map(|mut lease| lease.turn(Turn::Poll, &mut self.wakes));
        self.wake_all_and_put_back(ran);
        if let Some(turned) = turned {
            self.report(turned);
            // Whoever found the lease taken meanwhile sleeps elsewhere.
            if shared.is_driver_deserted() {
                shared.call_one();
            }
        }
        let now = self.driver.now();
        self.observe(now);
        self.turned(now);
    }

    /// The driver may have turned, or others had their time: what is counted and measured begins anew.
    fn turned(&mut self, now: Instant) {
        self.pacer.turned(now);
        self.stretch = Stretch { since: now, from: 0 };
    }

    /// Tells the scheduler how long a poll takes here.
    fn observe(&mut self, now: Instant) {
        let counted = self.pacer.polls();
        let Stretch { since, from } =
            std::mem::replace(&mut self.stretch, Stretch { since: now, from: counted });
        let polls = counted - from;
        if polls > 0 {
            self.seat.counts.polled(polls, now - since);
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
        idle.announce(self.here.index);
        // The second look: see `idle/README.md`.
        let has_work = self.shared.scheduler.has_work_for(self.here.index);
        if has_work || self.shared.is_closed() || self.seat.mark.is_set() {
            return idle.retract(self.here.index);
        }
        self.seat.counts.parked();
        let parking = Arc::clone(&self.seat.parking);
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
        self.turned(self.driver.now());
    }

    fn awake(&mut self) {
        self.busy.replace(self.driver.hold());
        self.shared.idle.retract(self.here.index);
        self.rested = true;
    }

    /// Another worker has this one's place. Gives it all there is, the search that others may rely on included, and waits
    /// until there is a place again; `false` to end.
    fn stand_by(&mut self) -> bool {
        let Here { crew, index, .. } = self.here;
        self.shared.scheduler.observe_standby(*index);
        self.shared.hand_on();
        crew.roster.stand_by(*index, &self.seat.mark);
        let shared = self.shared;
        let called = crew.roster.until_called(
            *index,
            || shared.is_closed(),
            || {
                self.busy.take();
                self.seat.parking.wait_in_thread();
                self.busy.replace(self.driver.hold());
                self.seat.parking.heed();
            },
        );
        if !called {
            return false;
        }
        self.turned(self.driver.now());
        self.rested = true;
        true
    }

    fn report(&self, turned: io::Result<()>) {
        if let Err(error) = turned {
            panic!("the reactor `{}` cannot wait: {error}", self.driver.reactor().name());
        }
    }
}
