//! Blocking on purpose: a worker gives its place away before it blocks.

use crate::relief::NoRelief;
use crate::worker::Here;
use polyloop_core::block_on::as_stranger;
use polyloop_core::{Scheduler, context};
use std::fmt;
use std::rc::Rc;

/// That this thread is a worker's, whatever the scheduler of its pool.
pub(crate) struct OnWorker(Rc<dyn Place>);

/// A worker's place in its pool.
trait Place {
    fn give_away(&self) -> Result<(), NoRelief>;
    fn aside(&self, f: &mut dyn FnMut());
}

impl OnWorker {
    pub(crate) fn new<S: Scheduler>(here: Rc<Here<S>>) -> Self {
        Self(here)
    }
}

impl<S: Scheduler> Place for Here<S> {
    fn give_away(&self) -> Result<(), NoRelief> {
        self.give_place_away()
    }

    fn aside(&self, f: &mut dyn FnMut()) {
        self.aside(f);
    }
}

/// Runs `f`, which may block, on the calling thread. If that is a worker, another thread takes its place first, and the
/// worker waits on standby once the poll that it is in has ended. On any other thread this is just a call of `f`.
///
/// # Errors
///
/// [`NoPlace`] with the closure, which has not run, if no thread can be had: as many as are allowed are there, or the
/// kernel refuses one.
///
/// # Panics
///
/// With the panic of `f`.
pub fn try_block_in_place<F: FnOnce() -> R, R>(f: F) -> Result<R, NoPlace<F>> {
    let place = context::with_scope(|on: Option<&OnWorker>| on.map(|on| Rc::clone(&on.0)));
    let Some(place) = place else { return Ok(f()) };
    if let Err(why) = place.give_away() {
        return Err(NoPlace { f, why });
    }
    let (mut f, mut result) = (Some(f), None);
    place.aside(&mut || result = f.take().map(as_stranger));
    match result {
        Some(result) => Ok(result),
        None => unreachable!("a place runs what it is given"),
    }
}

/// No thread could take the place of the one that was about to block. The closure comes back.
pub struct NoPlace<F> {
    /// What was to be run.
    pub f: F,
    why: NoRelief,
}

impl<F> fmt::Debug for NoPlace<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoPlace").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for NoPlace<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no thread can take the place of a worker that wants to block: {}", self.why)
    }
}

impl<F> std::error::Error for NoPlace<F> {}
