//! Children that nobody waits for.
//!
//! Invariant: a child whose end was not seen is in exactly one place: its `Child`, the task that waits for it, or the list here. So each
//! is reaped once, and by nobody who might take another process for it.

use super::exit::Exit;
use crate::Handle;
use parking_lot::Mutex;
use polyloop_core::Meta;
use std::io;
use std::panic::Location;
use std::process::{Child as Std, ExitStatus};

/// Those whose runtime is gone.
static LEFT: Mutex<Vec<Std>> = Mutex::new(Vec::new());

/// Fetches the status of those in the list that have ended.
pub(super) fn reap_all() {
    // An error says that there is no such child any more.
    LEFT.lock().retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}

/// A child whose end was not seen, or has been.
#[derive(Debug)]
pub(super) struct Orphan {
    std: Option<Std>,
    status: Option<ExitStatus>,
}

impl Orphan {
    pub(super) fn new(std: Std) -> Self {
        Self { std: Some(std), status: None }
    }

    /// The child, until its end was seen.
    pub(super) fn std(&mut self) -> Option<&mut Std> {
        self.std.as_mut()
    }

    /// The number of the process, until its end was seen.
    pub(super) fn id(&self) -> Option<u32> {
        self.std.as_ref().map(Std::id)
    }

    /// Its status, if it has ended.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if let Some(std) = &mut self.std {
            self.status = std.try_wait()?;
            if self.status.is_some() {
                self.std = None;
            }
        }
        Ok(self.status)
    }

    /// Has its status fetched at its end.
    pub(super) fn leave(mut self, mut exit: Exit, handle: &Handle) {
        if !matches!(self.try_wait(), Ok(None)) {
            self.std = None;
            return;
        }
        // If the runtime is gone, or goes before the child, the task is dropped and the child with it.
        let reaper = async move {
            let _ = exit.wait(&mut self).await;
        };
        let mut meta = Meta::new(Location::caller());
        meta.name = Some("reaper of a child".into());
        drop(handle.spawn_with(reaper, meta));
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if matches!(self.try_wait(), Ok(None)) {
            LEFT.lock().extend(self.std.take());
        }
    }
}
