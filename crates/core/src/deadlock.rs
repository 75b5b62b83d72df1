//! Deadlocks: a thread inside `block_on` that waits for what nobody can do any more.
//!
//! Invariant: *what is reported is true*. A report says that every thread of the process works for this runtime and rests, that
//! nothing from outside is awaited (no timer, no file, no job), and that no task is ready. Then there is nobody who could
//! wake anybody, and nothing that could make somebody. What cannot be proven is not reported; `docs/design/0007-deadlock.md`
//! says what is missed by that.
//!
//! The proof is two looks at who rests, and the count of the process's threads between them. Whoever was found at rest with the
//! same number twice has rested all the time in between, so that the count was taken while nobody ran who could change it.
//!
//! Who looks is a thread inside `block_on` that has waited for a while in vain, so that a busy program never does. Where
//! it finds somebody at work it says that it wants to be called, looks once more, and waits; the next
//! one to rest calls it. A `SeqCst` fence stands between the two steps on both sides.

#[cfg(all(test, polyloop_loom))]
mod loom_tests;

use crate::driver::Driver;
use crate::park::Parking;
use crate::shim::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Relaxed, Release, SeqCst},
    fence,
};
use crate::shim::sync::Mutex;
use crate::task::{Meta, TaskPtr, TaskSpace, contain};
use core::fmt;
use core::time::Duration;
use std::sync::{Arc, OnceLock, Weak};

/// How often a thread inside `block_on` looks before it waits without a limit. After each look that found nothing the next
/// one comes twice as late; in its next wait it begins with the longest.
const LOOKS: u32 = 5;

/// How often a look begins anew when somebody has moved during it.
const TRIES: usize = 3;

/// How many of the tasks that wait are named.
const NAMED: usize = 16;

/// Some threads that work for a runtime, all of them at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtRest {
    /// How many there are.
    pub threads: usize,
    /// A number that moves, upwards, whenever one of them does anything.
    pub moves: u64,
}

/// Tells whether all of some threads rest; `None` if not, or if it cannot be said. It is called with locks held, and takes
/// none that a thread holds while it calls a waker.
pub type RestGauge = Box<dyn Fn() -> Option<AtRest> + Send + Sync>;

/// A function to be called with a deadlock.
pub type DeadlockHook = Arc<dyn Fn(&Deadlock) + Send + Sync>;

/// What a runtime tells its driver's [`Watch`], so that deadlocks are found.
pub struct Lookout {
    /// Where the runtime's tasks live.
    pub space: Weak<TaskSpace>,
    /// All threads that work for the runtime, but for those inside `block_on`.
    pub staff: Vec<RestGauge>,
    /// How long a thread inside `block_on` waits in vain before it looks for the first time, on the kernel's clock.
    pub patience: Duration,
    /// How many threads the process has, if nothing else than these can run code in it: no signal handler, in particular.
    pub threads: Box<dyn Fn() -> Option<usize> + Send + Sync>,
    /// Told of every deadlock that `block_on` finds, once per call.
    pub report: DeadlockHook,
    /// Told of every deadlock that becomes an error.
    pub returned: Option<DeadlockHook>,
}

/// Nothing is left that could wake a thread inside `block_on`, or any task of its runtime.
///
/// Every thread of the process belongs to the runtime and rests, no timer is armed, no file is awaited, no blocking job is
/// queued or runs, and no task is ready. It is never a guess: wherever somebody else might still wake a task (another thread,
/// another runtime, a signal handler, a foreign event loop that takes turns), nothing is said. The
/// threads of a process are counted on Linux alone; elsewhere nothing is ever said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    root: Meta,
    tasks: Vec<Meta>,
    count: usize,
}

impl Deadlock {
    /// The future of the `block_on`, by the place of that call.
    pub fn root(&self) -> &Meta {
        &self.root
    }

    /// Tasks that wait, 16 at most, in no particular order. Local tasks, and the futures of other threads inside `block_on`,
    /// are among them.
    pub fn tasks(&self) -> &[Meta] {
        &self.tasks
    }

    /// How many tasks wait, those that are not named included.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// One sentence in one line.
impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, tasks, count } = self;
        write!(f, "deadlock: nobody is left who could wake the `block_on` at {}", root.location)?;
        match count {
            0 => return Ok(()),
            1 => f.write_str(" or the one task, which waits too: ")?,
            _ => write!(f, " or one of the {count} tasks, which all wait: ")?,
        }
        for (at, task) in tasks.iter().enumerate() {
            write!(f, "{}{task}", if at == 0 { "" } else { ", " })?;
        }
        match count.saturating_sub(tasks.len()) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

impl std::error::Error for Deadlock {}

/// Where the threads inside `block_on` of one driver's runtime find each other.
pub struct Watch {
    /// Not there until the runtime says how to look; then nobody does.
    lookout: OnceLock<Lookout>,
    members: Mutex<Members>,
    /// Whether a member wants to be called by the next thread that rests.
    wanted: AtomicBool,
}

#[derive(Default)]
struct Members {
    inside: Vec<(Arc<Parking>, Arc<TaskSpace>)>,
    /// How many came or went.
    changes: u64,
}

/// Everybody who works for the runtime, found at rest at some moment.
#[derive(PartialEq, Eq)]
struct AllAtRest {
    all: AtRest,
    waits: u64,
    changes: u64,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            lookout: OnceLock::new(),
            members: Mutex::new(Members::default()),
            wanted: AtomicBool::new(false),
        }
    }

    /// From now on, threads that begin a `block_on` look for deadlocks. Said once.
    pub fn begin(&self, lookout: Lookout) {
        let _ = self.lookout.set(lookout);
    }

    /// Somebody who works for the runtime rests, after a `SeqCst` fence or under a lock that its gauge takes: calls those who
    /// want to look again then.
    #[inline]
    pub fn somebody_rests(&self) {
        if self.wanted.load(Relaxed) {
            self.call();
        }
    }

    #[cold]
    fn call(&self) {
        // Ordering: a wish whose flag is taken here is found below; one that is made later finds its flag standing.
        self.wanted.swap(false, AcqRel);
        let all: Vec<_> = self.members.lock().inside.iter().map(|(parking, _)| Arc::clone(parking)).collect();
        all.iter().for_each(|parking| parking.call());
    }

    /// Tells the program of a deadlock: of one that is `returned` to whoever called `block_on`, or of one that is not.
    pub(crate) fn tell(&self, deadlock: &Deadlock, returned: bool) {
        let Some(lookout) = self.lookout.get() else { return };
        let hook = if returned { lookout.returned.as_ref() } else { Some(&lookout.report) };
        if let Some(hook) = hook {
            contain(|| hook(deadlock));
        }
    }

    /// Everybody, if all are at rest.
    fn all_at_rest(&self, driver: &Driver, staff: &[RestGauge]) -> Option<AllAtRest> {
        let members = self.members.lock();
        let mut all = AtRest::default();
        for (parking, _) in &members.inside {
            all.threads += 1;
            all.moves = all.moves.wrapping_add(parking.at_rest()?);
        }
        for gauge in staff {
            let AtRest { threads, moves } = gauge()?;
            all.threads += threads;
            all.moves = all.moves.wrapping_add(moves);
        }
        Some(AllAtRest { all, waits: driver.waits(), changes: members.changes })
    }

    /// Whether nothing is outstanding: no timer, no file that somebody waits for, no task that is ready.
    fn nothing_is_due(&self, driver: &Driver, space: &TaskSpace) -> bool {
        driver.armed_timers() == 0
            && !driver.sources().anybody_waits()
            && space.all_wait()
            && self.members.lock().inside.iter().all(|(_, space)| space.all_wait())
    }

    /// Whether nobody is left who could wake anybody; asked by a member that rests itself.
    fn is_deadlock(&self, driver: &Driver) -> bool {
        let Some(lookout) = self.lookout.get() else { return false };
        let Some(space) = lookout.space.upgrade() else { return false };
        for _ in 0..TRIES {
            // The cheapest of the reasons why there is none.
            if driver.armed_timers() > 0 {
                return false;
            }
            let Some(before) = self.all_at_rest(driver, &lookout.staff) else { return false };
            // Whoever else there is may wake somebody.
            let strangers = (lookout.threads)() != Some(before.all.threads);
            if strangers || !self.nothing_is_due(driver, &space) {
                return false;
            }
            fence(SeqCst);
            #[cfg(not(polyloop_mutant = "deadlock_looks_once"))]
            let Some(after) = self.all_at_rest(driver, &lookout.staff) else { return false };
            #[cfg(polyloop_mutant = "deadlock_looks_once")]
            let after = AllAtRest { ..before };
            if after == before {
                return true;
            }
        }
        false
    }

    fn describe(&self, (root, meta): (TaskPtr, &Meta)) -> Deadlock {
        let mut spaces: Vec<_> =
            self.lookout.get().and_then(|lookout| lookout.space.upgrade()).into_iter().collect();
        spaces.extend(self.members.lock().inside.iter().map(|(_, space)| Arc::clone(space)));
        let mut tasks = Vec::new();
        let count = spaces.iter().map(|space| space.name_waiting(root, NAMED, &mut tasks)).sum();
        Deadlock { root: meta.clone(), tasks, count }
    }
}

/// A thread inside `block_on`, as it waits and looks.
pub(crate) struct Vigil<'a> {
    driver: &'a Driver,
    parking: &'a Arc<Parking>,
    joined: bool,
    /// Whether it looks still.
    looks: bool,
    patience: Duration,
    /// How many looks there are before the last one.
    before_last: u32,
}

impl<'a> Vigil<'a> {
    /// The thread of `parking` begins its `block_on`, its own tasks being in `space`.
    pub(crate) fn begin(driver: &'a Driver, parking: &'a Arc<Parking>, space: &Arc<TaskSpace>) -> Self {
        let watch = driver.deadlocks();
        let patience = watch.lookout.get().map(|lookout| lookout.patience);
        let looks = patience.is_some();
        if looks {
            let mut members = watch.members.lock();
            members.inside.push((Arc::clone(parking), Arc::clone(space)));
            members.changes += 1;
        }
        Self {
            driver,
            parking,
            joined: looks,
            looks,
            patience: patience.unwrap_or_default(),
            before_last: LOOKS - 1,
        }
    }

    /// Waits by `wait`, which says whether anything happened, until something did; for no longer than it is told. A deadlock,
    /// if one was found: once, then no more.
    pub(crate) fn wait(
        &mut self,
        root: (TaskPtr, &Meta),
        mut wait: impl FnMut(Option<Duration>) -> bool,
    ) -> Option<Deadlock> {
        let Self { parking, driver, .. } = *self;
        parking.mute(false);
        while self.looks {
            if wait(Some(self.patience)) {
                return None;
            }
            parking.mute(true);
            let is_last = self.before_last == 0;
            if self.look(is_last) {
                self.looks = false;
                parking.wish(false);
                return Some(driver.deadlocks().describe(root));
            }
            if !is_last {
                self.before_last -= 1;
                self.patience = self.patience.saturating_mul(2);
                continue;
            }
            let happened = wait(None);
            let is_called = parking.is_called();
            parking.wish(false);
            if happened || !is_called {
                return None;
            }
        }
        wait(None);
        None
    }

    /// Looks, for the last time unless this thread is called.
    fn look(&self, is_last: bool) -> bool {
        self.parking.looking(|| {
            #[cfg(not(polyloop_mutant = "deadlock_wish_after_the_look"))]
            if is_last {
                self.wish();
            }
            let found = self.driver.deadlocks().is_deadlock(self.driver);
            #[cfg(polyloop_mutant = "deadlock_wish_after_the_look")]
            if is_last {
                self.wish();
            }
            found
        })
    }

    /// Whoever begins to rest from here on calls this thread; who rested before is seen to rest.
    fn wish(&self) {
        self.parking.wish(true);
        self.driver.deadlocks().wanted.store(true, Release);
        // loom's locks, which the look takes, are such fences themselves, so that no model misses this one.
        fence(SeqCst);
    }
}

impl Drop for Vigil<'_> {
    fn drop(&mut self) {
        if !self.joined {
            return;
        }
        let mut members = self.driver.deadlocks().members.lock();
        let at = members.inside.iter().position(|(parking, _)| Arc::ptr_eq(parking, self.parking));
        if let Some(at) = at {
            members.changes += 1;
            let gone = members.inside.swap_remove(at);
            drop(members);
            drop(gone);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("looks", &self.lookout.get().is_some()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lookout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookout").field("staff", &self.staff.len()).finish_non_exhaustive()
    }
}
