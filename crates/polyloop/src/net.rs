//! Sockets on the current runtime; the same types whatever its reactor is.

/// [`ToTarget`] by the name that it has in tokio.
pub use polyloop_net::ToTarget as ToSocketAddrs;
pub use polyloop_net::{
    AsyncFd, ByteStream, Context, Interest, OwnedReadHalf, OwnedWriteHalf, ReadHalf, Ready, ReadyGuard,
    Resolve, Resolving, ReuniteError, TcpListener, TcpSocket, TcpStream, ToTarget, UdpSocket, WriteHalf,
    lookup_host,
};
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};

/// TCP, with the names that its parts have in tokio.
pub mod tcp {
    pub use polyloop_net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
}

/// Unix sockets and pipes, with the names that their parts have in tokio.
#[cfg(unix)]
pub mod unix {
    pub use polyloop_net::unix::*;

    /// The reading half of a borrowed stream.
    pub type ReadHalf<'a> = super::ReadHalf<'a, UnixStream>;
    /// The writing half of a borrowed stream.
    pub type WriteHalf<'a> = super::WriteHalf<'a, UnixStream>;
    /// The reading half of a stream.
    pub type OwnedReadHalf = super::OwnedReadHalf<UnixStream>;
    /// The writing half of a stream. Dropping it ends writing, so that the peer reads to the end.
    pub type OwnedWriteHalf = super::OwnedWriteHalf<UnixStream>;
    /// The halves are of different streams; they come back.
    pub type ReuniteError = super::ReuniteError<UnixStream>;
}

use crate::Handle;
use polyloop_blocking::BlockingPool;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as ToStdAddrs};
use std::sync::Arc;

/// A function that looks a name up and blocks meanwhile.
type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// How a runtime turns names into addresses.
#[derive(Clone)]
pub(crate) enum Names {
    /// By a function that blocks, on the runtime's blocking pool.
    Blocking(Arc<Lookup>),
    /// By something that does not block.
    Async(Arc<dyn Resolve>),
}

impl Names {
    /// The resolver of a runtime with this pool.
    pub(crate) fn resolver(self, pool: &Arc<BlockingPool>) -> Arc<dyn Resolve> {
        match self {
            Self::Blocking(lookup) => Arc::new(BlockingResolver { lookup, pool: Arc::clone(pool) }),
            Self::Async(resolver) => resolver,
        }
    }
}

/// The system's resolver, which blocks.
impl Default for Names {
    fn default() -> Self {
        Self::Blocking(Arc::new(|host, port| ToStdAddrs::to_socket_addrs(&(host, port)).map(Vec::from_iter)))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking(_) => "Blocking",
            Self::Async(_) => "Async",
        })
    }
}

struct BlockingResolver {
    lookup: Arc<Lookup>,
    pool: Arc<BlockingPool>,
}

impl Resolve for BlockingResolver {
    fn resolve(&self, host: String, port: u16) -> Resolving {
        let lookup = Arc::clone(&self.lookup);
        let answer = self.pool.spawn(move || lookup(&host, port));
        Box::pin(async move { answer.await.map_err(io::Error::from)? })
    }
}

/// The context of the runtime that the calling code runs on, for the socket types.
pub(crate) fn current() -> io::Result<Context> {
    Ok(Handle::try_current()?.net_context().clone())
}
