//! Sockets between processes of one machine.

mod datagram;
mod listener;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use std::os::unix::net::SocketAddr;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use stream::PeerCred;
pub use stream::UnixStream;
