//! Files and directories.
//!
//! Invariant: what is asserted is the content of files, and that nothing is left open.

use polyloop::fs::{self, DirBuilder, File, OpenOptions};
use polyloop::io::{self, AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, SeekFrom};
use polyloop::task::{spawn_blocking, yield_now};
use polyloop::{Builder, Combination, Handle, Runtime, spawn};
use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;
use std::thread;
use std::time::Duration;

/// A directory of its own for each test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("polyloop-fs-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How many descriptors of this process are open on `path`.
fn open_on(path: &Path) -> usize {
    let Ok(all) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    all.filter(|fd| fd.as_ref().is_ok_and(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == path)))
        .count()
}

async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

#[polyloop::test(all)]
async fn whole_files_are_written_read_copied_and_named() -> io::Result<()> {
    let directory = Directory::new();
    let (one, other) = (directory.at("one"), directory.at("other"));
    assert_eq!(fs::read(&one).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    fs::write(&one, "content").await?;
    assert_eq!(fs::read_to_string(&one).await?, "content");
    assert_eq!(fs::copy(&one, &other).await?, 7);
    fs::rename(&other, directory.at("third")).await?;
    assert!(!fs::try_exists(&other).await? && fs::try_exists(directory.at("third")).await?);
    fs::hard_link(&one, &other).await?;
    fs::symlink(&one, directory.at("link")).await?;
    assert_eq!(fs::read_link(directory.at("link")).await?, one);
    assert_eq!(fs::canonicalize(directory.at("link")).await?, fs::canonicalize(&one).await?);
    assert!(fs::symlink_metadata(directory.at("link")).await?.is_symlink());
    assert_eq!(fs::metadata(directory.at("link")).await?.len(), 7);
    let mut permissions = fs::metadata(&one).await?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&one, permissions).await?;
    assert!(fs::metadata(&other).await?.permissions().readonly());
    fs::remove_file(&one).await?;
    assert_eq!(fs::read(&other).await?, b"content");
    Ok(())
}

#[polyloop::test(all)]
async fn directories_are_made_listed_and_removed() -> io::Result<()> {
    let directory = Directory::new();
    fs::create_dir_all(directory.at("a/b")).await?;
    assert_eq!(fs::create_dir(directory.at("a")).await.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    DirBuilder::new().recursive(true).mode(0o700).create(directory.at("a/c/d")).await?;
    // More than one job fetches.
    for n in 0..100 {
        std::fs::write(directory.at(&format!("a/b/{n}")), "")?;
    }
    let mut entries = fs::read_dir(directory.at("a/b")).await?;
    let mut names = Vec::new();
    loop {
        {
            // A wait that is given up loses nothing.
            let mut given_up = pin!(entries.next_entry());
            if let Poll::Ready(entry) = poll_fn(|cx| Poll::Ready(given_up.as_mut().poll(cx))).await {
                let Some(entry) = entry? else { break };
                assert!(entry.file_type().await?.is_file() && entry.metadata().await?.is_file());
                assert_eq!(entry.path(), directory.at("a/b").join(entry.file_name()));
                names.push(entry.file_name().into_string().unwrap().parse::<u32>().unwrap());
            }
        }
        yield_now().await;
    }
    names.sort_unstable();
    assert_eq!(names, Vec::from_iter(0..100));
    assert!(entries.next_entry().await?.is_none());
    assert!(fs::remove_dir(directory.at("a/b")).await.is_err(), "it is not empty");
    fs::remove_dir(directory.at("a/c/d")).await?;
    fs::remove_dir_all(directory.at("a")).await?;
    assert!(fs::read_dir(directory.at("a")).await.is_err());
    Ok(())
}

#[polyloop::test(all)]
async fn a_file_is_read_written_and_sought_as_one_would_expect() -> io::Result<()> {
    let directory = Directory::new();
    let path = directory.at("file");
    let mut file = File::create_new(&path).await?;
    file.write_all(b"0123456789").await?;
    assert_eq!(file.stream_position().await?, 10);
    file.rewind().await?;
    let mut two = [0; 2];
    file.read_exact(&mut two).await?;
    assert_eq!(&two, b"01");
    // What was read ahead does not count.
    let mut ahead = BufReader::new(file);
    assert_eq!(ahead.read_u8().await?, b'2');
    let mut file = ahead.into_inner();
    assert_eq!(file.seek(SeekFrom::Start(4)).await?, 4);
    file.set_max_buf_size(3);
    let mut all = [0; 4];
    assert_eq!(file.read(&mut all).await?, 3, "at most what one job reads");
    assert_eq!(file.seek(SeekFrom::Current(-1)).await?, 6);
    file.write_all(b"abcdef").await?;
    file.flush().await?;
    assert_eq!(std::fs::read(&path)?, b"012345abcdef");
    file.rewind().await?;
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    assert_eq!(text, "012345abcdef");
    file.set_len(3).await?;
    assert_eq!(file.metadata().await?.len(), 3);
    file.sync_all().await?;
    file.sync_data().await?;
    let mut clone = file.try_clone().await?;
    clone.seek(SeekFrom::End(0)).await?;
    clone.write_all(b"!").await?;
    let std = clone.into_std().await;
    assert_eq!(std.metadata()?.len(), 4);
    assert!(file.try_into_std().is_ok());
    drop(std);
    assert_eq!(open_on(&path), 0);
    Ok(())
}

#[polyloop::test(all)]
async fn a_read_in_small_steps_then_a_write_goes_where_the_reader_was() -> io::Result<()> {
    let directory = Directory::new();
    let path = directory.at("file");
    std::fs::write(&path, "0123456789")?;
    let mut file = OpenOptions::new().read(true).write(true).open(&path).await?;
    // Eight are read, two are used: the wait for the rest was given up.
    loop {
        {
            let mut eight = [0; 8];
            let mut given_up = pin!(file.read(&mut eight));
            if is_pending(given_up.as_mut()).await {
                break;
            }
        }
        // The job was faster than the poll.
        file.rewind().await?;
    }
    let mut two = [0; 2];
    file.read_exact(&mut two).await?;
    assert_eq!(&two, b"01");
    file.write_all(b"xy").await?;
    file.shutdown().await?;
    assert_eq!(std::fs::read(&path)?, b"01xy456789");
    Ok(())
}

#[polyloop::test(all)]
async fn the_error_of_a_write_is_that_of_the_next_call() -> io::Result<()> {
    let directory = Directory::new();
    std::fs::write(directory.at("file"), "old")?;
    let mut file = File::open(directory.at("file")).await?;
    // Taken over, and refused later: the file is open for reading only.
    assert_eq!(file.write(b"new").await?, 3);
    assert!(file.flush().await.is_err());
    file.flush().await?;
    assert_eq!(file.write(b"new").await?, 3);
    assert!(file.sync_all().await.is_err());
    assert_eq!(file.write(b"new").await?, 3);
    assert!(file.write(b"new").await.is_err());
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    assert_eq!(text, "old");
    Ok(())
}

#[polyloop::test(all)]
async fn what_was_written_is_there_although_the_file_was_dropped_and_it_is_closed() -> io::Result<()> {
    let directory = Directory::new();
    let path = directory.at("file");
    let mut file = File::create(&path).await?;
    file.write_all(&[7; 100_000]).await?;
    drop(file);
    // The job goes on by itself; it is done when its descriptor is closed.
    while open_on(&path) > 0 {
        spawn_blocking(|| ()).await.unwrap();
    }
    if cfg!(target_os = "linux") {
        assert_eq!(std::fs::read(&path)?, [7; 100_000]);
    }
    Ok(())
}

#[polyloop::test(all)]
async fn lines_of_a_big_file_come_in_order_beside_other_tasks() -> io::Result<()> {
    let directory = Directory::new();
    let path = directory.at("lines");
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    fs::write(&path, &text).await?;
    let other = spawn(async {
        for _ in 0..100 {
            yield_now().await;
        }
    });
    let mut lines = BufReader::new(File::open(&path).await?).lines();
    let mut count = 0;
    while let Some(line) = lines.next_line().await? {
        assert_eq!(line, format!("line {count}"));
        count += 1;
    }
    assert_eq!(count, 20_000);
    other.await.unwrap();
    let (mut from, mut to) = (File::open(&path).await?, File::create(directory.at("copy")).await?);
    assert_eq!(io::copy(&mut from, &mut to).await?, text.len() as u64);
    assert!(fs::read_to_string(directory.at("copy")).await? == text);
    Ok(())
}

#[test]
fn a_file_goes_on_when_the_runtime_it_was_opened_on_is_gone() {
    let directory = Directory::new();
    let path = directory.at("file");
    let first = Runtime::from_name("fifo+poll+heap").unwrap();
    let mut file = first.block_on(File::create(&path)).unwrap();
    first.block_on(file.write_all(b"first")).unwrap();
    first.block_on(file.flush()).unwrap();
    let gone = first.handle().clone();
    drop(first);
    // On the one that is gone each call is an error, and so it is outside of any.
    let outside = futures::executor::block_on(file.write(b"x")).unwrap_err();
    assert!(outside.to_string().contains("no polyloop runtime"), "{outside}");
    {
        let _within = gone.enter();
        let refused = futures::executor::block_on(fs::read(&path)).unwrap_err();
        assert!(refused.to_string().contains("has shut down"), "{refused}");
        // Taken over, and the job finds nobody.
        let refused = futures::executor::block_on(async {
            file.write_all(b"lost").await?;
            file.flush().await
        });
        assert!(refused.unwrap_err().to_string().contains("has shut down"));
        let metadata = futures::executor::block_on(file.metadata()).unwrap_err();
        assert!(metadata.to_string().contains("has shut down"), "{metadata}");
    }
    let second = Runtime::from_name("steal:2").unwrap();
    second.block_on(async {
        file.write_all(b", second").await.unwrap();
        file.flush().await.unwrap();
        assert!(Handle::try_current().is_ok());
    });
    assert_eq!(std::fs::read(&path).unwrap(), b"first, second");
    drop(file);
    assert_eq!(open_on(&path), 0);
}

/// A job that keeps one thread of the pool until the sender goes.
fn keep_a_thread(runtime: &Runtime) -> Sender<()> {
    let (begun, has_begun) = channel();
    let (release, released) = channel::<()>();
    runtime.spawn_blocking(move || {
        begun.send(()).unwrap();
        let _ = released.recv();
    });
    has_begun.recv().unwrap();
    release
}

fn with_one_thread(combination: Combination) -> Runtime {
    Builder::new().combination(combination).max_blocking_threads(1).build().unwrap()
}

#[test]
fn a_write_that_was_taken_over_is_done_when_the_runtime_has_ended() {
    for combination in Combination::ALL {
        let directory = Directory::new();
        let path = directory.at("file");
        let runtime = with_one_thread(combination);
        let mut file = runtime.block_on(File::create(&path)).unwrap();
        let release = keep_a_thread(&runtime);
        runtime.block_on(file.write_all(b"hello")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"", "the job has no thread yet");
        let handle = runtime.handle().clone();
        let releasing = thread::spawn(move || {
            while !handle.is_shut_down() {
                thread::yield_now();
            }
            drop(release);
        });
        drop(runtime);
        assert_eq!(std::fs::read(&path).unwrap(), b"hello", "{combination}");
        releasing.join().unwrap();
    }
}

#[test]
fn a_write_that_is_not_done_by_the_deadline_is_named_and_still_done() {
    for combination in Combination::ALL {
        let directory = Directory::new();
        let path = directory.at("file");
        let runtime = with_one_thread(combination);
        let mut file = runtime.block_on(File::create(&path)).unwrap();
        let release = keep_a_thread(&runtime);
        runtime.block_on(file.write_all(b"hello")).unwrap();
        let report = runtime.shutdown(Duration::ZERO);
        let names = report.jobs.unfinished.iter().filter_map(|job| job.name.as_deref());
        assert_eq!(Vec::from_iter(names), ["write to a file"], "{combination}: {report}");
        assert_eq!(report.jobs.unfinished.len(), 2, "{report}");
        // From now on nothing more is taken over.
        let refused = {
            let _within = runtime.enter();
            futures::executor::block_on(
                File::from_std(std::fs::File::create(directory.at("other")).unwrap()).write(b"x"),
            )
        };
        assert!(refused.unwrap_err().to_string().contains("has shut down"));
        drop(release);
        let report = runtime.shutdown(Duration::MAX);
        assert!(report.is_clean(), "{report}");
        assert_eq!(std::fs::read(&path).unwrap(), b"hello", "{combination}");
    }
}

#[test]
fn what_comes_after_a_resize_that_was_given_up_waits_for_it() {
    for combination in Combination::ALL {
        let directory = Directory::new();
        let path = directory.at("file");
        let runtime = with_one_thread(combination);
        let mut file = runtime.block_on(File::create(&path)).unwrap();
        let release = keep_a_thread(&runtime);
        runtime.block_on(async {
            {
                let mut given_up = pin!(file.set_len(3));
                assert!(is_pending(given_up.as_mut()).await);
            }
            let mut written = pin!(file.write(b"hello"));
            assert!(is_pending(written.as_mut()).await, "{combination}: two jobs at a time");
            drop(release);
            assert_eq!(written.await.unwrap(), 5);
            file.flush().await.unwrap();
        });
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    }
}

/// A file of the ten digits, of which eight were read and one was used.
async fn read_ahead(path: &Path) -> File {
    std::fs::write(path, "0123456789").unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open(path).await.unwrap();
    loop {
        {
            let mut eight = [0; 8];
            let mut given_up = pin!(file.read(&mut eight));
            if is_pending(given_up.as_mut()).await {
                break;
            }
        }
        file.rewind().await.unwrap();
    }
    assert_eq!(file.read_u8().await.unwrap(), b'0');
    file
}

async fn rest_of(file: &mut File) -> String {
    let mut rest = String::new();
    file.read_to_string(&mut rest).await.unwrap();
    rest
}

#[test]
fn a_seek_that_finds_no_runtime_skips_nothing() {
    for combination in Combination::ALL {
        let directory = Directory::new();
        let runtime = Builder::new().combination(combination).build().unwrap();
        let mut file = runtime.block_on(read_ahead(&directory.at("file")));
        assert!(futures::executor::block_on(file.seek(SeekFrom::Current(1))).is_err());
        assert!(futures::executor::block_on(file.seek(SeekFrom::Start(5))).is_err());
        assert!(futures::executor::block_on(file.set_len(5)).is_err());
        assert_eq!(runtime.block_on(rest_of(&mut file)), "123456789", "{combination}");
    }
}

#[polyloop::test(all)]
async fn a_seek_that_fails_skips_nothing() -> io::Result<()> {
    let directory = Directory::new();
    let mut file = read_ahead(&directory.at("file")).await;
    assert!(file.seek(SeekFrom::End(-100)).await.is_err());
    assert!(file.seek(SeekFrom::Current(-2)).await.is_err());
    assert_eq!(file.stream_position().await?, 1);
    assert_eq!(rest_of(&mut file).await, "123456789");
    Ok(())
}

#[test]
fn a_seek_that_its_runtime_has_no_time_for_skips_nothing() {
    for combination in Combination::ALL {
        let directory = Directory::new();
        let [gone, second] = [(); 2].map(|()| Builder::new().combination(combination).build().unwrap());
        let mut file = gone.block_on(read_ahead(&directory.at("file")));
        let handle = gone.handle().clone();
        drop(gone);
        {
            let _within = handle.enter();
            assert!(futures::executor::block_on(file.seek(SeekFrom::Current(1))).is_err());
            assert!(futures::executor::block_on(file.set_len(5)).is_err());
            assert!(futures::executor::block_on(file.write(b"x")).is_err());
        }
        assert_eq!(second.block_on(rest_of(&mut file)), "123456789", "{combination}");
    }
}

#[polyloop::test(all)]
async fn a_file_is_given_back_and_cloned_where_its_reader_is() -> io::Result<()> {
    use std::io::Read;
    let directory = Directory::new();
    let mut file = read_ahead(&directory.at("file")).await;
    let mut clone = file.try_clone().await?;
    assert_eq!(clone.read_u8().await?, b'1');
    assert_eq!(file.read_u8().await?, b'2');
    drop((file, clone));
    let mut rest = String::new();
    read_ahead(&directory.at("file")).await.into_std().await.read_to_string(&mut rest)?;
    assert_eq!(rest, "123456789");
    rest.clear();
    read_ahead(&directory.at("file")).await.try_into_std().unwrap().read_to_string(&mut rest)?;
    assert_eq!(rest, "123456789");
    Ok(())
}

#[test]
fn a_file_is_given_back_where_its_reader_is_though_nobody_heard_what_was_read_ahead() {
    use std::io::Read;
    for combination in Combination::ALL {
        let directory = Directory::new();
        let path = directory.at("file");
        std::fs::write(&path, "0123456789").unwrap();
        let runtime = with_one_thread(combination);
        let mut file = runtime.block_on(File::open(&path)).unwrap();
        let release = keep_a_thread(&runtime);
        runtime.block_on(async {
            let mut eight = [0; 8];
            let mut given_up = pin!(file.read(&mut eight));
            assert!(is_pending(given_up.as_mut()).await);
        });
        let mut file = file.try_into_std().expect_err("the job that holds it has not begun");
        drop(release);
        let mut std = loop {
            match file.try_into_std() {
                Ok(std) => break std,
                Err(busy) => file = busy,
            }
            thread::yield_now();
        };
        let mut rest = String::new();
        std.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "0123456789", "{combination}");
    }
}
