//! Sockets between processes of one machine, and pipes.

mod datagram;
mod listener;
pub mod pipe;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use std::os::unix::net::SocketAddr;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use stream::PeerCred;
pub use stream::UnixStream;
