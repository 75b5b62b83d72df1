//! What is in a directory.
//!
//! Invariant: entries come in the kernel's order, each once, also if a wait for one is given up: the job that fetches is kept, and
//! with it what it fetches.

use crate::Handle;
use crate::blocking_io::{lost, on_pool};
use crate::task::coop::poll_proceed;
use polyloop_core::JoinHandle;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{FileType, Metadata};
use std::future::{Future, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// How many entries one job fetches.
const CHUNK: usize = 32;

/// What is in the directory at `path`.
///
/// # Errors
///
/// As all of [this module](super).
///
/// # Cancel safety
///
/// Cancel safe.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// let mut entries = polyloop::fs::read_dir("/").await?;
/// let mut count = 0;
/// while let Some(entry) = entries.next_entry().await? {
///     assert!(entry.path().is_absolute());
///     count += 1;
/// }
/// assert!(count > 0);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    let chunk = on_pool(move || Ok(Chunk::of(std::fs::read_dir(path)?).filled())).await?;
    Ok(ReadDir { state: State::Idle(chunk) })
}

/// Entries of a directory; see [`read_dir`].
#[must_use = "entries come one by one, by `next_entry`"]
pub struct ReadDir {
    state: State,
}

enum State {
    Idle(Chunk),
    Fetching(JoinHandle<Chunk>),
    /// A job was lost, and the rest with it.
    Lost,
}

/// Entries that were fetched, and where more come from.
struct Chunk {
    entries: VecDeque<io::Result<DirEntry>>,
    more: Option<std::fs::ReadDir>,
}

impl Chunk {
    fn of(entries: std::fs::ReadDir) -> Self {
        Self { entries: VecDeque::new(), more: Some(entries) }
    }

    /// With as many entries as one job fetches.
    fn filled(mut self) -> Self {
        while self.entries.len() < CHUNK
            && let Some(more) = &mut self.more
        {
            match more.next() {
                None => self.more = None,
                Some(Ok(std)) => {
                    // Known from the listing, on most systems without another call.
                    let file_type = std.file_type().ok();
                    self.entries.push_back(Ok(DirEntry { std: Arc::new(std), file_type }));
                }
                Some(Err(error)) => self.entries.push_back(Err(error)),
            }
        }
        self
    }
}

impl ReadDir {
    /// The next entry, in no particular order; `None` after the last one.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// As [`next_entry`](Self::next_entry).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        let operation = ready!(poll_proceed(cx));
        let entry = loop {
            match &mut self.state {
                State::Idle(chunk) => {
                    if let Some(entry) = chunk.entries.pop_front() {
                        break entry.map(Some);
                    }
                    let Some(more) = chunk.more.take() else { break Ok(None) };
                    match Handle::try_current() {
                        Ok(handle) => {
                            let job = handle.spawn_blocking(move || Chunk::of(more).filled());
                            self.state = State::Fetching(job);
                        }
                        Err(error) => {
                            // For a poll within a runtime.
                            chunk.more = Some(more);
                            break Err(error.into());
                        }
                    }
                }
                State::Fetching(job) => match ready!(Pin::new(job).poll(cx)) {
                    Ok(chunk) => self.state = State::Idle(chunk),
                    Err(error) => {
                        self.state = State::Lost;
                        break Err(lost(error));
                    }
                },
                State::Lost => break Ok(None),
            }
        };
        operation.made_progress();
        Poll::Ready(entry)
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadDir")
    }
}

/// An entry of a directory.
#[derive(Clone)]
pub struct DirEntry {
    std: Arc<std::fs::DirEntry>,
    file_type: Option<FileType>,
}

impl DirEntry {
    /// The path: that of the directory, and the name.
    pub fn path(&self) -> PathBuf {
        self.std.path()
    }

    /// The name.
    pub fn file_name(&self) -> OsString {
        self.std.file_name()
    }

    /// What is known of it; links are not followed.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let std = Arc::clone(&self.std);
        on_pool(move || std.metadata()).await
    }

    /// Whether it is a file, a directory, a link, or something else.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let std = Arc::clone(&self.std);
        on_pool(move || std.file_type()).await
    }

    /// The number of its inode.
    #[cfg(unix)]
    pub fn ino(&self) -> u64 {
        std::os::unix::fs::DirEntryExt::ino(&*self.std)
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
