//! The seed's two senders and one receiver, joined by `join3` and by `join_all` of pinned boxes.
//!
//! Invariant of a right run: each sender's messages arrive in its order, and the receiver ends when, and only when, the
//! last sender is gone.

use crate::catalogue::info::experiment;
use crate::catalogue::kit::channel::{Receiver, Sender, channel};
use crate::catalogue::order::Prediction;
use crate::catalogue::{Cell, judge};
use crate::cell::{CaseInfo, Outcome};
use futures::future::{join_all, join3};
use polyloop_timeline::Log;
use polyloop_traits::Runtime;
use std::pin::Pin;
use std::time::Duration;

const TX1: [&str; 4] = ["hi", "from", "the", "future"];
const TX: [&str; 4] = ["more", "messages", "for", "you"];

pub(crate) fn cases() -> Vec<CaseInfo> {
    vec![
        experiment(
            "channel/multi-sender",
            6.0,
            "one sender speaks every 500 ms, another every 1.5 s, joined with their receiver in one task",
        ),
        experiment(
            "join/all-pinned",
            6.0,
            "the same three futures as pinned boxes in a vector, joined by join_all",
        ),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    let log = cell.log();
    let (tx, rx) = channel();
    let tx1_fut = log.trace("tx1", send(rt, &log, "tx1", tx.clone(), &TX1, cell.scaled(500)));
    let tx_fut = log.trace("tx", send(rt, &log, "tx", tx, &TX, cell.scaled(1_500)));
    let rx_fut = log.trace("rx", receive(&log, rx));
    rt.block_on(async {
        if cell.part(0) == "channel" {
            join3(tx1_fut, tx_fut, rx_fut).await;
        } else {
            let all: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> =
                vec![Box::pin(tx1_fut), Box::pin(rx_fut), Box::pin(tx_fut)];
            join_all(all).await;
        }
    });
    judge(cell, &log, &prediction(), |timeline| {
        let polls = timeline.lanes.iter().find(|lane| lane.label == "rx").map_or(0, |lane| lane.polls.len());
        format!(
            "rx was polled {polls} times for 8 messages, and ended when the last of the two senders was dropped"
        )
    })
}

/// Both sleep from the same poll on, and `tx1` is polled first: `from` is sent before `messages` even if the machine
/// stands still until both are due. What comes after that compares chains of sleeps, and is not forced.
fn prediction() -> Prediction {
    let said =
        |words: &[&str]| -> Vec<String> { words.iter().map(|word| format!("received '{word}'")).collect() };
    let (tx1, tx) = (said(&TX1), said(&TX));
    Prediction::new()
        .sequence(&tx1)
        .sequence(&tx)
        .sequence(&[&tx1[0], &tx[0], &tx1[1], &tx[1]])
        .before(&[tx1[3].as_str(), tx[3].as_str()], &["rx ended"])
        .before(&["tx1 ended", "tx ended"], &["rx ended"])
}

async fn send<R: Runtime>(
    rt: &R,
    log: &Log,
    name: &str,
    tx: Sender<&str>,
    words: &[&'static str],
    pause: Duration,
) {
    for word in words {
        if tx.send(word).is_err() {
            log.say(name, format!("{name} found nobody listening"));
        }
        rt.sleep(pause).await;
    }
    log.say(name, format!("{name} ended"));
}

async fn receive(log: &Log, mut rx: Receiver<&str>) {
    while let Some(word) = rx.recv().await {
        log.say("rx", format!("received '{word}'"));
    }
    log.say("rx", "rx ended");
}
