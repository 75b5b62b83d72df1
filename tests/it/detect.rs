//! The detectors around our own runtimes and everything that one can wait for on them: silent while all is well, and
//! futurelock on our mutex is found.

use crate::subjects::{builder, names};
use polyloop::net::{TcpListener, TcpStream};
use polyloop::sync::{Mutex, Notify, mpsc, oneshot, watch};
use polyloop::task::{JoinSet, yield_now};
use polyloop::{Runtime, spawn, time};
use polyloop_conformance::{LIMIT, watched};
use polyloop_detect::{Detect, Hold, Kind, Limits, Lock, watched as part};
use std::sync::Arc;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(1);

fn everywhere(body: fn(&Runtime)) {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || body(&builder(&name).build().unwrap()));
    }
}

#[test]
fn nothing_is_found_where_all_is_well() {
    everywhere(|runtime| {
        let detect = Detect::new();
        runtime.block_on(detect.task("main", all_is_well(&detect)));
        // A sender that is preempted in the middle of a wake has the receiver spin for so long: true, and no fault.
        let mut found = detect.findings();
        found.retain(|finding| !matches!(finding.kind, Kind::SelfWakes { .. }));
        assert!(found.is_empty(), "{found:#?}");
    });
}

async fn all_is_well(detect: &Detect) {
    let lock = Arc::new(Lock::new("sum", Mutex::new(0)));
    let (send, mut receive) = mpsc::channel(2);
    for n in 0..4 {
        let (lock, send) = (lock.clone(), send.clone());
        spawn(detect.task("worker", async move {
            for m in 0..20 {
                let mut sum = lock.acquire(|lock| lock.lock()).await;
                *sum += 1;
                yield_now().await;
                drop(sum);
                part("send", send.send(20 * n + m)).await.unwrap();
                if m % 10 == 0 {
                    part("nap", time::sleep(MOMENT)).await;
                }
            }
        }));
    }
    drop(send);
    let mut interval = time::interval(MOMENT);
    let mut sum = 0;
    loop {
        polyloop::select! {
            value = part("receive", receive.recv()) => match value {
                Some(value) => sum += value,
                None => break,
            },
            _ = part("tick", interval.tick()) => {}
        }
    }
    assert_eq!((sum, *lock.acquire(|lock| lock.lock()).await), ((0..80).sum(), 80));

    let notify = Arc::new(Notify::new());
    let (tell, mut told) = watch::channel(0);
    let (once, other) = oneshot::channel();
    let waiting = notify.clone();
    let mut set = JoinSet::new();
    set.spawn(detect.task("notified", async move { waiting.notified().await }));
    set.spawn(detect.task("changed", async move { told.changed().await.unwrap() }));
    set.spawn(detect.task("once", async move { other.await.unwrap() }));
    set.spawn(
        detect.task("late", async { assert!(time::timeout(MOMENT, time::sleep(LIMIT)).await.is_err()) }),
    );
    part("let them wait", time::sleep(MOMENT)).await;
    notify.notify_one();
    tell.send(1).unwrap();
    once.send(()).unwrap();
    while let Some(ended) = part("join", set.join_next()).await {
        ended.unwrap();
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = spawn(detect.task("echo", async move {
        let (stream, _) = part("accept", listener.accept()).await.unwrap();
        let mut bytes = [0; 4];
        for _ in 0..20 {
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        }
    }));
    let stream = TcpStream::connect(address).await.unwrap();
    for n in 0_u32..20 {
        let mut bytes = n.to_le_bytes();
        part("write", stream.write_all(&bytes)).await.unwrap();
        part("read", stream.read_exact(&mut bytes)).await.unwrap();
        assert_eq!(u32::from_le_bytes(bytes), n);
    }
    echo.await.unwrap();
}

#[test]
fn futurelock_on_our_mutex_is_found() {
    everywhere(|runtime| {
        let (tell, mut told) = mpsc::unbounded_channel();
        let detect = Detect::with(Limits::default(), move |finding| _ = tell.send(finding.clone()));
        let lock = Arc::new(Lock::new("lock", Mutex::new(())));
        let guard = lock.get_ref().try_lock().unwrap();
        let (queued, in_line) = oneshot::channel();
        let racing = detect.task("racing", race(lock.clone(), queued));
        let finding = runtime.block_on(async {
            let racing = spawn(racing);
            in_line.await.unwrap();
            drop(guard);
            let finding = told.recv().await.unwrap();
            racing.abort();
            finding
        });
        let (lock, hold, waiter) = ("lock".to_owned(), Hold::NextInLine, "second".to_owned());
        assert_eq!(finding.kind, Kind::Futurelock { lock, hold, waiter });
    });
}

/// Keeps its first branch in line for the lock, and waits for the lock itself.
async fn race(lock: Arc<Lock<Mutex<()>>>, queued: oneshot::Sender<()>) {
    let work = async || drop(lock.acquire(|lock| lock.lock()).await);
    let mut first = Box::pin(part("first", work()));
    polyloop::select! {
        biased;
        () = &mut first => {}
        () = yield_now() => {
            queued.send(()).unwrap();
            part("second", work()).await;
        }
    }
}
