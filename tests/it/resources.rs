//! What a runtime takes it gives back (C13). A process of its own, so that nothing else opens files meanwhile.
//!
//! Invariant: threads, files and resident memory are told by `/proc/self`, after what ends by itself had time to do so.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

use polyloop::{Builder, Combination};
use polyloop_conformance::{block_thread, is_long};
use std::num::NonZeroUsize;
use std::process::Stdio;
use std::time::Duration;

fn count(folder: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{folder}")).unwrap().count()
}

fn cycle(combination: Combination) {
    let runtime = Builder::new().combination(combination).build().unwrap();
    let pending = runtime.spawn(async { polyloop::time::sleep(Duration::from_secs(60)).await });
    let sum = runtime.block_on(async {
        let tasks: Vec<_> = (0..4).map(|n| polyloop::spawn(async move { n })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        let listener = polyloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        polyloop::spawn(async move { listener.accept().await.map(drop) });
        polyloop::task::yield_now().await;
        let file = polyloop::fs::File::open("/proc/self/stat").await.unwrap();
        let signal = polyloop::signal::unix::signal(polyloop::signal::unix::SignalKind::hangup()).unwrap();
        let mut child = polyloop::process::Command::new("true");
        child.stdin(Stdio::piped()).stdout(Stdio::piped());
        assert!(child.status().await.unwrap().success());
        // One more, which is left to itself.
        drop((file, signal, child.spawn().unwrap()));
        sum
    });
    assert_eq!(sum, 6);
    drop(pending);
}

#[test]
fn a_thousand_runtimes_leave_nothing_behind() {
    let two = NonZeroUsize::new(2).unwrap();
    let of = |combination: Combination| match combination.executor() {
        "fifo" => combination,
        _ => combination.with_workers(two),
    };
    let all = Combination::ALL.map(of);
    // What the process keeps for good is there after the first round.
    (0..10).for_each(|_| all.into_iter().for_each(cycle));
    let before = settled(usize::MAX, usize::MAX);
    let memory = resident_kib();
    for round in 0..if is_long() { 10_000 } else { 1_000 } {
        cycle(all[round % all.len()]);
    }
    let after = settled(before.0, before.1);
    assert!(after.0 <= before.0, "{} files, {} before", after.0, before.0);
    assert!(after.1 <= before.1, "{} threads, {} before", after.1, before.1);
    // The allocator's own wavering, with hundreds of threads that come and go, is some hundreds of KiB.
    let grown = resident_kib().saturating_sub(memory);
    assert!(grown <= 4096, "{grown} KiB more, {memory} before");
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Files and threads, once there are no more than these, or after a second.
fn settled(files: usize, threads: usize) -> (usize, usize) {
    let mut now = (count("fd"), count("task"));
    let mut left = 200;
    while left > 0 && (left > 190 || now.0 > files || now.1 > threads) {
        block_thread(Duration::from_millis(5));
        now = (count("fd"), count("task"));
        left -= 1;
    }
    now
}
