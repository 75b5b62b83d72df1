//! Locks that are held across awaits, and who has them.
//!
//! Invariant: a hold is on record from the poll that got the guard until the guard's drop. Its owner is the innermost watched
//! future of that poll; when the owner ends and hands the guard out, whatever encloses it is the owner.

use crate::ambient;
use crate::detect::Detect;
use crate::probe::{Label, Probe};
use crate::state::{HoldId, LockTag, Role};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// A named lock of any kind whose guards are tracked: tokio's, ours, async-lock's, or an `Arc` of one.
///
/// Outside of a watched task it costs a look at a thread-local.
///
/// # Examples
///
/// ```
/// use polyloop_detect::{Detect, Lock};
///
/// let detect = Detect::new();
/// let lock = Lock::new("account", tokio::sync::Mutex::new(3));
/// let sum = futures::executor::block_on(detect.task("main", async {
///     *lock.acquire(|lock| lock.lock()).await += 4;
///     *lock.acquire(|lock| lock.lock()).await
/// }));
/// assert_eq!(sum, 7);
/// assert!(detect.findings().is_empty());
/// ```
pub struct Lock<L: ?Sized> {
    tag: LockTag,
    lock: L,
}

impl<L> Lock<L> {
    /// Gives `lock` a name.
    pub fn new(name: &str, lock: L) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Relaxed: only uniqueness matters.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { tag: LockTag { number, name: Arc::from(name) }, lock }
    }

    /// The lock without its name.
    pub fn into_inner(self) -> L {
        self.lock
    }
}

impl<L: ?Sized> Lock<L> {
    /// Waits for the guard that `acquire` asks the lock for, with whatever method it has.
    ///
    /// # Cancel safety
    ///
    /// As that method's.
    #[track_caller]
    pub fn acquire<'a, F: Future>(&'a self, acquire: impl FnOnce(&'a L) -> F) -> Acquire<F> {
        let name = Arc::from(format!("lock {}", self.tag.name));
        let label = Label { name, role: Role::Acquire(self.tag.clone()), named_at: Location::caller() };
        Acquire { probe: Probe::new(label, None), lock: self.tag.clone(), future: acquire(&self.lock) }
    }

    /// Tracks a guard that was had at once, as by a `try_lock`.
    pub fn held<G>(&self, guard: G) -> Held<G> {
        Held::new(&self.tag, guard)
    }

    /// The lock itself, for whatever needs no tracking.
    pub fn get_ref(&self) -> &L {
        &self.lock
    }
}

impl<L: ?Sized + fmt::Debug> fmt::Debug for Lock<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("name", &self.tag.name).field("lock", &&self.lock).finish()
    }
}

pin_project! {
    /// The wait for a lock; made by [`Lock::acquire`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Acquire<F> {
        probe: Probe,
        lock: LockTag,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Acquire<F> {
    type Output = Held<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.probe.poll(cx, |cx| this.future.poll(cx));
        polled.map(|guard| Held::new(this.lock, guard))
    }
}

/// A guard that is tracked, and otherwise stands for itself.
#[derive(Debug)]
pub struct Held<G> {
    // First, so that nobody is on record for a lock that is already free.
    hold: Option<Hold>,
    guard: G,
}

#[derive(Debug)]
struct Hold {
    detect: Detect,
    id: HoldId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.detect.note(|state| state.release(self.id));
    }
}

impl<G> Held<G> {
    fn new(lock: &LockTag, guard: G) -> Self {
        let hold = ambient::detect().and_then(|detect| {
            let owner = ambient::enclosing(&detect)?.id;
            let mut id = None;
            detect.note(|state| {
                id = Some(state.hold(lock, owner));
                Vec::new()
            });
            Some(Hold { id: id?, detect })
        });
        Self { hold, guard }
    }

    /// The guard, no longer tracked.
    pub fn into_inner(self) -> G {
        drop(self.hold);
        self.guard
    }
}

impl<G: Deref> Deref for Held<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Held<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}
