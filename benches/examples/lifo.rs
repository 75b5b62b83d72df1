//! What each LIFO slot costs on message chains, and what it does to a task that is trapped in it: the tables of `docs/lifo.md`.
//!
//! ```sh
//! cargo run --release -p polyloop-benches --example lifo
//! ```
//!
//! Every number is from processes of its own. Instructions are callgrind's (which must be installed, or the column is empty): of
//! two runs one does twice the rounds, and the difference is divided by the rounds. Times are medians of processes that take
//! turns, so that what the machine does meanwhile meets all alike.

use polyloop::sync::mpsc;
use polyloop::{Builder, Runtime};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc as threads;
use std::time::{Duration, Instant};

const SLOTS: [&str; 3] = ["off", "stealable", "private"];

/// How often each is run.
const RUNS: usize = 5;
/// Rounds of a message chain by the clock, and under callgrind.
const ROUNDS: u64 = 200_000;
const COUNTED: u64 = 20_000;
/// How long a poll blocks that traps a task.
const BLOCKED: Duration = Duration::from_millis(100);

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => tables(),
        ["chain", tasks, name, rounds] => {
            let (tasks, rounds) = (tasks.parse().expect("tasks"), rounds.parse().expect("rounds"));
            println!("{}", chain(&build(name), tasks, rounds).as_nanos());
        }
        ["trap", name] => {
            let (waited, in_time) = trap(&build(name));
            println!("{} {in_time}", waited.as_micros());
        }
        _ => eprintln!("no words at all, or `chain TASKS NAME ROUNDS`, or `trap NAME`"),
    }
}

fn build(name: &str) -> Runtime {
    Builder::new().combination(name).experiments(true).build().expect("a runtime of this name")
}

/// A message goes round a ring of tasks so many times; two tasks play ping-pong.
fn chain(runtime: &Runtime, tasks: usize, rounds: u64) -> Duration {
    let (first, mut into) = mpsc::channel::<u64>(1);
    let last = {
        let first = first.clone();
        runtime.spawn(async move {
            for _ in 1..tasks {
                let (sender, receiver) = mpsc::channel(1);
                let mut from = std::mem::replace(&mut into, receiver);
                polyloop::spawn(async move {
                    while let Some(message) = from.recv().await {
                        if sender.send(message).await.is_err() {
                            return;
                        }
                    }
                });
            }
            let begun = now();
            for round in 0..rounds {
                first.send(round).await.expect("the ring is closed");
                into.recv().await.expect("the ring is closed");
            }
            begun.elapsed()
        })
    };
    drop(first);
    runtime.block_on(last).expect("no panic")
}

/// A poll spawns a task and blocks: how long that waits, and whether it ran before the poll ended.
fn trap(runtime: &Runtime) -> (Duration, bool) {
    let (tell, told) = threads::channel();
    let blocked = runtime.spawn(async move {
        let begun = now();
        polyloop::spawn(async move { _ = tell.send(begun.elapsed()) });
        let in_time = told.recv_timeout(BLOCKED);
        (told, in_time)
    });
    let (told, in_time) = runtime.block_on(blocked).expect("no panic");
    match in_time {
        Ok(waited) => (waited, true),
        Err(_) => (told.recv().expect("it runs in the end"), false),
    }
}

/// Runs this program with these words, in front of which stands another command's.
fn run(before: &[&str], words: &[&str]) -> Option<std::process::Output> {
    let own = std::env::current_exe().expect("a program has a path");
    let all: Vec<_> = before.iter().map(Into::into).chain([own.into_os_string()]).collect();
    Command::new(&all[0]).args(&all[1..]).args(words).output().ok().filter(|output| output.status.success())
}

fn said(words: &[&str]) -> String {
    let output = run(&[], words).unwrap_or_else(|| panic!("{words:?} failed"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Instructions of one round, or `None` without valgrind.
fn instructions(tasks: &str, name: &str) -> Option<u64> {
    let total = |rounds: u64| {
        let before = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let output = run(&before, &["chain", tasks, name, &rounds.to_string()])?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<u64>().ok())
    };
    let once = || Some(total(2 * COUNTED)?.saturating_sub(total(COUNTED)?) / COUNTED);
    Some(median((0..3).map(|_| once()).collect::<Option<_>>()?))
}

fn tables() {
    let name =
        |workers: &str, policy: &str, lifo: &str| format!("steal:{workers},block={policy},lifo={lifo}");
    let rings = [("2", "ping-pong, a round trip"), ("3", "three tasks, a round")];

    let mut chains = BTreeMap::new();
    for _ in 0..RUNS {
        for workers in ["1", "2"] {
            for (tasks, _) in rings {
                for lifo in SLOTS {
                    let nanos: u64 =
                        said(&["chain", tasks, &name(workers, "none", lifo), &ROUNDS.to_string()])
                            .parse()
                            .expect("nanoseconds");
                    chains.entry((workers, tasks, lifo)).or_insert_with(Vec::new).push(nanos / ROUNDS);
                }
            }
        }
    }
    println!("| chain | workers | slot | instructions | ns, median of {RUNS} |\n|---|---:|---|---:|---:|");
    for workers in ["1", "2"] {
        for (tasks, what) in rings {
            for lifo in SLOTS {
                let counted = instructions(tasks, &name(workers, "none", lifo));
                let counted = counted.map_or_else(|| "–".to_owned(), |counted| counted.to_string());
                let nanos = median(chains[&(workers, tasks, lifo)].clone());
                println!("| {what} | {workers} | {lifo} | {counted} | {nanos} |");
            }
        }
    }

    let mut traps = BTreeMap::new();
    let cells =
        || ["1", "2"].into_iter().flat_map(|workers| ["none", "handoff"].map(|policy| (workers, policy)));
    for _ in 0..RUNS {
        for (workers, policy) in cells() {
            for lifo in SLOTS {
                let said = said(&["trap", &name(workers, policy, lifo)]);
                let (micros, in_time) = said.split_once(' ').expect("two words");
                let (all, free) = traps.entry((workers, policy, lifo)).or_insert_with(|| (Vec::new(), 0));
                all.push(micros.parse::<u64>().expect("microseconds"));
                *free += usize::from(in_time == "true");
            }
        }
    }
    println!("\n| workers | policy | slot | ran before the poll ended | waited, ms, median of {RUNS} |");
    println!("|---:|---|---|---:|---:|");
    for (workers, policy) in cells() {
        for lifo in SLOTS {
            let (all, free) = &traps[&(workers, policy, lifo)];
            let waited = median(all.clone());
            println!(
                "| {workers} | {policy} | {lifo} | {free} of {RUNS} | {}.{:02} |",
                waited / 1000,
                waited % 1000 / 10
            );
        }
    }
}
