//! Files that are watched, by the readiness that libraries with their own system calls want. For runtimes that can.

use super::{Counter, New};
use futures::future::join;
use polyloop_traits::{Direction, Io, Join, Runtime, Watched};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// A pipe whose ends do not block.
fn pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    (reader, writer)
}

/// A try that would block takes the readiness back: the wait after it ends by the event that comes.
pub fn a_read_waits_for_what_is_written<R: Runtime + Io, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let (reader, mut writer) = pipe();
    rt.block_on(async {
        let reader = rt.watch(reader).unwrap();
        let mut buffer = [0; 8];
        let tried = reader.try_io(Direction::Read, |mut pipe| pipe.read(&mut buffer));
        assert_eq!(tried.unwrap_err().kind(), ErrorKind::WouldBlock);
        for round in 0..20 {
            let write = async {
                rt.yield_now().await;
                writer.write_all(&[round; 5]).unwrap();
            };
            let (read, ()) = join(reader.read_with(|mut pipe| pipe.read(&mut buffer)), write).await;
            assert_eq!(&buffer[..read.unwrap()], [round; 5]);
        }
        drop(writer);
        assert_eq!(reader.read_with(|mut pipe| pipe.read(&mut buffer)).await.unwrap(), 0, "the end");
        assert_eq!(reader.get_ref().read(&mut buffer).unwrap(), 0);
    });
}

/// While nobody writes, a wait is no loop of tries.
pub fn who_waits_for_a_file_does_not_try_in_a_loop<R: Runtime + Io, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let (reader, mut writer) = pipe();
    let tries = Counter::default();
    rt.block_on(async {
        let (reader, count) = (rt.watch(reader).unwrap(), tries.clone());
        let reading = rt.spawn(async move {
            reader
                .read_with(|mut pipe| {
                    count.add();
                    pipe.read(&mut [0; 8])
                })
                .await
        });
        rt.sleep(Duration::from_millis(20)).await;
        writer.write_all(b"x").unwrap();
        assert_eq!(reading.await.unwrap().unwrap(), 1);
    });
    // One that finds nothing, one that finds the byte, and what a reactor says too early.
    assert!(tries.get() <= 5, "{} tries", tries.get());
}

/// A writer waits until there is room.
pub fn a_full_pipe_wakes_its_writer<R: Runtime + Io, K>(new: New<R, K>) {
    const LENGTH: usize = 1 << 20;
    let (rt, _alive) = new();
    let (reader, writer) = pipe();
    rt.block_on(async {
        let (reader, writer) = (rt.watch(reader).unwrap(), rt.watch(writer).unwrap());
        let writing = rt.spawn(async move {
            let mut left = LENGTH;
            while left > 0 {
                let chunk = vec![7; left.min(10_000)];
                left -= writer.write_with(|mut pipe| pipe.write(&chunk)).await.unwrap();
            }
        });
        let (mut read, mut buffer) = (0, vec![0; 30_000]);
        while let Ok(n @ 1..) = reader.read_with(|mut pipe| pipe.read(&mut buffer)).await {
            read += n;
        }
        writing.await.unwrap();
        assert_eq!(read, LENGTH);
    });
}

/// Two tasks wait for one file, in both directions, and each is woken.
pub fn both_directions_of_a_file_are_waited_for_at_once<R: Runtime + Io, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    // Full, so that the writer waits.
    while (&near).write(&[0; 4096]).is_ok() {}
    rt.block_on(async {
        let near = Arc::new(rt.watch(near).unwrap());
        let (reader, writer) = (near.clone(), near);
        let reading =
            rt.spawn(async move { reader.read_with(|mut near| near.read(&mut [0; 8])).await.unwrap() });
        let writing =
            rt.spawn(async move { writer.write_with(|mut near| near.write(b"last")).await.unwrap() });
        rt.sleep(Duration::from_millis(2)).await;
        (&far).write_all(b"x").unwrap();
        assert_eq!(reading.await.unwrap(), 1);
        let emptying = rt.spawn_blocking(move || {
            let (mut last, mut buffer) = (Vec::new(), vec![0; 65_536]);
            while !last.ends_with(b"last") {
                let n = (&far).read(&mut buffer).unwrap();
                last = buffer[..n].to_vec();
            }
        });
        assert_eq!(writing.await.unwrap(), 4);
        emptying.await.unwrap();
    });
}

/// Whoever drops a wait, and later the watch, leaves nothing behind that keeps others from the file.
pub fn a_dropped_wait_loses_nothing<R: Runtime + Io, K>(new: New<R, K>) {
    let (rt, _alive) = new();
    let (reader, mut writer) = pipe();
    let descriptor = reader.try_clone().unwrap();
    rt.block_on(async {
        let reader = Arc::new(rt.watch(reader).unwrap());
        let waiting = reader.clone();
        let mut wait = rt.spawn(async move { waiting.read_with(|mut pipe| pipe.read(&mut [0; 8])).await });
        rt.sleep(Duration::from_millis(2)).await;
        wait.abort();
        assert!(wait.await.unwrap_err().is_cancelled());
        writer.write_all(b"one").unwrap();
        let mut buffer = [0; 3];
        assert_eq!(reader.read_with(|mut pipe| pipe.read(&mut buffer)).await.unwrap(), 3);
        assert_eq!(&buffer, b"one");
        drop(reader);
        // The same pipe once more.
        let again = rt.watch(descriptor).unwrap();
        writer.write_all(b"two").unwrap();
        assert_eq!(again.read_with(|mut pipe| pipe.read(&mut buffer)).await.unwrap(), 3);
        assert_eq!(&buffer, b"two");
    });
}
