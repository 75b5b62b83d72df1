//! Traits of byte streams and what is made of them, with tokio's names and semantics.
//!
//! The traits, their extensions and the adapters *are* tokio's (its feature `io-util` holds no runtime), so that a library that was
//! written for `tokio::io::AsyncRead` takes our sockets, and a program changes its `use` lines only. Our sockets speak the
//! traits of `futures-io` as well.
//!
//! What is always ready is bounded all the same: sockets, and what is made here of memory ([`duplex`], [`repeat`], [`sink`] …), take
//! part in the [budget of the poll](crate::task::coop); and [`copy`], [`copy_buf`] and [`copy_bidirectional`] count
//! what they read, so that they let others go whatever they copy between. Another crate's stream that is always ready can
//! be wrapped in [`Budgeted`].
//!
//! # Cancel safety
//!
//! As tokio's: what is read or written in one step (`read`, `read_buf`, `write`, `fill_buf`, `next_line`) is cancel safe; what takes
//! several (`read_exact`, `read_to_end`, `write_all`, `copy`) is not: nobody knows how much was done. Each method says so.
//!
//! # Examples
//!
//! ```
//! # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
//! # runtime.block_on(async {
//! use polyloop::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex};
//!
//! let (mut here, there) = duplex(64);
//! here.write_all(b"one\ntwo\n").await?;
//! drop(here);
//! let mut lines = BufReader::new(there).lines();
//! assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
//! assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
//! assert_eq!(lines.next_line().await?, None);
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```

mod budgeted;
mod copy;
mod memory;
mod stdio;

pub use budgeted::Budgeted;
pub use copy::{copy, copy_bidirectional, copy_bidirectional_with_sizes, copy_buf};
pub use memory::{DuplexStream, Empty, Repeat, SimplexStream, Sink, duplex, empty, repeat, simplex, sink};
pub use polyloop_net::{Interest, Ready};
#[doc(no_inline)]
pub use std::io::{Error, ErrorKind, Result, SeekFrom};
pub use stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};
pub use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufStream, BufWriter, Chain, Join, Lines, ReadBuf, ReadHalf, Split, Take,
    WriteHalf, join, split,
};

/// Files that can be watched.
pub mod unix {
    pub use polyloop_net::{AsyncFd, ReadyGuard as AsyncFdReadyGuard};
}
