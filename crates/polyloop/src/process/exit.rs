//! Waiting for the end of a child.

use super::reap::Orphan;
use crate::Handle;
use crate::blocking_io::lost;
use crate::net::{AsyncFd, Interest};
use polyloop_core::JoinHandle;
use std::io;
use std::os::fd::OwnedFd;

/// How the end is heard of.
#[derive(Debug)]
pub(super) enum Exit {
    /// The descriptor of the process can be read once it has ended.
    Pidfd(AsyncFd<OwnedFd>),
    /// A job waits, from the first call on.
    Job(Handle, Option<JoinHandle<()>>),
}

impl Exit {
    pub(super) fn of(child: &Orphan, handle: &Handle, pidfd: bool) -> Self {
        // Whatever the reason is that there is none, a job can do without.
        let watched = || {
            let fd = child.id().filter(|_| pidfd).and_then(open)?;
            AsyncFd::with_interest_on(handle.net_context(), fd, Interest::READABLE).ok()
        };
        watched().map_or_else(|| Self::Job(handle.clone(), None), Self::Pidfd)
    }

    /// Waits until the child of this number has ended, which `ended` tells, and which others may tell it sooner.
    pub(super) async fn wait<T>(
        &mut self,
        id: Option<u32>,
        mut ended: impl FnMut() -> io::Result<Option<T>>,
    ) -> io::Result<T> {
        loop {
            if let Some(ended) = ended()? {
                return Ok(ended);
            }
            match self {
                Self::Pidfd(fd) => {
                    let mut ready = fd.readable().await?;
                    if let Some(ended) = ended()? {
                        return Ok(ended);
                    }
                    ready.clear_ready()?;
                }
                Self::Job(handle, job) => {
                    let running =
                        job.get_or_insert_with(|| handle.spawn_blocking(move || block_until_end(id)));
                    let waited = running.await;
                    *job = None;
                    waited.map_err(lost)?;
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn open(id: u32) -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = Pid::from_raw(id.try_into().ok()?)?;
    pidfd_open(pid, PidfdFlags::NONBLOCK).ok()
}

#[cfg(not(target_os = "linux"))]
fn open(_: u32) -> Option<OwnedFd> {
    None
}

/// Blocks until the child has ended, and leaves its status for who asked.
fn block_until_end(id: Option<u32>) {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let pid = id.and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let Some(pid) = pid else { return };
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // Any other error says that there is nothing to wait for; then `try_wait` says why.
    while matches!(waitid(WaitId::Pid(pid), flags), Err(rustix::io::Errno::INTR)) {}
}
