//! Sources: registered files, their readiness, and the tasks that wait for it.
//!
//! Invariant: *readiness is set before the waiters are taken, and a waiter looks at the readiness again after it has
//! entered itself*, so that one of the two always sees the other. Readiness is only cleared by somebody who was told
//! "would block" by the kernel, and only if no event came since he looked (the tick tells). Nothing that he cleared, and
//! nothing that only informs, makes him try again: each further try is paid for by an event.

mod table;

pub(crate) use table::SourceTable;

use crate::WakeBatch;
use crate::budget::{Operation, poll_proceed};
use crate::driver::Driver;
use crate::reactor::{Call, Fault, Faults, File, Interest, Ready, Token};
use crate::shim::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};
use crate::shim::sync::Mutex;
use crate::yield_now;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker, ready};
use std::io;
use std::sync::Arc;

/// One half of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Reading, accepting.
    Read,
    /// Writing, connecting.
    Write,
}

impl Direction {
    fn interest(self) -> Interest {
        match self {
            Self::Read => Interest::READ,
            Self::Write => Interest::WRITE,
        }
    }
}

/// The readiness word.
///
/// ```text
///  63                               8 7 6       5      4     3       2            1      0
/// | tick: one more with every event  | – URGENT  ERROR  GONE  HANGUP  READ_CLOSED  WRITE  READ |
/// ```
///
/// `READ`, `WRITE` and `GONE` make a try worthwhile. The others come with one of those and say why: for the eyes of the
/// program alone, since none of them need last. A queued error is taken by the next call, and a FIFO whose last writer
/// left is open again with the next one. `URGENT` alone stays: that
/// there was urgent data once.
struct Readiness(AtomicU64);

const READ: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const READ_CLOSED: u64 = 1 << 2;
const HANGUP: u64 = 1 << 3;
/// The driver is gone: nothing will be reported any more.
const GONE: u64 = 1 << 4;
const ERROR: u64 = 1 << 5;
const URGENT: u64 = 1 << 6;
const TICK: u64 = 1 << 8;

/// So often one poll tries an operation that is interrupted, or would block although there was an event meanwhile. Then
/// it lets others run first.
const TRIES: u32 = 16;

impl Readiness {
    fn new(optimistic: bool) -> Self {
        Self(AtomicU64::new(if optimistic { READ | WRITE } else { 0 }))
    }

    /// The flags that make `direction` worth a try.
    fn mask(direction: Direction) -> u64 {
        match direction {
            Direction::Read => READ | GONE,
            Direction::Write => WRITE | GONE,
        }
    }

    /// Notes an event. The tick moves even if no flag does, so that a clear that is under way comes too late.
    fn set(&self, flags: u64) {
        // Ordering: AcqRel, so that a waiter that sees the flags also sees what the kernel was asked before.
        #[cfg(not(polyloop_mutant = "readiness_without_tick"))]
        let step = TICK;
        #[cfg(polyloop_mutant = "readiness_without_tick")]
        let step = 0;
        let _ = self.0.fetch_update(AcqRel, Acquire, |word| Some((word | flags).wrapping_add(step)));
    }

    /// The word, if it makes `direction` worth a try.
    fn get(&self, direction: Direction) -> Option<u64> {
        let word = self.0.load(Acquire);
        (word & Self::mask(direction) != 0).then_some(word)
    }

    /// Clears `direction`, and all that "would block" there disproves, unless an event came since `seen`.
    fn clear(&self, direction: Direction, seen: u64) -> bool {
        let disproved = match direction {
            Direction::Read => READ | READ_CLOSED | HANGUP | ERROR,
            Direction::Write => WRITE | HANGUP | ERROR,
        };
        self.0
            .fetch_update(AcqRel, Acquire, |word| (word / TICK == seen / TICK).then_some(word & !disproved))
            .is_ok()
    }
}

/// Who waits for a source.
#[derive(Default)]
struct Waiters {
    /// The task that polls reads; the last one to ask.
    reader: Option<Waker>,
    /// The task that polls writes; the last one to ask.
    writer: Option<Waker>,
    /// Any number of further tasks, each with its own ticket.
    queue: Vec<(u64, Direction, Waker)>,
    tickets: u64,
}

struct Source {
    readiness: Readiness,
    waiters: Mutex<Waiters>,
}

impl Source {
    /// The word, if `direction` is worth a try; otherwise `enter` has put a clone of `waker` among the waiters. It returns
    /// what is left over. Wakers are cloned and dropped with no lock held, as both run foreign code.
    fn look_or_enter(
        &self,
        direction: Direction,
        waker: &Waker,
        enter: impl FnOnce(&mut Waiters, Waker) -> Option<Waker>,
    ) -> Option<u64> {
        if let Some(word) = self.readiness.get(direction) {
            return Some(word);
        }
        let waker = waker.clone();
        let left_over = enter(&mut self.waiters.lock(), waker);
        drop(left_over);
        // An event before this look is seen here; one after it finds the waker.
        #[cfg(not(polyloop_mutant = "readiness_no_recheck"))]
        return self.readiness.get(direction);
        #[cfg(polyloop_mutant = "readiness_no_recheck")]
        return None;
    }

    fn anybody_waits(&self) -> bool {
        let waiters = self.waiters.lock();
        waiters.reader.is_some() || waiters.writer.is_some() || !waiters.queue.is_empty()
    }

    /// Notes readiness and moves the wakers of everybody concerned to `batch`.
    fn report(&self, flags: u64, batch: &mut WakeBatch) {
        self.readiness.set(flags);
        let mut waiters = self.waiters.lock();
        let (read, write) =
            (flags & Readiness::mask(Direction::Read) != 0, flags & Readiness::mask(Direction::Write) != 0);
        if read {
            batch.extend(waiters.reader.take());
        }
        if write {
            batch.extend(waiters.writer.take());
        }
        let concerned = |direction: Direction| match direction {
            Direction::Read => read,
            Direction::Write => write,
        };
        batch.extend(
            waiters
                .queue
                .extract_if(.., |(_, direction, _)| concerned(*direction))
                .map(|(_, _, waker)| waker),
        );
    }
}

fn flags(ready: Ready) -> u64 {
    (if ready.read { READ } else { 0 })
        | (if ready.write { WRITE } else { 0 })
        | (if ready.read_closed { READ | READ_CLOSED } else { 0 })
        | (if ready.hangup { READ | WRITE | READ_CLOSED | HANGUP } else { 0 })
        | (if ready.error { READ | WRITE | ERROR } else { 0 })
        | (if ready.urgent { READ | URGENT } else { 0 })
}

fn gone() -> io::Error {
    io::Error::other("the runtime that drives this file has shut down")
}

/// A file that a driver watches. Dropping it ends the registration.
///
/// It may be polled from any thread and any runtime, as long as its own is driven (C10); once that has shut down, every
/// wait ends with an error.
pub struct Registration {
    driver: Arc<Driver>,
    source: Arc<Source>,
    token: Token,
    /// `None` but in tests, so that asking is a look at a null pointer.
    faults: Option<Arc<dyn Faults>>,
}

/// That a direction was ready, and when: to be handed back to [`Registration::clear`] if the kernel says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct ReadyEvent {
    direction: Direction,
    word: u64,
}

impl ReadyEvent {
    /// Whether nobody was there to send more: a hint, and only where the reactor can tell. A read has the truth.
    pub fn is_read_closed(self) -> bool {
        self.word & READ_CLOSED != 0
    }

    /// Whether both directions were finished: a hint.
    pub fn is_hangup(self) -> bool {
        self.word & HANGUP != 0
    }

    /// Whether an error was pending, which the next call takes: a hint.
    pub fn is_error(self) -> bool {
        self.word & ERROR != 0
    }

    /// Whether there has ever been urgent data, where a read stops short; only where the reactor can tell.
    pub fn is_urgent(self) -> bool {
        self.word & URGENT != 0
    }
}

impl Registration {
    /// Watches `file`, which must be in non-blocking mode, for both directions.
    ///
    /// With `optimistic`, the file counts as ready until the kernel says otherwise, so that the first operation is
    /// tried at once; that is right for everything but a connection that is being made.
    ///
    /// # Errors
    ///
    /// The kernel's word ([`attach`](crate::reactor::ReactorHandle::attach)), or that the driver has shut down.
    pub fn new(driver: &Arc<Driver>, file: Arc<dyn File>, optimistic: bool) -> io::Result<Self> {
        Self::with_interest(driver, file, optimistic, Interest::BOTH)
    }

    /// The same for the directions of `interest` alone: nothing is promised about waiting for another one.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_interest(
        driver: &Arc<Driver>,
        file: Arc<dyn File>,
        optimistic: bool,
        interest: Interest,
    ) -> io::Result<Self> {
        let source = Arc::new(Source {
            readiness: Readiness::new(optimistic),
            waiters: Mutex::new(Waiters::default()),
        });
        let token = driver.sources().insert(Arc::clone(&source))?;
        // What must be re-armed is armed once somebody was told "would block".
        let interest = if optimistic && !driver.reactor().caps().edge { Interest::NONE } else { interest };
        if let Err(error) = driver.reactor().attach(file, token, interest) {
            driver.sources().remove(token);
            return Err(error);
        }
        Ok(Self { driver: Arc::clone(driver), source, token, faults: driver.reactor().faults() })
    }

    /// The driver that watches the file.
    pub fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Waits until `direction` is worth a try. Of several tasks that ask by this call for one direction, the last one is
    /// woken; [`ready`](Self::ready) has room for any number.
    ///
    /// # Errors
    ///
    /// That the driver has shut down.
    pub fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<ReadyEvent>> {
        let operation = ready!(poll_proceed(cx));
        self.poll_with(operation, direction, cx.waker(), |waiters, waker| {
            let slot = match direction {
                Direction::Read => &mut waiters.reader,
                Direction::Write => &mut waiters.writer,
            };
            slot.replace(waker)
        })
    }

    /// What is to happen to `call` on this file instead of what the kernel says: only ever something where the reactor
    /// has [bad days on purpose](Faults). Whoever makes the call asks before.
    pub fn fault(&self, call: Call) -> Option<Fault> {
        self.faults.as_ref()?.fault(call)
    }

    /// That `direction` is worth a try at this moment, if it is.
    pub fn readiness(&self, direction: Direction) -> Option<ReadyEvent> {
        self.source.readiness.get(direction).map(|word| ReadyEvent { direction, word })
    }

    /// Waits until `direction` is worth a try; any number of tasks may.
    ///
    /// # Errors
    ///
    /// That the driver has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future takes its task off the list.
    pub async fn ready(&self, direction: Direction) -> io::Result<ReadyEvent> {
        let mut ticket = Ticket { source: &self.source, number: None };
        poll_fn(|cx| {
            let operation = ready!(poll_proceed(cx));
            self.poll_with(operation, direction, cx.waker(), |waiters, waker| match ticket.find(waiters) {
                Some(present) => Some(core::mem::replace(present, waker)),
                None => {
                    waiters.tickets += 1;
                    waiters.queue.push((waiters.tickets, direction, waker));
                    ticket.number = Some(waiters.tickets);
                    None
                }
            })
        })
        .await
    }

    fn poll_with(
        &self,
        operation: Operation,
        direction: Direction,
        waker: &Waker,
        enter: impl FnOnce(&mut Waiters, Waker) -> Option<Waker>,
    ) -> Poll<io::Result<ReadyEvent>> {
        let Some(word) = self.source.look_or_enter(direction, waker, enter) else { return Poll::Pending };
        // It counts also if the kernel will say otherwise: asking it is what costs.
        operation.made_progress();
        Poll::Ready(if word & GONE != 0 { Err(gone()) } else { Ok(ReadyEvent { direction, word }) })
    }

    /// Notes that the kernel said "would block" although `event` had said ready. An event that came meanwhile stands.
    ///
    /// # Errors
    ///
    /// The kernel's word, from a reactor that must be asked again.
    pub fn clear(&self, event: ReadyEvent) -> io::Result<()> {
        if self.source.readiness.clear(event.direction, event.word) && !self.driver.reactor().caps().edge {
            self.driver.reactor().rearm(self.token, event.direction.interest())?;
        }
        Ok(())
    }

    /// Tries `operation` whenever `direction` is ready, until it does something else than block.
    ///
    /// # Errors
    ///
    /// Whatever `operation` says but "would block", or that the driver has shut down.
    pub fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        for _ in 0..TRIES {
            let event = ready!(self.poll_ready(cx, direction))?;
            if let Some(result) = self.try_once(event, &mut operation) {
                return Poll::Ready(result);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One try; `None` means that another one may be worth it.
    fn try_once<R>(
        &self,
        event: ReadyEvent,
        operation: &mut impl FnMut() -> io::Result<R>,
    ) -> Option<io::Result<R>> {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.clear(event).err().map(Err),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            result => Some(result),
        }
    }

    /// Tries `operation` once, if `direction` counts as ready. Whoever waits afterwards does not find a readiness that
    /// was disproved here.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, also without a try; otherwise whatever `operation` says, or that the driver has shut down.
    pub fn try_io<R>(
        &self,
        direction: Direction,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let Some(word) = self.source.readiness.get(direction) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        if word & GONE != 0 {
            return Err(gone());
        }
        let result = operation();
        if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.clear(ReadyEvent { direction, word })?;
        }
        result
    }

    /// As [`poll_io`](Self::poll_io), for any number of tasks.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe if `operation` is: nothing is lost between its success and the return.
    pub async fn io<R>(
        &self,
        direction: Direction,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            for _ in 0..TRIES {
                let event = self.ready(direction).await?;
                if let Some(result) = self.try_once(event, &mut operation) {
                    return result;
                }
            }
            yield_now().await;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.driver.sources().remove(self.token);
        // The kernel has nothing useful to say here: the file is closed next.
        let _ = self.driver.reactor().detach(self.token);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("token", &self.token).finish_non_exhaustive()
    }
}

/// One task's place in the queue of a source.
struct Ticket<'a> {
    source: &'a Source,
    number: Option<u64>,
}

impl Ticket<'_> {
    fn find<'w>(&self, waiters: &'w mut Waiters) -> Option<&'w mut Waker> {
        let number = self.number?;
        waiters.queue.iter_mut().find(|(ticket, ..)| *ticket == number).map(|(_, _, waker)| waker)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let gone = {
            let mut waiters = self.source.waiters.lock();
            let at = waiters.queue.iter().position(|(ticket, ..)| *ticket == number);
            at.map(|at| waiters.queue.swap_remove(at))
        };
        drop(gone);
    }
}

#[cfg(all(test, polyloop_loom))]
mod loom_tests {
    //! Models of the readiness word.

    use super::*;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;
    use std::task::Wake;

    #[test]
    fn loom_an_event_after_the_look_is_not_cleared() {
        loom::model(|| {
            let readiness = loom::sync::Arc::new(Readiness::new(true));
            let data = loom::sync::Arc::new(AtomicUsize::new(0));
            let kernel = {
                let (readiness, data) = (readiness.clone(), data.clone());
                thread::spawn(move || {
                    data.store(1, Ordering::Relaxed);
                    readiness.set(READ);
                })
            };
            let word = readiness.get(Direction::Read).expect("new sources count as ready");
            let got_it = data.load(Ordering::Relaxed) == 1;
            if !got_it {
                // "Would block."
                readiness.clear(Direction::Read, word);
            }
            kernel.join().unwrap();
            assert!(got_it || readiness.get(Direction::Read).is_some(), "data, and nobody would ever look");
        });
    }

    struct Woken(std::sync::atomic::AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[test]
    fn loom_a_waiter_sees_the_event_or_is_woken() {
        loom::model(|| {
            let source = Source { readiness: Readiness::new(false), waiters: Mutex::new(Waiters::default()) };
            let source = loom::sync::Arc::new(source);
            let kernel = {
                let source = source.clone();
                thread::spawn(move || {
                    let mut batch = WakeBatch::new();
                    source.report(READ, &mut batch);
                    batch.wake_all();
                })
            };
            let woken = Arc::new(Woken(false.into()));
            let waker: Waker = woken.clone().into();
            let seen =
                source.look_or_enter(Direction::Read, &waker, |waiters, waker| waiters.reader.replace(waker));
            kernel.join().unwrap();
            assert!(
                seen.is_some() || woken.0.load(std::sync::atomic::Ordering::SeqCst),
                "asleep over an event"
            );
        });
    }
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;
    use crate::driver::tests::{asking, driver, foreign_waker};
    use core::pin::pin;

    #[derive(Debug)]
    struct Nothing;

    impl std::os::fd::AsFd for Nothing {
        fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
            unreachable!("the reactor has no kernel")
        }
    }

    #[test]
    fn a_waker_whose_clone_asks_the_source_may_wait_for_it() {
        let (driver, _) = driver();
        let file = Registration::new(&driver, Arc::new(Nothing), false).unwrap();
        let (source, waker) = (Arc::clone(&file.source), foreign_waker());
        let free = move || assert!(source.waiters.try_lock().is_some(), "cloned under the waiters' lock");
        let calls = asking(free, || {
            let cx = &mut Context::from_waker(&waker);
            assert!(file.poll_ready(cx, Direction::Read).is_pending());
            let mut ready = pin!(file.ready(Direction::Read));
            assert!(ready.as_mut().poll(cx).is_pending());
            assert!(ready.as_mut().poll(cx).is_pending());
        });
        assert!(calls >= 2, "{calls} clones");
    }
}
