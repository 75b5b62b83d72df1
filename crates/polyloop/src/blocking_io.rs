//! What files and standard streams share: jobs on the blocking pool, and the bytes that go to them and fro.
//!
//! Invariant: a job that was begun runs to its end, whatever becomes of who asked for it.

use crate::Handle;
use polyloop_core::JoinError;
use std::io::{self, Read, Write};
use tokio::io::ReadBuf;

/// The most bytes that one job reads or writes.
pub(crate) const MOST: usize = 2 * 1024 * 1024;

/// Runs `job` on the blocking pool of the current runtime.
pub(crate) async fn on_pool<T: Send + 'static>(
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    Handle::try_current()?.spawn_blocking(job).await.map_err(lost)?
}

/// That a job had no end: its runtime has shut down, or there was no thread for it.
pub(crate) fn lost(error: JoinError) -> io::Error {
    if error.is_cancelled() { has_shut_down() } else { error.into() }
}

/// That the runtime takes no more jobs.
pub(crate) fn has_shut_down() -> io::Error {
    io::Error::other("the runtime has shut down, and its blocking pool with it")
}

/// Bytes on their way to a job or from one.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// Never shorter than what it was, so that it is cleared once.
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Buffer {
    pub(crate) fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.end - self.begin
    }

    /// Forgets what there is, and gives the number of bytes.
    pub(crate) fn clear(&mut self) -> usize {
        let forgotten = self.len();
        (self.begin, self.end) = (0, 0);
        forgotten
    }

    /// Moves bytes out.
    pub(crate) fn copy_to(&mut self, to: &mut ReadBuf<'_>) {
        let n = self.len().min(to.remaining());
        to.put_slice(&self.bytes[self.begin..self.begin + n]);
        self.begin += n;
    }

    /// Takes as many of `bytes` as one job may write; the buffer is empty before. The number of bytes taken.
    pub(crate) fn copy_from(&mut self, bytes: &[u8], most: usize) -> usize {
        self.copy_from_all(&[io::IoSlice::new(bytes)], most)
    }

    /// As [`copy_from`](Self::copy_from), from several slices one after the other.
    pub(crate) fn copy_from_all(&mut self, slices: &[io::IoSlice<'_>], most: usize) -> usize {
        debug_assert!(self.is_empty(), "what was read is given back before something is written");
        self.bytes.clear();
        for slice in slices {
            let room = most - self.bytes.len();
            self.bytes.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        (self.begin, self.end) = (0, self.bytes.len());
        self.end
    }

    /// Reads up to `most` bytes, once.
    pub(crate) fn read_from(&mut self, mut reader: impl Read, most: usize) -> io::Result<usize> {
        debug_assert!(self.is_empty(), "what was read is used before more is read");
        if self.bytes.len() < most {
            self.bytes.resize(most, 0);
        }
        let n = loop {
            match reader.read(&mut self.bytes[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        (self.begin, self.end) = (0, n);
        Ok(n)
    }

    /// Writes all of it.
    pub(crate) fn write_to(&mut self, mut writer: impl Write) -> io::Result<()> {
        let written = writer.write_all(&self.bytes[self.begin..self.end]);
        self.clear();
        written
    }
}
