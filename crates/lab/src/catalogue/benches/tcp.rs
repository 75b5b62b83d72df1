//! TCP: echo under a closed load from another process, and connections that say nothing.
//!
//! Invariant: the server is the runtime under test and nothing else runs in its process while it is measured, so its CPU
//! time is the process's.

use super::idle::resident;
use crate::catalogue::info::{Adjust, EXECUTOR_REACTOR, bench};
use crate::catalogue::kit::client::{Client, Job, Load};
use crate::catalogue::kit::clock;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::kit::measure::{expect, sample};
use crate::catalogue::{Cell, report};
use crate::cell::{Better, CaseInfo, Outcome, Sample};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use polyloop_timeline::text::count;
use polyloop_traits::{Runtime, TcpListener, TcpStream};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Connections that say nothing.
const IDLE: usize = 1_000;
/// How long they are watched.
const WINDOW: Duration = Duration::from_millis(500);
/// Files besides the connections.
const SPARE: u64 = 100;

pub(crate) fn cases() -> Vec<CaseInfo> {
    let mut all = Vec::new();
    for conns in [1, 64, 1_000] {
        for bytes in [64, 16_384] {
            let about = format!(
                "{} from another process, one message of {bytes} bytes always under way on each, after a warm-up as long; \
                 one operation is one message there and back",
                count(conns as usize, "connection")
            );
            let case =
                bench(format!("tcp_echo/conns={conns}/bytes={bytes}"), "req/s", EXECUTOR_REACTOR, &about);
            let case = case.files(conns + SPARE);
            all.push(match (conns, bytes) {
                (64, 64) => case,
                (1_000, 16_384) => case.takes(0.4).full_only(),
                (1_000, _) => case.takes(0.4).not_quick(),
                _ => case.not_quick(),
            });
        }
    }
    let about = "1000 connections that say nothing: growth of the server's resident set, each";
    let idle = bench("idle_connections", "bytes", EXECUTOR_REACTOR, about);
    all.push(idle.files(IDLE as u64 + SPARE).takes(0.65).not_quick());
    all
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(match cell.part(0) {
        "tcp_echo" => {
            let numbers = cell.number("conns").and_then(|conns| Ok((conns, cell.number("bytes")?)));
            numbers.and_then(|(conns, bytes)| rt.block_on(echo(rt, cell, conns, bytes)))
        }
        _ => rt.block_on(idle(rt, cell)),
    })
}

async fn echo<R: Runtime>(
    rt: &R,
    cell: &Cell<'_>,
    conns: usize,
    bytes: usize,
) -> Result<Vec<Sample>, String> {
    let listener = listen(rt)?;
    let addr = listener.local_addr().map_err(|error| error.to_string())?;
    let load = Load::Loop { millis: cell.slot().as_millis() as u64 };
    let client = Client::start(Job { addr, conns, bytes, load }, cell.clients);
    let (echoed, all_accepted) = (Arc::new(AtomicU64::new(0)), Gate::default());
    let server = rt.spawn(accept(rt.clone(), listener, conns, bytes, echoed.clone(), all_accepted.clone()));
    client.ready().await;
    all_accepted.wait().await;
    // The client has warmed up and has all its answers; what was echoed for that does not count.
    let before = echoed.load(Ordering::SeqCst);
    let calls = (cell.syscalls)();
    let cpu = clock::cpu();
    client.go();
    let found = client.report().await?;
    let cpu = clock::cpu().saturating_sub(cpu);
    let calls = calls.and_then(|before| Some((cell.syscalls)()? - before));
    drop(client);
    server.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    expect(
        "the number of messages that the server saw",
        echoed.load(Ordering::SeqCst) - before,
        found.right,
    )?;
    let right = found.right as f64;
    let mut samples = vec![
        sample("requests", "req/s", Better::Higher, right / found.seconds.max(1e-9)),
        sample("requests_per_cpu", "req/s", Better::Higher, right / cpu.as_secs_f64().max(1e-9)),
        sample("p50", "µs", Better::Lower, found.p50_us),
        sample("p99", "µs", Better::Lower, found.p99_us),
    ];
    let each = |calls| sample("reactor_syscalls", "calls", Better::Lower, calls as f64 / right.max(1.0));
    samples.extend(calls.map(each));
    Ok(samples)
}

fn listen<R: Runtime>(rt: &R) -> Result<R::TcpListener, String> {
    rt.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(|error| error.to_string())
}

/// Accepts so many connections, echoes on each, and ends with the last of them.
async fn accept<R: Runtime>(
    rt: R,
    listener: R::TcpListener,
    conns: usize,
    bytes: usize,
    echoed: Arc<AtomicU64>,
    all_accepted: Gate,
) -> io::Result<()> {
    let mut tasks = Vec::with_capacity(conns);
    for _ in 0..conns {
        let (conn, _) = listener.accept().await?;
        conn.set_nodelay(true)?;
        tasks.push(rt.spawn(serve(conn, bytes, echoed.clone())));
    }
    all_accepted.open();
    for task in tasks {
        task.await.map_err(|error| io::Error::other(error.to_string()))??;
    }
    Ok(())
}

/// Echoes messages of so many bytes until the other end closes.
async fn serve(mut conn: impl TcpStream, bytes: usize, echoed: Arc<AtomicU64>) -> io::Result<()> {
    let mut message = vec![0; bytes];
    loop {
        match conn.read_exact(&mut message).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        // Counted before the client can have it.
        echoed.fetch_add(1, Ordering::Relaxed);
        conn.write_all(&message).await?;
    }
}

async fn idle<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let listener = listen(rt)?;
    let addr = listener.local_addr().map_err(|error| error.to_string())?;
    let before = resident()?;
    let client = Client::start(Job { addr, conns: IDLE, bytes: 1, load: Load::Idle }, cell.clients);
    let all_accepted = Gate::default();
    let echoed = Arc::new(AtomicU64::new(0));
    let server = rt.spawn(accept(rt.clone(), listener, IDLE, 1, echoed, all_accepted.clone()));
    client.ready().await;
    client.go();
    client.report().await?;
    all_accepted.wait().await;
    let after = resident()?;
    let (start, cpu) = (clock::now(), clock::cpu());
    rt.sleep(WINDOW).await;
    let burnt = (clock::cpu() - cpu).as_secs_f64() * 1e6 / start.elapsed().as_secs_f64();
    drop(client);
    server.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    Ok(vec![
        sample("resident", "bytes", Better::Lower, after.saturating_sub(before) as f64 / IDLE as f64),
        sample("cpu", "µs/s", Better::Lower, burnt),
    ])
}
