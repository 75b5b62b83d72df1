//! tokio-util and tokio-stream on every combination: what runs in our tasks as it is, and what wants the bridge.

#![forbid(unsafe_code)]

use bytes::Bytes;
use ecosystem_support::{Program, on_each};
use ecosystem_util::{LONGEST, shout};
use futures::{AsyncReadExt, FutureExt, SinkExt, StreamExt, TryStreamExt};
use polyloop::compat::tokio::compat;
use polyloop::net::{TcpListener, TcpStream, unix::UnixStream};
use polyloop::task::{JoinHandle, spawn_blocking};
use std::future::pending;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio_stream::StreamMap;
use tokio_stream::wrappers::{
    BroadcastStream, IntervalStream, ReceiverStream, UnboundedReceiverStream, WatchStream,
};
use tokio_util::codec::{Framed, FramedRead, FramedWrite, LengthDelimitedCodec, LinesCodec, LinesCodecError};
use tokio_util::compat::{FuturesAsyncReadCompatExt, FuturesAsyncWriteCompatExt};
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};
use tokio_util::sync::{CancellationToken, PollSemaphore, PollSender};
use tokio_util::task::{JoinMap, TaskTracker};
use tokio_util::time::DelayQueue;

/// A time that passes.
const SOON: Duration = Duration::from_millis(5);
/// A time that nobody waits for.
const NEVER: Duration = Duration::from_secs(3600);

/// The server of lines as a task, and what ends it.
async fn served() -> (SocketAddr, CancellationToken, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let server = polyloop::spawn(shout(listener, stop.clone()));
    (address, stop, server)
}

type Lines = Framed<TcpStream, LinesCodec>;

async fn connected(address: SocketAddr) -> Lines {
    Framed::new(TcpStream::connect(address).await.unwrap(), LinesCodec::new())
}

#[polyloop::test(all)]
async fn lines_come_and_go_by_a_codec_over_our_socket() {
    let (address, stop, server) = served().await;
    let mut lines = connected(address).await;
    for line in ["one", "", "three"] {
        lines.feed(line).await.unwrap();
    }
    SinkExt::<&str>::flush(&mut lines).await.unwrap();
    for line in ["ONE", "", "THREE"] {
        assert_eq!(lines.try_next().await.unwrap().as_deref(), Some(line));
    }
    stop.cancel();
    assert_eq!(server.await.unwrap(), 1);
    assert_eq!(lines.try_next().await.unwrap(), None);
}

#[polyloop::test(all)]
async fn a_line_that_is_too_long_ends_its_connection_and_no_other() {
    let (address, stop, server) = served().await;
    let (mut good, mut bad) = (connected(address).await, connected(address).await);
    // The server may be gone before it has read all of it.
    let _ = bad.send("x".repeat(2 * LONGEST)).await;
    assert!(!matches!(bad.next().await, Some(Ok(_))));
    good.send("still here").await.unwrap();
    assert_eq!(good.next().await.unwrap().unwrap(), "STILL HERE");
    stop.cancel();
    assert_eq!(server.await.unwrap(), 2);
}

/// Frames of more than a socket's buffers, so that both sides wait for each other.
#[polyloop::test(all)]
async fn frames_go_through_the_halves_of_our_sockets() {
    let (near, far) = UnixStream::pair().unwrap();
    let (read, write) = far.into_split();
    let codec = || LengthDelimitedCodec::builder().max_frame_length(1 << 24).new_codec();
    let echo = FramedRead::new(read, codec()).map_ok(|frame| frame.freeze());
    let echo = polyloop::spawn(echo.forward(FramedWrite::new(write, codec())));
    let (mut sink, stream) = Framed::new(near, codec()).split::<Bytes>();
    let sizes = [0, 1, 4096, 3_000_000];
    let sending = polyloop::spawn(async move {
        for size in sizes {
            sink.send(vec![size as u8; size].into()).await.unwrap();
        }
        sink.close().await.unwrap();
    });
    let frames: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(frames.iter().map(|frame| frame.len()).collect::<Vec<_>>(), sizes);
    assert!(frames.iter().all(|frame| frame.iter().all(|byte| *byte == frame.len() as u8)));
    sending.await.unwrap();
    echo.await.unwrap().unwrap();
}

#[polyloop::test(all)]
async fn readers_are_streams_and_streams_are_readers() {
    let (near, far) = UnixStream::pair().unwrap();
    let sending = polyloop::spawn(async move {
        near.write_all(&[7; 500_000]).await.unwrap();
    });
    let mut reader = StreamReader::new(ReaderStream::new(far));
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut bytes).await.unwrap();
    assert!(bytes.len() == 500_000 && bytes.iter().all(|byte| *byte == 7));
    sending.await.unwrap();

    // There and back: what speaks the traits of futures-io becomes one that speaks tokio's.
    let (near, far) = UnixStream::pair().unwrap();
    let (_, write) = AsyncReadExt::split(near);
    let mut lines = FramedWrite::new(write.compat_write(), LinesCodec::new());
    lines.send("through both").await.unwrap();
    SinkExt::<&str>::close(&mut lines).await.unwrap();
    let lines: Vec<_> = FramedRead::new(far.compat(), LinesCodec::new()).try_collect().await.unwrap();
    assert_eq!(lines, ["through both"]);
}

#[polyloop::test(all)]
async fn a_token_of_tokio_utils_ends_our_tasks_and_a_tracker_waits_for_them() {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let waiting: Vec<_> = (0..10)
        .map(|n| {
            let stop = stop.child_token();
            let guard = tasks.token();
            polyloop::spawn(async move {
                let _guard = guard;
                stop.run_until_cancelled(pending::<()>()).await.is_none().then_some(n)
            })
        })
        .collect();
    let aborted = polyloop::spawn(tasks.track_future(pending::<()>()));
    tasks.close();
    assert_eq!(tasks.len(), 11);
    assert!(tasks.wait().now_or_never().is_none());
    stop.cancel();
    aborted.abort();
    tasks.wait().await;
    for (n, task) in waiting.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), Some(n));
    }
    assert!(aborted.await.unwrap_err().is_cancelled());
}

#[polyloop::test(all)]
async fn receivers_are_streams() {
    let (bounded, receiver) = mpsc::channel(1);
    let (unbounded, other) = mpsc::unbounded_channel();
    let (told, heard) = broadcast::channel(16);
    let (set, seen) = watch::channel(100);
    let sending = polyloop::spawn(async move {
        for n in 0..100 {
            bounded.send(n).await.unwrap();
            unbounded.send(n).unwrap();
        }
        told.send(1).unwrap();
    });
    let one = ReceiverStream::new(receiver).fold(0, async |sum, n| sum + n);
    let two = UnboundedReceiverStream::new(other).fold(0, async |sum, n| sum + n);
    let three = BroadcastStream::new(heard).try_collect::<Vec<_>>();
    let (one, two, three) = polyloop::join!(one, two, three);
    assert_eq!((one, two, three.unwrap()), (4950, 4950, vec![1]));
    sending.await.unwrap();
    let mut seen = WatchStream::new(seen);
    assert_eq!(seen.next().await, Some(100));
    set.send(101).unwrap();
    assert_eq!(seen.next().await, Some(101));
    drop(set);
    assert_eq!(seen.next().await, None);

    // Ours is not tokio's by its type; a line makes a stream of it.
    let (sender, mut receiver) = polyloop::sync::mpsc::channel(1);
    let sending = polyloop::spawn(async move {
        for n in 0..100 {
            sender.send(n).await.unwrap();
        }
    });
    let sum = futures::stream::poll_fn(|cx| receiver.poll_recv(cx)).fold(0, async |sum, n| sum + n).await;
    assert_eq!(sum, 4950);
    sending.await.unwrap();
}

#[polyloop::test(all)]
async fn channels_and_permits_are_polled() {
    let (sender, mut receiver) = mpsc::channel(1);
    let mut sender = PollSender::new(sender);
    let receiving = polyloop::spawn(async move {
        let mut all = Vec::new();
        while let Some(n) = receiver.recv().await {
            all.push(n);
        }
        all
    });
    sender.send_all(&mut futures::stream::iter((0..9).map(Ok))).await.unwrap();
    drop(sender);
    assert_eq!(receiving.await.unwrap(), Vec::from_iter(0..9));

    let mut permits = PollSemaphore::new(Arc::new(Semaphore::new(1)));
    let held = permits.next().await.unwrap();
    assert!(permits.next().now_or_never().is_none());
    let late = polyloop::spawn(async move {
        polyloop::task::yield_now().await;
        drop(held);
    });
    drop(permits.next().await.unwrap());
    late.await.unwrap();
}

#[polyloop::test(all)]
async fn streams_are_merged_and_kept_by_keys() {
    let numbers = || {
        let (sender, receiver) = mpsc::channel(1);
        polyloop::spawn(async move {
            for n in 0..50 {
                sender.send(n).await.unwrap();
            }
        });
        ReceiverStream::new(receiver)
    };
    let merged = tokio_stream::StreamExt::merge(numbers(), numbers());
    assert_eq!(merged.fold(0, async |sum, n| sum + n).await, 2 * 1225);
    let mut map = StreamMap::new();
    map.insert("one", numbers());
    map.insert("other", numbers());
    let (mut one, mut other) = (Vec::new(), Vec::new());
    while let Some((key, n)) = map.next().await {
        if key == "one" { &mut one } else { &mut other }.push(n);
    }
    assert_eq!((one, other), (Vec::from_iter(0..50), Vec::from_iter(0..50)));
}

/// The table of `docs/guide/ecosystem.md`.
#[polyloop::test(all)]
async fn without_the_bridge_whatever_holds_a_timer_or_spawns_says_that_there_is_no_reactor() {
    async fn panic_of(future: impl Future) -> String {
        let Err(panic) = AssertUnwindSafe(future).catch_unwind().await else { return "no panic".to_owned() };
        match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast_ref::<&str>().map_or("no text", |text| *text).to_owned(),
        }
    }
    let items = || tokio_stream::iter([1]);
    let panics = [
        ("interval", panic_of(async { IntervalStream::new(tokio::time::interval(SOON)).next().await }).await),
        (
            "timeout",
            panic_of(async { pin!(tokio_stream::StreamExt::timeout(items(), SOON)).next().await }).await,
        ),
        (
            "throttle",
            panic_of(async { pin!(tokio_stream::StreamExt::throttle(items(), SOON)).next().await }).await,
        ),
        (
            "chunks",
            panic_of(async { pin!(tokio_stream::StreamExt::chunks_timeout(items(), 2, SOON)).next().await })
                .await,
        ),
        ("queue", panic_of(async { DelayQueue::new().insert(1, SOON) }).await),
        (
            "future",
            panic_of(async { tokio_util::time::FutureExt::timeout(pending::<()>(), SOON).await }).await,
        ),
        ("tracker", panic_of(async { TaskTracker::new().spawn(async {}).await }).await),
        ("map", panic_of(async { JoinMap::new().spawn(1, async {}) }).await),
        ("bridge", panic_of(async { SyncIoBridge::new(tokio::io::empty()) }).await),
    ];
    for (name, panic) in panics {
        assert!(panic.contains("Tokio 1.x"), "{name}: {panic}");
    }
}

#[polyloop::test(all)]
async fn in_the_bridge_they_run() {
    let bridged = polyloop::spawn(compat(async {
        let ticks = IntervalStream::new(tokio::time::interval(SOON));
        assert_eq!(ticks.take(3).count().await, 3);
        let late =
            pin!(tokio_stream::StreamExt::timeout(futures::stream::pending::<()>(), SOON)).next().await;
        assert!(late.unwrap().is_err());
        let throttled = tokio_stream::StreamExt::throttle(tokio_stream::iter(0..3), SOON);
        assert_eq!(throttled.collect::<Vec<_>>().await, [0, 1, 2]);
        let chunks = tokio_stream::StreamExt::chunks_timeout(tokio_stream::iter(0..3), 2, NEVER);
        assert_eq!(chunks.collect::<Vec<_>>().await, [vec![0, 1], vec![2]]);
        let mut queue = DelayQueue::new();
        queue.insert("second", 4 * SOON);
        queue.insert("first", SOON);
        let removed = queue.insert("removed", NEVER);
        queue.remove(&removed);
        assert_eq!(queue.next().await.unwrap().into_inner(), "first");
        assert_eq!(queue.next().await.unwrap().into_inner(), "second");
        assert!(queue.next().await.is_none());
        tokio_util::time::FutureExt::timeout(pending::<()>(), SOON).await.unwrap_err();
        let tasks = TaskTracker::new();
        let task = tasks.spawn(async { 7 });
        tasks.close();
        tasks.wait().await;
        let mut map = JoinMap::new();
        map.spawn("eight", async { 8 });
        (task.await.unwrap(), map.join_next().await.unwrap().1.unwrap())
    }));
    assert_eq!(bridged.await.unwrap(), (7, 8));

    // A job that blocks reads from our socket through it.
    let (near, far) = UnixStream::pair().unwrap();
    let reader = compat(async { SyncIoBridge::new(far) }).await;
    let reading = spawn_blocking(move || std::io::read_to_string(reader).unwrap());
    near.write_all(b"read by a job").await.unwrap();
    drop(near);
    assert_eq!(reading.await.unwrap(), "read by a job");
}

#[polyloop::test(all)]
async fn a_codecs_error_is_the_last_item() {
    let (near, far) = UnixStream::pair().unwrap();
    near.write_all(b"short\nmuch too long\n").await.unwrap();
    drop(near);
    let mut lines = FramedRead::new(far, LinesCodec::new_with_max_length(6));
    assert_eq!(lines.next().await.unwrap().unwrap(), "short");
    assert!(matches!(lines.next().await, Some(Err(LinesCodecError::MaxLineLengthExceeded))));
    assert!(lines.next().await.is_none());
}

fn the_program_has_no_reactor_but_ours(combination: &str) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_lines"), combination, [] as [&str; 0]);
    let mut stream = std::net::TcpStream::connect(program.address()).unwrap();
    stream.write_all(b"hello\n").unwrap();
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).unwrap();
    assert_eq!(answer, "HELLO\n");
    program.facts().assert_native(combination);
    assert_eq!(program.finish(), "connections: 1\n");
}
on_each!(the_program_has_no_reactor_but_ours);
