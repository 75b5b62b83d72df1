//! An open file.
//!
//! Invariant: at most one job that changes the file or its cursor is under way, and they are in the order in which they were asked
//! for. While none is, the kernel's cursor stands behind what was read ahead, and by [`Inner::owed`] behind that; a job that does
//! something else than read takes it back first, and says whether it has.

use super::OpenOptions;
use crate::Handle;
use crate::blocking_io::{Buffer, MOST, lost, on_pool};
use crate::sync::Mutex;
use crate::task::coop::poll_proceed;
use polyloop_core::JoinHandle;
use std::fmt;
use std::fs::{File as Std, Metadata, Permissions};
use std::future::{Future, poll_fn};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

/// An open file, read and written by [`AsyncReadExt`](crate::io::AsyncReadExt), [`AsyncWriteExt`](crate::io::AsyncWriteExt) and
/// [`AsyncSeekExt`](crate::io::AsyncSeekExt).
///
/// It belongs to no runtime: each call is a job of the runtime that it is made on. If that shuts down in the middle, the call is an
/// error, and the next one may be made on another.
///
/// **A write is ready as soon as its bytes are taken over**, up to 2 MiB at a time, and the job that writes them goes on by itself;
/// its error is that of the next call. [`flush`](crate::io::AsyncWriteExt::flush) waits for it. Dropping the file closes it once
/// the job has ended, and its error is lost: flush before. A runtime that ends goes on with such jobs, and
/// [waits for them](crate::Runtime).
///
/// # Cancel safety
///
/// Reading: cancel safe; a job that was begun goes on, and what it read is there for the next read. Writing: a `write` that was not
/// ready has taken nothing; what was taken is written. Seeking: a seek that was begun goes on, so one from the current position that
/// is made again moves twice.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::fs::{self, File};
/// use polyloop::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
///
/// let path = std::env::temp_dir().join(format!("polyloop-doc-file-{}", std::process::id()));
/// let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&path).await?;
/// file.write_all(b"hello, file").await?;
/// file.seek(SeekFrom::Start(7)).await?;
/// let mut rest = String::new();
/// file.read_to_string(&mut rest).await?;
/// assert_eq!(rest, "file");
/// # fs::remove_file(path).await
/// # }).unwrap();
/// ```
pub struct File {
    std: Arc<Std>,
    inner: Mutex<Inner>,
    most: usize,
}

struct Inner {
    state: State,
    /// How many bytes were read and not used, and are not there any more: so far the kernel's cursor must go back.
    owed: u64,
    /// That of a write which nobody has heard of.
    failed: Option<io::Error>,
    /// Where the last seek went.
    position: u64,
}

enum State {
    /// What was read ahead.
    Idle(Buffer),
    Busy(JoinHandle<Ended>),
}

/// What a job leaves behind.
struct Ended {
    done: Done,
    buffer: Buffer,
    owed: u64,
}

/// What a job has done.
enum Done {
    Read(io::Result<usize>),
    Wrote(io::Result<()>),
    Sought(io::Result<u64>),
    Resized(io::Result<()>),
    Cloned(io::Result<Std>),
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// What was begun runs to its end, and a file that was opened is closed.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Opens a file for writing, which is made, or whose content is lost.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// What was begun runs to its end, and a file that was opened is closed.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Makes a file, which must be missing, and opens it for reading and writing.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; otherwise as all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// What was begun runs to its end, and a file that was opened is closed.
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path).await
    }

    /// Says how a file is to be opened.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes a file of the standard library over; here no runtime is needed.
    pub fn from_std(std: Std) -> Self {
        let inner = Inner { state: State::Idle(Buffer::default()), owed: 0, failed: None, position: 0 };
        Self { std: Arc::new(std), inner: Mutex::new(inner), most: MOST }
    }

    /// Waits for what was written.
    async fn settled(&self) -> crate::sync::MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().await;
        poll_fn(|cx| inner.poll_settle(cx)).await;
        inner
    }

    /// Waits until what was written is on the disk, and what is known of the file.
    ///
    /// # Errors
    ///
    /// As all of [this module](super), also of a write before.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn sync_all(&self) -> io::Result<()> {
        self.after_writes(|std| std.sync_all()).await
    }

    /// As [`sync_all`](Self::sync_all), without what does not matter for reading, such as the time of the last change.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn sync_data(&self) -> io::Result<()> {
        self.after_writes(|std| std.sync_data()).await
    }

    async fn after_writes(
        &self,
        job: impl FnOnce(&Std) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let mut inner = self.settled().await;
        if let Some(error) = inner.failed.take() {
            return Err(error);
        }
        let std = Arc::clone(&self.std);
        on_pool(move || job(&std)).await
    }

    /// Cuts the file off, or fills it up with zeros.
    ///
    /// # Errors
    ///
    /// As all of [this module](super), also of a write before.
    ///
    /// # Cancel safety
    ///
    /// What was begun runs to its end.
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        let mut inner = self.settled().await;
        if let Some(error) = inner.failed.take() {
            return Err(error);
        }
        inner.begin(&self.std, move |std, buffer, owed| {
            // What was read ahead is of the file as it was.
            Done::Resized(rewind(std, buffer, owed).and_then(|()| std.set_len(size)))
        })?;
        match inner.done().await? {
            Done::Resized(result) => result,
            _ => unreachable!("the lock keeps other jobs away"),
        }
    }

    /// What is known of the file.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        drop(self.settled().await);
        let std = Arc::clone(&self.std);
        on_pool(move || std.metadata()).await
    }

    /// Sets the file's permissions.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// What was begun runs to its end.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        let std = Arc::clone(&self.std);
        on_pool(move || std.set_permissions(permissions)).await
    }

    /// Another handle to the same open file, with one cursor for both: where the next read of this one would have begun. What either
    /// of them reads ahead later the other does not see.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn try_clone(&self) -> io::Result<Self> {
        let mut inner = self.settled().await;
        inner.begin(&self.std, |std, buffer, owed| {
            // What cannot be sought has no cursor to share.
            let _ = rewind(std, buffer, owed);
            Done::Cloned(std.try_clone())
        })?;
        match inner.done().await? {
            Done::Cloned(result) => result.map(Self::from_std),
            _ => unreachable!("the lock keeps other jobs away"),
        }
    }

    /// Gives the file back to the standard library, after what was written, with its cursor where the next read would have begun.
    ///
    /// The error of a write that nobody has heard of is lost: flush before.
    ///
    /// # Panics
    ///
    /// If a job of a runtime that has shut down still holds the file, and the kernel gives no other handle to it.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the file is closed.
    pub async fn into_std(self) -> Std {
        drop(self.settled().await);
        let Self { std, mut inner, .. } = self;
        inner.get_mut().rewind_here(&std);
        Arc::try_unwrap(std).unwrap_or_else(|held| match held.try_clone() {
            Ok(other) => other,
            Err(error) => panic!("a job still holds the file, and there is no other handle to it: {error}"),
        })
    }

    /// As [`into_std`](Self::into_std), at once.
    ///
    /// # Errors
    ///
    /// The file, while a job of it is under way.
    pub fn try_into_std(mut self) -> Result<Std, Self> {
        let is_held = Arc::get_mut(&mut self.std).is_none();
        // A job lets the file go before it says what it has read, and nobody may have asked.
        if is_held || self.inner.get_mut().poll_settle(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Err(self);
        }
        let Self { std, mut inner, most } = self;
        inner.get_mut().rewind_here(&std);
        Arc::try_unwrap(std).map_err(|std| Self { std, inner, most })
    }

    /// The most bytes that one job reads or writes, and so the size of the buffer; 2 MiB unless said, at least 1.
    pub fn set_max_buf_size(&mut self, bytes: usize) {
        self.most = bytes.max(1);
    }

    /// The most bytes that one job reads or writes.
    pub fn max_buf_size(&self) -> usize {
        self.most
    }
}

impl Inner {
    /// Begins a job, which finds what was read ahead, and how far the cursor is beyond that.
    fn begin(
        &mut self,
        std: &Arc<Std>,
        job: impl FnOnce(&Std, &mut Buffer, &mut u64) -> Done + Send + 'static,
    ) -> io::Result<()> {
        let handle = Handle::try_current()?;
        let buffer = self.take_buffer();
        let ahead = buffer.len() as u64;
        self.state = State::Busy(handle.spawn_blocking(job_of(Arc::clone(std), buffer, self.owed, job)));
        // It is told what is owed, if it runs; what was read ahead is lost with a job that does not.
        self.owed += ahead;
        Ok(())
    }

    fn take_buffer(&mut self) -> Buffer {
        match &mut self.state {
            State::Idle(buffer) => std::mem::take(buffer),
            State::Busy(_) => unreachable!("a file does one thing at a time"),
        }
    }

    /// What the job that is under way has done; `None` if none is.
    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Done>>> {
        let State::Busy(job) = &mut self.state else { return Poll::Ready(None) };
        let ended = ready!(Pin::new(job).poll(cx));
        self.state = State::Idle(Buffer::default());
        let done = ended.map_err(lost).map(|Ended { done, buffer, owed }| {
            self.state = State::Idle(buffer);
            self.owed = owed;
            done
        });
        if let Ok(Done::Sought(Ok(position))) = &done {
            self.position = *position;
        }
        Poll::Ready(Some(done))
    }

    /// What the job that was just begun has done.
    async fn done(&mut self) -> io::Result<Done> {
        let done = poll_fn(|cx| self.poll_done(cx)).await;
        done.unwrap_or_else(|| unreachable!("it was just begun"))
    }

    /// Waits for the job that is under way. The error of a write is kept.
    fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // An error of a read or a seek belongs to whoever gave it up; what was lost may have been a write.
        if let Some(Ok(Done::Wrote(Err(error))) | Err(error)) = ready!(self.poll_done(cx)) {
            self.failed = Some(error);
        }
        Poll::Ready(())
    }

    /// What was read ahead.
    fn ahead(&mut self) -> Option<&mut Buffer> {
        match &mut self.state {
            State::Idle(buffer) => Some(buffer),
            State::Busy(_) => None,
        }
    }

    /// As [`rewind`] on the calling thread, which a seek does not keep waiting for the disk.
    fn rewind_here(&mut self, std: &Std) {
        if let State::Idle(buffer) = &mut self.state {
            // What cannot be sought goes on where it is.
            let _ = rewind(std, buffer, &mut self.owed);
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        std: &Arc<Std>,
        fill: impl FnOnce(&mut Buffer) -> usize,
    ) -> Poll<io::Result<usize>> {
        let operation = ready!(poll_proceed(cx));
        ready!(self.poll_settle(cx));
        operation.made_progress();
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        // Before anything is taken over.
        let handle = Handle::try_current()?;
        let mut buffer = self.take_buffer();
        self.owed += buffer.clear() as u64;
        let n = fill(&mut buffer);
        let job = job_of(Arc::clone(std), buffer, self.owed, |std, buffer, owed| {
            Done::Wrote(step_back(std, owed).and_then(|()| buffer.write_to(std)))
        });
        // Whoever hears that it is written need not wait for that.
        self.state = State::Busy(handle.spawn_mandatory("write to a file", job)?);
        Poll::Ready(Ok(n))
    }
}

/// What a thread of the pool runs.
fn job_of(
    std: Arc<Std>,
    mut buffer: Buffer,
    mut owed: u64,
    job: impl FnOnce(&Std, &mut Buffer, &mut u64) -> Done + Send + 'static,
) -> impl FnOnce() -> Ended + Send + 'static {
    move || {
        let done = job(&std, &mut buffer, &mut owed);
        // The file is let go before whoever waits hears of the end.
        drop(std);
        Ended { done, buffer, owed }
    }
}

/// Takes the kernel's cursor back by what is owed.
fn step_back(mut std: &Std, owed: &mut u64) -> io::Result<()> {
    let Ok(by) = i64::try_from(*owed) else { return Err(io::ErrorKind::InvalidInput.into()) };
    if by == 0 {
        return Ok(());
    }
    let stepped = std.seek(SeekFrom::Current(-by)).map(drop);
    // What has no cursor owes nothing any more: it is said once, and then it goes on.
    if stepped.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::NotSeekable) {
        *owed = 0;
    }
    stepped
}

/// Takes the kernel's cursor back to where the reader is, and then forgets what was read ahead.
fn rewind(std: &Std, ahead: &mut Buffer, owed: &mut u64) -> io::Result<()> {
    step_back(std, &mut (*owed + ahead.len() as u64))?;
    ahead.clear();
    *owed = 0;
    Ok(())
}

impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let operation = ready!(poll_proceed(cx));
        let most = to.remaining().min(self.most);
        let Self { std, inner, .. } = &mut *self;
        let inner = inner.get_mut();
        let read = loop {
            if let Some(ahead) = inner.ahead()
                && (!ahead.is_empty() || most == 0)
            {
                ahead.copy_to(to);
                break Ok(());
            }
            match ready!(inner.poll_done(cx)) {
                // The end, or else the bytes are found in the next round.
                Some(Ok(Done::Read(Ok(0)))) => break Ok(()),
                Some(Ok(Done::Read(Err(error))) | Err(error)) => break Err(error),
                Some(Ok(Done::Wrote(Err(error)))) => {
                    inner.failed = Some(error);
                    continue;
                }
                Some(Ok(_)) => continue,
                None => {}
            }
            let begun = inner.begin(std, move |std, buffer, owed| {
                Done::Read(step_back(std, owed).and_then(|()| buffer.read_from(std, most)))
            });
            if let Err(error) = begun {
                break Err(error);
            }
        };
        operation.made_progress();
        Poll::Ready(read)
    }
}

impl AsyncWrite for File {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { std, inner, most } = &mut *self;
        inner.get_mut().poll_write(cx, std, |buffer| buffer.copy_from(bytes, *most))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { std, inner, most } = &mut *self;
        inner.get_mut().poll_write(cx, std, |buffer| buffer.copy_from_all(slices, *most))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Waits until the bytes are with the kernel; [`File::sync_all`] waits for the disk.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = self.inner.get_mut();
        ready!(inner.poll_settle(cx));
        Poll::Ready(inner.failed.take().map_or(Ok(()), Err))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncSeek for File {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let Self { std, inner, .. } = &mut *self;
        let inner = inner.get_mut();
        if inner.ahead().is_none() {
            return Err(io::Error::other("the file is busy: call `poll_complete` before `start_seek`"));
        }
        inner.begin(std, move |mut std, ahead, owed| {
            Done::Sought(match to {
                SeekFrom::Current(_) => rewind(std, ahead, owed).and_then(|()| std.seek(to)),
                // The cursor goes somewhere else anyway.
                SeekFrom::Start(_) | SeekFrom::End(_) => std.seek(to).inspect(|_| {
                    ahead.clear();
                    *owed = 0;
                }),
            })
        })
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let operation = ready!(poll_proceed(cx));
        let inner = self.inner.get_mut();
        let done = ready!(inner.poll_done(cx));
        operation.made_progress();
        Poll::Ready(match done {
            Some(Ok(Done::Sought(result))) => result,
            Some(Ok(Done::Wrote(Err(error)))) => {
                inner.failed = Some(error);
                Ok(inner.position)
            }
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Ok(inner.position),
        })
    }
}

impl From<Std> for File {
    fn from(std: Std) -> Self {
        Self::from_std(std)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("std", &self.std).finish()
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for File {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.std.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for File {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&*self.std)
    }
}
