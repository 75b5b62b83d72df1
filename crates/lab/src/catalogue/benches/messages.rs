//! Tasks that take turns: by yielding, and by waking each other through the neutral channel.

use crate::catalogue::info::{Adjust, EXECUTOR, bench};
use crate::catalogue::kit::channel::channel;
use crate::catalogue::kit::measure::{expect, timed_by};
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::{Cell, report};
use crate::cell::{CaseInfo, Outcome, Sample};
use polyloop_traits::Runtime;

/// Tasks that yield at the same time.
const YIELDERS: u64 = 200;

pub(crate) fn cases() -> Vec<CaseInfo> {
    let ping_pong = |pairs: u64| {
        let about =
            format!("{pairs} pairs of tasks send a number to and fro; one operation is one round trip");
        bench(format!("ping_pong/pairs={pairs}"), "ns", EXECUTOR, &about)
    };
    vec![
        bench("yield", "ns", EXECUTOR, "200 tasks yield again and again; one operation is one yield"),
        ping_pong(1),
        ping_pong(1_000).not_quick(),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(match cell.part(0) {
        "yield" => yields(rt, cell),
        _ => cell.number("pairs").and_then(|pairs| ping_pong(rt, cell, pairs as u64)),
    })
}

fn yields<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.slot(), YIELDERS, |rounds| {
        let spawner = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            let yielder = || {
                let rt = spawner.clone();
                async move {
                    let mut done = 0;
                    for _ in 0..rounds {
                        rt.yield_now().await;
                        done += 1;
                    }
                    done
                }
            };
            let tasks: Vec<_> = (0..YIELDERS).map(|_| spawner.spawn(yielder())).collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.map_err(|error| error.to_string())?;
            }
            let wall = start.elapsed();
            expect("the number of yields", sum, rounds * YIELDERS).map(|()| wall)
        })
    })?;
    Ok(timed.samples())
}

fn ping_pong<R: Runtime>(rt: &R, cell: &Cell<'_>, pairs: u64) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.slot(), pairs, |rounds| {
        let spawner = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            let mut pings = Vec::new();
            for _ in 0..pairs {
                let ((ping, mut pinged), (pong, mut ponged)) = (channel::<u64>(), channel::<u64>());
                // Both ends of a pair end with their partner's sender.
                let echo = spawner.spawn(async move {
                    while let Some(number) = pinged.recv().await {
                        pong.send(number + 1).ok();
                    }
                });
                pings.push(spawner.spawn(async move {
                    let mut number = 0;
                    for _ in 0..rounds {
                        ping.send(number).ok();
                        number = ponged.recv().await.unwrap_or_default();
                    }
                    drop(ping);
                    echo.await.ok();
                    number
                }));
            }
            let mut sum = 0;
            for ping in pings {
                sum += ping.await.map_err(|error| error.to_string())?;
            }
            let wall = start.elapsed();
            expect("the number of round trips", sum, rounds * pairs).map(|()| wall)
        })
    })?;
    Ok(timed.samples())
}
