//! Child processes.
//!
//! How the end of a child is waited for: on Linux by a *pidfd*, a descriptor of the process that the runtime's reactor watches like
//! a socket. So a thousand children cost no thread and no signal handler, a child that belongs to somebody else is never reaped by
//! mistake, as a handler of SIGCHLD might, and a wait costs nothing until the end. Where there is none (`ENOSYS` before Linux 5.3,
//! other systems, or no descriptor to be had) a job of the [blocking pool](crate::task::spawn_blocking) waits, one thread per child.
//!
//! Names and semantics are tokio's. A [`Child`] belongs to the runtime that it was spawned on, and may be waited for from any thread
//! and runtime as long as that is driven; afterwards waiting is an error, while [`try_wait`](Child::try_wait) goes on.
//!
//! **No zombies**: a child that is dropped before it was waited for goes on, unless it is [killed](Command::kill_on_drop), and a task
//! of its runtime fetches its status at its end. Where that runtime is gone, or nobody drives it any more, the next child that is
//! spawned or dropped in this process does so.
//!
//! [`Command::spawn`] itself is a call that lasts until the program runs, as with `std`: from a fraction of a millisecond to some of them.
//!
//! What else `std::process::Command` can do, such as `pre_exec`, is reached through [`Command::as_std_mut`].
//!
//! # Examples
//!
//! ```
//! # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
//! # runtime.block_on(async {
//! use polyloop::io::{AsyncReadExt, AsyncWriteExt};
//! use polyloop::process::Command;
//! use std::process::Stdio;
//!
//! let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//! let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
//! to.write_all(b"hello").await?;
//! drop(to);
//! let mut answer = String::new();
//! from.read_to_string(&mut answer).await?;
//! assert_eq!(answer, "hello");
//! assert!(child.wait().await?.success());
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```

mod child;
mod command;
mod exit;
mod pipes;
mod reap;
#[cfg(test)]
mod tests;

pub use child::Child;
pub use command::Command;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout};
#[doc(no_inline)]
pub use std::process::{ExitStatus, Output, Stdio};
