//! zbus's `Runtime` for [`Handle`] (feature `zbus`, of zbus 6), so that D-Bus runs by our sockets, timers and tasks.
//!
//! Hand it to `connection::Builder::runtime`, and take zbus without its default features, of which one is a runtime of its own.
//!
//! # Examples
//!
//! ```no_run
//! # #[polyloop::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connection = zbus::connection::Builder::session().runtime(polyloop::Handle::current()).build().await?;
//! println!("{:?}", connection.unique_name());
//! # Ok(())
//! # }
//! ```

use crate::Handle;
use crate::net::unix::UnixStream;
use crate::net::{AsyncFd, TcpStream};
use crate::process;
use crate::time::Sleep;
use ::zbus::runtime::traits::{PollIo, Runtime, TaskHandle};
use ::zbus::runtime::{Interest, IoSource};
use polyloop_core::{JoinError, JoinHandle, Meta};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::panic::{Location, resume_unwind};
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

impl Runtime for Handle {
    type RegisteredIoSource = Watched;
    type Sleep = Sleep;
    type Task<T: Send + 'static> = Task<T>;

    fn register_io_source(&self, source: IoSource) -> io::Result<Watched> {
        AsyncFd::new_on(self.net_context(), source).map(Watched)
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::after(self, duration)
    }

    fn spawn<T>(&self, name: &str, future: impl Future<Output = T> + Send + 'static) -> Task<T>
    where
        T: Send + 'static,
    {
        let mut meta = Meta::new(Location::caller());
        meta.name = Some(name.into());
        Task(Some(self.spawn_with(future, meta)))
    }

    async fn connect_tcp(&self, address: SocketAddr) -> io::Result<IoSource> {
        let stream = TcpStream::connect_on(self.net_context(), address).await?;
        Ok(OwnedFd::from(stream.into_std()?).into())
    }

    async fn connect_unix(&self, path: &Path) -> io::Result<IoSource> {
        let stream = UnixStream::connect_on(self.net_context(), path).await?;
        Ok(OwnedFd::from(stream.into_std()?).into())
    }

    fn spawn_process(
        &self,
        command: Command,
        stdin: Stdio,
        stdout: Stdio,
        stderr: Stdio,
    ) -> io::Result<Pin<Box<dyn Future<Output = io::Result<ExitStatus>> + Send>>> {
        let _on_this_runtime = self.enter();
        // Nothing of it is kept: whoever reads what the process writes waits for the last copy of its pipe.
        let mut child = process::Command::from(command).stdin(stdin).stdout(stdout).stderr(stderr).spawn()?;
        Ok(Box::pin(async move { child.wait().await }))
    }

    fn spawn_blocking<T>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = T> + Send>>
    where
        T: Send + 'static,
    {
        let job = Self::spawn_blocking(self, work);
        Box::pin(async move {
            match job.await.map_err(JoinError::try_into_panic) {
                Ok(output) => output,
                Err(Ok(panic)) => resume_unwind(panic),
                Err(Err(error)) => panic!("zbus's blocking work was not done: {error}"),
            }
        })
    }
}

/// A file of zbus's that the runtime watches.
#[derive(Debug)]
pub struct Watched(AsyncFd<IoSource>);

impl PollIo for Watched {
    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        match interest {
            Interest::Readable => self.0.poll_read_with(cx, |_| operation()),
            Interest::Writable => self.0.poll_write_with(cx, |_| operation()),
            _ => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a file is watched for reading and writing",
            ))),
        }
    }
}

/// A task of zbus's. Dropping it ends the task.
#[derive(Debug)]
pub struct Task<T>(Option<JoinHandle<T>>);

impl<T> Future for Task<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match &mut self.0 {
            Some(task) => Pin::new(task).poll(cx).map_err(io::Error::from),
            None => unreachable!("only what consumes the handle takes the task out"),
        }
    }
}

impl<T: Send + 'static> TaskHandle<T> for Task<T> {
    fn detach(mut self) {
        self.0 = None;
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
