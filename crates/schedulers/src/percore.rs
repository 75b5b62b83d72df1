//! A queue for each worker, and tasks that stay with theirs: shared nothing.
//!
//! Invariant: a runnable goes to the queue of its task's home, which is noted on the task, or, if that worker is away, to the
//! orphans, which anybody may take. A queue is only ever away or looked after by its worker: each change is under its lock.
//!
//! A task's home is the worker that spawned it; from outside, the workers take turns. Wakes go home, whoever calls them. What
//! share-nothing means here is *placement*: as long as a worker comes back from its polls, nobody else touches what it has, also
//! if the others have nothing to do. A worker that is stuck, under every `BlockPolicy`, is away from the monitor's next look on:
//! its queue goes to the orphans, and whoever polls an orphan is its home from then on, a relief worker with `HandOff`, a sibling
//! else (C5). If it only seemed stuck, because it was not let run, and comes back by itself, it takes all orphans, in front of what
//! it has got since, so that nothing loses its place.
//!
//! What it is for: caches, and programs that spread their load themselves. What it costs: a worker that has more than its share
//! is not helped, and a wake from another thread has to call the one worker.
//!
//! Declared constants (C3): a worker looks at the orphans first every [`ORPHAN_INTERVAL`]th poll and after each driver turn, but never
//! twice without a poll from its own queue between. So a task that is the n-th in its worker's queue is polled within 2·n + 1 polls of
//! that worker: n + n/60 + 1 while polls are short, twice as many when each is so long that the driver turns after it. One that is
//! the n-th orphan is polled within 61·n polls of any one, or 2·n of long ones.

use polyloop_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use polyloop_core::shim::sync::Mutex;
use polyloop_core::{Notify, ReadyBound, RunQueue, Runnable, Scheduler, Why};
use std::num::NonZeroUsize;

/// Every so many polls, at the latest, a worker looks at the orphans before its own queue.
pub const ORPHAN_INTERVAL: u32 = 61;

/// The scheduler.
#[derive(Debug)]
pub struct PerCore {
    lanes: Box<[Mutex<Lane>]>,
    orphans: Mutex<RunQueue>,
    workers: usize,
    /// Whose turn it is to get what comes from outside.
    turn: AtomicUsize,
}

/// What one worker has.
#[derive(Debug, Default)]
struct Lane {
    queue: RunQueue,
    owner: Owner,
}

/// Whether a lane's worker comes at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owner {
    /// It does, or will without being told.
    #[default]
    Here,
    /// It is in a poll that seems stuck; it may come back.
    Stuck,
    /// There is none, or it is on standby.
    Absent,
}

/// A worker's number, and its polls.
#[derive(Debug)]
pub struct Local {
    index: usize,
    tick: u32,
    /// Whether an orphan came first the last time, so that its own queue has its turn.
    owes_own: bool,
}

impl PerCore {
    /// A scheduler for so many workers, with room for as many as `seats`, those included that stand in for others.
    pub fn new(workers: NonZeroUsize, seats: NonZeroUsize) -> Self {
        let lane = |index| {
            let owner = if index < workers.get() { Owner::Here } else { Owner::Absent };
            Mutex::new(Lane { owner, ..Lane::default() })
        };
        Self {
            lanes: (0..seats.get()).map(lane).collect(),
            orphans: Mutex::default(),
            workers: workers.get(),
            turn: AtomicUsize::new(0),
        }
    }

    fn take_orphan(&self) -> Option<Runnable> {
        self.orphans.lock().pop_front()
    }

    /// The next one of a worker's own, which comes for it.
    fn take_own(&self, index: usize) -> Option<Runnable> {
        let mut lane = self.lanes[index].lock();
        if std::mem::take(&mut lane.owner) == Owner::Stuck {
            let mut all = std::mem::take(&mut *self.orphans.lock());
            all.append(&mut lane.queue);
            lane.queue = all;
        }
        lane.queue.pop_front()
    }

    /// Worker `index` does not come; whatever it has is for all.
    fn leave(&self, index: usize, owner: Owner) {
        let mut lane = self.lanes[index].lock();
        // Nobody who is absent is stuck.
        if lane.owner != Owner::Absent {
            lane.owner = owner;
        }
        // Under both locks, so that a drain, which looks at the orphans last, finds it in one of them.
        self.orphans.lock().append(&mut lane.queue);
    }
}

impl Scheduler for PerCore {
    type Local = Local;

    fn name(&self) -> &'static str {
        "percore"
    }

    fn ready_bound(&self) -> Option<ReadyBound> {
        Some(|place| 2 * place + 1)
    }

    fn orphan_bound(&self) -> Option<ReadyBound> {
        Some(|place| u64::from(ORPHAN_INTERVAL) * place)
    }

    fn local(&self, index: usize) -> Local {
        Local { index, tick: 0, owes_own: false }
    }

    fn push(&self, local: Option<&mut Local>, runnable: Runnable, _: Why) -> Notify {
        let me = local.map(|local| local.index);
        let home = match runnable.note().checked_sub(1) {
            Some(home) => home,
            None => me.unwrap_or_else(|| self.turn.fetch_add(1, Relaxed) % self.workers),
        };
        let mut lane = self.lanes[home].lock();
        if lane.owner != Owner::Here {
            drop(lane);
            self.orphans.lock().push_back(runnable);
            return Notify::One;
        }
        lane.queue.push_back(runnable);
        if me == Some(home) { Notify::None } else { Notify::Worker(home) }
    }

    fn next(&self, local: &mut Local) -> Option<Runnable> {
        local.tick = local.tick.wrapping_add(1);
        let is_orphans_turn = local.tick.is_multiple_of(ORPHAN_INTERVAL);
        let owes_own = std::mem::take(&mut local.owes_own);
        if is_orphans_turn && owes_own {
            // Put off by one poll: a driver turn right after an orphan must not cost the next one its turn.
            local.tick = local.tick.wrapping_sub(1);
        }
        let early = (is_orphans_turn && !owes_own).then(|| self.take_orphan()).flatten();
        local.owes_own = early.is_some();
        let own = || self.take_own(local.index);
        let mut runnable = early.or_else(own).or_else(|| self.take_orphan())?;
        runnable.set_note(local.index + 1);
        Some(runnable)
    }

    fn has_work(&self) -> bool {
        !self.orphans.lock().is_empty()
    }

    fn has_work_for(&self, index: usize) -> bool {
        !self.lanes[index].lock().queue.is_empty() || self.has_work()
    }

    fn queued(&self) -> usize {
        self.orphans.lock().len()
    }

    fn queued_at(&self, index: usize) -> usize {
        self.lanes[index].lock().queue.len()
    }

    fn observe_poll(&self, local: &mut Local, _: u64) {
        // Long polls must not keep the orphans waiting for dozens of them.
        local.tick = ORPHAN_INTERVAL - 1;
    }

    fn observe_stuck(&self, index: usize, stuck: bool) {
        // It says itself when it is back.
        if stuck {
            self.leave(index, Owner::Stuck);
        }
    }

    fn observe_standby(&self, index: usize) {
        self.leave(index, Owner::Absent);
    }

    fn drain(&self) -> Vec<Runnable> {
        let mut all = RunQueue::new();
        for lane in &self.lanes {
            all.append(&mut lane.lock().queue);
        }
        all.append(&mut self.orphans.lock());
        std::iter::from_fn(|| all.pop_front()).collect()
    }
}
