//! Sockets over any reactor: TCP, UDP, Unix, and any other file through [`AsyncFd`].
//!
//! Invariant: an operation is tried first and waits only when the kernel says that it would block; it waits for an
//! event that came after the try, never for one that was there before.
//!
//! A socket belongs to the driver that it was made for, and may be used from any thread and any runtime as long as that
//! driver is driven (C10). Constructors find their driver in the [`Context`] that they are given (`…_on`), or in the one of the
//! runtime that they are called from.
//!
//! Unix only for now: sockets are file descriptors here.

#![forbid(unsafe_code)]

mod accept;
mod addr;
mod async_fd;
mod byte_stream;
mod context;
mod halves;
mod like_std;
mod readiness;
mod stream;
mod tcp;
mod udp;
pub mod unix;
mod watched;

pub use addr::{Resolve, Resolving, Target, ToTarget, lookup_host};
pub use async_fd::{AsyncFd, ReadyGuard};
pub use context::{Context, install};
pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use readiness::{Interest, Ready};
pub use stream::ByteStream;
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
