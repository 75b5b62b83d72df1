//! What both kinds of byte stream can do.

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, recv};
use std::io;
use std::os::fd::AsFd;

/// How much a full buffer grows by.
const GROWTH: usize = 1024;

/// How many bytes can be appended.
pub(crate) fn make_room(buffer: &mut Vec<u8>) -> usize {
    if buffer.len() == buffer.capacity() {
        buffer.reserve(GROWTH);
    }
    buffer.capacity() - buffer.len()
}

/// Receives into the spare capacity.
pub(crate) fn append(socket: &impl AsFd, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let (received, _) = recv(socket, spare_capacity(buffer), RecvFlags::empty())?;
    Ok(received)
}

/// The methods and traits of a byte stream. The type has a field `watched`.
macro_rules! byte_stream {
    ($stream:ident) => {
        impl $stream {
            /// Reads what is there, up to the length of `buffer`; 0 bytes mean the end, or an empty buffer.
            ///
            /// # Errors
            ///
            /// The kernel's word, or that the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: nothing is read if the future is dropped before it is ready.
            pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.watched.read(buffer.len(), |mut socket| socket.read(buffer)).await
            }

            /// As [`read`](Self::read), into several buffers one after the other.
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let room = buffers.iter().map(|buffer| buffer.len()).sum();
                self.watched.read(room, |mut socket| socket.read_vectored(buffers)).await
            }

            /// Fills `buffer`, and gives its length.
            ///
            /// # Errors
            ///
            /// `UnexpectedEof` if the stream ends before; otherwise as for [`read`](Self::read).
            ///
            /// # Cancel safety
            ///
            /// Not cancel safe: what was read before is in the buffer, and nobody knows how much.
            pub async fn read_exact(&self, buffer: &mut [u8]) -> io::Result<usize> {
                let mut filled = 0;
                while filled < buffer.len() {
                    match self.read(&mut buffer[filled..]).await? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        n => filled += n,
                    }
                }
                Ok(filled)
            }

            /// Writes as much of `bytes` as the kernel takes.
            ///
            /// # Errors
            ///
            /// The kernel's word, or that the runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: nothing is written if the future is dropped before it is ready.
            pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.watched.write(bytes.len(), |mut socket| socket.write(bytes)).await
            }

            /// As [`write`](Self::write), from several buffers one after the other.
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn write_vectored(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                let length = bytes.iter().map(|bytes| bytes.len()).sum();
                self.watched.write(length, |mut socket| socket.write_vectored(bytes)).await
            }

            /// Writes all of `bytes`.
            ///
            /// # Errors
            ///
            /// As for [`write`](Self::write).
            ///
            /// # Cancel safety
            ///
            /// Not cancel safe: nobody knows how much was written.
            pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
                while !bytes.is_empty() {
                    match self.write(bytes).await? {
                        0 => return Err(io::ErrorKind::WriteZero.into()),
                        n => bytes = &bytes[n..],
                    }
                }
                Ok(())
            }

            /// Reads now.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is nothing; then [`readable`](Self::readable) waits for more.
            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.watched.try_io(Direction::Read, |mut socket| socket.read(buffer))
            }

            /// As [`try_read`](Self::try_read), into several buffers one after the other.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.watched.try_io(Direction::Read, |mut socket| socket.read_vectored(buffers))
            }

            /// As [`read`](Self::read), but appends to `buffer`, as much as its spare capacity holds. A full one grows.
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: nothing is read if the future is dropped before it is ready.
            pub async fn read_append(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                let room = make_room(buffer);
                self.watched.read(room, |socket| socket.append(buffer)).await
            }

            /// As [`try_read`](Self::try_read), but appends to `buffer`, as much as its spare capacity holds. A full one grows.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_read_buf(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                make_room(buffer);
                self.watched.try_io(Direction::Read, |socket| append(socket, buffer))
            }

            /// Writes now.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is no room; then [`writable`](Self::writable) waits for some.
            pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.watched.try_io(Direction::Write, |mut socket| socket.write(bytes))
            }

            /// As [`try_write`](Self::try_write), from several buffers one after the other.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_write_vectored(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                self.watched.try_io(Direction::Write, |mut socket| socket.write_vectored(bytes))
            }

            /// As [`readable`](Self::readable). Of several tasks that poll, the last one is woken.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn poll_read_ready(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
                self.watched.poll_ready(cx, Direction::Read)
            }

            /// As [`writable`](Self::writable). Of several tasks that poll, the last one is woken.
            ///
            /// # Errors
            ///
            /// As there.
            pub fn poll_write_ready(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
                self.watched.poll_ready(cx, Direction::Write)
            }

            /// Ends writing, so that the peer reads to the end; this side may still read. No error if the peer is gone already.
            ///
            /// Ready at once: what was written is with the kernel already.
            ///
            /// # Errors
            ///
            /// The kernel's word.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn shutdown(&self) -> io::Result<()> {
                ByteStream::end_writing(self)
            }

            /// Ends reading, writing or both. After writing has ended the peer reads to the end; this side may still read.
            ///
            /// # Errors
            ///
            /// The kernel's word.
            pub fn shut_down(&self, how: Shutdown) -> io::Result<()> {
                self.watched.get().shutdown(how)
            }

            /// Takes the error that is pending on the socket, if there is one.
            ///
            /// # Errors
            ///
            /// The kernel's word.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.watched.get().take_error()
            }

            /// Splits into halves that borrow.
            pub fn split(&mut self) -> (ReadHalf<'_, Self>, WriteHalf<'_, Self>) {
                ReadHalf::pair(self)
            }

            /// Splits into halves that can go to different tasks. Dropping the write half ends writing.
            pub fn into_split(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
                OwnedReadHalf::pair(self)
            }
        }

        readiness!($stream);

        impl Sealed for $stream {
            async fn wait_for(&self, interest: Interest) -> io::Result<Ready> {
                self.ready(interest).await
            }

            fn try_read_several(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.try_read_vectored(buffers)
            }

            fn try_read_on(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                self.try_read_buf(buffer)
            }

            fn try_write_several(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                self.try_write_vectored(bytes)
            }
        }

        impl ByteStream for $stream {
            fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                Self::try_read(self, buffer)
            }

            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                Self::try_write(self, bytes)
            }

            fn end_writing(&self) -> io::Result<()> {
                match self.shut_down(Shutdown::Write) {
                    // The peer was faster.
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
                    result => result,
                }
            }

            fn poll_read(&self, cx: &mut TaskContext<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
                self.watched.poll_read(cx, buffer.len(), |mut socket| socket.read(buffer))
            }

            fn poll_read_vectored(
                &self,
                cx: &mut TaskContext<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let room = buffers.iter().map(|buffer| buffer.len()).sum();
                self.watched.poll_read(cx, room, |mut socket| socket.read_vectored(buffers))
            }

            fn poll_read_buf(
                &self,
                cx: &mut TaskContext<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let room = room(buffer);
                let n = ready!(self.watched.poll_read(cx, room, |mut socket| {
                    socket.read(buffer.initialize_unfilled_to(room))
                }))?;
                buffer.advance(n);
                Poll::Ready(Ok(()))
            }

            fn poll_write(&self, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                self.watched.poll_write(cx, bytes.len(), |mut socket| socket.write(bytes))
            }

            fn poll_write_vectored(
                &self,
                cx: &mut TaskContext<'_>,
                bytes: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let length = bytes.iter().map(|bytes| bytes.len()).sum();
                self.watched.poll_write(cx, length, |mut socket| socket.write_vectored(bytes))
            }
        }

        async_stream!([] $stream, |stream| stream);
        async_stream!(['a] &'a $stream, |stream| *stream);
    };
}
pub(crate) use byte_stream;
