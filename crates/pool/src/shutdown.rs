//! The end of a pool.
//!
//! Invariant: every future is dropped exactly once, by the worker that polls it or by whoever shuts down; those that
//! are still being polled when patience ends are in the report, and are dropped when their poll ends. Nobody waits for
//! them.

use crate::shared::Shared;
use crate::worker::Here;
use polyloop_core::{Scheduler, TaskSpace, context};
use std::sync::Arc;
use std::time::Duration;

/// What a shutdown left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Workers that had not ended: each was still in a poll, or had not had the time. The calling one is not among them.
    pub stuck: Vec<Stuck>,
}

/// A worker whose poll had not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its index.
    pub worker: usize,
}

pub(crate) fn shut_down<S: Scheduler>(
    shared: &Arc<Shared<S>>,
    space: &Arc<TaskSpace>,
    patience: Duration,
) -> Report {
    shared.close(space);
    // A worker that drops its own runtime would wait for itself.
    let own = context::with_scope(|here: Option<&Here<S>>| {
        here.filter(|here| here.works_for(shared)).map(|here| here.index)
    });
    let mut stuck = {
        let mut alive = shared.alive.lock();
        if !patience.is_zero() {
            let others = |alive: &mut Vec<usize>| alive.iter().any(|index| Some(*index) != own);
            shared.ended.wait_while_for(&mut alive, others, patience);
        }
        alive.clone()
    };
    stuck.retain(|index| Some(*index) != own);
    drop(space.attend());
    shared.driver().close();
    space.retire();
    stuck.sort_unstable();
    Report { stuck: stuck.into_iter().map(|worker| Stuck { worker }).collect() }
}
