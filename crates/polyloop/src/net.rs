//! Sockets on the current runtime; the same types whatever its reactor is.

pub use polyloop_net::{
    AsyncFd, ByteStream, Context, Interest, OwnedReadHalf, OwnedWriteHalf, ReadHalf, Ready, ReadyGuard,
    ReuniteError, TcpListener, TcpSocket, TcpStream, ToTarget, UdpSocket, WriteHalf, lookup_host, unix,
};

use crate::Handle;
use polyloop_blocking::BlockingPool;
use polyloop_net::{Resolve, Resolving};
use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;

/// Looks names up by the system's resolver, which blocks, on the blocking pool.
pub(crate) struct SystemResolver(pub(crate) Arc<BlockingPool>);

impl Resolve for SystemResolver {
    fn resolve(&self, host: String, port: u16) -> Resolving {
        let lookup = self.0.spawn(move || (host.as_str(), port).to_socket_addrs().map(Vec::from_iter));
        Box::pin(async move { lookup.await.map_err(io::Error::from)? })
    }
}

/// The context of the runtime that the calling code runs on, for the socket types.
pub(crate) fn current() -> io::Result<Context> {
    Ok(Handle::try_current()?.net_context().clone())
}
