//! The worker that waited for events last goes on into a long poll: does anybody wait for events now?
//!
//! Invariant: one event, a timer or a byte, leads some worker into a poll that blocks, while all others sleep. Then
//! another event of the same kind comes, for a task that nobody holds up. It was due only after the poll had begun.

use crate::catalogue::info::{Adjust, experiment};
use crate::catalogue::kit::clock;
use crate::catalogue::kit::gate::Gate;
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, failed, judge};
use crate::cell::{CaseInfo, Outcome, Timeline};
use crate::subjects::Nature;
use futures::io::AsyncReadExt;
use polyloop_timeline::{Log, at, say_us};
use polyloop_traits::{Runtime, TcpListener};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const HELD: &str = "the long poll began";
const WENT_ON: &str = "the other went on";
const ENDED: &str = "the long poll ended";
/// How long peers wait for what does not come.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn cases() -> Vec<CaseInfo> {
    [("timer", "a timer"), ("io", "a byte over TCP")]
        .map(|(kind, event)| {
            let about = format!(
                "{event} leads an idle runtime's worker into a poll of up to 500 ms; meanwhile {event} comes for another task"
            );
            experiment(format!("hostage/{kind}"), 0.4, &about).with_options()
        })
        .into()
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let (log, nature) = (cell.log(), cell.nature);
    // Relief takes up to 20 ms, so however the run is scaled there is time to see it.
    let limit = cell.scaled(500).max(Duration::from_millis(200));
    let scene = Scene { log: log.clone(), held: Gate::default(), done: Arc::default(), limit };
    let played = match cell.part(1) {
        "timer" => rt.block_on(timers(rt, &scene)),
        _ => rt.block_on(sockets(rt, &scene)),
    };
    match played {
        Ok(()) => judge(cell, &log, &prediction(nature), |timeline| why(timeline, nature)),
        Err(error) => failed(error),
    }
}

fn prediction(nature: Nature) -> Prediction {
    let rule = Prediction::new().sequence(&[HELD, ENDED]).sequence(&[HELD, WENT_ON]);
    match nature {
        _ if nature.serial() => rule.sequence(&[ENDED, WENT_ON]),
        // A machine that stands still may leave another worker awake when the poll begins.
        _ if nature.hostage => rule.by_time(Prediction::new().sequence(&[ENDED, WENT_ON])),
        _ => rule.by_time(Prediction::new().sequence(&[WENT_ON, ENDED])),
    }
}

fn why(timeline: &Timeline, nature: Nature) -> String {
    let (Some(held), Some(ended), Some(went_on)) =
        (at(timeline, HELD), at(timeline, ENDED), at(timeline, WENT_ON))
    else {
        return "not all of it happened".to_owned();
    };
    let (poll, other) = (say_us(ended - held), say_us(went_on - held));
    match (went_on < ended, nature.workers) {
        (true, _) => format!("{other} into the long poll the other's event was seen and its task ran"),
        (false, 1) => format!("the only thread sat in one poll for {poll}, and nobody looked for events"),
        (false, _) => format!(
            "the worker that waits for events sat in one poll for {poll}; a free worker slept and did not take over"
        ),
    }
}

/// What the actors share.
#[derive(Clone)]
struct Scene {
    log: Log,
    /// Opens when the long poll has begun.
    held: Gate,
    /// The other went on.
    done: Arc<AtomicBool>,
    limit: Duration,
}

impl Scene {
    /// How long the runtime is idle before the first event.
    fn calm(&self) -> Duration {
        self.limit / 4
    }

    /// The time between the two events.
    fn gap(&self) -> Duration {
        self.limit / 8
    }

    /// The long poll.
    fn hold(&self) {
        self.log.say("long", HELD);
        self.held.open();
        clock::hold(self.limit, || self.done.load(Ordering::SeqCst));
        self.log.say("long", ENDED);
    }

    fn went_on(&self) {
        self.log.say("other", WENT_ON);
        self.done.store(true, Ordering::SeqCst);
    }
}

async fn timers<R: Runtime>(rt: &R, scene: &Scene) -> Result<(), String> {
    let (long_rt, long_scene) = (rt.clone(), scene.clone());
    let long = rt.spawn(scene.log.task("long", async move {
        long_rt.sleep(long_scene.calm()).await;
        long_scene.hold();
    }));
    let (other_rt, other_scene) = (rt.clone(), scene.clone());
    let other = rt.spawn(scene.log.task("other", async move {
        other_rt.sleep(other_scene.calm() + other_scene.gap()).await;
        // Only if the first timer was that late.
        while !other_scene.held.is_open() {
            other_rt.sleep(other_scene.gap()).await;
        }
        other_scene.went_on();
    }));
    long.await.map_err(|error| error.to_string())?;
    other.await.map_err(|error| error.to_string())
}

async fn sockets<R: Runtime>(rt: &R, scene: &Scene) -> Result<(), String> {
    let listener = rt.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(|error| error.to_string())?;
    let peer = peer(listener.local_addr().map_err(|error| error.to_string())?, scene.clone());
    let accepted = |error: io::Error| error.to_string();
    let (mut first, _) = listener.accept().await.map_err(accepted)?;
    let (mut second, _) = listener.accept().await.map_err(accepted)?;
    let (long_scene, other_scene) = (scene.clone(), scene.clone());
    let long = rt.spawn(scene.log.task("long", async move {
        first.read_exact(&mut [0]).await?;
        long_scene.hold();
        io::Result::Ok(())
    }));
    let other = rt.spawn(scene.log.task("other", async move {
        second.read_exact(&mut [0]).await?;
        other_scene.went_on();
        io::Result::Ok(())
    }));
    long.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    other.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    peer.join().map_err(|_| "the peer panicked")?.map_err(|error| error.to_string())
}

/// Sends a byte over its first connection, and one over its second when the long poll has begun.
fn peer(addr: SocketAddr, scene: Scene) -> thread::JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        let (mut first, mut second) = (TcpStream::connect(addr)?, TcpStream::connect(addr)?);
        clock::block(scene.calm());
        first.write_all(&[1])?;
        clock::hold(PATIENCE, || scene.held.is_open());
        clock::block(scene.gap());
        second.write_all(&[1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::resolve;

    #[test]
    fn a_free_worker_takes_over_where_it_can_and_only_there() {
        let taken_over = [HELD, WENT_ON, ENDED].map(str::to_owned);
        let starved = [HELD, ENDED, WENT_ON].map(str::to_owned);
        let fits = |subject: &str, events: &[String]| {
            prediction(resolve(subject).unwrap().nature).check(events).all().is_empty()
        };
        for subject in ["steal:2", "steal:2,block=none", "steal:1", "smol-n:2"] {
            assert!(fits(subject, &taken_over) && !fits(subject, &starved), "{subject}");
        }
        for subject in ["fifo", "steal:1,block=none", "tokio-ct", "tokio-mt:1", "tokio-mt:2", "smol-1"] {
            assert!(fits(subject, &starved) && !fits(subject, &taken_over), "{subject}");
        }
        let early = [WENT_ON, HELD, ENDED].map(str::to_owned);
        assert!(!fits("steal:2", &early), "an event that was due before the long poll proves nothing");
    }
}
