//! Tasks that take turns: by yielding, and by waking each other through the neutral channel.

use crate::catalogue::info::{Adjust, EXECUTOR, bench};
use crate::catalogue::kit::channel::channel;
use crate::catalogue::kit::measure::{expect, timed, timed_by};
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::{Cell, report};
use crate::cell::{CaseInfo, Outcome, Sample};
use polyloop_timeline::text::count;
use polyloop_traits::Runtime;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};

/// Tasks that yield at the same time.
const YIELDERS: u64 = 200;

/// Tasks of a ring.
const LINKS: u64 = 8;

pub(crate) fn cases() -> Vec<CaseInfo> {
    let ping_pong = |pairs: u64| {
        let tasks = count(pairs as usize, "pair");
        let about =
            format!("{tasks} of tasks, each sending a number to and fro; one operation is one round trip");
        bench(format!("ping_pong/pairs={pairs}"), "ns", EXECUTOR, &about)
    };
    vec![
        bench("yield", "ns", EXECUTOR, "200 tasks yield again and again; one operation is one yield"),
        bench(
            "wake",
            "ns",
            EXECUTOR,
            "a task wakes a waiting one by its waker, then yields to it; one operation is one wake with the polls of both",
        )
        .not_quick(),
        ping_pong(1),
        ping_pong(1_000).not_quick(),
        bench(
            "message_chain",
            "ns",
            EXECUTOR,
            "a number goes round a ring of 8 tasks, each of which waits for it; one operation is one hop",
        )
        .not_quick(),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(match cell.part(0) {
        "yield" => yields(rt, cell),
        "wake" => wakes(rt, cell),
        "message_chain" => message_chain(rt, cell),
        _ => cell.number("pairs").and_then(|pairs| ping_pong(rt, cell, pairs as u64)),
    })
}

fn yields<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), YIELDERS, |rounds| {
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

/// With several workers a wake may find the task awake: it is polled at least once for all of them, and at most once for each.
fn wakes<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed(cell.effort(), |n| {
        let spawner = rt.clone();
        inside(rt, async move {
            let (known, over) = (Arc::new(OnceLock::<Waker>::new()), Arc::new(AtomicBool::new(false)));
            let (tell, stop) = (known.clone(), over.clone());
            let waits = spawner.spawn(async move {
                let mut polls = 0;
                poll_fn(|cx| {
                    polls += 1;
                    let _ = tell.get_or_init(|| cx.waker().clone());
                    if stop.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                polls
            });
            let waker = loop {
                match known.get() {
                    Some(waker) => break waker,
                    None => spawner.yield_now().await,
                }
            };
            let start = clock::now();
            for _ in 0..n {
                waker.wake_by_ref();
                spawner.yield_now().await;
            }
            let wall = start.elapsed();
            over.store(true, Ordering::Release);
            waker.wake_by_ref();
            let polls: u64 = waits.await.map_err(|error| error.to_string())?;
            expect("whether each wake led to one poll at most", (2..=n + 2).contains(&polls), true)
                .map(|()| wall)
        })
    })?;
    Ok(timed.samples())
}

fn ping_pong<R: Runtime>(rt: &R, cell: &Cell<'_>, pairs: u64) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), pairs, |rounds| {
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

fn message_chain<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), LINKS, |rounds| {
        let spawner = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            let (first, mut inbox) = channel::<u64>();
            let mut links = Vec::new();
            for _ in 1..LINKS {
                let (onward, next_inbox) = channel::<u64>();
                let mut inbox = std::mem::replace(&mut inbox, next_inbox);
                // It ends with the one before it.
                links.push(spawner.spawn(async move {
                    while let Some(hops) = inbox.recv().await {
                        onward.send(hops + 1).ok();
                    }
                }));
            }
            let head = spawner.spawn(async move {
                let mut hops = 0;
                for _ in 0..rounds {
                    first.send(hops + 1).ok();
                    hops = inbox.recv().await.unwrap_or_default();
                }
                hops
            });
            let hops = head.await.map_err(|error| error.to_string())?;
            for link in links {
                link.await.map_err(|error| error.to_string())?;
            }
            let wall = start.elapsed();
            expect("the number of hops", hops, rounds * LINKS).map(|()| wall)
        })
    })?;
    Ok(timed.samples())
}
