//! A task that always wakes itself beside a timer and a socket: the seed's inner `while READY_QUEUE`, which would never
//! look at either.
//!
//! Invariant of a right run: timers and I/O go on while some task is always ready.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::clock;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome};
use futures::io::AsyncReadExt;
use polyloop_timeline::{Log, longest_wait, say_wait};
use polyloop_traits::{Runtime, TcpListener};
use std::future::poll_fn;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

/// The self-waker gives up after this long: a runtime that starves the others is to be told, not to hang.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the timer waits for, and after how long the peer sends its byte.
const SOON: Duration = Duration::from_millis(10);

pub(crate) fn cases() -> Vec<CaseInfo> {
    let about = "a task that wakes itself in every poll, beside a 10 ms timer and a byte that comes over TCP";
    vec![experiment("self-waker", 0.02, about)]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    match rt.block_on(starve(rt, &log)) {
        Ok(()) => {
            let prediction = Prediction::new()
                .before(&["the timer fired", "the byte came"], &["the self-waker ended"])
                .never(&["the self-waker gave up"]);
            judge(cell, &log, &prediction, |timeline| {
                let polls = timeline.lanes.iter().find(|lane| lane.label == "self-waker");
                let wakes = polls.map_or(0, |lane| lane.wakes_us.len());
                let wait = longest_wait(timeline, "timer").map_or_else(String::new, |wait| {
                    format!(", and once it was due {}", say_wait("timer", &wait))
                });
                format!("the self-waker was woken at least {wakes} times while the others waited{wait}")
            })
        }
        Err(error) => failed(error),
    }
}

async fn starve<R: Runtime>(rt: &R, log: &Log) -> Result<(), String> {
    let listener = rt.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(|error| error.to_string())?;
    let addr = listener.local_addr().map_err(|error| error.to_string())?;
    let (done, accepted) = (Arc::new(AtomicUsize::new(0)), Gate::default());
    let peer = thread::spawn(move || -> std::io::Result<()> {
        let mut conn = TcpStream::connect(addr)?;
        clock::block(SOON);
        conn.write_all(&[1])
    });
    let (io_log, io_done, io_ready) = (log.clone(), done.clone(), accepted.clone());
    let io = rt.spawn(log.task("io", async move {
        let (mut conn, _) = listener.accept().await?;
        io_ready.open();
        conn.read_exact(&mut [0]).await?;
        io_log.say("io", "the byte came");
        io_done.fetch_add(1, Ordering::SeqCst);
        std::io::Result::Ok(())
    }));
    accepted.wait().await;
    let (timer, timer_log, timer_done) = (rt.clone(), log.clone(), done.clone());
    let timer = rt.spawn(log.task("timer", async move {
        timer.sleep(SOON).await;
        timer_log.say("timer", "the timer fired");
        timer_done.fetch_add(1, Ordering::SeqCst);
    }));
    let own = rt.spawn(log.task("self-waker", self_waker(log.clone(), done)));
    own.await.map_err(|error| error.to_string())?;
    timer.await.map_err(|error| error.to_string())?;
    io.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    peer.join().map_err(|_| "the peer panicked")?.map_err(|error| error.to_string())
}

/// Is ready again after every poll, until both others are done.
async fn self_waker(log: Log, done: Arc<AtomicUsize>) {
    let start = clock::now();
    poll_fn(move |cx| {
        if done.load(Ordering::SeqCst) == 2 {
            log.say("self-waker", "the self-waker ended");
            return Poll::Ready(());
        }
        if start.elapsed() > PATIENCE {
            log.say("self-waker", "the self-waker gave up");
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
