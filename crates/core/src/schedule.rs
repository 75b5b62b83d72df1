//! How a runnable reaches its executor, and how an executor orders runnables.

use crate::fairness::ReadyBound;
use crate::queue::RunQueue;
use crate::task::Runnable;
use core::fmt;

/// Why a task became runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It was spawned just now.
    Spawn,
    /// Another task, or a thread, woke it.
    Wake,
    /// It woke itself while it was polled: everybody else comes first.
    Yield,
    /// One of its sources is ready.
    Io,
    /// One of its deadlines has passed.
    Timer,
}

/// The one call by which a task that was spawned or woken reaches its executor, from any thread.
///
/// The call runs no foreign code but the drop of a spawn that is refused (below), for which it holds no lock; it holds none when it
/// returns, and does not block but for short critical sections.
///
/// After the end, too, a wake's runnable is only taken in: whoever wakes may hold a lock that the future's drop wants. It is
/// cancelled by those that [attend](crate::TaskSpace::attend), who [drain](Self::drain). A spawn from a thread that does not
/// attend passes [`Runnable::unless_late`] first, which cancels the task if nobody would come for it.
pub trait Schedule: fmt::Debug + Send + Sync + 'static {
    /// Takes over `runnable`.
    fn schedule(&self, runnable: Runnable, why: Why);

    /// Gives everything out that was taken in and nobody has taken since, but for what a thread that attends keeps to itself: that
    /// one hands it over, or gives it out here, before it goes. Called once the space is [closed](crate::TaskSpace::close), from
    /// any thread.
    fn drain(&self) -> RunQueue {
        RunQueue::new()
    }

    /// Reads the clock, which moves the [coarse one](crate::tick) on. Called before a task is stamped by a thread that runs
    /// no tasks of this executor, because those that do may all be asleep.
    fn tell_time(&self) {}
}

/// Whether somebody else should be invited to help.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// No: whoever is awake will come to it.
    None,
    /// One more worker is worth its wake-up, if one sleeps.
    One,
    /// This worker alone will come to it: it must be called if it sleeps.
    Worker(usize),
}

/// Which of a task's wishes ([`Meta`](crate::Meta)) a scheduler heeds. What it does not, it ignores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Honours {
    /// The class.
    pub class: bool,
    /// The weight.
    pub weight: bool,
    /// The deadline.
    pub deadline: bool,
}

impl Honours {
    /// None of them.
    pub const NOTHING: Self = Self { class: false, weight: false, deadline: false };

    /// The same, and the class.
    #[must_use]
    pub const fn and_class(self) -> Self {
        Self { class: true, ..self }
    }

    /// The same, and the weight.
    #[must_use]
    pub const fn and_weight(self) -> Self {
        Self { weight: true, ..self }
    }

    /// The same, and the deadline.
    #[must_use]
    pub const fn and_deadline(self) -> Self {
        Self { deadline: true, ..self }
    }
}

/// The wishes by name, or `nothing`.
impl fmt::Display for Honours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [("class", self.class), ("weight", self.weight), ("deadline", self.deadline)];
        let mut some = all.into_iter().filter_map(|(name, heeds)| heeds.then_some(name));
        f.write_str(some.next().unwrap_or("nothing"))?;
        some.try_for_each(|name| write!(f, ", {name}"))
    }
}

/// A policy: given runnables, who is next.
///
/// A scheduler holds runnables and nothing else. Threads, parking, the driver and shutdown belong to the shell that
/// runs it, so a scheduler is short and safe.
///
/// Nothing that was pushed may stay reachable through one `Local` alone (C5). When [`has_work`](Self::has_work) is true,
/// `next` on *any* worker's local finds something. What a scheduler keeps for the worker that pushed it, it leaves out of
/// `has_work`, gives to that worker's `next` before that returns `None`, and to everybody once
/// [`observe_stuck`](Self::observe_stuck) has told that the worker does not come.
///
/// A scheduler drops no runnable: that would cancel the task, whose drops may wake others into the same scheduler in the
/// middle of the call. What it does not want to keep it gives out.
pub trait Scheduler: fmt::Debug + Send + Sync + 'static {
    /// What of a task's wishes it heeds.
    const HONOURS: Honours = Honours::NOTHING;

    /// Whether it wants to be told how long each poll took. The clock is read once more per poll then; nothing is, if not.
    const MEASURES_POLLS: bool = false;

    /// What one worker keeps to itself.
    type Local: Send;

    /// The name by which a combination chooses it.
    fn name(&self) -> &'static str;

    /// The declared constant of its order (C3), which the suites assert; `None` if a ready task may wait for ever.
    fn ready_bound(&self) -> Option<ReadyBound> {
        None
    }

    /// The same for those whose worker is [stuck](Self::observe_stuck) or on standby, if they are kept apart: within how many polls
    /// of any one worker that is at work.
    fn orphan_bound(&self) -> Option<ReadyBound> {
        None
    }

    /// Makes the local part of worker `index`; called once for each worker before any other call with it.
    fn local(&self, index: usize) -> Self::Local;

    /// Takes in a runnable: from worker `local`, or from a thread that is none.
    fn push(&self, local: Option<&mut Self::Local>, runnable: Runnable, why: Why) -> Notify;

    /// The next runnable for this worker, its own or somebody else's.
    fn next(&self, local: &mut Self::Local) -> Option<Runnable>;

    /// Whether `next` would find something on some worker. May be asked from any thread.
    fn has_work(&self) -> bool;

    /// Whether `next` would find something on worker `index`. Differs from [`has_work`](Self::has_work) for a scheduler that
    /// answers a push by [`Notify::Worker`].
    fn has_work_for(&self, index: usize) -> bool {
        let _ = index;
        self.has_work()
    }

    /// How many runnables wait where no worker keeps them. For reports.
    fn queued(&self) -> usize {
        0
    }

    /// How many runnables wait in worker `index`'s own queue. For reports.
    fn queued_at(&self, index: usize) -> usize {
        let _ = index;
        0
    }

    /// How many runnables worker `index` has taken from other workers so far. For reports.
    fn stolen(&self, index: usize) -> u64 {
        let _ = index;
        0
    }

    /// Worker `local` polls at `nanos` nanoseconds a task on average, for a scheduler that weighs costs.
    fn observe_poll(&self, local: &mut Self::Local, nanos: u64) {
        let _ = (local, nanos);
    }

    /// The poll of the runnable that `next` gave to worker `local` last has ended and took `nanos` nanoseconds, 0 if the clock has
    /// [leapt](crate::time::Clock::leaps) meanwhile. Called before the
    /// runnable is pushed again by this worker, if it is; another may have pushed it already. Only if the scheduler
    /// [asks for it](Self::MEASURES_POLLS).
    fn polled(&self, local: &mut Self::Local, nanos: u64) {
        let _ = (local, nanos);
    }

    /// Worker `index` is stuck in a poll, or no longer is: what it kept from thieves for the sake of its cache is theirs
    /// now. Called from any thread.
    fn observe_stuck(&self, index: usize, stuck: bool) {
        let _ = (index, stuck);
    }

    /// Worker `index` is in no poll and goes on standby, so that it will not come back to what it has: all of that is the others'
    /// now. Called on its thread.
    fn observe_standby(&self, index: usize) {
        self.observe_stuck(index, true);
    }

    /// Polls have blocked lately, or do so no more. While they do, whatever waits behind a poll may wait for long, however short
    /// the average: it is worth a sibling's wake-up. Called from any thread.
    fn observe_blocking(&self, blocking: bool) {
        let _ = blocking;
    }

    /// Gives everything out, at shutdown. Called from any thread and more than once, while others may still push, call
    /// `next`, or drain: each runnable goes to one of them, and what was pushed before the call, and nobody else has, is
    /// in the result.
    fn drain(&self) -> Vec<Runnable>;
}
