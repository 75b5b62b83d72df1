//! The seed's echo server: an accept loop that spawns `echo_once` for each connection, which reads exactly 1 KiB and sends
//! it all back. The clients are another process.
//!
//! Invariant of a right run: a message that comes in pieces is awaited to its end, and every byte comes back.

use crate::catalogue::info::{Adjust, experiment};
use crate::catalogue::kit::client::{Client, Job, Load};
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use polyloop_timeline::{Log, say_us};
use polyloop_traits::{JoinFailed, Runtime, TcpListener, TcpStream};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// The seed's message.
const KIB: usize = 1024;
/// How many clients `load` has.
const LOAD: usize = 200;

pub(crate) fn cases() -> Vec<CaseInfo> {
    vec![
        experiment("echo/once", 0.02, "one client sends 1 KiB in 4 pieces and gets it back whole"),
        experiment("echo/load", 0.1, "200 clients at once send 1 KiB each and get it back whole").files(500),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    let (conns, pieces) = if cell.part(1) == "once" { (1, 4) } else { (LOAD, 1) };
    match rt.block_on(serve(rt, cell, &log, conns, pieces)) {
        Ok(()) => {
            let prediction = Prediction::new()
                .times("accepted", conns)
                .times("read 1024 bytes", conns)
                .times("sent all", conns)
                .times("a message came back whole", conns);
            let prediction = match conns {
                1 => prediction.sequence(&["accepted", "read 1024 bytes", "sent all"]),
                _ => prediction,
            };
            judge(cell, &log, &prediction, |timeline| {
                let lanes = timeline.lanes.iter().filter(|lane| lane.label.starts_with("echo"));
                let polls: usize = lanes.map(|lane| lane.polls.len()).sum();
                let time = say_us(timeline.total_us);
                format!(
                    "{polls} polls for {conns} × 1 KiB in {time}: a task is polled again only when its socket has more"
                )
            })
        }
        Err(error) => failed(error),
    }
}

async fn serve<R: Runtime>(
    rt: &R,
    cell: &Cell<'_>,
    log: &Log,
    conns: usize,
    pieces: usize,
) -> Result<(), String> {
    let listener = rt.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(|error| error.to_string())?;
    let addr = listener.local_addr().map_err(|error| error.to_string())?;
    let job = Job { addr, conns, bytes: KIB, load: Load::Once { pieces } };
    let client = Client::start(job, cell.clients);
    let (accepting, accept_log) = (rt.clone(), log.clone());
    let server = rt.spawn(log.task("accept loop", async move {
        let mut tasks = Vec::new();
        for i in 0..conns {
            let (conn, _) = listener.accept().await?;
            accept_log.say("accept loop", "accepted");
            let lane = if i == 0 { "echo 0" } else { "echo (the rest)" };
            tasks.push(accepting.spawn(accept_log.task(lane, echo_once(conn, accept_log.clone(), lane))));
        }
        for task in tasks {
            task.await.map_err(|error: JoinFailed| io::Error::other(error.to_string()))??;
        }
        io::Result::Ok(())
    }));
    client.ready().await;
    client.go();
    let report = client.report().await?;
    server.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    // Said when the server has said all that it has to say: what happens in two processes has no order.
    for _ in 0..report.right {
        log.say("clients", "a message came back whole");
    }
    Ok(())
}

/// The seed's function.
async fn echo_once(mut conn: impl TcpStream, log: Log, lane: &str) -> io::Result<()> {
    let mut data = [0; KIB];
    conn.read_exact(&mut data).await?;
    log.say(lane, "read 1024 bytes");
    conn.write_all(&data).await?;
    log.say(lane, "sent all");
    Ok(())
}
