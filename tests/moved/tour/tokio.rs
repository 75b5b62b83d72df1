//! A tour of what programs call most: sockets, files, processes, channels, locks, sets of tasks and timers, some of each.

use std::io::{Cursor, Result, SeekFrom};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{TcpListener, TcpSocket, UdpSocket, UnixDatagram, UnixStream};
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::{Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinSet, LocalSet, spawn_local, unconstrained, yield_now};
use tokio::time::{Instant, interval_at, sleep, timeout, timeout_at};
use tokio::{fs, io, join, pin, select, spawn, task_local};

const SOON: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_secs(60);

static COUNT: Mutex<u32> = Mutex::const_new(0);
static PERMITS: Semaphore = Semaphore::const_new(2);
static ONCE: OnceCell<&str> = OnceCell::const_new();

task_local! {
    static NUMBER: u32;
}

async fn tcp() -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let serving = spawn(async move {
        let (mut stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        assert!(stream.nodelay()? && stream.peer_addr()? == peer);
        stream.readable().await?;
        let mut bytes = [0; 4];
        assert_eq!(stream.peek(&mut bytes).await?, 4);
        assert_eq!(stream.try_read(&mut bytes)?, 4);
        let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
        assert!(ready.is_writable());
        stream.try_write(b"pong")?;
        let (mut reader, mut writer) = stream.split();
        writer.write_all(b"!").await?;
        writer.shutdown().await?;
        let mut rest = String::new();
        reader.read_to_string(&mut rest).await?;
        Result::Ok(rest)
    });
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    let (mut reader, mut writer) = socket.connect(address).await?.into_split();
    writer.write_all(b"ping").await?;
    let mut answer = [0; 5];
    reader.read_exact(&mut answer).await?;
    writer.write_all_buf(&mut Cursor::new(b"the rest")).await?;
    drop(reader.reunite(writer).unwrap().into_std()?);
    let rest = serving.await??;
    Ok(format!("{} {rest}", String::from_utf8_lossy(&answer)))
}

async fn datagrams() -> Result<String> {
    let (one, two) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    one.send_to(b"to two", two.local_addr()?).await?;
    let mut buffer = [0; 16];
    let (length, from) = two.recv_from(&mut buffer).await?;
    assert_eq!((from, &buffer[..length]), (one.local_addr()?, &b"to two"[..]));
    two.connect(from).await?;
    two.send(b"back").await?;
    one.readable().await?;
    let (length, _) = one.try_recv_from(&mut buffer)?;
    let (near, far) = UnixDatagram::pair()?;
    near.send(&buffer[..length]).await?;
    let length = far.recv(&mut buffer).await?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

async fn unix() -> Result<String> {
    let (mut near, mut far) = UnixStream::pair()?;
    near.write_u16(0x6869).await?;
    let number = far.read_u16().await?;
    Ok(format!("{number:x}"))
}

/// Of each call one, for several run side by side.
fn path() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Relaxed);
    let name = format!("tour-{}-{}-{number}", std::process::id(), module_path!().replace("::", "-"));
    std::env::temp_dir().join(name)
}

async fn files() -> Result<String> {
    let path = path();
    let mut file = fs::File::create(&path).await?;
    file.write_all(b"one\ntwo\nthree\n").await?;
    file.sync_all().await?;
    file.set_len(8).await?;
    let mut file = fs::OpenOptions::new().read(true).open(&path).await?;
    file.seek(SeekFrom::Start(4)).await?;
    let mut lines = BufReader::new(file).lines();
    let (second, third) = (lines.next_line().await?, lines.next_line().await?);
    let size = fs::metadata(&path).await?.len();
    let renamed = path.with_extension("renamed");
    fs::rename(&path, &renamed).await?;
    assert!(!fs::try_exists(&path).await?);
    fs::remove_file(renamed).await?;
    Ok(format!("{second:?} {third:?} {size}"))
}

async fn processes() -> Result<String> {
    let mut cat = Command::new("cat");
    let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"through cat").await?;
    drop(input);
    let output = child.wait_with_output().await?;
    assert!(Command::new("true").status().await?.success());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn channels() -> String {
    let (sender, mut receiver) = mpsc::channel(2);
    sender.try_send(1).unwrap();
    sender.send_timeout(2, LATE).await.unwrap();
    assert_eq!(sender.capacity(), 0);
    let first = receiver.recv().await;
    sender.reserve().await.unwrap().send(3);
    drop(sender);
    let mut rest = Vec::new();
    receiver.recv_many(&mut rest, 9).await;

    let (sender, mut receiver) = watch::channel(1);
    sender.send_modify(|value| *value += 1);
    receiver.changed().await.unwrap();
    let seen = *receiver.borrow_and_update();
    sender.send_replace(9);
    let awaited = *receiver.wait_for(|value| *value == 9).await.unwrap();

    let (sender, receiver) = oneshot::channel();
    sender.send("once").unwrap();
    let once = receiver.await.unwrap();
    let (sender, mut receiver) = broadcast::channel(4);
    let mut second = sender.subscribe();
    sender.send("all").unwrap();
    let heard = (receiver.recv().await.unwrap(), second.try_recv().unwrap());
    format!("{first:?} {rest:?} {seen} {awaited} {once} {heard:?}")
}

async fn locks() -> String {
    *COUNT.lock().await += 1;
    let permit = PERMITS.acquire().await.unwrap();
    let (notify, lock) = (Notify::new(), Arc::new(RwLock::new(1)));
    notify.notify_one();
    notify.notified().await;
    *lock.clone().write_owned().await += 1;
    let value = *lock.read().await;
    drop(permit);
    let once = ONCE.get_or_init(async || "filled").await;
    let leads = Barrier::new(1).wait().await.is_leader();
    format!("{value} {once} {leads}")
}

async fn tasks() -> String {
    let mut set = JoinSet::new();
    set.spawn(async { 1 });
    set.spawn_blocking(|| 2);
    let three = set.spawn_on(async { 3 }, &Handle::current());
    let mut sum = 0;
    while let Some(joined) = set.join_next_with_id().await {
        let (id, number) = joined.unwrap();
        assert_eq!(id == three.id(), number == 3);
        sum += number;
    }
    let endless = spawn(std::future::pending::<()>());
    endless.abort();
    let cancelled = endless.await.unwrap_err().is_cancelled();
    let local = LocalSet::new();
    let here = std::rc::Rc::new(4);
    let four = local.run_until(async move { spawn_local(async move { *here }).await.unwrap() }).await;
    let five = NUMBER.scope(5, async { unconstrained(async { NUMBER.get() }).await }).await;
    let six = NUMBER.sync_scope(6, || NUMBER.with(|number| *number));
    yield_now().await;
    format!("{sum} {cancelled} {four} {five} {six}")
}

async fn times() -> Result<String> {
    let begun = Instant::now();
    let nap = sleep(SOON);
    pin!(nap);
    let mut naps = 0;
    while naps < 3 {
        select! {
            biased;
            () = &mut nap => {
                naps += 1;
                nap.as_mut().reset(Instant::now() + SOON);
            }
            () = sleep(LATE) => unreachable!(),
        }
    }
    assert!(begun.elapsed() >= 3 * SOON);
    let mut ticks = interval_at(Instant::now(), SOON);
    assert!(ticks.tick().await < ticks.tick().await);
    let late = timeout_at(Instant::now() + SOON, std::future::pending::<()>()).await;
    let mut waiting = timeout(LATE, std::future::ready(7));
    let _: &std::future::Ready<i32> = waiting.get_ref();
    *waiting.get_mut() = std::future::ready(8);
    let eight = waiting.await?;
    Ok(format!("{naps} {eight} {}", late.unwrap_err()))
}

async fn streams() -> Result<String> {
    let (mut near, mut far) = io::duplex(4);
    let (sending, mut received) =
        (async { near.write_all(b"more than four").await.map(|()| drop(near)) }, String::new());
    let (sent, read) = join!(sending, far.read_to_string(&mut received));
    sent?;
    let length = read?;
    let copied = io::copy(&mut received.as_bytes(), &mut io::sink()).await?;
    io::stdout().write_all(b"").await?;
    Ok(format!("{received} {length} {copied}"))
}

pub(crate) async fn scene() -> Result<Vec<String>> {
    Ok(vec![
        tcp().await?,
        datagrams().await?,
        unix().await?,
        files().await?,
        processes().await?,
        channels().await,
        locks().await,
        tasks().await,
        times().await?,
        streams().await?,
    ])
}

#[tokio::main]
pub(crate) async fn main() -> Result<()> {
    for line in scene().await? {
        println!("{line}");
    }
    Ok(())
}
