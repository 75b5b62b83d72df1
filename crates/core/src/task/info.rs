//! What the registry tells about each task while everything goes on.
//!
//! Invariant: *nobody is stopped, and nothing is followed that may be gone*. The state word, the stamps and the meta word are read
//! in a page that the list's lock keeps. Whether a task is being polled is asked of the threads: each says which one it
//! polls, by a number that is compared with the slot's address.

use super::slab;
use super::space::TaskSpace;
use super::state::Snapshot;
use super::{Id, Meta};
use crate::Why;
use crate::context::Poller;
use crate::tick::Times;
use crate::time::Instant;
use core::time::Duration;
use std::sync::Arc;
use std::thread::Thread;

/// What a task is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Phase {
    /// A thread polls it, or drops its future.
    Polled {
        /// The one.
        thread: Thread,
        /// It has left the poll for code that may block, as in `block_in_place`.
        outside: bool,
    },
    /// It is ready, and waits for its turn.
    Queued,
    /// It waits for a wake.
    Waiting,
    /// It has ended, and its handle has not been asked for the output.
    Ended,
}

/// To whom a task belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskKind {
    /// To the executor; any of its threads may poll it.
    Spawned,
    /// To a thread inside `block_on`, which spawned it there, or to a [`LocalSet`](crate::LocalSet).
    Local,
    /// It is the future of a `block_on`.
    BlockOn,
}

/// One task, as [`TaskSpace::tasks`] has found it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// What it is called, and where it was spawned.
    pub meta: Meta,
    /// Its id, if somebody has asked for it before, or gave the task a name.
    pub id: Option<Id>,
    /// To whom it belongs.
    pub kind: TaskKind,
    /// What it is doing.
    pub phase: Phase,
    /// Somebody has asked for its end.
    pub aborted: bool,
    /// How long ago its last poll began; `None` if it never was polled.
    pub polled: Option<Duration>,
    /// How long ago it became ready last. Further wakes until the poll that this led to are none of their own.
    pub woken: Duration,
    /// Why it became ready.
    pub why: Why,
}

/// Adds every task of `space`, but for those that have ended and that nobody will join. A task of it may be polling others, which
/// live in one of `locals`.
pub(super) fn collect(space: &TaskSpace, locals: &[Arc<TaskSpace>], now: Instant, tasks: &mut Vec<TaskInfo>) {
    let poller_of = |slot| {
        let within = || locals.iter().find_map(|local| local.visitors().visitor_within(slot));
        space.visitors().poller_of(slot).or_else(within)
    };
    slab::for_each_slot_by_page(space, |slot, state| {
        let seen = state.load();
        if seen.vacant() || seen.done() && !seen.handle() {
            return;
        }
        let is_ready = |seen: Snapshot| !seen.done() && seen.wakes() > 0;
        let poller = if is_ready(seen) { poller_of(slot) } else { None };
        // Its poll may have ended since the first look: then nobody polls it, and it is not queued.
        let seen = if poller.is_none() { state.load() } else { seen };
        if seen.vacant() || seen.done() && !seen.handle() {
            return;
        }
        // SAFETY: the page is listed, and the slot has held a task.
        let (meta, stamps) = unsafe { (&(*slot.as_ptr()).meta, &(*slot.as_ptr()).stamps) };
        let Some((meta, id)) = meta.peek_with_id(slab::meta_lock(slot)) else { return };
        let times = stamps.read(now, is_ready(seen));
        tasks.push(describe(seen, poller, meta, id, times));
    });
}

fn describe(seen: Snapshot, poller: Option<Poller>, meta: Meta, id: Option<Id>, times: Times) -> TaskInfo {
    let kind = match (seen.root(), seen.local()) {
        (true, _) => TaskKind::BlockOn,
        (false, true) => TaskKind::Local,
        (false, false) => TaskKind::Spawned,
    };
    let phase = match poller {
        Some(Poller { thread, outside }) => Phase::Polled { thread, outside },
        None if seen.done() => Phase::Ended,
        None if seen.wakes() > 0 => Phase::Queued,
        None => Phase::Waiting,
    };
    let Times { polled, woken, why } = times;
    TaskInfo { meta, id, kind, phase, aborted: seen.abort() && !seen.done(), polled, woken, why }
}
