//! The mutex whose holder is as urgent as the most urgent one who waits for it.
//!
//! Invariant: the value's own lock is only tried by whoever has the turn, and is free then. Whoever leaves the line while it has
//! the turn passes it on.

use crate::task::budgeted;
use parking_lot::Mutex as Lock;
use polyloop_core::context::current_wishes;
use polyloop_core::inheritance::{self, Awaited};
use polyloop_core::task::Id;
use polyloop_core::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::sync as inner;

/// Mutual exclusion with priority inheritance: as long as tasks wait for it, its holder has the earliest of their deadlines
/// ([`task::Builder::deadline`](crate::task::Builder::deadline)), through any number of such locks.
///
/// The one who waits with the earliest deadline, its own or one that it has in this way, is next, and among equals, such as
/// tasks without one, who came first. So on an
/// executor that ignores deadlines, and with tasks that have none, it is a fair mutex. Inheritance has effect where deadlines
/// have: on `edf`.
///
/// # Examples
///
/// ```
/// use polyloop::{Runtime, sync::PriorityMutex};
///
/// let runtime = Runtime::from_name("edf:1")?;
/// let mutex = PriorityMutex::new(41);
/// runtime.block_on(async { *mutex.lock().await += 1 });
/// assert_eq!(mutex.into_inner(), 42);
/// # Ok::<(), polyloop::BuildError>(())
/// ```
#[derive(Default)]
pub struct PriorityMutex<T: ?Sized> {
    line: Lock<Line>,
    value: inner::Mutex<T>,
}

/// Who has the turn, and who waits for it.
#[derive(Default)]
struct Line {
    taken: bool,
    /// The task that has the turn.
    holder: Option<Id>,
    waiting: BTreeMap<Place, Waiter>,
    /// How many came so far.
    came: u64,
    awaited: Awaited,
    /// Whether it was told last that somebody waits.
    is_awaited: bool,
}

/// A deadline, and a number.
type Place = (Instant, u64);

struct Waiter {
    task: Option<Id>,
    waker: Waker,
}

impl Line {
    /// Tells who waits for whom; nothing while nobody does, so that a lock without contention is nobody else's business.
    fn tell(&mut self) {
        let was_awaited = std::mem::replace(&mut self.is_awaited, !self.waiting.is_empty());
        if !was_awaited && !self.is_awaited {
            return;
        }
        let waiting = self.waiting.iter().map(|((deadline, _), waiter)| (waiter.task, *deadline));
        self.awaited.update(self.holder, waiting);
    }

    /// The one who waits with the earliest deadline. What it has inherited may have come after it.
    fn take_next(&mut self) -> Option<Waiter> {
        let urgency = |(place, waiter): (&Place, &Waiter)| {
            let inherited = waiter.task.and_then(inheritance::of);
            (inherited.map_or(place.0, |inherited| inherited.min(place.0)), place.1)
        };
        let next = match self.waiting.len() {
            0 | 1 => *self.waiting.first_key_value()?.0,
            _ => *self.waiting.iter().min_by_key(|(place, waiter)| urgency((place, waiter)))?.0,
        };
        self.waiting.remove(&next)
    }

    /// The turn is somebody else's.
    fn pass_on(&mut self) -> Option<Waker> {
        let next = self.take_next();
        self.taken = next.is_some();
        self.holder = next.as_ref().and_then(|waiter| waiter.task);
        self.tell();
        next.map(|waiter| waiter.waker)
    }
}

impl<T> PriorityMutex<T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self { line: Lock::default(), value: inner::Mutex::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> PriorityMutex<T> {
    /// Waits until nobody else has the lock.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the place in the line is lost.
    pub async fn lock(&self) -> PriorityMutexGuard<'_, T> {
        budgeted(Turn { line: &self.line, place: None }).await;
        self.guard()
    }

    /// Takes the lock if nobody has it.
    pub fn try_lock(&self) -> Option<PriorityMutexGuard<'_, T>> {
        let mut line = self.line.lock();
        if line.taken {
            return None;
        }
        line.taken = true;
        line.holder = current_wishes().map(|(task, _)| task);
        drop(line);
        Some(self.guard())
    }

    /// The value, which needs no lock where nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// For whoever has the turn.
    fn guard(&self) -> PriorityMutexGuard<'_, T> {
        let value = self.value.try_lock();
        PriorityMutexGuard { value: value.ok(), line: &self.line }
    }
}

/// Waits for the turn.
struct Turn<'a> {
    line: &'a Lock<Line>,
    /// In the line, until the turn has come.
    place: Option<Place>,
}

impl Future for Turn<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let lock = self.line;
        let me = current_wishes();
        // Dropped outside of the lock: a waker may be anybody's.
        let waker = cx.waker().clone();
        let mut line = lock.lock();
        let old = match self.place {
            None if !line.taken => {
                line.taken = true;
                line.holder = me.map(|(task, _)| task);
                return Poll::Ready(());
            }
            None => {
                let deadline = me.and_then(|(_, wishes)| wishes.deadline).unwrap_or(Instant::FAR_FUTURE);
                let place = (deadline, line.came);
                line.came += 1;
                let task = me.map(|(task, _)| task);
                line.waiting.insert(place, Waiter { task, waker });
                line.tell();
                self.place = Some(place);
                None
            }
            Some(place) => match line.waiting.get_mut(&place) {
                Some(waiter) => Some(std::mem::replace(&mut waiter.waker, waker)),
                None => {
                    self.place = None;
                    return Poll::Ready(());
                }
            },
        };
        drop(line);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut line = self.line.lock();
        let left = line.waiting.remove(&place);
        let next = if left.is_some() {
            line.tell();
            None
        } else {
            line.pass_on()
        };
        drop(line);
        drop(left);
        next.into_iter().for_each(Waker::wake);
    }
}

/// Has the lock of a [`PriorityMutex`], until it is dropped.
#[must_use = "the lock is given back as soon as this is dropped"]
pub struct PriorityMutexGuard<'a, T: ?Sized> {
    /// `None` only while it is dropped.
    value: Option<inner::MutexGuard<'a, T>>,
    line: &'a Lock<Line>,
}

const HELD: &str = "whoever has the turn has the value";

impl<T: ?Sized> Deref for PriorityMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect(HELD)
    }
}

impl<T: ?Sized> DerefMut for PriorityMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect(HELD)
    }
}

impl<T: ?Sized> Drop for PriorityMutexGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        let next = self.line.lock().pass_on();
        next.into_iter().for_each(Waker::wake);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for PriorityMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for PriorityMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.line.lock().waiting.len();
        f.debug_struct("PriorityMutex")
            .field("value", &&self.value)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
