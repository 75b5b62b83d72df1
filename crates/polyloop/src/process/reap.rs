//! Children that nobody waits for.
//!
//! Invariant: a child whose end was not seen is in exactly one place: its `Child`, or, from the drop of that on, the list here. So each
//! is reaped once, and by nobody who might take another process for it. A task waits for the end of a child in the list, and asks
//! the list then; where nobody drives that task, whoever spawns or drops a child goes through the whole list.

use super::exit::Exit;
use crate::Handle;
use parking_lot::Mutex;
use polyloop_core::Meta;
use std::collections::BTreeMap;
use std::io;
use std::panic::Location;
use std::process::{Child as Std, ExitStatus};

/// Those whose `Child` is gone, in the order in which they came.
static LEFT: Mutex<Left> = Mutex::new(Left { came: 0, children: BTreeMap::new() });

struct Left {
    came: u64,
    /// By a number of their own: that of a process may be another one's after its end.
    children: BTreeMap<u64, Std>,
}

/// Puts a child into the list; its number there.
fn leave(child: Std) -> u64 {
    let mut left = LEFT.lock();
    left.came += 1;
    let number = left.came;
    left.children.insert(number, child);
    number
}

/// Fetches the status of those in the list that have ended.
pub(super) fn reap_all() {
    LEFT.lock().children.retain(|_, child| runs(child));
}

/// Fetches the status of this one if it has ended; whether it is in the list no more.
fn reap(number: u64) -> bool {
    let mut left = LEFT.lock();
    let has_ended = left.children.get_mut(&number).is_none_or(|child| !runs(child));
    if has_ended {
        left.children.remove(&number);
    }
    has_ended
}

fn runs(child: &mut Std) -> bool {
    // An error says that there is no such child any more.
    matches!(child.try_wait(), Ok(None))
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
        let id = self.id();
        let Some(number) = self.std.take().map(leave) else { return };
        // If the runtime is gone, or goes before the child, the child stays in the list.
        let reaper = async move {
            let _ = exit.wait(id, || Ok(reap(number).then_some(()))).await;
        };
        let mut meta = Meta::new(Location::caller());
        meta.name = Some("reaper of a child".into());
        drop(handle.spawn_with(reaper, meta));
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if matches!(self.try_wait(), Ok(None)) {
            self.std.take().map(leave);
        }
    }
}
