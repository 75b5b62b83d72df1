//! What the models of waiting need: parts that wait through loom, so that a wait nobody ends is a deadlock that it sees.

use crate::driver::Driver;
use crate::park::ThreadParker;
use crate::reactor::{Caps, Events, File, Interest, Reactor, ReactorHandle, Token};
use crate::time::{Clock, Instant, TimerKey, Timers, Wait};
use crate::wake_batch::WakeBatch;
use core::task::Waker;
use loom::sync::{Condvar, Mutex};
use std::io;
use std::sync::Arc;

/// A sticky token to wait for.
#[derive(Debug)]
pub(crate) struct Bell(Mutex<bool>, Condvar);

impl Bell {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(false), Condvar::new()))
    }

    pub(crate) fn ring(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }

    pub(crate) fn wait(&self) {
        let mut rung = self.0.lock().unwrap();
        while !*rung {
            rung = self.1.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// A thread's own parker.
#[derive(Debug)]
pub(crate) struct BellParker(pub(crate) Arc<Bell>);

impl ThreadParker for BellParker {
    fn park(&self) {
        self.0.wait();
    }

    fn unpark(&self) {
        self.0.ring();
    }
}

/// What is sent through the kernel: how much has been, and how much of it the reactor has found.
#[derive(Debug, Default)]
pub(crate) struct Wire(Mutex<(usize, usize)>);

impl Wire {
    pub(crate) fn send(&self) {
        self.0.lock().unwrap().0 += 1;
    }

    /// Whether something lies there that the reactor has not found.
    pub(crate) fn has_news(&self) -> bool {
        let (sent, found) = *self.0.lock().unwrap();
        sent > found
    }

    fn look(&self) {
        let (sent, found) = &mut *self.0.lock().unwrap();
        *found = *sent;
    }
}

/// A reactor without files, which looks at a wire.
#[derive(Debug)]
struct BellReactor {
    handle: Arc<BellHandle>,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct BellHandle(Arc<Bell>);

impl Reactor for BellReactor {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        self.handle.clone()
    }

    fn turn(&mut self, wait: Wait, _: &mut Events) -> io::Result<()> {
        if wait != Wait::Now {
            self.handle.0.wait();
        }
        self.wire.look();
        Ok(())
    }
}

impl ReactorHandle for BellHandle {
    fn name(&self) -> &'static str {
        "bell"
    }

    fn caps(&self) -> Caps {
        Caps::READINESS
    }

    fn attach(&self, _: Arc<dyn File>, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn rearm(&self, _: Token, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn detach(&self, _: Token) -> io::Result<()> {
        Ok(())
    }

    fn unpark(&self) {
        self.0.ring();
    }

    fn syscalls(&self) -> u64 {
        0
    }
}

/// Stands still; a wait for any deadline ends at once, as if it had passed.
#[derive(Debug)]
struct Impatient;

impl Clock for Impatient {
    fn now(&self) -> Instant {
        Instant::ORIGIN
    }

    fn busy(&self, next: Option<Instant>) -> Wait {
        self.idle(next)
    }

    fn idle(&self, next: Option<Instant>) -> Wait {
        next.map_or(Wait::Forever, |_| Wait::Now)
    }
}

/// Deadlines in a list, of which an index is never used again.
#[derive(Debug, Default)]
struct Deadlines(Vec<Option<(Instant, Waker)>>);

impl Timers for Deadlines {
    fn insert(&mut self, deadline: Instant, waker: Waker) -> TimerKey {
        self.0.push(Some((deadline, waker)));
        TimerKey::new(self.0.len() as u32 - 1, 0)
    }

    fn update(&mut self, key: TimerKey, new: Instant) -> bool {
        let entry = self.0[key.index() as usize].as_mut();
        entry.map(|(deadline, _)| *deadline = new).is_some()
    }

    fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        self.0[key.index() as usize].as_mut().map(|(_, waker)| waker)
    }

    fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        self.0[key.index() as usize].take().map(|(_, waker)| waker)
    }

    fn next(&mut self) -> Option<Instant> {
        self.0.iter().flatten().map(|(deadline, _)| *deadline).min()
    }

    fn fire(&mut self, now: Instant, batch: &mut WakeBatch) {
        let due = |entry: &mut Option<(Instant, Waker)>| entry.take_if(|(deadline, _)| *deadline <= now);
        self.0.iter_mut().filter_map(due).for_each(|(_, waker)| batch.push(waker));
    }

    fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

/// A driver of these parts.
pub(crate) fn driver() -> Arc<Driver> {
    driver_with(Arc::new(Impatient))
}

/// A driver of these parts, with this clock.
pub(crate) fn driver_with(clock: Arc<dyn Clock>) -> Arc<Driver> {
    driver_over(Arc::new(Wire::default()), clock)
}

/// A driver of these parts, with this clock and this wire.
pub(crate) fn driver_over(wire: Arc<Wire>, clock: Arc<dyn Clock>) -> Arc<Driver> {
    let reactor = BellReactor { handle: Arc::new(BellHandle(Bell::new())), wire };
    Driver::new(Box::new(reactor), Box::<Deadlines>::default(), clock)
}
