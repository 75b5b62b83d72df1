//! The mutex whose holder is as urgent as the most urgent one who waits for it.
//!
//! Invariant: the value's own lock is only tried by whoever has the turn, and is free then. Whoever leaves the line while it has
//! the turn passes it on. Who waits in what order is told by the table of [`inheritance`], which knows the lock exactly while
//! somebody waits: without contention a lock is nobody else's business.

use crate::task::budgeted;
use parking_lot::Mutex as Lock;
use polyloop_core::context::current_wishes;
use polyloop_core::inheritance::Awaited;
use polyloop_core::task::{Id, try_id};
use polyloop_core::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
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
/// A guard that is handed to another task counts as held by the one that took the lock, until the other one looks at the value.
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
    entrance: Entrance,
    value: inner::Mutex<T>,
}

#[derive(Default)]
struct Entrance {
    line: Lock<Line>,
    /// Whether somebody waits; for whoever has the lock, who may be told late.
    is_awaited: AtomicBool,
}

/// Who has the turn, and who waits for it.
#[derive(Default)]
struct Line {
    taken: bool,
    /// The task that has the turn.
    holder: Option<Id>,
    /// By place.
    waiting: BTreeMap<u64, Waiter>,
    /// How many came so far.
    came: u64,
    awaited: Awaited,
}

struct Waiter {
    task: Option<Id>,
    waker: Waker,
}

impl Entrance {
    /// The turn is the most urgent one's of those who wait, if anybody does.
    fn pass_on(&self) -> Option<Waker> {
        let mut line = self.line.lock();
        let place = if line.waiting.is_empty() { None } else { line.awaited.pass_on() };
        let next = place.and_then(|place| line.waiting.remove(&place));
        line.taken = next.is_some();
        line.holder = next.as_ref().and_then(|waiter| waiter.task);
        self.is_awaited.store(!line.waiting.is_empty(), Relaxed);
        next.map(|waiter| waiter.waker)
    }

    /// The task that is polled has the turn: it may not be the one that took it.
    #[cold]
    fn held_here(&self) {
        let here = try_id();
        let mut line = self.line.lock();
        if line.holder != here {
            line.holder = here;
            line.awaited.held_by(here);
        }
    }
}

impl<T> PriorityMutex<T> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self { entrance: Entrance::default(), value: inner::Mutex::new(value) }
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
        budgeted(Turn { entrance: &self.entrance, place: None }).await;
        self.guard()
    }

    /// Takes the lock if nobody has it.
    pub fn try_lock(&self) -> Option<PriorityMutexGuard<'_, T>> {
        let mut line = self.entrance.line.lock();
        if line.taken {
            return None;
        }
        line.taken = true;
        line.holder = try_id();
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
        PriorityMutexGuard { value: value.ok(), entrance: &self.entrance }
    }
}

/// Waits for the turn.
struct Turn<'a> {
    entrance: &'a Entrance,
    /// In the line, until the turn has come.
    place: Option<u64>,
}

impl Future for Turn<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let entrance = self.entrance;
        let (me, deadline) = match current_wishes() {
            Some((task, wishes)) => (Some(task), wishes.deadline.unwrap_or(Instant::FAR_FUTURE)),
            None => (None, Instant::FAR_FUTURE),
        };
        // Dropped outside of the lock: a waker may be anybody's.
        let waker = cx.waker().clone();
        let mut guard = entrance.line.lock();
        let line = &mut *guard;
        let old = match self.place {
            None if !line.taken => {
                line.taken = true;
                line.holder = me;
                return Poll::Ready(());
            }
            None => {
                let place = line.came;
                line.came += 1;
                line.waiting.insert(place, Waiter { task: me, waker });
                line.awaited.join(place, me, deadline, line.holder);
                entrance.is_awaited.store(true, Relaxed);
                self.place = Some(place);
                None
            }
            Some(place) => match line.waiting.get_mut(&place) {
                Some(waiter) => {
                    // Who waits in the place of another one, counts in its place.
                    if waiter.task != me {
                        waiter.task = me;
                        line.awaited.leave(place);
                        line.awaited.join(place, me, deadline, line.holder);
                    }
                    Some(std::mem::replace(&mut waiter.waker, waker))
                }
                None => {
                    self.place = None;
                    return Poll::Ready(());
                }
            },
        };
        drop(guard);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut line = self.entrance.line.lock();
        let left = line.waiting.remove(&place);
        if left.is_some() {
            line.awaited.leave(place);
            self.entrance.is_awaited.store(!line.waiting.is_empty(), Relaxed);
        }
        drop(line);
        if left.is_none() {
            self.entrance.pass_on().into_iter().for_each(Waker::wake);
        }
    }
}

/// Has the lock of a [`PriorityMutex`], until it is dropped.
#[must_use = "the lock is given back as soon as this is dropped"]
pub struct PriorityMutexGuard<'a, T: ?Sized> {
    /// `None` only while it is dropped.
    value: Option<inner::MutexGuard<'a, T>>,
    entrance: &'a Entrance,
}

impl<T: ?Sized> PriorityMutexGuard<'_, T> {
    /// Whoever looks at the value is who has it.
    #[inline]
    fn note_holder(&self) {
        if self.entrance.is_awaited.load(Relaxed) {
            self.entrance.held_here();
        }
    }
}

const HELD: &str = "whoever has the turn has the value";

impl<T: ?Sized> Deref for PriorityMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.note_holder();
        self.value.as_ref().expect(HELD)
    }
}

impl<T: ?Sized> DerefMut for PriorityMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.note_holder();
        self.value.as_mut().expect(HELD)
    }
}

impl<T: ?Sized> Drop for PriorityMutexGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.entrance.pass_on().into_iter().for_each(Waker::wake);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for PriorityMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for PriorityMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.entrance.line.lock().waiting.len();
        f.debug_struct("PriorityMutex")
            .field("value", &&self.value)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
