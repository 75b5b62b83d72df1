//! The files that a reactor keeps.
//!
//! Invariant: a file that the kernel watches for us is in this table, from before the first event can be told until
//! after the kernel let go of it. The last owner drops it outside the lock, since dropping a file may run anything.

use crate::checks::{check, taken, union, unknown};
use polyloop_core::reactor::{File, Interest, Token};
use polyloop_core::shim::sync::Mutex;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// One registration.
pub(crate) struct Kept {
    pub(crate) file: Arc<dyn File>,
    /// What the kernel was asked to report.
    pub(crate) interest: Interest,
    /// Whether the kernel knows the file. One that was attached with no interest it does not, since epoll and poll(2)
    /// cannot be told to keep quiet about a hangup.
    pub(crate) known: bool,
}

/// What [`KeptFiles::rearm`] asks of the kernel.
pub(crate) enum Change {
    /// Take up the file.
    Add,
    /// Report more of it.
    Modify,
}

/// All registrations, in the order of their tokens.
#[derive(Default)]
pub(crate) struct KeptFiles {
    pub(crate) table: Mutex<BTreeMap<Token, Kept>>,
}

impl KeptFiles {
    /// Enters `file` once `add` has told the kernel; leaves no trace if that fails.
    pub(crate) fn attach(
        &self,
        file: Arc<dyn File>,
        token: Token,
        interest: Interest,
        add: impl FnOnce(BorrowedFd<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        check(token)?;
        // Locals go before parameters: where we fail, the file is dropped after the lock.
        let mut table = self.table.lock();
        let Entry::Vacant(slot) = table.entry(token) else { return Err(taken(token)) };
        let known = interest != Interest::NONE;
        if known {
            add(file.as_fd())?;
        }
        slot.insert(Kept { file, interest, known });
        Ok(())
    }

    /// Adds `more` to what is reported of `token`, asking the kernel only if that is news.
    pub(crate) fn rearm(
        &self,
        token: Token,
        more: Interest,
        change: impl FnOnce(Change, &Arc<dyn File>, Interest) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut table = self.table.lock();
        let kept = table.get_mut(&token).ok_or_else(|| unknown(token))?;
        let all = union(kept.interest, more);
        if all != kept.interest {
            change(if kept.known { Change::Modify } else { Change::Add }, &kept.file, all)?;
            kept.interest = all;
            kept.known = true;
        }
        Ok(())
    }

    /// Strikes `token` out and lets go of its file, also if `remove` fails.
    pub(crate) fn detach(
        &self,
        token: Token,
        remove: impl FnOnce(&Arc<dyn File>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut table = self.table.lock();
        let kept = table.remove(&token).ok_or_else(|| unknown(token))?;
        let outcome = if kept.known { remove(&kept.file) } else { Ok(()) };
        drop(table);
        outcome
    }
}
