//! Streams that are made of memory, or of nothing. They are tokio's, each within the budget.

use super::Budgeted;
use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io as inner;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};

/// A type that is one of tokio's within the budget, and the traits that it has.
macro_rules! within_budget {
    ($(#[$doc:meta])* $outer:ident: $($trait:ident),*) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $outer(Budgeted<inner::$outer>);

        $(within_budget!(@$trait $outer);)*
    };
    (@AsyncRead $outer:ident) => {
        impl AsyncRead for $outer {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_read(cx, buffer)
            }
        }
    };
    (@AsyncBufRead $outer:ident) => {
        impl AsyncBufRead for $outer {
            fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
                Pin::new(&mut self.get_mut().0).poll_fill_buf(cx)
            }

            fn consume(mut self: Pin<&mut Self>, n: usize) {
                Pin::new(&mut self.0).consume(n);
            }
        }
    };
    (@AsyncWrite $outer:ident) => {
        impl AsyncWrite for $outer {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.0).poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.0).poll_write_vectored(cx, bytes)
            }

            fn is_write_vectored(&self) -> bool {
                self.0.is_write_vectored()
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_flush(cx)
            }

            fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_shutdown(cx)
            }
        }
    };
    (@AsyncSeek $outer:ident) => {
        impl AsyncSeek for $outer {
            fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
                Pin::new(&mut self.0).start_seek(position)
            }

            fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
                Pin::new(&mut self.0).poll_complete(cx)
            }
        }
    };
}

within_budget! {
    /// One end of a pipe of memory; see [`duplex`].
    DuplexStream: AsyncRead, AsyncWrite
}

within_budget! {
    /// A pipe of memory in one direction; see [`simplex`].
    SimplexStream: AsyncRead, AsyncWrite
}

within_budget! {
    /// Always at its end, and takes whatever is written; see [`empty`].
    Empty: AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek
}

within_budget! {
    /// One byte for ever; see [`repeat`].
    Repeat: AsyncRead
}

within_budget! {
    /// Takes whatever is written; see [`sink`].
    Sink: AsyncWrite
}

/// Two ends of a connection in memory; each direction holds up to `max_buf_size` bytes. Dropping an end ends its writing, and
/// writing to it is `BrokenPipe`.
///
/// # Panics
///
/// If `max_buf_size` is zero.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::io::{AsyncReadExt, AsyncWriteExt, duplex};
///
/// let (mut client, mut server) = duplex(16);
/// client.write_all(b"ping").await?;
/// let mut word = [0; 4];
/// server.read_exact(&mut word).await?;
/// assert_eq!(&word, b"ping");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn duplex(max_buf_size: usize) -> (DuplexStream, DuplexStream) {
    let (one, other) = inner::duplex(max_buf_size);
    (DuplexStream(Budgeted::new(one)), DuplexStream(Budgeted::new(other)))
}

/// A pipe in memory, which holds up to `max_buf_size` bytes.
///
/// # Panics
///
/// If `max_buf_size` is zero.
#[track_caller]
pub fn simplex(max_buf_size: usize) -> (ReadHalf<SimplexStream>, WriteHalf<SimplexStream>) {
    inner::split(SimplexStream::new_unsplit(max_buf_size))
}

impl SimplexStream {
    /// As [`simplex`], both ends in one.
    ///
    /// # Panics
    ///
    /// If `max_buf_size` is zero.
    #[track_caller]
    pub fn new_unsplit(max_buf_size: usize) -> Self {
        Self(Budgeted::new(inner::SimplexStream::new_unsplit(max_buf_size)))
    }
}

/// A stream that is at its end, and takes whatever is written to it.
pub fn empty() -> Empty {
    Empty(Budgeted::new(inner::empty()))
}

/// A stream of one byte that never ends.
pub fn repeat(byte: u8) -> Repeat {
    Repeat(Budgeted::new(inner::repeat(byte)))
}

/// Takes whatever is written to it.
pub fn sink() -> Sink {
    Sink(Budgeted::new(inner::sink()))
}
