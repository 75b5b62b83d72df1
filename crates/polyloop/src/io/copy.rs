//! Copying between streams, within the budget whatever they are.

use super::Budgeted;
use std::io;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite};

/// Copies what `reader` has to `writer` until the end, flushes, and gives the number of bytes.
///
/// # Errors
///
/// The first error of either.
///
/// # Cancel safety
///
/// Not cancel safe: what was read and not yet written is lost, and nobody knows how much was copied.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::io;
///
/// let mut copied = Vec::new();
/// assert_eq!(io::copy(&mut &b"hello"[..], &mut copied).await?, 5);
/// assert_eq!(copied, b"hello");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub async fn copy<R, W>(reader: &mut R, writer: &mut W) -> io::Result<u64>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    tokio::io::copy(&mut Budgeted::new(reader), writer).await
}

/// As [`copy`], from a reader that has a buffer, without another one.
///
/// # Errors
///
/// As there.
///
/// # Cancel safety
///
/// Not cancel safe: nobody knows how much was copied. What was not written stays in the reader's buffer.
pub async fn copy_buf<R, W>(reader: &mut R, writer: &mut W) -> io::Result<u64>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    tokio::io::copy_buf(&mut Budgeted::new(reader), writer).await
}

/// Copies in both directions until both have ended, each ended by [`shutdown`](tokio::io::AsyncWriteExt::shutdown) at the other
/// side; the number of bytes from `a` to `b` and from `b` to `a`. A proxy's whole work.
///
/// # Errors
///
/// The first error of either.
///
/// # Cancel safety
///
/// Not cancel safe, as [`copy`].
pub async fn copy_bidirectional<A, B>(a: &mut A, b: &mut B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    tokio::io::copy_bidirectional(&mut Budgeted::new(a), &mut Budgeted::new(b)).await
}

/// As [`copy_bidirectional`], with buffers of so many bytes.
///
/// # Errors
///
/// As there.
///
/// # Cancel safety
///
/// As there.
pub async fn copy_bidirectional_with_sizes<A, B>(
    a: &mut A,
    b: &mut B,
    a_to_b: usize,
    b_to_a: usize,
) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    let (mut a, mut b) = (Budgeted::new(a), Budgeted::new(b));
    tokio::io::copy_bidirectional_with_sizes(&mut a, &mut b, a_to_b, b_to_a).await
}
