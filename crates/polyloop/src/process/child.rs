//! A process that was run.

use super::exit::Exit;
use super::reap::{self, Orphan};
use super::{ChildStderr, ChildStdin, ChildStdout, ExitStatus, Output};
use crate::Handle;
use std::io;
use tokio::io::AsyncReadExt;

/// A process that was run by [`Command::spawn`](super::Command::spawn).
///
/// **Dropping it does not end the process**, unless [`kill_on_drop`](super::Command::kill_on_drop) says so.
#[derive(Debug)]
pub struct Child {
    /// Its input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// Its errors, if they go to a pipe.
    pub stderr: Option<ChildStderr>,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    orphan: Orphan,
    exit: Exit,
    handle: Handle,
    kill_on_drop: bool,
}

impl Child {
    pub(super) fn of(
        mut orphan: Orphan,
        handle: Handle,
        kill_on_drop: bool,
        pidfd: bool,
    ) -> io::Result<Self> {
        let exit = Exit::of(&orphan, &handle, pidfd);
        let pipes = orphan.std().map(|std| (std.stdin.take(), std.stdout.take(), std.stderr.take()));
        let (stdin, stdout, stderr) = pipes.unwrap_or_default();
        // If a pipe cannot be watched, this is dropped and kills.
        let process = Some(Process { orphan, exit, handle, kill_on_drop: true });
        let mut child = Self { stdin: None, stdout: None, stderr: None, process };
        let context = child.process.as_ref().map(|process| process.handle.net_context().clone());
        if let Some(context) = context {
            child.stdin = stdin.map(|pipe| ChildStdin::on(&context, pipe)).transpose()?;
            child.stdout = stdout.map(|pipe| ChildStdout::on(&context, pipe)).transpose()?;
            child.stderr = stderr.map(|pipe| ChildStderr::on(&context, pipe)).transpose()?;
        }
        if let Some(process) = &mut child.process {
            process.kill_on_drop = kill_on_drop;
        }
        Ok(child)
    }

    fn process(&mut self) -> &mut Process {
        match &mut self.process {
            Some(process) => process,
            None => unreachable!("it is taken out by the drop alone"),
        }
    }

    /// The number of the process, `None` once its end was seen: then it may be another one's.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().and_then(|process| process.orphan.id())
    }

    /// Kills the process (`SIGKILL`), and does not wait for its end.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if its end was seen; otherwise the kernel's word.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match self.process().orphan.std() {
            Some(std) => std.kill(),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "the process has ended already")),
        }
    }

    /// Kills the process, and waits for its end.
    ///
    /// # Errors
    ///
    /// As [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it is killed at the first poll.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// Waits for the end of the process. Its input is closed first, so that neither waits for the other.
    ///
    /// # Errors
    ///
    /// The kernel's word, or that the runtime which it was spawned on has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the input is closed.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let Process { orphan, exit, .. } = self.process();
        exit.wait(orphan.id(), || orphan.try_wait()).await
    }

    /// The status of the process, if it has ended.
    ///
    /// # Errors
    ///
    /// The kernel's word.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process().orphan.try_wait()
    }

    /// Waits for the end of the process, and for all that it writes to its pipes.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and of the pipes.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read is lost, and the child is dropped.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        let (out, err) = (self.stdout.take(), self.stderr.take());
        let stdout = async {
            let mut all = Vec::new();
            if let Some(mut out) = out {
                out.read_to_end(&mut all).await?;
            }
            io::Result::Ok(all)
        };
        let stderr = async {
            let mut all = Vec::new();
            if let Some(mut err) = err {
                err.read_to_end(&mut all).await?;
            }
            io::Result::Ok(all)
        };
        let (status, stdout, stderr) = tokio::try_join!(self.wait(), stdout, stderr)?;
        Ok(Output { status, stdout, stderr })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if let Some(std) = process.orphan.std().filter(|_| process.kill_on_drop) {
            // If it cannot be killed, it has ended.
            let _ = std.kill();
        }
        reap::reap_all();
        process.orphan.leave(process.exit, &process.handle);
    }
}
